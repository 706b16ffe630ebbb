//! A service is ready only while its own process tree listens.

use std::net::TcpListener;

use socket2::{Domain, Socket, Type};

use super::service;
use crate::sandbox::{Sandbox, http_get, kill, wait_until};

fn one(keys: &str) -> Sandbox {
    Sandbox::new().manifest(&format!("[services.a]\nport = \"%0-%9\"\n{keys}"))
}

fn state(sandbox: &Sandbox) -> String {
    let status = sandbox.status();
    service(&status, "a")["state"].as_str().unwrap().to_owned()
}

/// The pid of the test service that listens.
fn server(sandbox: &Sandbox) -> u32 {
    http_get(sandbox.port(0), "/").unwrap().parse().unwrap()
}

#[test]
fn a_service_that_no_longer_listens_is_not_ready() {
    // The shell stays, as a reloader does, and starts the server again once there is a file.
    let sandbox = one("command = \"%service serve {port}; \
         while ! test -f fixed; do sleep 0.05; done; exec %service serve {port}\"");
    sandbox.run(&["up", "--detach"]).success();
    kill(server(&sandbox));
    wait_until("it is unhealthy", || state(&sandbox) == "unhealthy");
    for command in [&["wait"][..], &["up", "--detach"]] {
        sandbox
            .fails(command, 5, "service_failed")
            .names("a")
            .mentions("no longer listens");
    }
    sandbox.write("fixed", "");
    wait_until("it is ready", || state(&sandbox) == "ready");
    sandbox.run(&["wait"]).success();
    assert!(http_get(sandbox.port(0), "/").is_some());
    assert_eq!(service(&sandbox.status(), "a")["restarts"], 0);
}

#[test]
fn a_killed_service_is_not_ready_while_its_other_processes_stop() {
    let sandbox = one("command = \"%service serve {port} --grandchild ignore\"\n\
                       stop = { grace = \"2s\" }");
    sandbox.run(&["up", "--detach"]).success();
    let first = server(&sandbox);
    kill(first);
    wait_until("it is not ready", || state(&sandbox) != "ready");
    sandbox.run(&["wait"]).success();
    assert_ne!(server(&sandbox), first);
}

#[test]
#[cfg(target_os = "linux")]
fn a_daemon_that_is_killed_is_restarted() {
    let sandbox = one("command = \"setsid %service serve {port} & exit 0\"");
    sandbox.run(&["up", "--detach"]).success();
    let first = server(&sandbox);
    kill(first);
    wait_until("it runs again", || {
        http_get(sandbox.port(0), "/").is_some_and(|pid| pid != first.to_string())
    });
    sandbox.run(&["wait"]).success();
    assert_eq!(service(&sandbox.status(), "a")["restarts"], 1);
}

#[test]
fn a_server_that_exits_with_code_0_has_stopped() {
    let sandbox = one("command = \"%service serve {port}\"");
    sandbox.run(&["up", "--detach"]).success();
    http_get(sandbox.port(0), "/exit/0");
    wait_until("it has stopped", || state(&sandbox) == "stopped");
    sandbox
        .fails(&["wait"], 5, "service_failed")
        .names("a")
        .mentions("code 0");
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(state(&sandbox), "ready");
    // A service that a user has stopped is not waited for.
    sandbox.run(&["down", "a"]).success();
    sandbox.run(&["wait"]).success();
}

#[test]
#[cfg(target_os = "linux")]
fn a_listener_on_another_address_takes_nothing() {
    let sandbox = one("command = \"%service serve {port}\"");
    sandbox.run(&["up", "--detach"]).success();
    let pid = server(&sandbox);
    let other = TcpListener::bind(("127.0.0.2", sandbox.port(0))).unwrap();
    wait_until("it is reported", || {
        let log = sandbox.portway_log("a");
        log.iter().any(|line| line.contains("127.0.0.2"))
    });
    assert_eq!(state(&sandbox), "ready");
    assert_eq!(server(&sandbox), pid);
    drop(other);
}

#[test]
#[cfg(target_os = "linux")]
fn the_other_family_stays_held_beside_a_server_without_the_option() {
    let sandbox = one("command = \"%service serve {port} --no-reuse\"");
    sandbox.run(&["up", "--detach"]).success();
    let bind = |domain, address: &str, reuse| {
        let socket = Socket::new(domain, Type::STREAM, None).unwrap();
        socket.set_reuse_address(reuse).unwrap();
        let address: std::net::IpAddr = address.parse().unwrap();
        let at = std::net::SocketAddr::new(address, sandbox.port(0));
        socket.bind(&at.into())
    };
    for reuse in [false, true] {
        assert!(bind(Domain::IPV6, "::1", reuse).is_err());
    }
    // After a restart, the hold is complete again.
    sandbox.run(&["down", "a"]).success();
    for (domain, address) in [(Domain::IPV6, "::1"), (Domain::IPV4, "127.0.0.1")] {
        assert!(bind(domain, address, true).is_err());
    }
}

#[test]
fn a_server_that_was_killed_keeps_its_hold() {
    let sandbox = one(
        "command = \"if ! test -f killed; then touch killed; kill -9 $$; fi; \
         while ! test -f go; do sleep 0.01; done; exec %service serve {port}\"",
    );
    let mut up = sandbox.spawn(&["up"]);
    wait_until("it is restarted", || {
        let log = sandbox.portway_log("a");
        log.iter().any(|line| line.contains("SIGKILL"))
    });
    wait_until("it starts again", || state(&sandbox) == "starting");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], sandbox.port(0)));
    assert!(socket.bind(&at.into()).is_err());
    sandbox.write("go", "");
    sandbox.wait_until_ready();
    up.signal(rustix::process::Signal::INT);
    up.wait();
}

#[test]
#[cfg(target_os = "linux")]
fn a_keeper_that_is_killed_during_the_start_is_not_a_theft() {
    let sandbox = one(
        "command = \"%service serve {port} --ignore --delay 300; true\"\n\
                       stop = { grace = \"2s\" }",
    );
    let mut up = sandbox.spawn(&["up"]);
    let find = |text: &str| {
        let processes = sandbox.processes();
        let found = processes.iter().find(|(_, line)| line.contains(text));
        found.map(|(pid, _)| *pid)
    };
    wait_until("it is started", || find("--delay").is_some());
    kill(find("__keeper").unwrap());
    sandbox.wait_until_ready();
    let status = sandbox.status();
    let port = &service(&status, "a")["ports"][0];
    assert_eq!(port["port"], sandbox.port(0));
    up.signal(rustix::process::Signal::INT);
    up.wait();
}

#[test]
fn a_supervisor_that_was_suspended_past_a_deadline_checks_again() {
    let sandbox = one("command = \"%service serve {port} --delay 300\"\n\
                       ready = { tcp = true, timeout = \"1s\" }");
    let mut up = sandbox.spawn(&["up"]);
    let is_started = || {
        let processes = sandbox.processes();
        processes.values().any(|line| line.contains("--delay"))
    };
    wait_until("it is started", is_started);
    up.signal(rustix::process::Signal::STOP);
    wait_until("it serves", || http_get(sandbox.port(0), "/").is_some());
    // The timeout of 1 s and the delay of 1 s that shows a suspension pass before another supervisor
    // reports a timeout of 2 s.
    let other = one("command = \"sleep 600\"\nready = { tcp = true, timeout = \"2s\" }");
    other.run(&["up", "--detach"]).code(5);
    other.run(&["down"]).success();
    up.signal(rustix::process::Signal::CONT);
    sandbox.wait_until_ready();
    let log = sandbox.portway_log("a");
    assert!(log.iter().all(|line| !line.contains("within")), "{log:?}");
    up.signal(rustix::process::Signal::INT);
    up.wait();
}
