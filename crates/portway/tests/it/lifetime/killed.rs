//! Supervisors and keepers that are killed, alone or together, and what the next command finds.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::groups::Groups;
use super::{
    GRACE, family, keeper, kill, pids, service, supervisor, wait_until_complete,
    wait_until_nothing_left,
};
use crate::sandbox::{Sandbox, wait_until};

/// Kills processes together: they are suspended first, so that none sees the end of another.
pub(super) fn kill_together(pids: &[u32]) {
    for signal in [Signal::STOP, Signal::KILL] {
        for &pid in pids {
            kill(pid, signal);
        }
    }
}

/// Kills the supervisor and all keepers, and the guard if `guard` is set.
fn kill_portway(sandbox: &Sandbox, guard: bool) {
    let mut all = pids(sandbox, "__keeper");
    all.push(supervisor(sandbox));
    if guard {
        let guards = pids(sandbox, "__guard");
        assert_eq!(guards.len(), 1);
        all.extend(guards);
    }
    kill_together(&all);
    wait_until("Portway is gone", || {
        let left = sandbox.processes();
        !all.iter().any(|pid| left.contains_key(pid))
    });
}

#[test]
fn nothing_is_left_of_a_supervisor_and_keepers_that_are_killed_together() {
    for groups in Groups::all() {
        let sandbox = family("");
        groups.start(&sandbox);
        wait_until_complete(&sandbox);
        let start = Instant::now();
        kill_portway(&sandbox, false);
        wait_until_nothing_left(&sandbox, start, Duration::ZERO);
    }
}

#[test]
fn the_next_start_has_the_same_ports_and_ends_what_is_left() {
    for groups in Groups::all() {
        let sandbox = family("");
        groups.start(&sandbox);
        wait_until_complete(&sandbox);
        let old = pids(&sandbox, "service sleep");
        kill_portway(&sandbox, true);
        assert!(!sandbox.processes().is_empty(), "{groups:?}");
        let up = groups.portway(&sandbox, &["up", "--detach"]);
        sandbox.run_command(up).success();
        let now = sandbox.processes();
        assert!(!old.iter().any(|pid| now.contains_key(pid)), "{now:#?}");
        let port = &service(&sandbox, "plain")["ports"][0]["port"];
        assert_eq!(*port, sandbox.port(0));
        sandbox.run(&["down"]).success();
        sandbox.wait_until_empty();
    }
}

#[test]
fn down_and_prune_end_what_is_left() {
    for groups in Groups::all() {
        for command in [&["down"][..], &["prune", "--yes"]] {
            let sandbox = family("");
            groups.start(&sandbox);
            wait_until_complete(&sandbox);
            kill_portway(&sandbox, true);
            let start = Instant::now();
            sandbox.run(command).success();
            wait_until_nothing_left(&sandbox, start, Duration::ZERO);
        }
    }
}

#[test]
fn processes_with_a_similar_name_are_ended_too() {
    for groups in Groups::all() {
        let sandbox = Sandbox::new();
        let worker = sandbox.path("portway-worker");
        std::fs::copy(crate::sandbox::test_service(), &worker).unwrap();
        let command = format!("{} serve {{port}} --grandchild setsid", worker.display());
        sandbox.write(
            "portway.toml",
            &format!("[services.api]\ncommand = \"{command}\"\nport = \"%0-%9\""),
        );
        groups.start(&sandbox);
        wait_until("the grandchild has started", || {
            !pids(&sandbox, "portway-worker sleep").is_empty()
        });
        kill_portway(&sandbox, true);
        assert!(!sandbox.processes().is_empty(), "{groups:?}");
        let start = Instant::now();
        sandbox.run(&["down"]).success();
        wait_until_nothing_left(&sandbox, start, Duration::ZERO);
    }
}

#[test]
fn processes_without_an_environment_are_ended_too() {
    for groups in Groups::all() {
        let sandbox = Sandbox::new()
            .manifest(
                "[services.bare]
                command = \"env -i python3 fork.py {port}\"
                port = \"%0-%9\"",
            )
            .file(
                "fork.py",
                "import os, signal, socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', int(sys.argv[1])))
if os.fork() == 0:
    signal.alarm(600)
    open('child', 'w').write(str(os.getpid()))
else:
    server.listen()
while True:
    signal.pause()
",
            );
        groups.start(&sandbox);
        let child = sandbox.project().join("child");
        wait_until("the child runs", || {
            std::fs::read_to_string(&child).is_ok_and(|pid| !pid.is_empty())
        });
        let child: u32 = sandbox.read("child").parse().unwrap();
        kill_portway(&sandbox, true);
        assert!(portway_ports::ProcessId::read(child).is_some());
        let up = groups.portway(&sandbox, &["up", "--detach"]);
        sandbox.run_command(up).success();
        assert!(portway_ports::ProcessId::read(child).is_none());
        let port = &service(&sandbox, "bare")["ports"][0]["port"];
        assert_eq!(*port, sandbox.port(0));
    }
}

#[test]
fn another_instance_that_a_service_started_is_not_ended() {
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"%service serve {port}\"
        port = \"%0-%9\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    let first = supervisor(&sandbox);
    // A supervisor of another instance that has inherited the mark of this one.
    let other = sandbox.path("other");
    std::fs::create_dir(&other).unwrap();
    let manifest = sandbox.expand(
        "[services.web]
        command = \"%service serve {port}\"
        port = \"%10-%19\"",
    );
    std::fs::write(other.join("portway.toml"), manifest).unwrap();
    let environ = std::fs::read(format!("/proc/{}/environ", service(&sandbox, "api")["pid"]));
    let environ = String::from_utf8(environ.unwrap()).unwrap();
    let marks = environ
        .split('\0')
        .filter_map(|variable| variable.split_once('='))
        .filter(|(name, _)| name.starts_with("PORTWAY_"));
    let mut up = sandbox.portway(&["up", "--detach"]);
    up.current_dir(&other).envs(marks);
    sandbox.run_command(up).success();
    kill_portway_of(&sandbox, first);
    sandbox.run(&["down"]).success();
    let running = sandbox.run(&["ps", "--json"]).success().json();
    assert!(
        running.to_string().contains("\"ready\""),
        "the other instance runs: {running:#}"
    );
    let mut down = sandbox.portway(&["down"]);
    down.current_dir(&other);
    sandbox.run_command(down).success();
}

/// Kills a supervisor, and its keepers and guard.
fn kill_portway_of(sandbox: &Sandbox, supervisor: u32) {
    let below = portway_supervisor::process::descendants(supervisor);
    let lines = sandbox.processes();
    let mut all: Vec<u32> = below
        .iter()
        .map(|process| process.pid)
        .filter(|pid| lines.get(pid).is_some_and(|line| line.contains(" __")))
        .collect();
    all.push(supervisor);
    kill_together(&all);
}

/// A service that closes its port when it is asked to stop, then takes some time. It notes both in
/// the file `log`, and has no environment.
fn slow_to_stop() -> Sandbox {
    Sandbox::new()
        .manifest(
            "[services.slow]
            command = \"env -i python3 slow.py {port}\"
            port = \"%0-%9\"
            stop = { grace = \"30s\" }",
        )
        .file(
            "slow.py",
            "import os, signal, socket, sys, time
def log(text):
    open('log', 'a').write(text + '\\n')
def stop(*_):
    server.close()
    time.sleep(2)
    log('stopped')
    os._exit(0)
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', int(sys.argv[1])))
server.listen()
signal.signal(signal.SIGTERM, stop)
log('started')
while True:
    time.sleep(1)
",
        )
}

#[test]
fn up_waits_for_the_keepers_of_a_killed_supervisor() {
    for groups in Groups::all() {
        let sandbox = slow_to_stop();
        groups.start(&sandbox);
        kill(supervisor(&sandbox), Signal::KILL);
        let up = groups.portway(&sandbox, &["up", "--detach"]);
        sandbox
            .run_command(up)
            .success()
            .stderr_has("waiting for its services to stop: `slow` (keeper: pid ");
        assert_eq!(sandbox.read("log"), "started\nstopped\nstarted\n");
        assert_eq!(
            service(&sandbox, "slow")["ports"][0]["port"],
            sandbox.port(0)
        );
        sandbox.run(&["down", "--now"]).success();
    }
}

#[test]
fn down_waits_for_the_keepers_of_a_killed_supervisor_and_can_kill() {
    for groups in Groups::all() {
        let sandbox = slow_to_stop();
        groups.start(&sandbox);
        kill(supervisor(&sandbox), Signal::KILL);
        sandbox.run(&["down"]).success();
        assert_eq!(sandbox.read("log"), "started\nstopped\n");
        sandbox.wait_until_empty();

        groups.start(&sandbox);
        kill(supervisor(&sandbox), Signal::KILL);
        let start = Instant::now();
        sandbox.run(&["down", "--now"]).success();
        wait_until_nothing_left(&sandbox, start, Duration::ZERO);
        assert_eq!(sandbox.read("log"), "started\nstopped\nstarted\n");
    }
}

#[test]
fn the_group_of_a_lost_keeper_is_ended() {
    for groups in Groups::all() {
        let sandbox = family("restart = \"never\"");
        groups.start(&sandbox);
        wait_until_complete(&sandbox);
        let keeper = keeper(&sandbox, "daemon");
        let tree = portway_supervisor::process::descendants(keeper);
        kill(keeper, Signal::KILL);
        super::wait_until_state(&sandbox, "daemon", "failed");
        let left = sandbox.processes();
        assert!(!tree.iter().any(|old| left.contains_key(&old.pid)));
        let start = Instant::now();
        sandbox.run(&["down"]).success();
        wait_until_nothing_left(&sandbox, start, GRACE);
    }
}
