use std::time::Duration;

use portway_ports::Families;
use portway_project::policy::RestartPolicy;

use super::*;

mod failures;
mod running;

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
            machine: StateMachine::new(policy, 0, now),
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
        effects.extend(self.step(Input::TreeGone(ExitContext {
            address_in_use,
            ..ExitContext::default()
        })));
        effects
    }

    fn wait_for_timer(&mut self, effects: &[Effect]) -> Vec<Effect> {
        let timer = effects.iter().find_map(|effect| match effect {
            Effect::SetTimer { epoch, after } => Some((*epoch, *after)),
            _ => None,
        });
        let (epoch, after) = timer.expect("a timer was set");
        self.now += after;
        self.step(Input::Timer(epoch, None))
    }
}

const V4: Families = Families {
    v4: true,
    v6: false,
};

/// No process of the tree is left, and nothing else is known.
fn gone() -> Input {
    Input::TreeGone(ExitContext::default())
}

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
    assert!(!service.machine.is_prepared());
    service.step(Input::Prepared);
    assert_eq!(service.state(), ServiceState::Waiting);
    assert!(service.machine.is_prepared());
    assert!(starts(&service.step(Input::DependenciesMet)));
    let mut service = Fixture::new(|policy| policy.has_prepare_step = true);
    service.step(Input::Start);
    let reason = FailureReason::StartFailed { error: "no".into() };
    service.step(Input::PrepareFailed(reason));
    assert_eq!(service.state(), ServiceState::Failed);
    assert!(!service.machine.is_prepared());
    let mut service = Fixture::new(|_| {});
    service.step(Input::Start);
    assert!(service.machine.is_prepared());
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
    service.step(Input::Timer(epoch, None));
    assert_eq!(service.state(), ServiceState::Ready);
    // A service that exits within the delay was never ready.
    let mut service = starting();
    service.exits(ExitStatus::Code(127), false);
    assert_eq!(service.state(), ServiceState::Failed);
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
        let effects = service.step(Input::TreeGone(ExitContext {
            address_in_use: true,
            ..ExitContext::default()
        }));
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
        service.step(gone());
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
    service.step(gone());
    assert_eq!(service.state(), ServiceState::Waiting);
    assert!(starts(&service.step(Input::DependenciesMet)));
    assert_eq!(service.step(Input::Stop), [Effect::StopTree]);
    service.step(Input::Restart);
    service.step(Input::Stop);
    service.step(gone());
    assert_eq!(service.state(), ServiceState::Stopped);
}

#[test]
fn ignores_timers_of_earlier_phases() {
    let mut service = Fixture::new(|_| {}).starting();
    let epoch = service.machine.epoch;
    service.step(Input::Listening(V4));
    assert!(service.step(Input::Timer(epoch, None)).is_empty());
    assert_eq!(service.state(), ServiceState::Ready);
}
