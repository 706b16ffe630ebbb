//! What commands say about the ports of instances with a network of their own.

use std::fs;

use serde_json::Value;

use super::{isolated, second_checkout};
use crate::sandbox::{Sandbox, http_get, wait_until};

/// Two services with literal ports. Portway itself listens for both outside.
const TWO: &str = "\
[project]
name = \"shop\"
[services.api]
command = \"%service serve 5000\"
port = { range = \"%0-%9\", usual = 5000 }
[services.web]
command = \"%service serve 6000\"
port = { range = \"%10-%19\", usual = 6000 }
";

fn running() -> Sandbox {
    let sandbox = isolated(TWO);
    sandbox.run(&["up", "--detach"]).success();
    sandbox
}

/// Makes another checkout require the port of `web`, for its own `api`.
fn requires_port_of_web(sandbox: &Sandbox) -> String {
    let second = second_checkout(sandbox);
    let text = format!("{{ \"api_port\": {} }}\n", sandbox.port(10));
    fs::write(second.join(".ports.json"), text).unwrap();
    second.to_str().unwrap().to_owned()
}

fn finding<'a>(report: &'a Value, subject: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    let mut findings = findings.iter();
    let is_it = |one: &&Value| one["check"] == "listening" && one["subject"] == subject;
    findings.find(is_it).unwrap()
}

#[test]
fn health_and_doctor_show_the_port_outside_and_the_one_inside() {
    let sandbox = running();
    let health = sandbox.run(&["health", "--all", "--json"]).success().json();
    let text = sandbox.run(&["health", "--all"]).success().stdout();
    let doctor = sandbox.run(&["doctor", "--json"]).json();
    for (at, name, inner) in [(0, "api", 5000), (1, "web", 6000)] {
        let port = sandbox.port(at * 10);
        let service = &health["services"][usize::from(at)];
        assert_eq!(
            (&service["port"], &service["inner"]),
            (&port.into(), &inner.into())
        );
        assert!(text.contains(&format!("localhost:{port}")), "{text}");
        assert!(text.contains(&format!("{inner} inside")), "{text}");
        let finding = finding(&doctor, name);
        assert_eq!(finding["severity"], "fine", "{finding}");
        let message = finding["message"].as_str().unwrap();
        assert!(message.contains(&format!("port {port} ")), "{message}");
        assert!(
            message.contains(&format!("{inner} in its network")),
            "{message}"
        );
    }
}

#[test]
fn another_checkout_learns_which_service_has_its_port() {
    let sandbox = running();
    let second = requires_port_of_web(&sandbox);
    let pid = http_get(sandbox.port(10), "/").unwrap();
    let doctor = sandbox.run(&["-C", &second, "doctor", "--json"]).json();
    let message = finding(&doctor, "api")["message"].as_str().unwrap();
    let health = sandbox.run(&["-C", &second, "health", "api", "--json"]);
    let health = health.json();
    let problem = health["services"][0]["problem"].as_str().unwrap();
    assert_eq!(health["services"][0].get("inner"), None);
    for text in [message, problem] {
        assert!(
            text.contains(&format!("port {}", sandbox.port(10))),
            "{text}"
        );
        assert!(text.contains("`web` of `shop`"), "{text}");
        assert!(text.contains(&format!("(pid {pid}")), "{text}");
        assert!(text.contains("port 6000 of its network"), "{text}");
        assert!(!text.contains("`portway`"), "{text}");
    }
    let up = sandbox.run(&["-C", &second, "up", "--detach"]).code(4);
    up.stderr_has("`web` of `shop`")
        .stderr_has(&format!("port {}", sandbox.port(10)));
}

#[test]
fn a_service_that_stopped_listening_inside_is_not_healthy() {
    let sandbox = isolated(
        "[services.api]\ncommand = \"python3 once.py\"\n\
         port = { range = \"%0-%9\", usual = 5000 }\n",
    )
    .file(
        "once.py",
        "import os, socket, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', 5000))
server.listen()
while not os.path.exists('stop'):
    time.sleep(0.01)
server.close()
time.sleep(600)
",
    );
    sandbox.run(&["up", "--detach"]).success();
    sandbox.write("stop", "");
    let health = || sandbox.run(&["health", "--json"]).json();
    wait_until("the service does not listen any more", || {
        let problem = health()["services"][0]["problem"].clone();
        problem == "no process listens on port 5000 of its network"
    });
    let doctor = sandbox.run(&["doctor", "--json"]).json();
    let message = finding(&doctor, "api")["message"].as_str().unwrap();
    assert!(message.contains("not listening"), "{message}");
    assert!(message.contains("5000 in its network"), "{message}");
}

#[test]
fn a_service_that_finds_its_port_taken_inside_learns_by_which_service() {
    let sandbox = isolated(
        "[services.api]\ncommand = \"%service serve 5000\"\n\
         port = { range = \"%0-%9\", usual = 7000 }\n\
         [services.late]\ncommand = \"%service sleep\"\n\
         port = { range = \"%10-%19\", usual = 5000 }\n",
    );
    let mut up = sandbox.spawn(&["up", "--detach"]);
    let log = || sandbox.portway_log("late").join("\n");
    wait_until("the conflict is reported", || {
        log().contains("port 5000 of its network: `api` of this checkout does")
    });
    sandbox.run(&["down", "--now"]).success();
    up.wait();
}

#[test]
fn who_and_free_know_an_observed_port() {
    let sandbox = isolated(
        "[services.api]\ncommand = \"%service serve %20 & %service serve {port}\"\n\
         port = { range = \"%0-%9\", usual = 5000 }\n",
    );
    sandbox.run(&["up", "--detach"]).success();
    let inner = sandbox.port(20);
    let mut port = 0;
    wait_until("the port is observed", || {
        let ports = sandbox.status()["services"][0]["ports"].clone();
        let ports = ports.as_array().unwrap().clone();
        let observed = ports.iter().find(|one| one["inner"] == inner);
        port = observed.map_or(0, |one| one["port"].as_u64().unwrap());
        port != 0
    });
    let port = port.to_string();
    let who = sandbox.run(&["who", &port, "--json"]).success().json();
    assert_eq!(who[0]["inner"], inner);
    let holder = &who[0]["holders"][0];
    assert_eq!(holder["service"]["service"], "api");
    assert_eq!(holder["process"]["name"], "service");
    let free = sandbox.run(&["free", &port, "--dry-run", "--json"]);
    assert_eq!(free.success().json()["service"]["service"], "api");
}
