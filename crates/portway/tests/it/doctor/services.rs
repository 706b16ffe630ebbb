//! Findings about services: which processes listen on their ports, and how they respond.

use std::fs;
use std::net::ToSocketAddrs;

use super::{diagnosis, finding, jobi, mentions, prose, running, wrong};
use crate::sandbox::{Sandbox, http_get, wait_until};
use crate::servers::UnrelatedServer;
use crate::transcript::Transcript;

#[test]
fn reports_an_unrelated_process_on_the_port() {
    let mut transcript = Transcript::default();
    let sandbox = jobi();
    sandbox.run(&["detect"]).success();
    let other = UnrelatedServer::start(sandbox.port(0), &sandbox.path("home"));
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "a process outside the checkout", &prose(&report));
    let found = finding(&report, "listening");
    assert_eq!(found["subject"], "backend");
    mentions(&found, &sandbox.expand("port %0"));
    mentions(&found, &format!("`service` (pid {}", other.pid()));
    assert_eq!(found["command"], sandbox.expand("portway free %0"));
    // No health check is sent to another process.
    assert!(!wrong(&report).iter().any(|one| one.starts_with("answer")));
    // `--fix` stops no process.
    sandbox.run(&["doctor", "--fix"]).code(1);
    assert!(http_get(sandbox.port(0), "/").is_some());
    drop(other);
    // A server that was started by hand in the checkout may use the port.
    let _own = UnrelatedServer::start(sandbox.port(0), sandbox.project());
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "a process in the checkout", &prose(&report));
    assert_eq!(
        wrong(&report),
        [
            "listening/backend/warning",
            "listening/frontend/warning",
            "cors/backend/error"
        ]
    );
    transcript.assert("doctor-unrelated-process");
}

#[test]
fn reports_a_forced_port_in_use() {
    let mut transcript = Transcript::default();
    let sandbox = jobi();
    sandbox.write(".ports.json", "{\"backend_port\": %5}");
    let _other = UnrelatedServer::start(sandbox.port(5), &sandbox.path("home"));
    let mut check = |title: &str| {
        let report = diagnosis(&sandbox, 1);
        transcript.text(&sandbox, title, &prose(&report));
        let found = finding(&report, "listening");
        let repair = found["repair"].as_str().unwrap();
        assert!(repair.contains("`backend_port`"), "{repair}");
        assert_eq!(found["command"], sandbox.expand("portway free %5"));
    };
    check("before the first start");
    sandbox.run(&["up", "--detach"]).code(4);
    check("after a failed start");
    transcript.assert("doctor-forced-port");
}

#[test]
fn reports_a_failed_service_without_a_port() {
    let mut transcript = Transcript::default();
    let text = "
        [services.worker]
        command = \"sh -c 'while test ! -e go; do sleep 0.01; done; exit 3'\"
        restart = \"never\"
        [services.other]
        command = \"%service sleep\"
        dir = \"gone\"
    ";
    let sandbox = Sandbox::new().manifest(text).file("gone/file", "");
    sandbox.run(&["up", "--detach"]).success();
    fs::write(sandbox.project().join("go"), "").unwrap();
    wait_until("the worker has failed", || {
        let report = sandbox.run(&["doctor", "--json"]).json();
        wrong(&report) == ["running/worker/error"]
    });
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "a failed service", &prose(&report));
    let found = finding(&report, "running");
    mentions(&found, "code 3");
    assert_eq!(found["command"], "portway logs worker");
    // The directory of a service is missing.
    sandbox.run(&["down"]).success();
    fs::remove_dir_all(sandbox.project().join("gone")).unwrap();
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "a missing directory", &prose(&report));
    assert_eq!(
        wrong(&report),
        ["manifest/other/error", "running/services/warning"]
    );
    let found = report["findings"].as_array().unwrap();
    let found = found.iter().find(|one| one["subject"] == "other").unwrap();
    mentions(found, "`gone`");
    let place = found["place"].as_str().unwrap();
    assert!(place.ends_with("portway.toml:7:15"), "{place}");
    transcript.assert("doctor-failed-service");
}

#[test]
fn reports_a_service_that_exited_or_answers_with_an_error() {
    let mut transcript = Transcript::default();
    let sandbox = running();
    fs::write(sandbox.project().join("sick"), "").unwrap();
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "an error", &prose(&report));
    assert_eq!(wrong(&report), ["answer/backend/error"]);
    mentions(&finding(&report, "answer"), "500");
    let _ = http_get(sandbox.port(0), "/exit/1");
    wait_until("the backend has failed", || {
        let report = sandbox.run(&["doctor", "--json"]).code(1).json();
        let message = finding(&report, "listening")["message"].to_string();
        message.contains("code 1")
    });
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "an exit", &prose(&report));
    assert_eq!(wrong(&report), ["listening/backend/error"]);
    let found = finding(&report, "listening");
    mentions(&found, &sandbox.expand("port %0"));
    assert_eq!(found["command"], "portway logs backend");
    transcript.assert("doctor-failing-backend");
}

#[test]
fn reports_a_service_on_the_wrong_address_family() {
    let sandbox = jobi();
    let text = sandbox.read("portway.toml");
    let one_family = text.replace("serve {port}\"", "serve {port} --host ::1\"");
    sandbox.write("portway.toml", &one_family);
    sandbox.run(&["up", "--detach"]).success();
    let resolved = ("localhost", 0).to_socket_addrs().unwrap();
    let has_ipv6 = resolved.into_iter().any(|address| address.is_ipv6());
    if has_ipv6 {
        assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
    } else {
        let report = diagnosis(&sandbox, 1);
        assert_eq!(wrong(&report), ["localhost/frontend/error"]);
        mentions(&finding(&report, "localhost"), "::1");
    }
}
