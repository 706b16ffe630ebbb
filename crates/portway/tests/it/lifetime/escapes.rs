//! Processes that try to outrun the end, that cannot be killed, and keepers that do not respond.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Signal, geteuid};

use super::groups::{Groups, skip};
use super::{GRACE, kill, pids, service, supervisor, wait_until_nothing_left};
use crate::sandbox::{Sandbox, wait_until};

/// A server with chains of processes that fork and exit again and again, in sessions of their own. Each
/// chain ends after a minute at the latest.
fn chains() -> Sandbox {
    Sandbox::new()
        .manifest(
            "[services.chain]
            command = \"python3 chain.py {port}\"
            port = \"%0-%9\"
            stop = { grace = \"1s\" }",
        )
        .file(
            "chain.py",
            "import os, signal, socket, sys, time
end = time.monotonic() + 60
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', int(sys.argv[1])))
for pause in (0, 0.001):
    if os.fork() == 0:
        server.close()
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while time.monotonic() < end:
            if os.fork() > 0:
                os._exit(0)
            time.sleep(pause)
        os._exit(0)
server.listen()
while time.monotonic() < end:
    time.sleep(1)
",
        )
}

#[test]
fn processes_that_fork_and_exit_again_and_again_are_caught() {
    for groups in Groups::all() {
        let sandbox = chains();
        groups.start(&sandbox);
        let start = Instant::now();
        sandbox.run(&["down"]).success();
        wait_until_nothing_left(&sandbox, start, GRACE);
    }
}

#[test]
fn such_processes_are_caught_when_everything_is_killed() {
    for groups in Groups::all() {
        let sandbox = chains();
        groups.start(&sandbox);
        let start = Instant::now();
        let mut all = pids(&sandbox, "__keeper");
        all.push(supervisor(&sandbox));
        for signal in [Signal::STOP, Signal::KILL] {
            all.iter().for_each(|&pid| kill(pid, signal));
        }
        wait_until_nothing_left(&sandbox, start, Duration::ZERO);
    }
}

#[test]
fn a_suspended_keeper_does_not_delay_a_stop() {
    for arguments in [&["down"][..], &["down", "--now"]] {
        let sandbox = Sandbox::new().manifest(
            "[services.api]
            command = \"%service serve {port}\"
            port = \"%0-%9\"
            stop = { grace = \"1s\" }",
        );
        sandbox.run(&["up", "--detach"]).success();
        for keeper in pids(&sandbox, "__keeper") {
            kill(keeper, Signal::STOP);
        }
        let start = Instant::now();
        sandbox.run(arguments).success();
        wait_until_nothing_left(&sandbox, start, GRACE);
    }
}

#[test]
fn a_keeper_that_does_not_respond_is_killed() {
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"%service serve {port} --grandchild setsid\"
        port = \"%0-%9\"
        stop = { grace = \"100ms\" }",
    );
    sandbox.run(&["up", "--detach"]).success();
    let keeper = pids(&sandbox, "__keeper")[0];
    kill(keeper, Signal::STOP);
    let down = sandbox.spawn(&["down"]);
    // The supervisor continues the keeper once.
    wait_until("the keeper is gone", || {
        let stopped = sandbox.processes().contains_key(&keeper);
        if stopped {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(keeper as i32).unwrap(),
                Signal::STOP,
            );
        }
        !stopped
    });
    let mut down = down;
    assert_eq!(down.wait(), 0);
    sandbox.wait_until_empty();
}

/// An unprivileged user that does not exist.
const USER: u32 = 64_321;

#[test]
fn a_process_of_another_user_is_named() {
    if !geteuid().is_root() {
        skip("only root can create a process of another user");
        return;
    }
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"sh -c './helper --reuid 0 --clear-groups sleep 600 & exec %service serve {port}'\"
        port = \"%0-%9\"
        stop = { grace = \"100ms\" }",
    );
    let helper = sandbox.project().join("helper");
    let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"];
    let setpriv = setpriv
        .iter()
        .find(|path| fs::metadata(path).is_ok())
        .unwrap();
    fs::copy(setpriv, &helper).unwrap();
    let root = sandbox.path("");
    let status = Command::new("chown")
        .args(["-R", &format!("{USER}:{USER}")])
        .arg(&root)
        .status();
    assert!(status.unwrap().success());
    chown(&helper, Some(0), Some(0)).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o4755)).unwrap();
    let as_user = |arguments: &[&str]| {
        let portway = sandbox.portway(arguments);
        let mut command = sandbox.command("setpriv");
        command
            .args(["--reuid", &USER.to_string(), "--regid", &USER.to_string()])
            .arg("--clear-groups")
            .arg(portway.get_program())
            .args(arguments);
        command
    };
    let can_run = sandbox.run_command(as_user(&["--version"])).exit_code() == 0;
    if !can_run {
        skip(&format!("another user cannot access `{}`", root.display()));
        return;
    }
    sandbox.run_command(as_user(&["up", "--detach"])).success();
    let start = Instant::now();
    let down = sandbox.run_command(as_user(&["down"])).code(1);
    assert!(start.elapsed() < Duration::from_secs(30));
    let left = pids(&sandbox, "sleep 600");
    let stderr = down.stderr();
    for pid in &left {
        let name = format!("`sleep` (pid {pid} of user `root`)");
        assert!(stderr.contains(&name), "no {name} in {stderr}");
        kill(*pid, Signal::KILL);
    }
    assert_eq!(left.len(), 1);
    sandbox.wait_until_empty();
}

#[test]
fn another_pid_namespace_without_its_own_proc_is_rejected() {
    if !geteuid().is_root() {
        skip("only root can create a PID namespace");
        return;
    }
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"%service serve {port}\"
        port = \"%0-%9\"",
    );
    for command in [&["up"][..], &["up", "--detach"], &["exec", "--", "true"]] {
        let portway = sandbox.portway(&[]);
        let mut unshare = sandbox.command("unshare");
        unshare.args(["--pid", "--fork"]).arg(portway.get_program());
        unshare.args(command);
        let output = sandbox.run_command(unshare).code(3);
        assert!(output.stderr().contains("`/proc`"), "{}", output.stderr());
        assert!(sandbox.processes().is_empty());
    }
}

#[test]
fn orphans_that_have_exited_are_reaped() {
    // As process 1 of a container, and after `job & exec portway`.
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"%service serve {port}\"
        port = \"%0-%9\"",
    );
    for arguments in ["up", "exec -- sleep 600"] {
        let mut shell = sandbox.command("sh");
        shell.args(["-c", &format!("sleep 0.01 & exec \"$0\" {arguments}")]);
        shell.arg(env!("CARGO_BIN_EXE_portway"));
        let command = crate::sandbox::RunningCommand::start(shell);
        if arguments == "up" {
            sandbox.wait_until_ready();
            assert_eq!(service(&sandbox, "api")["state"], "ready");
        } else {
            wait_until("the command runs", || {
                sandbox
                    .processes()
                    .values()
                    .any(|line| line == "sleep 600 ")
            });
        }
        wait_until("the orphan is reaped", || {
            let list = format!("/proc/{0}/task/{0}/children", command.pid());
            let children = fs::read_to_string(list).unwrap();
            !children.split_whitespace().any(|pid| {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.contains(") Z ")
            })
        });
        command.signal(Signal::TERM);
        sandbox.wait_until_empty();
    }
}
