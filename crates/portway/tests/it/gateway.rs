//! `portway gateway`: names of running services.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::sandbox::{
    RunningCommand, Sandbox, TIMEOUT, TWO_SERVICES, http_get, two_services, wait_until,
};

/// Starts a gateway on the sandbox's last port.
pub(crate) fn gateway(sandbox: &Sandbox) -> RunningCommand {
    let port = sandbox.port(39).to_string();
    let mut gateway = sandbox.spawn(&["gateway", "--json", "--port", &port]);
    gateway.wait_for_output("\"port\"");
    gateway
}

/// Requests `path` of `host` from the gateway and returns the status and the body.
pub(crate) fn request(sandbox: &Sandbox, host: &str, path: &str) -> (u16, String) {
    try_request(sandbox, host, path).unwrap_or_else(|error| panic!("{host}{path}: {error}"))
}

fn try_request(sandbox: &Sandbox, host: &str, path: &str) -> std::io::Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    send(sandbox, &request)
}

fn send(sandbox: &Sandbox, request: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.port(39)))?;
    stream.set_read_timeout(Some(TIMEOUT + Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned());
    status
        .zip(body)
        .ok_or_else(|| std::io::Error::other(format!("invalid response: {answer:?}")))
}

#[test]
#[cfg(unix)]
fn each_service_of_each_worktree_has_a_name() {
    let mut sandbox = Sandbox::with_blocks(1).manifest(TWO_SERVICES);
    let main = sandbox.project().to_owned();
    std::fs::remove_dir_all(main.join(".git")).unwrap();
    sandbox.git(&main, &["init", "-q"]);
    sandbox.git(&main, &["add", "-A"]);
    sandbox.git(&main, &["commit", "-qm", "one"]);
    let mut names = vec![(main.clone(), "jobi".to_owned())];
    for branch in ["feature/auth", "fix/auth", "backend"] {
        let dir = sandbox.path(&format!("trees-{}", branch.replace('/', "-")));
        let path = dir.to_str().unwrap();
        sandbox.git(&main, &["worktree", "add", "-q", "-b", branch, path]);
        names.push((dir, format!("{}.jobi", branch.replace('/', "-"))));
    }
    let detached = sandbox.path("trees-detached");
    sandbox.git(
        &main,
        &[
            "worktree",
            "add",
            "-q",
            "--detach",
            detached.to_str().unwrap(),
        ],
    );
    names.push((detached, "trees-detached.jobi".to_owned()));
    let _gateway = gateway(&sandbox);
    for (dir, _) in &names {
        sandbox.set_project(dir.clone());
        sandbox.run(&["up", "--detach"]).success();
    }
    for (dir, name) in &names {
        sandbox.set_project(dir.clone());
        let id = |service: &str| {
            let host = format!("{service}{name}.localhost");
            request(&sandbox, &host, "/env/PORTWAY_INSTANCE")
        };
        assert_eq!(id(""), (200, name.clone()));
        assert_eq!(id("frontend."), (200, name.clone()));
        // The name belongs to the worktree of the branch `backend`, so the backend of the main
        // checkout has none.
        if name == "jobi" {
            assert_eq!(id("backend."), (200, "backend.jobi".to_owned()));
            sandbox
                .fails(&["url", "--name", "backend"], 6, "nothing_there")
                .names("backend");
        } else {
            assert_eq!(id("backend."), (200, name.clone()));
        }
        let port = sandbox.port(39);
        let url = format!("http://{name}.localhost:{port}\n");
        assert_eq!(
            sandbox
                .run(&["url", "--name", "frontend"])
                .success()
                .stdout(),
            url
        );
    }
    let listed = sandbox.run(&["ps"]).success();
    let url = format!("http://fix-auth.jobi.localhost:{}", sandbox.port(39));
    listed.stdout_has(&url);
}

#[test]
fn cors_origins_contain_the_names_once_a_gateway_exists() {
    let sandbox = two_services();
    let origins = || {
        let env = sandbox.run(&["env", "--json"]).success().json();
        env["CORS_ORIGINS"].as_str().unwrap().to_owned()
    };
    let port = sandbox.port(39);
    let named = format!(",http://jobi.localhost:{port},http://frontend.jobi.localhost:{port}");
    sandbox.run(&["up", "--detach"]).success();
    let before = origins();
    assert!(!before.contains("jobi"), "{before}");
    let running = gateway(&sandbox);
    // The running services keep their environment, and `env` prints what they have.
    assert_eq!(origins(), before);
    let warned = || {
        let report = sandbox.run(&["doctor", "--json"]).json();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.iter().any(|finding| {
            finding["check"] == "cors"
                && finding["subject"] == "services"
                && finding["severity"] == "warning"
        })
    };
    assert!(warned());
    sandbox.run(&["down"]).success();
    assert_eq!(origins(), format!("{before}{named}"));
    sandbox.run(&["up", "--detach"]).success();
    assert!(!warned());
    // The names stay without the gateway, because it will return.
    drop(running);
    assert_eq!(origins(), format!("{before}{named}"));
    sandbox.run(&["down"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let url = sandbox.run(&["url", "backend"]).success().stdout();
    let address = url.trim().trim_start_matches("http://localhost:");
    let received = http_get(address.parse().unwrap(), "/env/CORS_ORIGINS");
    assert_eq!(received, Some(format!("{before}{named}")));
}

#[test]
fn paths_are_routed_to_other_services() {
    let sandbox = Sandbox::new().manifest(&format!(
        "{TWO_SERVICES}\n[routes]\n\"/env\" = \"backend\"\n\"/api\" = {{ service = \"backend\", strip = true }}"
    ));
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let served_by = |host: &str, path: &str| request(&sandbox, host, path).1;
    assert_eq!(
        served_by("jobi.localhost", "/env/PORTWAY_SERVICE"),
        "backend"
    );
    assert_eq!(
        served_by("jobi.localhost", "/api/env/PORTWAY_SERVICE"),
        "backend"
    );
    let pid = |service: &str| {
        let port = sandbox.run(&["port", service]).success().stdout();
        http_get(port.trim().parse().unwrap(), "/").unwrap()
    };
    assert_eq!(served_by("jobi.localhost", "/"), pid("frontend"));
    assert_eq!(served_by("jobi.localhost", "/api"), pid("backend"));
}

#[test]
fn bodies_are_limited_per_service() {
    let sandbox = Sandbox::new().manifest(&format!("{TWO_SERVICES}\nmax_body = \"1 kB\""));
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    for (host, status) in [("jobi", 413), ("backend.jobi", 200)] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}.localhost\r\nConnection: close\r\nContent-Length: 1001\r\n\r\n{}",
            "a".repeat(1001)
        );
        let answer = send(&sandbox, &request).unwrap();
        assert_eq!(answer.0, status, "{host}: {answer:?}");
    }
}

// Under Wine a restart sometimes loses its Ctrl-C and takes the whole grace period.
#[test]
#[cfg(unix)]
fn no_request_fails_across_ten_restarts() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let done = AtomicBool::new(false);
    let answered = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut answered = 0;
                    while answered < 250 || !done.load(Relaxed) {
                        let (status, body) = request(&sandbox, "backend.jobi.localhost", "/");
                        assert_eq!(status, 200, "{body}");
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        for _ in 0..10 {
            sandbox.run(&["restart", "backend"]).success();
        }
        done.store(true, Relaxed);
        clients
            .into_iter()
            .map(|one| one.join().unwrap())
            .sum::<usize>()
    });
    assert!(answered >= 1000, "{answered}");
}

#[test]
fn requests_wait_for_a_starting_service_and_fail_for_a_stopped_one() {
    let sandbox = Sandbox::new().manifest(
        "
        [project]
        name = \"jobi\"
        [services.backend]
        command = \"%service serve {port} --delay 400\"
        port = \"%0-%9\"
        ",
    );
    let _gateway = gateway(&sandbox);
    let mut up = sandbox.spawn(&["up"]);
    // The gateway serves the name as soon as the instance runs.
    let answered = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            loop {
                let (status, body) = request(&sandbox, "backend.jobi.localhost", "/");
                if status != 404 {
                    break (status, body);
                }
            }
        });
        client.join().unwrap()
    });
    assert_eq!(answered.0, 200, "{}", answered.1);
    sandbox.wait_until_ready();
    up.wait_for_output(&sandbox.expand("http://localhost:%0"));
    drop(up);
    sandbox.run(&["down"]);
    wait_until("the gateway knows that it stopped", || {
        request(&sandbox, "backend.jobi.localhost", "/").0 == 503
    });
    let (status, body) = request(&sandbox, "backend.jobi.localhost", "/");
    assert_eq!(status, 503);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"]["code"], "not_running");
}

#[test]
fn only_one_gateway_runs() {
    let sandbox = Sandbox::new();
    let (port, other) = (sandbox.port(39).to_string(), sandbox.port(38).to_string());
    sandbox.fails(&["gateway", "status"], 1, "not_running");
    sandbox.fails(&["gateway", "stop"], 1, "not_running");
    let first = sandbox.run(&["gateway", "--port", &port, "--detach", "--json"]);
    assert_eq!(first.success().json()["port"], sandbox.port(39));
    // A second start returns the same gateway, and is rejected on another port.
    sandbox.run(&["gateway", "--detach"]).success();
    sandbox
        .fails(&["gateway", "--detach", "--port", &other], 1, "refused")
        .mentions(format!("port {port}"));
    sandbox
        .fails(&["gateway", "--port", &other], 1, "refused")
        .hints("`portway gateway stop`");
    sandbox.run(&["gateway", "status"]).success();
    sandbox.run(&["gateway", "stop"]).success();
    sandbox.fails(&["gateway", "status"], 1, "not_running");
    sandbox.wait_until_empty();
}

#[test]
fn a_port_in_use_is_an_error() {
    let sandbox = Sandbox::new();
    let _other = std::net::TcpListener::bind(("127.0.0.1", sandbox.port(39))).unwrap();
    let port = sandbox.port(39).to_string();
    for arguments in [
        &["gateway", "--port", &port][..],
        &["gateway", "--detach", "--port", &port],
    ] {
        sandbox
            .fails(arguments, 4, "port_taken")
            .mentions(&port)
            .hints("portway who");
    }
}

#[test]
fn services_survive_the_gateway() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let before = sandbox.status();
    drop(gateway(&sandbox));
    assert_eq!(sandbox.status(), before);
    // The next gateway takes over at once.
    let _gateway = gateway(&sandbox);
    assert_eq!(request(&sandbox, "jobi.localhost", "/").0, 200);
}

#[test]
#[cfg(unix)]
fn up_starts_the_gateway_if_that_is_preferred() {
    let sandbox = two_services();
    std::fs::create_dir_all(sandbox.path("home/.config/portway")).unwrap();
    let port = sandbox.port(39);
    let config = format!("[gateway]\nstart = \"with-up\"\nport = {port}\n");
    std::fs::write(sandbox.path("home/.config/portway/config.toml"), config).unwrap();
    let output = sandbox.run(&["up", "--detach"]).success();
    output.stdout_has(&format!("http://jobi.localhost:{port}"));
    assert_eq!(request(&sandbox, "jobi.localhost", "/").0, 200);
    // Services start although the port of the gateway is in use.
    sandbox.run(&["down"]).success();
    sandbox.run(&["gateway", "stop"]).success();
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    sandbox
        .run(&["up", "--detach"])
        .success()
        .stderr_has("warning: ")
        .stderr_has(&format!("port {port}"));
}

#[test]
#[cfg(unix)]
fn installs_and_uninstalls_a_user_service() {
    let sandbox = Sandbox::new();
    // Without a session only the file is written; the error lists the remaining commands.
    sandbox
        .run(&["gateway", "install"])
        .code(3)
        .stderr_has("systemctl --user daemon-reload")
        .stderr_has("enable --now portway-gateway.service")
        .stderr_has("portway gateway --detach");
    let unit = sandbox.path("home/.config/systemd/user/portway-gateway.service");
    let text = std::fs::read_to_string(&unit).unwrap();
    let state = sandbox.path("state");
    let line = format!("Environment=\"XDG_STATE_HOME={}\"\n", state.display());
    assert!(text.contains(&line), "{text}");
    sandbox.run(&["gateway", "uninstall"]).success();
    assert!(!unit.exists());
    sandbox.run(&["gateway", "uninstall"]).code(6);
}
