use portway_ports::Families;

use super::*;

/// A state machine with its own clock.
struct Fixture {
    machine: StateMachine,
    now: Instant,
}

impl Fixture {
    fn new(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy {
            restart: RestartPolicy::OnFailure,
            ready_timeout: Duration::from_secs(60),
            has_prepare_step: false,
            has_ports: true,
            has_readiness_probe: false,
        };
        change(&mut policy);
        let now = Instant::now();
        Self {
            machine: StateMachine::new(policy, now),
            now,
        }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        self.machine.step(input, self.now, 0.5)
    }

    fn state(&self) -> ServiceState {
        self.machine.state()
    }

    /// Starts the service; it is not ready yet.
    fn starting(mut self) -> Self {
        self.step(Input::Start);
        self.step(Input::DependenciesMet);
        self.step(Input::Started(7));
        self
    }

    fn ready(self) -> Self {
        let mut service = self.starting();
        service.step(Input::Listening(V4));
        assert_eq!(service.state(), ServiceState::Ready);
        service
    }

    /// Reports that the leader exited and its process tree is gone.
    fn exits(&mut self, status: ExitStatus, address_in_use: bool) -> Vec<Effect> {
        let mut effects = self.step(Input::LeaderExited(status));
        effects.extend(self.step(Input::TreeGone { address_in_use }));
        effects
    }

    fn wait_for_timer(&mut self, effects: &[Effect]) -> Vec<Effect> {
        let timer = effects.iter().find_map(|effect| match effect {
            Effect::SetTimer { epoch, after } => Some((*epoch, *after)),
            _ => None,
        });
        let (epoch, after) = timer.expect("a timer was set");
        self.now += after;
        self.step(Input::Timer(epoch))
    }
}

const V4: Families = Families {
    v4: true,
    v6: false,
};

fn starts(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Start { .. }))
}

#[test]
fn becomes_ready_when_its_process_tree_listens() {
    let mut service = Fixture::new(|_| {});
    assert!(service.step(Input::Start).is_empty());
    assert_eq!(service.state(), ServiceState::Waiting);
    assert!(starts(&service.step(Input::DependenciesMet)));
    assert!(!service.machine.has_started());
    service.step(Input::Started(7));
    assert_eq!(service.state(), ServiceState::Starting);
    assert!(service.machine.awaits_listening() && service.machine.has_started());
    let effects = service.step(Input::Listening(V4));
    assert_eq!(effects[0], Effect::SettleHold(V4));
    assert_eq!(service.state(), ServiceState::Ready);
    assert_eq!(service.machine.pid(), Some(7));
}

#[test]
fn prepares_before_it_waits_for_dependencies() {
    let mut service = Fixture::new(|policy| policy.has_prepare_step = true);
    assert_eq!(service.step(Input::Start), [Effect::Prepare]);
    assert_eq!(service.state(), ServiceState::Preparing);
    service.step(Input::Prepared);
    assert_eq!(service.state(), ServiceState::Waiting);
    assert!(starts(&service.step(Input::DependenciesMet)));
    let mut service = Fixture::new(|policy| policy.has_prepare_step = true);
    service.step(Input::Start);
    let reason = FailureReason::StartFailed { error: "no".into() };
    service.step(Input::PrepareFailed(reason));
    assert_eq!(service.state(), ServiceState::Failed);
}

#[test]
fn probes_readiness_after_the_port_is_open() {
    let mut service = Fixture::new(|policy| policy.has_readiness_probe = true).starting();
    let effects = service.step(Input::Listening(V4));
    assert_eq!(
        effects,
        [Effect::SettleHold(V4), Effect::StartReadinessProbe]
    );
    assert_eq!(service.state(), ServiceState::Starting);
    service.step(Input::ReadinessProbeSucceeded);
    assert_eq!(service.state(), ServiceState::Ready);
}

#[test]
fn a_service_without_ports_is_ready_after_the_settle_delay() {
    let starting = || Fixture::new(|policy| policy.has_ports = false).starting();
    let mut service = starting();
    assert_eq!(service.state(), ServiceState::Starting);
    let epoch = service.machine.epoch;
    service.step(Input::Timer(epoch));
    assert_eq!(service.state(), ServiceState::Ready);
    // A service that exits within the delay was never ready.
    let mut service = starting();
    service.exits(ExitStatus::Code(127), false);
    assert_eq!(service.state(), ServiceState::Failed);
}

#[test]
fn restart_delays_double_until_portway_gives_up() {
    let mut service = Fixture::new(|_| {}).ready();
    let mut delays = Vec::new();
    loop {
        let effects = service.exits(ExitStatus::Code(1), false);
        assert!(effects.contains(&Effect::RestoreHold));
        if service.state() == ServiceState::Failed {
            break;
        }
        assert_eq!(service.state(), ServiceState::Backoff);
        let before = service.now;
        assert!(starts(&service.wait_for_timer(&effects)));
        delays.push((service.now - before).as_millis());
    }
    assert_eq!(delays, [250, 500, 1000, 2000, 4000]);
    let gave_up = FailureReason::GaveUp {
        restarts: 5,
        cause: Box::new(FailureReason::Exited { code: 1 }),
    };
    assert_eq!(service.machine.reason(), Some(&gave_up));
    assert_eq!(service.machine.restarts(), 5);
    // A start on request resets the count.
    service.step(Input::Start);
    assert_eq!(service.state(), ServiceState::Waiting);
}

#[test]
fn a_recovered_service_has_no_earlier_failures() {
    let mut service = Fixture::new(|_| {}).ready();
    for _ in 0..20 {
        service.now += exit::RECOVERY_TIME;
        let effects = service.exits(ExitStatus::Signal(11), false);
        assert_eq!(service.state(), ServiceState::Backoff);
        service.wait_for_timer(&effects);
        service.step(Input::Listening(V4));
    }
}

#[test]
fn applies_the_restart_policy() {
    for (restart, ended, state) in [
        (
            RestartPolicy::Never,
            ExitStatus::Code(1),
            ServiceState::Failed,
        ),
        (
            RestartPolicy::Never,
            ExitStatus::Code(0),
            ServiceState::Completed,
        ),
        (
            RestartPolicy::OnFailure,
            ExitStatus::Code(0),
            ServiceState::Completed,
        ),
        (
            RestartPolicy::OnFailure,
            ExitStatus::Code(1),
            ServiceState::Backoff,
        ),
        (
            RestartPolicy::Always,
            ExitStatus::Code(0),
            ServiceState::Backoff,
        ),
    ] {
        let mut service = Fixture::new(|policy| policy.restart = restart).ready();
        service.exits(ended, false);
        assert_eq!(service.state(), state, "{restart:?} {ended:?}");
    }
}

#[test]
fn does_not_restart_a_missing_command() {
    let mut service = Fixture::new(|_| {}).starting();
    service.exits(ExitStatus::Code(127), false);
    assert_eq!(service.state(), ServiceState::Failed);
}

#[test]
fn a_server_that_exits_with_code_0_before_it_listens_fails() {
    let mut service = Fixture::new(|_| {}).starting();
    service.exits(ExitStatus::Code(0), false);
    assert_eq!(service.state(), ServiceState::Failed);
}

#[test]
fn a_daemon_keeps_running_after_its_leader_exits_with_code_0() {
    let mut service = Fixture::new(|_| {}).starting();
    assert!(
        service
            .step(Input::LeaderExited(ExitStatus::Code(0)))
            .is_empty()
    );
    service.step(Input::Listening(V4));
    assert_eq!(service.state(), ServiceState::Ready);
    service.step(Input::TreeGone {
        address_in_use: false,
    });
    assert_eq!(service.state(), ServiceState::Completed);
}

#[test]
fn stops_the_process_tree_when_the_leader_fails() {
    let mut service = Fixture::new(|_| {}).ready();
    let effects = service.step(Input::LeaderExited(ExitStatus::Code(1)));
    assert_eq!(effects, [Effect::StopTree]);
}

#[test]
fn releases_the_hold_once_for_a_server_that_cannot_bind() {
    let mut service = Fixture::new(|_| {}).starting();
    let effects = service.exits(ExitStatus::Code(1), true);
    assert!(effects.contains(&Effect::Notify(Transition::RestartingWithoutHold)));
    assert!(effects.contains(&Effect::Start { release_port: true }));
    // The second time it counts as a failure.
    let effects = service.exits(ExitStatus::Code(1), true);
    assert_eq!(service.state(), ServiceState::Backoff);
    assert!(
        service
            .wait_for_timer(&effects)
            .contains(&Effect::Start { release_port: true })
    );
}

#[test]
fn replaces_a_lost_port() {
    for listening in [false, true] {
        let mut service = Fixture::new(|_| {}).starting();
        if listening {
            service.step(Input::Listening(V4));
        }
        let taken_by = || PortConflict::UnknownProcess { user: None };
        let stolen = Input::PortLost {
            port: 9000,
            taken_by: taken_by(),
        };
        assert_eq!(service.step(stolen), [Effect::StopTree]);
        let effects = service.step(Input::TreeGone {
            address_in_use: true,
        });
        assert!(effects.contains(&Effect::ReplacePort {
            port: 9000,
            taken_by: taken_by()
        }));
        assert!(starts(&service.step(Input::PortReplaced)));
    }
}

#[test]
fn fails_after_too_many_lost_ports() {
    let mut service = Fixture::new(|_| {}).starting();
    for _ in 0..=MAX_PORT_LOSSES {
        service.step(Input::PortLost {
            port: 9000,
            taken_by: PortConflict::UnknownProcess { user: None },
        });
        service.step(Input::TreeGone {
            address_in_use: false,
        });
        service.step(Input::PortReplaced);
    }
    assert_eq!(service.state(), ServiceState::Failed);
}

#[test]
fn stop_and_restart_wait_for_the_process_tree() {
    let mut service = Fixture::new(|_| {}).ready();
    assert_eq!(service.step(Input::Restart), [Effect::StopTree]);
    assert_eq!(service.state(), ServiceState::Stopping);
    service.step(Input::LeaderExited(ExitStatus::Signal(15)));
    service.step(Input::TreeGone {
        address_in_use: false,
    });
    assert_eq!(service.state(), ServiceState::Waiting);
    assert!(starts(&service.step(Input::DependenciesMet)));
    assert_eq!(service.step(Input::Stop), [Effect::StopTree]);
    service.step(Input::Restart);
    service.step(Input::Stop);
    service.step(Input::TreeGone {
        address_in_use: false,
    });
    assert_eq!(service.state(), ServiceState::Stopped);
}

#[test]
fn fails_when_it_is_not_ready_in_time() {
    let mut service = Fixture::new(|_| {}).starting();
    let epoch = service.machine.epoch;
    assert_eq!(service.step(Input::Timer(epoch)), [Effect::StopTree]);
    service.step(Input::TreeGone {
        address_in_use: false,
    });
    assert_eq!(service.state(), ServiceState::Failed);
    let timeout_ms = 60_000;
    let reason = FailureReason::NotListening { timeout_ms };
    assert_eq!(service.machine.reason(), Some(&reason));
}

#[test]
fn ignores_timers_of_earlier_phases() {
    let mut service = Fixture::new(|_| {}).starting();
    let epoch = service.machine.epoch;
    service.step(Input::Listening(V4));
    assert!(service.step(Input::Timer(epoch)).is_empty());
    assert_eq!(service.state(), ServiceState::Ready);
}

#[test]
fn restarts_when_the_liveness_probe_fails() {
    let mut service = Fixture::new(|_| {}).ready();
    assert_eq!(
        service.step(Input::LivenessChecked(false)),
        [Effect::StopTree]
    );
    service.step(Input::TreeGone {
        address_in_use: false,
    });
    assert_eq!(service.state(), ServiceState::Backoff);
    let mut service = Fixture::new(|policy| policy.restart = RestartPolicy::Never).ready();
    assert!(service.step(Input::LivenessChecked(false)).is_empty());
    assert_eq!(service.state(), ServiceState::Unhealthy);
    service.step(Input::LivenessChecked(true));
    assert_eq!(service.state(), ServiceState::Ready);
}

#[test]
fn fails_when_a_dependency_fails() {
    let mut service = Fixture::new(|_| {});
    service.step(Input::Start);
    let reason = FailureReason::DependencyFailed {
        service: "db".into(),
    };
    service.step(Input::DependencyFailed(reason.clone()));
    assert_eq!(service.state(), ServiceState::Failed);
    assert_eq!(service.machine.reason(), Some(&reason));
}
