use super::*;

/// A small world: what is leased, who lives, which ports strangers have.
#[derive(Default)]
struct World {
    leases: Vec<Lease>,
    live: Vec<&'static str>,
    gone: Vec<&'static str>,
    strangers: Vec<u16>,
    worktree: bool,
}

impl World {
    fn lease(mut self, port: u16, instance: &str, service: &str, last_used: u64) -> Self {
        self.leases.push(Lease {
            port,
            instance: instance.into(),
            service: service.into(),
            name: String::new(),
            wish: None,
            last_used,
        });
        self
    }

    fn choose(&self, wanted: Vec<Wanted>) -> Result<Vec<Allotted>, ChooseError> {
        let request = Request {
            instance: "me",
            main: !self.worktree,
            wanted,
            excluded: &|port| port == 9002,
            whole: true,
            supervises: false,
        };
        let mut liveness = |instance: &str| {
            if self.live.contains(&instance) {
                Liveness::Live
            } else if self.gone.contains(&instance) {
                Liveness::Gone
            } else {
                Liveness::Kept
            }
        };
        let mut hold = |port: u16, _own: bool| Ok(!self.strangers.contains(&port));
        choose(&request, &self.leases, &mut liveness, &mut hold)
    }

    /// The port that a lone backend gets from 9000-9005.
    fn backend(&self) -> u16 {
        self.choose(vec![backend()]).unwrap()[0].port
    }
}

fn want(service: &str, prefer: u16, range: &str) -> Wanted {
    Wanted {
        service: service.into(),
        name: String::new(),
        prefer,
        named: true,
        range: range.parse().unwrap(),
        wish: None,
        fallback: false,
    }
}

fn backend() -> Wanted {
    want("backend", 9000, "9000-9005")
}

#[test]
fn the_preferred_port_else_the_next_free_one() {
    let mut world = World::default();
    assert_eq!(world.backend(), 9000);
    world.strangers = vec![9000];
    let given = world.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!(given.port, 9001);
    let displaced = given.displaced.unwrap();
    assert_eq!((displaced.wanted, displaced.forced), (9000, false));
    // 9002 is excluded.
    world.strangers = vec![9000, 9001];
    assert_eq!(world.backend(), 9003);
}

#[test]
fn a_main_checkout_goes_back_to_its_preferred_port() {
    let world = World::default().lease(9004, "me", "backend", 1);
    assert_eq!(world.backend(), 9000);
}

#[test]
fn a_port_is_sticky_while_the_preferred_one_is_taken() {
    let mut world = World::default().lease(9004, "me", "backend", 1);
    world.strangers = vec![9000];
    assert_eq!(world.backend(), 9004);
}

#[test]
fn a_worktree_leaves_the_preferred_port_to_the_main_checkout() {
    let mut world = World {
        worktree: true,
        ..World::default()
    };
    let given = world.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!(given.port, 9001);
    assert!(given.displaced.unwrap().left_to_main);
    world.strangers = vec![9001, 9003, 9004, 9005];
    assert_eq!(world.backend(), 9000);
    let mut world = world.lease(9004, "me", "backend", 1);
    world.strangers = vec![];
    assert_eq!(world.backend(), 9004);
}

#[test]
fn kept_leases_are_passed_by_and_reused_oldest_first() {
    let mut world = World::default()
        .lease(9000, "a", "backend", 3)
        .lease(9001, "b", "backend", 2);
    assert_eq!(world.backend(), 9003);
    world.strangers = vec![9003, 9004, 9005];
    assert_eq!(world.backend(), 9001);
    world.live = vec!["b"];
    assert_eq!(world.backend(), 9000);
}

#[test]
fn a_lease_of_a_vanished_directory_does_not_stand_in_the_way() {
    let mut world = World::default().lease(9000, "a", "backend", 1);
    assert_eq!(world.backend(), 9001);
    world.gone = vec!["a"];
    assert_eq!(world.backend(), 9000);
}

#[test]
fn services_of_one_plan_do_not_take_each_others_ports() {
    let mut world = World {
        strangers: vec![9000],
        ..World::default()
    };
    let api = want("api", 9001, "9001-9005");
    let ports = |given: Vec<Allotted>| given.iter().map(|one| one.port).collect::<Vec<_>>();
    let given = world.choose(vec![backend(), api.clone()]).unwrap();
    assert_eq!(ports(given), [9003, 9001]);
    // A sticky port of a later service is left to it.
    world = world.lease(9003, "me", "api", 1);
    world.strangers.push(9001);
    assert_eq!(
        ports(world.choose(vec![backend(), api]).unwrap()),
        [9004, 9003]
    );
}

#[test]
fn a_forced_port_comes_first_and_may_be_a_kept_or_excluded_one() {
    let wish = |port| Wanted {
        wish: Some(port),
        ..backend()
    };
    let world = World::default().lease(9003, "a", "backend", 1);
    for port in [9001, 9002, 9003, 12345] {
        assert_eq!(world.choose(vec![wish(port)]).unwrap()[0].port, port);
    }
}

#[test]
fn a_forced_port_that_is_taken_stops_or_falls_back() {
    let mut world = World::default().lease(9003, "a", "backend", 1);
    world.live = vec!["a"];
    let mut wanted = Wanted {
        wish: Some(9003),
        ..backend()
    };
    let error = world.choose(vec![wanted.clone()]).unwrap_err();
    assert!(
        matches!(error, ChooseError::ForcedTaken { port: 9003, lease: Some(lease), .. } if lease.instance == "a")
    );
    wanted.fallback = true;
    let given = world.choose(vec![wanted]).unwrap().remove(0);
    let displaced = given.displaced.unwrap();
    assert_eq!(given.port, 9000);
    assert_eq!((displaced.wanted, displaced.forced), (9003, true));
}

#[test]
fn a_full_range_is_an_error_and_never_a_port_from_elsewhere() {
    let mut world = World::default().lease(9001, "a", "backend", 1);
    world.live = vec!["a"];
    world.strangers = vec![9000, 9003, 9004, 9005];
    let ChooseError::RangeFull {
        leases, excluded, ..
    } = world.choose(vec![backend()]).unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!((leases.len(), excluded), (1, 1));
}

#[test]
fn an_excluded_port_is_given_only_to_whom_named_it() {
    let named = want("backend", 9002, "9002-9005");
    let ranged = Wanted {
        named: false,
        ..named.clone()
    };
    for worktree in [false, true] {
        let world = World {
            worktree,
            strangers: vec![9003, 9004, 9005],
            ..World::default()
        };
        assert_eq!(world.choose(vec![named.clone()]).unwrap()[0].port, 9002);
        assert!(matches!(
            world.choose(vec![ranged.clone()]).unwrap_err(),
            ChooseError::RangeFull { excluded: 1, .. }
        ));
    }
    let given = World::default().choose(vec![ranged]).unwrap().remove(0);
    assert_eq!((given.port, given.displaced), (9003, None));
}

#[test]
fn a_port_that_has_become_excluded_is_left_and_the_reason_told_once() {
    let mut world = World {
        strangers: vec![9000],
        ..World::default()
    }
    .lease(9002, "me", "backend", 1);
    let given = world.choose(vec![backend()]).unwrap().remove(0);
    let why = given.displaced.unwrap();
    assert_eq!((given.port, why.wanted, why.excluded), (9001, 9002, true));
    // Who moves back to the number that was asked for has nothing to be told.
    world.strangers.clear();
    let given = world.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!((given.port, given.displaced), (9000, None));
    // Nor has one that was there by request.
    world.strangers = vec![9000];
    world.leases[0].wish = Some(9002);
    let given = world.choose(vec![backend()]).unwrap().remove(0);
    assert!(!given.displaced.unwrap().excluded);
    // The next time the lease is another.
    world = World {
        strangers: vec![9000],
        ..World::default()
    }
    .lease(9001, "me", "backend", 1);
    let given = world.choose(vec![backend()]).unwrap().remove(0);
    assert!(!given.displaced.unwrap().excluded);
}

#[test]
fn a_port_that_is_replaced_never_becomes_that_of_another_service() {
    let world = World::default()
        .lease(9001, "me", "backend", 1)
        .lease(9000, "me", "web", 1);
    for main in [true, false] {
        let request = Request {
            instance: "me",
            main,
            wanted: vec![backend()],
            excluded: &|port| port == 9001,
            whole: false,
            supervises: true,
        };
        let mut liveness = |_: &str| Liveness::Live;
        let given = choose(&request, &world.leases, &mut liveness, &mut |_, _| Ok(true));
        assert_eq!(given.unwrap()[0].port, 9002);
    }
}
