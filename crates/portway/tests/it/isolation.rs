//! Instances with a network of their own.

mod conflicts;
mod messages;

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use crate::sandbox::{Sandbox, http_get, kill, wait_until};

/// A server whose port is in its command.
const LITERAL: &str = "\
[project]
name = \"shop\"
[services.api]
command = \"%service serve 5000\"
port = { range = \"%0-%9\", usual = 5000 }
";

fn isolated(manifest: &str) -> Sandbox {
    Sandbox::new().manifest(&format!("isolation = \"network\"\n{manifest}"))
}

/// Another checkout of the same project.
fn second_checkout(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.path("second");
    fs::create_dir(&dir).unwrap();
    let manifest = fs::read_to_string(sandbox.project().join("portway.toml")).unwrap();
    fs::write(dir.join("portway.toml"), manifest).unwrap();
    dir
}

fn helper(sandbox: &Sandbox) -> u32 {
    let pid = sandbox.status()["network"]["pid"].as_u64().unwrap();
    u32::try_from(pid).unwrap()
}

#[test]
fn a_server_with_a_fixed_port_runs_in_several_checkouts_at_once() {
    let sandbox = isolated(LITERAL);
    let second = second_checkout(&sandbox);
    let second = second.to_str().unwrap();
    let first = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let other = sandbox.run(&["-C", second, "up", "--detach", "--json"]);
    let other = other.success().json();
    let mut pids = Vec::new();
    for status in [first, other] {
        let port = &status["services"][0]["ports"][0];
        assert_eq!(port["inner"], 5000);
        let host = u16::try_from(port["port"].as_u64().unwrap()).unwrap();
        assert!((sandbox.port(0)..=sandbox.port(9)).contains(&host));
        let pid = http_get(host, "/").unwrap();
        assert_eq!(pid, status["services"][0]["pid"].to_string());
        assert_eq!(http_get(host, "/env/PORT").unwrap(), "5000");
        pids.push(pid);
    }
    assert_ne!(pids[0], pids[1]);
    // Inside, both ports lead to this checkout.
    for (dir, pid) in [(".", &pids[0]), (second, &pids[1])] {
        let port = sandbox.run(&["-C", dir, "port", "api"]).success().stdout();
        for port in ["5000", port.trim()] {
            let url = format!("http://localhost:{port}/");
            let exec = ["-C", dir, "exec", "--", "curl", "-sS", &url];
            assert_eq!(sandbox.run(&exec).success().stdout(), *pid);
        }
    }
    sandbox.run(&["-C", second, "down"]).success();
    sandbox.run(&["down"]).success();
    sandbox.wait_until_empty();
}

#[test]
fn a_client_with_a_fixed_port_reaches_the_service_of_its_own_checkout() {
    let sandbox = isolated(&format!(
        "{LITERAL}[services.seed]\n\
         command = \"curl -sS http://localhost:5000/ -o pid.txt\"\n\
         after = [\"api\"]\n\
         [services.migrate]\n\
         command = \"curl -sS $API_URL/ -o other.txt\"\n\
         after = [\"api\"]\n"
    ));
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let pid = status["services"][0]["pid"].to_string();
    wait_until("both clients have run", || {
        let read = |name: &str| fs::read_to_string(sandbox.project().join(name));
        let is_right = |name: &str| read(name).is_ok_and(|text| text == pid);
        is_right("pid.txt") && is_right("other.txt")
    });
}

#[test]
fn a_port_that_a_server_opens_instead_of_the_expected_one_is_used() {
    let sandbox = isolated(
        "[services.api]\ncommand = \"%service serve 7777\"\n\
         port = { range = \"%0-%9\", usual = 8000 }\n",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(status["services"][0]["ports"][0]["inner"], 7777);
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn a_further_port_gets_a_port_of_the_machine_that_stays_the_same() {
    let sandbox = Sandbox::with_blocks(3);
    let inner = sandbox.port(100);
    let sandbox = sandbox.manifest(&format!(
        "isolation = \"network\"\n[services.api]\n\
         command = \"%service serve {inner} & %service serve {{port}}\"\n\
         port = {{ range = \"%0-%9\", usual = 5000 }}\n\
         [services.jobs]\ncommand = \"%service serve 7000\"\n"
    ));
    let second = second_checkout(&sandbox);
    let second = second.to_str().unwrap();
    let observed = |dir: &str, service: usize| -> Option<(u64, u64)> {
        let status = sandbox
            .run(&["-C", dir, "detect", "--json"])
            .success()
            .json();
        let ports = status["services"][service]["ports"]
            .as_array()
            .unwrap()
            .clone();
        let port = ports.iter().find(|port| port["observed"] == true)?;
        Some((port["inner"].as_u64()?, port["port"].as_u64()?))
    };
    let until = |dir: &str, service: usize| {
        let mut found = None;
        wait_until("the port is observed", || {
            found = observed(dir, service);
            found.is_some()
        });
        found.unwrap()
    };
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["-C", second, "up", "--detach"]).success();
    // In a main checkout, the number is the same.
    assert_eq!(until(".", 0), (u64::from(inner), u64::from(inner)));
    let (_, other) = until(second, 0);
    assert_ne!(other, u64::from(inner));
    assert!(http_get(u16::try_from(other).unwrap(), "/").is_some());
    let json = fs::read_to_string(sandbox.path("second/.ports.json")).unwrap();
    assert!(
        json.contains(&format!("\"api_{inner}_port\": {other}")),
        "{json}"
    );
    // A service without any other port.
    let (_, jobs) = until(second, 1);
    let json = fs::read_to_string(sandbox.path("second/.ports.json")).unwrap();
    assert!(json.contains(&format!("\"jobs_port\": {jobs}")), "{json}");
    sandbox.run(&["-C", second, "down"]).success();
    sandbox.run(&["-C", second, "up", "--detach"]).success();
    assert_eq!(until(second, 0).1, other);
}

#[test]
fn a_service_on_the_host_is_reachable_inside_on_its_usual_port() {
    let sandbox = isolated(
        "[services.store]\ncommand = \"%service serve {port}\"\nisolation = \"none\"\n\
         port = { range = \"%0-%9\", usual = 6000 }\n",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let service = &status["services"][0];
    assert_eq!(service["ports"][0].get("inner"), None);
    let exec = ["exec", "--", "curl", "-sS", "http://localhost:6000/"];
    let answer = sandbox.run(&exec).success().stdout();
    assert_eq!(answer, service["pid"].to_string());
}

#[test]
fn a_server_on_ipv6_a_socket_from_portway_and_udp_work() {
    let sandbox = isolated(
        "[services.six]\ncommand = \"%service serve {port} --host ::1\"\nport = \"%0-%9\"\n\
         [services.fd]\ncommand = \"%service serve --fd\"\nport = \"%10-%19\"\nsocket = \"fd\"\n\
         [services.udp]\ncommand = \"%service serve {port} --udp\"\nport = \"%20-%29\"\n\
         kind = \"udp\"\n",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    for (index, port) in [(0, sandbox.port(0)), (1, sandbox.port(10))] {
        let pid = http_get(port, "/").unwrap();
        assert_eq!(pid, status["services"][index]["pid"].to_string());
    }
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    client.connect(("127.0.0.1", sandbox.port(20))).unwrap();
    client.send(b"?").unwrap();
    let mut bytes = [0; 64];
    let length = client.recv(&mut bytes).unwrap();
    let answer = String::from_utf8_lossy(&bytes[..length]);
    assert_eq!(answer.trim(), status["services"][2]["pid"].to_string());
}

#[test]
fn workers_that_share_a_port_and_a_server_that_binds_again_work() {
    let sandbox = isolated(
        "[services.workers]\ncommand = \"python3 workers.py\"\n\
         port = { range = \"%0-%9\", usual = 5000 }\n\
         [services.again]\ncommand = \"%service serve 6000 --rebind\"\n\
         port = { range = \"%10-%19\", usual = 6000 }\n",
    )
    .file(
        "workers.py",
        "import os, socket
children = []
for _ in range(2):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(('127.0.0.1', 5000))
    server.listen()
    if os.fork() == 0:
        while True:
            client, _ = server.accept()
            client.recv(4096)
            pid = str(os.getpid()).encode()
            head = b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n'
            client.sendall(head % len(pid) + pid)
            client.close()
    server.close()
os.wait()
",
    );
    sandbox.run(&["up", "--detach"]).success();
    let mut seen = BTreeSet::new();
    wait_until("both workers answer", || {
        seen.extend(http_get(sandbox.port(0), "/"));
        seen.len() == 2
    });
    let before = http_get(sandbox.port(10), "/rebind").unwrap();
    wait_until("the server answers again", || {
        http_get(sandbox.port(10), "/").as_ref() == Some(&before)
    });
    let status = sandbox.status();
    for service in status["services"].as_array().unwrap() {
        assert_eq!(service["restarts"], 0);
        assert!(service["ports"].as_array().unwrap().len() == 1, "{service}");
    }
}

#[test]
fn nothing_is_left_when_the_supervisor_or_the_helper_is_killed() {
    let sandbox = isolated(LITERAL);
    sandbox.run(&["up", "--detach"]).success();
    // Another helper enters the same network.
    let before = http_get(sandbox.port(0), "/").unwrap();
    kill(helper(&sandbox));
    wait_until("connections work again", || {
        http_get(sandbox.port(0), "/").as_ref() == Some(&before)
    });
    let supervisor = sandbox.status()["pid"].as_u64().unwrap();
    kill(u32::try_from(supervisor).unwrap());
    sandbox.wait_until_empty();
    sandbox.run(&["up", "--detach"]).success();
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn without_the_way_out_everything_works_on_ports_of_the_machine() {
    let sandbox = isolated(
        "[services.api]\ncommand = \"%service serve {port}\"\n\
         port = { range = \"%0-%9\", usual = 5000 }\n",
    );
    let mut up = sandbox.portway(&["up", "--detach"]);
    up.env("PATH", sandbox.path("home"));
    let up = sandbox.run_command(up).success();
    up.stderr_has("slirp4netns")
        .stderr_has("no network of its own");
    let status = sandbox.status();
    assert_eq!(status.get("network"), None);
    assert_eq!(
        http_get(sandbox.port(0), "/env/PORT").unwrap(),
        sandbox.port(0).to_string()
    );
    let mut plan = sandbox.portway(&["plan"]);
    plan.env("PATH", sandbox.path("home"));
    sandbox
        .run_command(plan)
        .success()
        .stdout_has("apt install");
    let plan = sandbox.run(&["plan", "--json"]).success().json();
    assert_eq!(plan["isolation"]["obstacles"].as_array().unwrap().len(), 0);
}

#[test]
fn the_flag_isolates_a_project_that_does_not_ask_for_it() {
    let sandbox = Sandbox::new().manifest(LITERAL);
    sandbox.run(&["up", "--detach", "--isolate"]).success();
    assert!(http_get(sandbox.port(0), "/").is_some());
    let text = sandbox.run(&["ps"]).success().stdout();
    assert!(text.contains("5000"), "{text}");
}

#[test]
fn commands_of_portway_work_inside() {
    let sandbox = isolated(LITERAL);
    sandbox.run(&["up", "--detach"]).success();
    let portway = env!("CARGO_BIN_EXE_portway");
    for arguments in [
        &["up", "--detach"][..],
        &["ps"],
        &["wait"],
        &["health"],
        &["url", "api"],
    ] {
        let mut exec = vec!["exec", "--", portway];
        exec.extend(arguments);
        sandbox.run(&exec).success();
    }
    let mut shell = sandbox.portway(&["shell"]);
    shell
        .env("SHELL", "/bin/sh")
        .stdin(std::process::Stdio::null());
    sandbox.run_command(shell).success();
}

#[test]
fn who_names_the_service_and_free_stops_it() {
    let sandbox = isolated(LITERAL);
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let port = sandbox.port(0).to_string();
    let who = sandbox.run(&["who", &port, "--json"]).success().json();
    let (report, holder) = (&who[0], &who[0]["holders"][0]);
    assert_eq!(report["inner"], 5000);
    assert_eq!(report["state"], "listening");
    assert_eq!(report["holders"].as_array().unwrap().len(), 1);
    assert_eq!(holder["process"]["pid"], status["services"][0]["pid"]);
    assert_eq!(
        holder["process"]["command"],
        sandbox.expand("%service serve 5000").as_str()
    );
    assert_eq!(holder["service"]["service"], "api");
    let text = sandbox.run(&["who", &port]).success();
    text.stdout_has("port 5000 of a network of its own")
        .stdout_has("service serve 5000");
    // Without a port, too.
    let all = sandbox.run(&["who", "--json"]).success().json();
    let mut all = all.as_array().unwrap().iter();
    let same = all.find(|one| one["port"] == report["port"]).unwrap();
    assert_eq!(same["holders"][0]["process"], holder["process"]);
    let freed = sandbox.run(&["free", &port, "--yes", "--json"]);
    let freed = freed.success().json();
    assert_eq!(freed["action"], "stopped");
    assert_eq!(freed["service"]["service"], "api");
    assert!(http_get(sandbox.port(0), "/").is_none());
}
