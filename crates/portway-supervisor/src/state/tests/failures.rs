//! What follows when a process exits.

use super::*;

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
        cause: Box::new(FailureReason::Exited {
            code: 1,
            line: None,
        }),
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
            ServiceState::Stopped,
        ),
        (
            RestartPolicy::OnFailure,
            ExitStatus::Code(0),
            ServiceState::Stopped,
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
fn does_not_restart_what_cannot_succeed() {
    let exits = |restart, status, missing_file: Option<&str>| {
        let mut service = Fixture::new(|policy| policy.restart = restart).starting();
        service.step(Input::LeaderExited(status));
        service.step(Input::TreeGone(ExitContext {
            missing_file: missing_file.map(str::to_owned),
            ..ExitContext::default()
        }));
        service
            .machine
            .reason()
            .cloned()
            .map(|why| (service.state(), why))
    };
    let missing = "No module named 'flask'";
    for restart in [
        RestartPolicy::Never,
        RestartPolicy::OnFailure,
        RestartPolicy::Always,
    ] {
        for (code, reason) in [
            (
                125,
                FailureReason::Exited {
                    code: 125,
                    line: None,
                },
            ),
            (126, FailureReason::CommandNotExecutable),
            (127, FailureReason::CommandNotFound),
        ] {
            let result = exits(restart, ExitStatus::Code(code), None);
            assert_eq!(result, Some((ServiceState::Failed, reason)));
        }
        let reason = FailureReason::FileMissing {
            code: 1,
            line: missing.into(),
        };
        let result = exits(restart, ExitStatus::Code(1), Some(missing));
        assert_eq!(result, Some((ServiceState::Failed, reason)));
    }
    let mut service = Fixture::new(|_| {}).starting();
    service.step(Input::LeaderExited(ExitStatus::Code(127)));
    service.step(Input::TreeGone(ExitContext {
        missing_program: Some("pnpm".to_owned()),
        ..ExitContext::default()
    }));
    let program = service
        .machine
        .reason()
        .and_then(FailureReason::missing_program);
    assert_eq!(program, Some("pnpm"));
    // A process that was killed may have printed anything before.
    let killed = exits(RestartPolicy::OnFailure, ExitStatus::KILLED, Some(missing));
    assert_eq!(killed.map(|(state, _)| state), Some(ServiceState::Backoff));
    // A server that has listened can do so again.
    let mut service = Fixture::new(|_| {}).ready();
    service.exits(ExitStatus::Code(127), false);
    assert_eq!(service.state(), ServiceState::Backoff);
}

#[test]
fn does_not_restart_a_missing_command_of_a_service_without_ports() {
    let ready = || {
        let mut service = Fixture::new(|policy| policy.has_ports = false).starting();
        let epoch = service.machine.epoch;
        service.step(Input::Timer(epoch, None));
        assert_eq!(service.state(), ServiceState::Ready);
        service
    };
    let mut service = ready();
    service.exits(ExitStatus::Code(127), false);
    assert_eq!(service.state(), ServiceState::Failed);
    let mut service = ready();
    service.now += exit::RECOVERY_TIME;
    service.exits(ExitStatus::Code(127), false);
    assert_eq!(service.state(), ServiceState::Backoff);
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
    service.step(gone());
    assert_eq!(service.state(), ServiceState::Stopped);
}

#[test]
fn a_daemon_that_is_killed_is_restarted() {
    let mut service = Fixture::new(|_| {}).starting();
    service.step(Input::LeaderExited(ExitStatus::Code(0)));
    service.step(Input::Listening(V4));
    service.step(Input::DaemonFailed(ExitStatus::KILLED));
    service.step(gone());
    assert_eq!(service.state(), ServiceState::Backoff);
}

#[test]
fn a_service_that_exits_with_code_0_has_stopped_or_is_completed() {
    for (has_ports, state) in [
        (true, ServiceState::Stopped),
        (false, ServiceState::Completed),
    ] {
        let mut service = Fixture::new(|policy| policy.has_ports = has_ports).starting();
        if has_ports {
            service.step(Input::Listening(V4));
        }
        service.exits(ExitStatus::Code(0), false);
        assert_eq!(service.state(), state);
        let reason = has_ports.then_some(FailureReason::Exited {
            code: 0,
            line: None,
        });
        assert_eq!(service.machine.reason(), reason.as_ref());
        // A stop on request needs no reason.
        service.step(Input::Stop);
        assert_eq!(service.machine.reason(), None);
        service.step(Input::Start);
        assert_eq!(service.state(), ServiceState::Waiting);
    }
}

#[test]
fn a_service_is_not_ready_while_its_processes_are_stopped_after_a_failure() {
    let mut service = Fixture::new(|_| {}).ready();
    service.step(Input::LeaderExited(ExitStatus::KILLED));
    assert_eq!(service.state(), ServiceState::Stopping);
    service.step(gone());
    assert_eq!(service.state(), ServiceState::Backoff);
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
    // The second time it counts as a failure, and the hold is tried again.
    let effects = service.exits(ExitStatus::Code(1), true);
    assert_eq!(service.state(), ServiceState::Backoff);
    assert!(service.wait_for_timer(&effects).contains(&Effect::Start {
        release_port: false
    }));
    let effects = service.exits(ExitStatus::Code(1), true);
    assert!(effects.contains(&Effect::Start { release_port: true }));
    assert!(!effects.contains(&Effect::Notify(Transition::RestartingWithoutHold)));
}

#[test]
fn restarts_once_without_ports_of_the_host_also_after_it_has_listened() {
    let conflict = || ExitContext {
        inner_conflict: true,
        ..ExitContext::default()
    };
    for mut service in [
        Fixture::new(|_| {}).starting(),
        Fixture::new(|_| {}).ready(),
        Fixture::new(|policy| policy.has_ports = false).starting(),
    ] {
        service.step(Input::LeaderExited(ExitStatus::Code(1)));
        let effects = service.step(Input::TreeGone(conflict()));
        let notice = Effect::Notify(Transition::RestartingWithoutHostPorts);
        assert!(effects.contains(&notice));
        assert!(effects.contains(&Effect::Start { release_port: true }));
        // The second time it counts as a failure.
        service.step(Input::Started(8));
        service.step(Input::LeaderExited(ExitStatus::Code(1)));
        let effects = service.step(Input::TreeGone(conflict()));
        assert!(!effects.contains(&notice));
        assert_eq!(service.state(), ServiceState::Backoff);
    }
}

#[test]
fn keeps_the_hold_for_a_server_that_is_killed() {
    let mut service = Fixture::new(|_| {}).starting();
    let effects = service.exits(ExitStatus::Signal(9), true);
    assert_eq!(service.state(), ServiceState::Backoff);
    let effects = service.wait_for_timer(&effects);
    assert!(effects.contains(&Effect::Start {
        release_port: false
    }));
}

#[test]
fn replaces_a_port_that_another_process_uses_when_the_server_exits() {
    let mut service = Fixture::new(|_| {}).starting();
    service.step(Input::LeaderExited(ExitStatus::Code(1)));
    let taken_by = PortConflict::UnknownProcess { user: None };
    let effects = service.step(Input::TreeGone(ExitContext {
        address_in_use: true,
        lost_port: Some((9000, taken_by.clone())),
        ..ExitContext::default()
    }));
    assert!(effects.contains(&Effect::ReplacePort {
        port: 9000,
        taken_by
    }));
}

#[test]
fn a_final_failure_has_the_line_that_says_why() {
    let exits = |restart| {
        let mut service = Fixture::new(|policy| policy.restart = restart).ready();
        loop {
            service.step(Input::LeaderExited(ExitStatus::Code(1)));
            let effects = service.step(Input::TreeGone(ExitContext {
                cause: Some("Error: no seed".to_owned()),
                ..ExitContext::default()
            }));
            if service.state() == ServiceState::Failed {
                return service.machine.reason().map(ToString::to_string);
            }
            // A restart is not final: the log has the line.
            let reason = FailureReason::Exited {
                code: 1,
                line: None,
            };
            assert_eq!(service.machine.reason(), Some(&reason));
            service.wait_for_timer(&effects);
        }
    };
    let never = exits(RestartPolicy::Never);
    assert_eq!(never.as_deref(), Some("exited with code 1: Error: no seed"));
    let on_failure = exits(RestartPolicy::OnFailure);
    let expected = "exited with code 1: Error: no seed; gave up after 5 restarts";
    assert_eq!(on_failure.as_deref(), Some(expected));
}
