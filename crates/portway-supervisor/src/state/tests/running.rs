//! A running service that is late, unhealthy or no longer listens, or waits for one that is.

use super::*;

#[test]
fn a_service_that_is_not_ready_in_time_keeps_running() {
    let mut service = Fixture::new(|_| {}).starting();
    let epoch = service.machine.epoch;
    let timeout_ms = 60_000;
    let question = Some("Continue? (y)".to_owned());
    let reason = FailureReason::NotListening {
        timeout_ms,
        question: question.clone(),
    };
    assert_eq!(
        service.step(Input::Timer(epoch, question)),
        [Effect::Notify(Transition::TimedOut(reason.clone()))]
    );
    assert_eq!(service.state(), ServiceState::Unhealthy);
    assert!(service.machine.is_late() && service.machine.awaits_listening());
    assert_eq!(service.machine.reason(), Some(&reason));
    // A reloader has seen that a file was fixed.
    let effects = service.step(Input::Listening(V4));
    assert_eq!(service.state(), ServiceState::Ready);
    assert_eq!(service.machine.reason(), None);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Notify(Transition::Ready(_))))
    );
}

#[test]
fn a_late_service_is_still_probed() {
    let mut service = Fixture::new(|policy| policy.has_readiness_probe = true).starting();
    let epoch = service.machine.epoch;
    service.step(Input::Timer(epoch, None));
    // A result of a probe that does not need the port.
    service.step(Input::ReadinessProbeSucceeded);
    assert_eq!(service.state(), ServiceState::Unhealthy);
    let effects = service.step(Input::Listening(V4));
    assert!(effects.contains(&Effect::StartReadinessProbe));
    assert_eq!(service.state(), ServiceState::Unhealthy);
    service.step(Input::ReadinessProbeSucceeded);
    assert_eq!(service.state(), ServiceState::Ready);
}

#[test]
fn is_not_ready_while_it_does_not_listen() {
    let mut service = Fixture::new(|_| {}).ready();
    let effects = service.step(Input::NotListening);
    assert_eq!(service.state(), ServiceState::Unhealthy);
    let reason = FailureReason::StoppedListening;
    assert_eq!(service.machine.reason(), Some(&reason));
    // A reload is not reported.
    let mut reloaded = Fixture {
        machine: service.machine.clone(),
        now: service.now,
    };
    let again = reloaded.step(Input::Listening(V4));
    assert_eq!(reloaded.state(), ServiceState::Ready);
    assert_eq!(again, [Effect::SettleHold(V4), Effect::StartLivenessProbe]);
    // A longer time is.
    let effects = service.wait_for_timer(&effects);
    let unhealthy = Effect::Notify(Transition::Unhealthy(reason));
    assert_eq!(effects, [unhealthy]);
    let again = service.step(Input::Listening(V4));
    assert!(
        again
            .iter()
            .any(|effect| matches!(effect, Effect::Notify(Transition::Ready(_))))
    );
}

#[test]
fn a_failing_service_that_was_unhealthy_before_keeps_its_recovery() {
    let mut service = Fixture::new(|_| {}).ready();
    service.machine.failures = exit::MAX_FAILURES;
    service.now += exit::RECOVERY_TIME;
    // The poll sees the closed socket before the exit is reported.
    service.step(Input::NotListening);
    service.exits(ExitStatus::Code(1), false);
    assert_eq!(service.state(), ServiceState::Backoff);
}

#[test]
fn restarts_when_the_liveness_probe_fails() {
    let mut service = Fixture::new(|_| {}).ready();
    assert_eq!(
        service.step(Input::LivenessChecked(false)),
        [Effect::StopTree]
    );
    service.step(gone());
    assert_eq!(service.state(), ServiceState::Backoff);
    let mut service = Fixture::new(|policy| policy.restart = RestartPolicy::Never).ready();
    let reason = FailureReason::LivenessFailed;
    assert_eq!(
        service.step(Input::LivenessChecked(false)),
        [Effect::Notify(Transition::Unhealthy(reason))]
    );
    assert_eq!(service.state(), ServiceState::Unhealthy);
    service.step(Input::LivenessChecked(true));
    assert_eq!(service.state(), ServiceState::Ready);
}

#[test]
fn waits_for_a_dependency_that_failed() {
    let mut service = Fixture::new(|_| {});
    service.step(Input::Start);
    let reason = FailureReason::DependencyFailed {
        service: "db".into(),
    };
    let failed = || Input::DependencyFailed(reason.clone());
    let blocked = Effect::Notify(Transition::Blocked(reason.clone()));
    assert_eq!(service.step(failed()), [blocked]);
    assert!(service.step(failed()).is_empty(), "it is reported once");
    assert_eq!(service.state(), ServiceState::Waiting);
    assert!(service.machine.is_blocked());
    service.step(Input::DependenciesPending);
    assert!(!service.machine.is_blocked());
    service.step(failed());
    assert!(starts(&service.step(Input::DependenciesMet)));
    assert_eq!(service.machine.reason(), None);
}

#[test]
fn a_service_without_ports_settles_for_a_limited_time() {
    let is_settling = |service: &Fixture, epoch: u64, seconds: u64| {
        let later = service.now + Duration::from_secs(seconds);
        service.machine.is_settling(epoch, later)
    };
    let service = Fixture::new(|policy| policy.has_ports = false).starting();
    let epoch = service.machine.epoch;
    assert!(is_settling(&service, epoch, 0));
    assert!(!is_settling(&service, epoch, 5));
    // The timer from before the process was started.
    assert!(!is_settling(&service, epoch - 1, 0));
    assert!(StateMachine::is_loading(Duration::from_millis(150)));
    assert!(!StateMachine::is_loading(Duration::from_millis(9)));
    // A port or a probe says when the others are ready.
    let service = Fixture::new(|_| {}).starting();
    assert!(!is_settling(&service, service.machine.epoch, 0));
}
