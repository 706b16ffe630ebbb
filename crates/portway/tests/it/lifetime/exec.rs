//! `portway exec`, and programs that run Portway in their own place.

use std::fs;

use rustix::process::Signal;

use super::groups::Groups;
use super::{kill, pids};
use crate::sandbox::{RunningCommand, Sandbox, wait_until};

fn sandbox() -> Sandbox {
    Sandbox::new().manifest(
        "[services.api]
        command = \"%service serve {port}\"
        port = \"%0-%9\"",
    )
}

/// A command that starts processes in its session and in others.
const COMMAND: [&str; 5] = [
    "exec",
    "--",
    "sh",
    "-c",
    "sleep 600 & setsid sleep 600 & setsid sh -c 'trap \"\" TERM HUP; sleep 600; :' & wait",
];

fn start(groups: Groups, sandbox: &Sandbox) -> RunningCommand {
    let exec = RunningCommand::start(groups.portway(sandbox, &COMMAND));
    wait_until("every process has started", || {
        let processes = sandbox.processes();
        processes
            .values()
            .filter(|line| *line == "sleep 600 ")
            .count()
            == 3
    });
    exec
}

#[test]
fn nothing_is_left_of_an_exec_that_is_stopped_or_killed() {
    for groups in Groups::all() {
        for (signal, code) in [(Signal::KILL, 137), (Signal::TERM, 143), (Signal::HUP, 129)] {
            let sandbox = sandbox();
            let mut exec = start(groups, &sandbox);
            exec.signal(signal);
            assert_eq!(exec.wait(), code);
            sandbox.wait_until_empty();
        }
    }
}

#[test]
fn nothing_is_left_of_an_exec_whose_keeper_is_killed() {
    for groups in Groups::all() {
        let sandbox = sandbox();
        let mut exec = start(groups, &sandbox);
        kill(pids(&sandbox, "__keeper")[0], Signal::KILL);
        assert_eq!(exec.wait(), 137);
        assert!(sandbox.processes().is_empty());
    }
}

#[test]
fn the_next_command_ends_what_an_exec_and_its_keeper_left() {
    for groups in Groups::all() {
        let sandbox = sandbox();
        let exec = start(groups, &sandbox);
        let keeper = pids(&sandbox, "__keeper")[0];
        for signal in [Signal::STOP, Signal::KILL] {
            kill(keeper, signal);
            kill(exec.pid(), signal);
        }
        drop(exec);
        sandbox.run(&["down"]).success();
        sandbox.wait_until_empty();
    }
}

#[test]
fn a_running_exec_is_not_touched_by_other_commands() {
    let sandbox = sandbox();
    let mut exec = start(Groups::Unused, &sandbox);
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down"]).success();
    sandbox.run(&["prune", "--yes"]).success();
    assert_eq!(pids(&sandbox, "__keeper").len(), 1);
    exec.signal(Signal::TERM);
    assert_eq!(exec.wait(), 143);
    sandbox.wait_until_empty();
}

#[test]
fn an_exec_passes_its_streams_and_its_exit_code() {
    let sandbox = sandbox();
    let script = "read line; echo \"out $line\"; echo err >&2; exit 7";
    let mut exec = sandbox.command("sh");
    exec.args(["-c", "echo hello | \"$0\" exec -- sh -c \"$1\""]);
    exec.arg(env!("CARGO_BIN_EXE_portway")).arg(script);
    let output = sandbox.run_command(exec).code(7);
    assert_eq!(output.stdout(), "out hello\n");
    assert!(output.stderr().contains("err\n"), "{}", output.stderr());
}

#[test]
fn jobs_that_ran_before_portway_are_spared() {
    for groups in Groups::all() {
        for arguments in ["up", "exec -- sleep 601"] {
            let sandbox = sandbox();
            let mut shell = sandbox.command("sh");
            shell.args([
                "-c",
                &format!(
                    "sleep 600 & echo $! > job; (setsid sleep 600 &); exec \"$0\" {arguments}"
                ),
            ]);
            shell.arg(env!("CARGO_BIN_EXE_portway"));
            groups.set(&mut shell);
            let mut command = RunningCommand::start(shell);
            if arguments == "up" {
                sandbox.wait_until_ready();
                sandbox.run(&["down"]).success();
                assert_eq!(command.wait(), 0);
            } else {
                wait_until("the command runs", || {
                    sandbox
                        .processes()
                        .values()
                        .any(|line| line == "sleep 601 ")
                });
                command.signal(Signal::TERM);
                assert_eq!(command.wait(), 143);
            }
            let job: u32 = sandbox.read("job").trim().parse().unwrap();
            let left = sandbox.processes();
            assert_eq!(left.len(), 2, "{left:#?}");
            assert!(left.contains_key(&job));
            for pid in left.keys() {
                kill(*pid, Signal::KILL);
            }
            assert!(fs::exists(sandbox.project().join("job")).unwrap());
        }
    }
}
