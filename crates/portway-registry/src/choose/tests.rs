use portway_ports::Protocol;

use super::*;

mod order;
mod other_users;

/// A machine: leases, running instances, missing checkouts and ports that other processes use.
#[derive(Default)]
struct MachineState {
    leases: Vec<Lease>,
    running: Vec<&'static str>,
    missing: Vec<&'static str>,
    in_use: Vec<u16>,
    of_other_users: Vec<u16>,
    siblings: Vec<&'static str>,
    is_worktree: bool,
}

impl MachineState {
    fn lease(mut self, port: u16, instance: &str, service: &str, last_used: u64) -> Self {
        self.leases.push(Lease {
            port,
            instance: instance.into(),
            service: service.into(),
            name: String::new(),
            forced_port: None,
            yielded_port: None,
            last_used,
        });
        self
    }

    fn choose(&self, wanted: Vec<PortRequest>) -> Result<Vec<AllocatedPort>, ChooseError> {
        let request = AllocationRequest {
            instance: "me",
            is_main: !self.is_worktree,
            ports: wanted,
            is_excluded: &|port| port == 9002,
            is_of_other_user: &|port, _| self.of_other_users.contains(&port),
            is_complete: true,
            by_supervisor: false,
        };
        let siblings = self.siblings.iter().map(|&id| id.to_owned()).collect();
        let mut state = |instance: &str| {
            if self.running.contains(&instance) {
                CheckoutState::Running
            } else if self.missing.contains(&instance) {
                CheckoutState::Missing
            } else {
                CheckoutState::Stopped
            }
        };
        let mut hold =
            |port: u16, _protocol: Protocol, _own: bool| Ok(!self.in_use.contains(&port));
        choose(&request, &self.leases, &siblings, &mut state, &mut hold)
    }

    /// Returns the port that a single backend gets from 9000-9005.
    fn backend(&self) -> u16 {
        self.choose(vec![backend()]).unwrap()[0].port
    }
}

fn want(service: &str, preferred: u16, range: &str) -> PortRequest {
    PortRequest {
        service: service.into(),
        name: String::new(),
        protocol: Protocol::Tcp,
        preferred,
        is_explicit: true,
        is_called: false,
        range: range.parse().unwrap(),
        forced: None,
        fallback: false,
        keep: None,
    }
}

fn backend() -> PortRequest {
    want("backend", 9000, "9000-9005")
}

#[test]
fn takes_the_preferred_port_or_the_next_free_one() {
    let mut machine = MachineState::default();
    assert_eq!(machine.backend(), 9000);
    machine.in_use = vec![9000];
    let port = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!(port.port, 9001);
    let displaced = port.displacement.unwrap();
    assert_eq!((displaced.wanted, displaced.is_forced), (9000, false));
    // 9002 is excluded.
    machine.in_use = vec![9000, 9001];
    assert_eq!(machine.backend(), 9003);
}

#[test]
fn a_main_checkout_returns_to_its_preferred_port() {
    let machine = MachineState::default().lease(9004, "me", "backend", 1);
    assert_eq!(machine.backend(), 9000);
}

#[test]
fn a_port_is_sticky_while_the_preferred_one_is_in_use() {
    let mut machine = MachineState::default().lease(9004, "me", "backend", 1);
    machine.in_use = vec![9000];
    assert_eq!(machine.backend(), 9004);
}

#[test]
fn a_worktree_leaves_the_preferred_port_to_the_main_checkout() {
    let mut machine = MachineState {
        is_worktree: true,
        ..MachineState::default()
    };
    let port = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!(port.port, 9001);
    let displacement = port.displacement.unwrap();
    assert_eq!(displacement.reason, DisplacementReason::LeftToMain(None));
    machine.in_use = vec![9001, 9003, 9004, 9005];
    assert_eq!(machine.backend(), 9000);
    let mut machine = machine.lease(9004, "me", "backend", 1);
    machine.in_use = vec![];
    assert_eq!(machine.backend(), 9004);
}

#[test]
fn leases_of_stopped_instances_come_last_and_the_oldest_first() {
    let mut machine = MachineState::default()
        .lease(9000, "a", "backend", 3)
        .lease(9001, "b", "backend", 2);
    assert_eq!(machine.backend(), 9003);
    machine.in_use = vec![9003, 9004, 9005];
    assert_eq!(machine.backend(), 9001);
    machine.running = vec!["b"];
    assert_eq!(machine.backend(), 9000);
}

#[test]
fn a_called_port_is_not_kept_by_a_stopped_instance_of_another_project() {
    let called = || PortRequest {
        is_called: true,
        ..backend()
    };
    let machine = || MachineState::default().lease(9000, "other", "backend", 1);
    let port = |machine: &MachineState| machine.choose(vec![called()]).unwrap().remove(0);
    let taken = port(&machine());
    assert_eq!((taken.port, taken.displacement), (9000, None));
    for machine in [
        MachineState {
            running: vec!["other"],
            ..machine()
        },
        MachineState {
            siblings: vec!["other"],
            ..machine()
        },
        MachineState {
            is_worktree: true,
            ..machine()
        },
        MachineState {
            in_use: vec![9000],
            ..machine()
        },
    ] {
        let left = port(&machine);
        assert_eq!(left.port, 9001);
        assert_eq!(left.displacement.unwrap().wanted, 9000);
    }
}

#[test]
fn a_lease_of_a_missing_checkout_does_not_count() {
    let mut machine = MachineState::default().lease(9000, "a", "backend", 1);
    assert_eq!(machine.backend(), 9001);
    machine.missing = vec!["a"];
    assert_eq!(machine.backend(), 9000);
}

#[test]
fn services_of_one_request_do_not_take_each_others_ports() {
    let mut machine = MachineState {
        in_use: vec![9000],
        ..MachineState::default()
    };
    let api = want("api", 9001, "9001-9005");
    let ports = |port: Vec<AllocatedPort>| port.iter().map(|one| one.port).collect::<Vec<_>>();
    let port = machine.choose(vec![backend(), api.clone()]).unwrap();
    assert_eq!(ports(port), [9003, 9001]);
    // A service does not get the sticky port of a later one.
    machine = machine.lease(9003, "me", "api", 1);
    machine.in_use.push(9001);
    assert_eq!(
        ports(machine.choose(vec![backend(), api]).unwrap()),
        [9004, 9003]
    );
}

#[test]
fn a_forced_port_comes_first_even_if_leased_or_excluded() {
    let forced = |port| PortRequest {
        forced: Some(port),
        ..backend()
    };
    let machine = MachineState::default().lease(9003, "a", "backend", 1);
    for port in [9001, 9002, 9003, 12345] {
        assert_eq!(machine.choose(vec![forced(port)]).unwrap()[0].port, port);
    }
}

#[test]
fn a_forced_port_in_use_fails_or_falls_back() {
    let mut machine = MachineState::default().lease(9003, "a", "backend", 1);
    machine.running = vec!["a"];
    let mut wanted = PortRequest {
        forced: Some(9003),
        ..backend()
    };
    let error = machine.choose(vec![wanted.clone()]).unwrap_err();
    assert!(
        matches!(error, ChooseError::ForcedInUse { port: 9003, lease: Some(lease), .. } if lease.instance == "a")
    );
    wanted.fallback = true;
    let port = machine.choose(vec![wanted]).unwrap().remove(0);
    let displaced = port.displacement.unwrap();
    assert_eq!(port.port, 9000);
    assert_eq!((displaced.wanted, displaced.is_forced), (9003, true));
}

#[test]
fn a_full_range_fails() {
    let mut machine = MachineState::default().lease(9001, "a", "backend", 1);
    machine.running = vec!["a"];
    machine.in_use = vec![9000, 9003, 9004, 9005];
    let ChooseError::RangeFull {
        leases, excluded, ..
    } = machine.choose(vec![backend()]).unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!((leases.len(), excluded), (1, 1));
}

#[test]
fn an_excluded_port_must_be_requested_by_number() {
    let named = want("backend", 9002, "9002-9005");
    let ranged = PortRequest {
        is_explicit: false,
        is_called: false,
        ..named.clone()
    };
    for is_worktree in [false, true] {
        let machine = MachineState {
            is_worktree,
            in_use: vec![9003, 9004, 9005],
            ..MachineState::default()
        };
        assert_eq!(machine.choose(vec![named.clone()]).unwrap()[0].port, 9002);
        assert!(matches!(
            machine.choose(vec![ranged.clone()]).unwrap_err(),
            ChooseError::RangeFull { excluded: 1, .. }
        ));
    }
    let port = MachineState::default()
        .choose(vec![ranged])
        .unwrap()
        .remove(0);
    assert_eq!((port.port, port.displacement), (9003, None));
}

#[test]
fn a_newly_excluded_port_is_replaced_and_reported_once() {
    let mut machine = MachineState {
        in_use: vec![9000],
        ..MachineState::default()
    }
    .lease(9002, "me", "backend", 1);
    let port = machine.choose(vec![backend()]).unwrap().remove(0);
    let displacement = port.displacement.unwrap();
    assert_eq!((port.port, displacement.wanted), (9001, 9002));
    assert_eq!(displacement.reason, DisplacementReason::Excluded);
    // A service that returns to its preferred port was not displaced.
    machine.in_use.clear();
    let port = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!((port.port, port.displacement), (9000, None));
    // A forced port was not lost to the exclusion.
    machine.in_use = vec![9000];
    machine.leases[0].forced_port = Some(9002);
    let port = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!(port.displacement.unwrap().reason, DisplacementReason::InUse);
    // After that, the lease is for another port.
    machine = MachineState {
        in_use: vec![9000],
        ..MachineState::default()
    }
    .lease(9001, "me", "backend", 1);
    let port = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!(port.displacement.unwrap().reason, DisplacementReason::InUse);
}

#[test]
fn a_replaced_port_is_never_taken_from_another_service() {
    let machine = MachineState::default()
        .lease(9001, "me", "backend", 1)
        .lease(9000, "me", "web", 1);
    for is_main in [true, false] {
        let request = AllocationRequest {
            instance: "me",
            is_main,
            ports: vec![backend()],
            is_excluded: &|port| port == 9001,
            is_of_other_user: &|_, _| false,
            is_complete: false,
            by_supervisor: true,
        };
        let mut state = |_: &str| CheckoutState::Running;
        let siblings = HashSet::new();
        let mut hold = |_, _, _| Ok(true);
        let port = choose(&request, &machine.leases, &siblings, &mut state, &mut hold);
        assert_eq!(port.unwrap()[0].port, 9002);
    }
}

#[test]
fn several_ranges_are_tried_in_their_order() {
    let several = || PortRequest {
        is_explicit: false,
        ..want("backend", 9200, "9200-9201, 9000-9001")
    };
    let mut machine = MachineState::default();
    for expected in [9200, 9201, 9000, 9001] {
        let chosen = machine.choose(vec![several()]).unwrap();
        assert_eq!(chosen[0].port, expected);
        machine.in_use.push(expected);
    }
    let error = machine.choose(vec![several()]).unwrap_err().to_string();
    assert_eq!(
        error,
        "every port of 9200-9201, 9000-9001, the range of `backend`, is in use"
    );
}

#[test]
fn a_running_service_keeps_its_port() {
    let machine = MachineState::default()
        .lease(9003, "me", "backend", 1)
        .lease(9000, "me", "removed", 1);
    let kept = PortRequest {
        keep: Some(9003),
        ..backend()
    };
    // Even if the manifest has another range now, and a service before it would get the port.
    let moved = PortRequest {
        range: "9100-9101".parse().unwrap(),
        ..kept.clone()
    };
    for kept in [kept, moved] {
        let first = want("first", 9003, "9003-9004");
        let given = machine.choose(vec![first, kept]).unwrap();
        let ports: Vec<u16> = given.iter().map(|one| one.port).collect();
        assert_eq!(ports, [9004, 9003]);
        assert_eq!(given[1].displacement, None);
    }
    // A new service takes over the port of a removed one.
    let renamed = want("new", 9000, "9000-9005");
    assert_eq!(machine.choose(vec![renamed]).unwrap()[0].port, 9000);
}
