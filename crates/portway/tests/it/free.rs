//! `portway free`: which processes it stops, and which it rejects.

use std::net::TcpListener;

use crate::sandbox::{Sandbox, http_get, two_services, wait_until};
use crate::servers::{ShellServer, wait_until_served};

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[test]
fn stops_the_whole_process_tree() {
    let sandbox = Sandbox::new();
    let mut shell = ShellServer::start(&sandbox, "serve %0 --grandchild plain");
    wait_until_served(sandbox.port(0));
    let port = sandbox.port(0).to_string();
    let dry = sandbox
        .run(&["free", &port, "--dry-run", "--json"])
        .success()
        .json();
    assert_eq!(dry["action"], "dry_run");
    assert_eq!(dry["processes"][0]["pid"], shell.pid());
    assert_eq!(dry["processes"].as_array().unwrap().len(), 3);
    assert!(!is_free(sandbox.port(0)), "a dry run stops nothing");
    sandbox.fails(&["free", &port], 2, "usage").hints("--yes");
    assert!(
        !is_free(sandbox.port(0)),
        "nothing is stopped without confirmation"
    );
    let freed = sandbox
        .run(&["free", &port, "--yes", "--json"])
        .success()
        .json();
    assert_eq!(freed["free"], true);
    assert_eq!(freed["action"], "ended");
    shell.wait();
    sandbox.wait_until_empty();
    assert!(is_free(sandbox.port(0)));
    sandbox
        .fails(&["free", &port, "--yes"], 6, "nothing_there")
        .mentions(port);
}

#[test]
fn kills_processes_that_ignore_the_signal() {
    let sandbox = Sandbox::new();
    let mut shell = ShellServer::start(&sandbox, "serve %0 --ignore --grandchild ignore");
    wait_until_served(sandbox.port(0));
    let port = sandbox.port(0).to_string();
    let freed = sandbox
        .run(&["free", &port, "--yes", "--grace", "50ms", "--json"])
        .success()
        .json();
    assert_eq!(freed["action"], "killed");
    shell.wait();
    sandbox.wait_until_empty();
    assert!(is_free(sandbox.port(0)));
}

#[test]
fn stops_every_process_on_the_port() {
    let sandbox = Sandbox::new();
    let _v4 = ShellServer::start(&sandbox, "serve %0");
    let _v6 = ShellServer::start(&sandbox, "serve %0 --host ::1");
    wait_until("both listen", || {
        portway_ports::owners(sandbox.port(0)).unwrap().len() == 2
    });
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["free", &port, "--yes"])
        .success()
        .stdout_has(&port);
    assert!(portway_ports::owners(sandbox.port(0)).unwrap().is_empty());
}

#[test]
fn stops_a_service_through_its_supervisor() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0).to_string();
    let freed = sandbox
        .run(&["free", &port, "--yes", "--json"])
        .success()
        .json();
    assert_eq!(freed["action"], "stopped");
    assert_eq!(freed["service"]["service"], "backend");
    assert!(is_free(sandbox.port(0)));
    let state = |index: usize| sandbox.status()["services"][index]["state"].clone();
    assert_eq!(state(0), "stopped");
    assert_eq!(state(1), "ready");
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(state(0), "ready");
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn a_service_moves_when_its_freed_port_is_in_use() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0).to_string();
    sandbox.run(&["free", &port, "--yes"]).success();
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(1));
    assert!(http_get(sandbox.port(1), "/").is_some());
}

#[test]
fn rejects_parents_of_the_command() {
    let sandbox = Sandbox::new();
    // The test itself listens, and is a parent of the command.
    let _listener = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox
        .fails(
            &["free", &sandbox.port(0).to_string(), "--yes"],
            1,
            "refused",
        )
        .mentions(format!("(pid {})", std::process::id()));
}

#[test]
fn rejects_a_port_that_is_only_leased() {
    let sandbox = two_services();
    sandbox.run(&["detect"]).success();
    sandbox
        .fails(
            &["free", &sandbox.port(0).to_string(), "--yes"],
            6,
            "nothing_there",
        )
        .names("backend")
        .mentions("jobi")
        .hints("portway forget");
}

#[test]
fn asks_for_confirmation_in_a_terminal() {
    let sandbox = Sandbox::new();
    let mut shell = ShellServer::start(&sandbox, "serve %0");
    wait_until_served(sandbox.port(0));
    let portway = env!("CARGO_BIN_EXE_portway");
    let answer = |word: &str| {
        let mut command = sandbox.command("sh");
        let script = format!(
            "echo {word} | script -qec '{portway} free {}' /dev/null",
            sandbox.port(0)
        );
        command.args(["-c", &script]);
        sandbox.run_command(command)
    };
    answer("n").code(1).stdout_has("[y/N]");
    assert!(!is_free(sandbox.port(0)));
    answer("y").success().stdout_has("[y/N]");
    assert!(is_free(sandbox.port(0)));
    shell.wait();
}

/// Starts a Python program in its own process group and waits until it listens.
fn start_python(sandbox: &Sandbox, code: &str) -> ShellServer {
    sandbox.write("program.py", code);
    let server = ShellServer::run(sandbox, "python3 program.py --epochs 90");
    wait_until_served(sandbox.port(0));
    server
}

/// The pids that a program has written to files of the project.
fn pids(sandbox: &Sandbox, names: &[&str]) -> Vec<u32> {
    let read = |name: &&str| {
        let read = || std::fs::read_to_string(sandbox.project().join(name)).unwrap_or_default();
        wait_until("a process has written its pid", || read().ends_with('\n'));
        read().trim().parse().unwrap()
    };
    names.iter().map(read).collect()
}

fn is_running(pid: u32) -> bool {
    portway_ports::Process::read(pid).is_some()
}

#[test]
fn a_job_survives_its_forked_server() {
    let sandbox = Sandbox::new();
    let _job = start_python(
        &sandbox,
        "import os, socket, time\n\
         def note(name):\n    open(name, 'w').write(f'{os.getpid()}\\n')\n\
         note('job')\n\
         if os.fork() == 0:\n    note('server'); s = socket.socket(); s.bind(('127.0.0.1', %0)); s.listen(); time.sleep(600)\n\
         time.sleep(600)\n",
    );
    let pids = pids(&sandbox, &["job", "server"]);
    let port = sandbox.port(0).to_string();
    sandbox.run(&["free", &port, "--yes"]).success();
    assert!(is_running(pids[0]));
    assert!(!is_running(pids[1]));
}

#[test]
fn the_other_children_of_a_manager_survive() {
    let sandbox = Sandbox::new();
    let _manager = start_python(
        &sandbox,
        "import os, socket, subprocess, time\n\
         def note(name, pid):\n    open(name, 'w').write(f'{pid}\\n')\n\
         s = socket.socket(); s.bind(('127.0.0.1', %0))\n\
         note('server', subprocess.Popen(['sleep', '601'], pass_fds=[s.fileno()]).pid)\n\
         note('other', subprocess.Popen(['sleep', '602']).pid)\n\
         s.listen(); time.sleep(600)\n",
    );
    let pids = pids(&sandbox, &["server", "other"]);
    let port = sandbox.port(0).to_string();
    sandbox.run(&["free", &port, "--yes"]).success();
    assert!(!is_running(pids[0]));
    assert!(is_running(pids[1]));
    assert!(is_free(sandbox.port(0)));
}

#[test]
fn a_service_that_overwrites_its_environment_is_stopped_by_its_supervisor() {
    let sandbox = Sandbox::new().manifest(
        "[services.redis]\n\
         command = \"redis-server --port {port} --bind 127.0.0.1 -::1 --save '' --appendonly no\"\n\
         port = \"%0\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0).to_string();
    let freed = sandbox.run(&["free", &port, "--yes", "--json"]).success();
    assert_eq!(freed.json()["action"], "stopped");
    assert_eq!(freed.json()["service"]["service"], "redis");
}
