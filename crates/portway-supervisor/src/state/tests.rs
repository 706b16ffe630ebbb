use portway_ports::Families;

use super::*;

/// A machine and its own clock.
struct Bench {
    machine: Machine,
    now: Instant,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy {
            restart: RestartPolicy::OnFailure,
            ready_timeout: Duration::from_secs(60),
            prepares: false,
            listens: true,
            probes: false,
        };
        change(&mut policy);
        let now = Instant::now();
        Self {
            machine: Machine::new(policy, now),
            now,
        }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        self.machine.step(input, self.now, 0.5)
    }

    fn state(&self) -> ServiceState {
        self.machine.state()
    }

    /// A service that runs and is not ready.
    fn starting(mut self) -> Self {
        self.step(Input::Start);
        self.step(Input::DependenciesMet);
        self.step(Input::Spawned(7));
        self
    }

    fn ready(self) -> Self {
        let mut bench = self.starting();
        bench.step(Input::Listening(V4));
        assert_eq!(bench.state(), ServiceState::Ready);
        bench
    }

    /// The process ends by itself and nothing is left of its tree.
    fn ends(&mut self, ended: ExitStatus, in_use: bool) -> Vec<Effect> {
        let mut effects = self.step(Input::LeaderEnded(ended));
        effects.extend(self.step(Input::TreeGone { in_use }));
        effects
    }

    fn wait_for_timer(&mut self, effects: &[Effect]) -> Vec<Effect> {
        let timer = effects.iter().find_map(|effect| match effect {
            Effect::Timer { epoch, after } => Some((*epoch, *after)),
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

fn spawns(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Spawn { .. }))
}

#[test]
fn a_service_becomes_ready_when_its_own_tree_listens() {
    let mut bench = Bench::new(|_| {});
    assert!(bench.step(Input::Start).is_empty());
    assert_eq!(bench.state(), ServiceState::Waiting);
    assert!(spawns(&bench.step(Input::DependenciesMet)));
    assert!(!bench.machine.has_begun());
    bench.step(Input::Spawned(7));
    assert_eq!(bench.state(), ServiceState::Starting);
    assert!(bench.machine.awaits_listening() && bench.machine.has_begun());
    let effects = bench.step(Input::Listening(V4));
    assert_eq!(effects[0], Effect::Settle(V4));
    assert_eq!(bench.state(), ServiceState::Ready);
    assert_eq!(bench.machine.pid(), Some(7));
}

#[test]
fn a_prepare_step_comes_before_the_start_and_waits_for_nobody() {
    let mut bench = Bench::new(|policy| policy.prepares = true);
    assert_eq!(bench.step(Input::Start), [Effect::Prepare]);
    assert_eq!(bench.state(), ServiceState::Preparing);
    bench.step(Input::Prepared);
    assert_eq!(bench.state(), ServiceState::Waiting);
    assert!(spawns(&bench.step(Input::DependenciesMet)));
    let mut bench = Bench::new(|policy| policy.prepares = true);
    bench.step(Input::Start);
    let why = FailureReason::StartFailed { error: "no".into() };
    bench.step(Input::PrepareFailed(why));
    assert_eq!(bench.state(), ServiceState::Failed);
}

#[test]
fn a_probe_comes_after_the_port() {
    let mut bench = Bench::new(|policy| policy.probes = true).starting();
    let effects = bench.step(Input::Listening(V4));
    assert_eq!(effects, [Effect::Settle(V4), Effect::Probe]);
    assert_eq!(bench.state(), ServiceState::Starting);
    bench.step(Input::ProbeSucceeded);
    assert_eq!(bench.state(), ServiceState::Ready);
}

#[test]
fn a_service_without_ports_is_ready_when_it_has_run_for_a_moment() {
    let starting = || Bench::new(|policy| policy.listens = false).starting();
    let mut bench = starting();
    assert_eq!(bench.state(), ServiceState::Starting);
    let epoch = bench.machine.epoch;
    bench.step(Input::Timer(epoch));
    assert_eq!(bench.state(), ServiceState::Ready);
    // One that cannot be started never was ready.
    let mut bench = starting();
    bench.ends(ExitStatus::Code(127), false);
    assert_eq!(bench.state(), ServiceState::Failed);
}

#[test]
fn a_failure_is_followed_by_growing_pauses_and_an_end() {
    let mut bench = Bench::new(|_| {}).ready();
    let mut pauses = Vec::new();
    loop {
        let effects = bench.ends(ExitStatus::Code(1), false);
        assert!(effects.contains(&Effect::Harden));
        if bench.state() == ServiceState::Failed {
            break;
        }
        assert_eq!(bench.state(), ServiceState::Backoff);
        let before = bench.now;
        assert!(spawns(&bench.wait_for_timer(&effects)));
        pauses.push((bench.now - before).as_millis());
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000]);
    let gave_up = FailureReason::GaveUp {
        restarts: 5,
        cause: Box::new(FailureReason::Exited { code: 1 }),
    };
    assert_eq!(bench.machine.reason(), Some(&gave_up));
    assert_eq!(bench.machine.restarts(), 5);
    // A person may still start it, with a clean slate.
    bench.step(Input::Start);
    assert_eq!(bench.state(), ServiceState::Waiting);
}

#[test]
fn a_service_that_recovered_starts_counting_anew() {
    let mut bench = Bench::new(|_| {}).ready();
    for _ in 0..20 {
        bench.now += RECOVERED_AFTER;
        let effects = bench.ends(ExitStatus::Signal(11), false);
        assert_eq!(bench.state(), ServiceState::Backoff);
        bench.wait_for_timer(&effects);
        bench.step(Input::Listening(V4));
    }
}

#[test]
fn restart_policies() {
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
        let mut bench = Bench::new(|policy| policy.restart = restart).ready();
        bench.ends(ended, false);
        assert_eq!(bench.state(), state, "{restart:?} {ended:?}");
    }
}

#[test]
fn a_missing_program_is_not_tried_again() {
    let mut bench = Bench::new(|_| {}).starting();
    bench.ends(ExitStatus::Code(127), false);
    assert_eq!(bench.state(), ServiceState::Failed);
}

#[test]
fn a_server_that_ends_well_before_it_listened_has_failed() {
    let mut bench = Bench::new(|_| {}).starting();
    bench.ends(ExitStatus::Code(0), false);
    assert_eq!(bench.state(), ServiceState::Failed);
}

#[test]
fn a_daemon_goes_on_when_its_leader_ends_well() {
    let mut bench = Bench::new(|_| {}).starting();
    assert!(
        bench
            .step(Input::LeaderEnded(ExitStatus::Code(0)))
            .is_empty()
    );
    bench.step(Input::Listening(V4));
    assert_eq!(bench.state(), ServiceState::Ready);
    bench.step(Input::TreeGone { in_use: false });
    assert_eq!(bench.state(), ServiceState::Completed);
}

#[test]
fn what_a_failed_leader_leaves_is_ended() {
    let mut bench = Bench::new(|_| {}).ready();
    let effects = bench.step(Input::LeaderEnded(ExitStatus::Code(1)));
    assert_eq!(effects, [Effect::StopTree]);
}

#[test]
fn a_server_that_cannot_bind_beside_the_hold_is_started_once_without() {
    let mut bench = Bench::new(|_| {}).starting();
    let effects = bench.ends(ExitStatus::Code(1), true);
    assert!(effects.contains(&Effect::Say(Say::WithoutHold)));
    assert!(effects.contains(&Effect::Spawn { release: true }));
    // Once: the second time it is a failure like any other.
    let effects = bench.ends(ExitStatus::Code(1), true);
    assert_eq!(bench.state(), ServiceState::Backoff);
    assert!(
        bench
            .wait_for_timer(&effects)
            .contains(&Effect::Spawn { release: true })
    );
}

#[test]
fn a_stolen_port_moves_the_service() {
    for listening in [false, true] {
        let mut bench = Bench::new(|_| {}).starting();
        if listening {
            bench.step(Input::Listening(V4));
        }
        let by = || PortConflict::UnknownProcess { user: None };
        let stolen = Input::Stolen {
            port: 9000,
            by: by(),
        };
        assert_eq!(bench.step(stolen), [Effect::StopTree]);
        let effects = bench.step(Input::TreeGone { in_use: true });
        assert!(effects.contains(&Effect::Move {
            port: 9000,
            by: by()
        }));
        assert!(spawns(&bench.step(Input::Moved)));
    }
}

#[test]
fn a_port_that_is_stolen_for_ever_is_given_up() {
    let mut bench = Bench::new(|_| {}).starting();
    for _ in 0..=MAX_MOVES {
        bench.step(Input::Stolen {
            port: 9000,
            by: PortConflict::UnknownProcess { user: None },
        });
        bench.step(Input::TreeGone { in_use: false });
        bench.step(Input::Moved);
    }
    assert_eq!(bench.state(), ServiceState::Failed);
}

#[test]
fn stop_and_restart_wait_for_the_tree() {
    let mut bench = Bench::new(|_| {}).ready();
    assert_eq!(bench.step(Input::Restart), [Effect::StopTree]);
    assert_eq!(bench.state(), ServiceState::Stopping);
    bench.step(Input::LeaderEnded(ExitStatus::Signal(15)));
    bench.step(Input::TreeGone { in_use: false });
    assert_eq!(bench.state(), ServiceState::Waiting);
    assert!(spawns(&bench.step(Input::DependenciesMet)));
    assert_eq!(bench.step(Input::Stop), [Effect::StopTree]);
    bench.step(Input::Restart);
    bench.step(Input::Stop);
    bench.step(Input::TreeGone { in_use: false });
    assert_eq!(bench.state(), ServiceState::Stopped);
}

#[test]
fn a_service_that_never_becomes_ready_fails() {
    let mut bench = Bench::new(|_| {}).starting();
    let epoch = bench.machine.epoch;
    assert_eq!(bench.step(Input::Timer(epoch)), [Effect::StopTree]);
    bench.step(Input::TreeGone { in_use: false });
    assert_eq!(bench.state(), ServiceState::Failed);
    let timeout_ms = 60_000;
    let why = FailureReason::NotListening { timeout_ms };
    assert_eq!(bench.machine.reason(), Some(&why));
}

#[test]
fn a_timer_of_an_earlier_phase_is_ignored() {
    let mut bench = Bench::new(|_| {}).starting();
    let epoch = bench.machine.epoch;
    bench.step(Input::Listening(V4));
    assert!(bench.step(Input::Timer(epoch)).is_empty());
    assert_eq!(bench.state(), ServiceState::Ready);
}

#[test]
fn a_dead_service_that_still_runs_is_restarted() {
    let mut bench = Bench::new(|_| {}).ready();
    assert_eq!(bench.step(Input::Alive(false)), [Effect::StopTree]);
    bench.step(Input::TreeGone { in_use: false });
    assert_eq!(bench.state(), ServiceState::Backoff);
    let mut bench = Bench::new(|policy| policy.restart = RestartPolicy::Never).ready();
    assert!(bench.step(Input::Alive(false)).is_empty());
    assert_eq!(bench.state(), ServiceState::Unhealthy);
    bench.step(Input::Alive(true));
    assert_eq!(bench.state(), ServiceState::Ready);
}

#[test]
fn a_dependency_that_failed_fails_those_who_wait() {
    let mut bench = Bench::new(|_| {});
    bench.step(Input::Start);
    let why = FailureReason::DependencyFailed {
        service: "db".into(),
    };
    bench.step(Input::DependencyFailed(why.clone()));
    assert_eq!(bench.state(), ServiceState::Failed);
    assert_eq!(bench.machine.reason(), Some(&why));
}
