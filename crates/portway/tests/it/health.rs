//! `portway health`.

use std::fs;
use std::io::Read;
use std::net::TcpListener;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, two_services};
use crate::servers::UnrelatedServer;

const THREE: &str = "
    [project]
    name = \"jobi\"
    [services.backend]
    command = \"%service serve {port} --unhealthy-file sick\"
    port = \"%0-%9\"
    health = \"/health\"
    [services.frontend]
    command = \"%service serve {port}\"
    port = \"%10-%19\"
    [services.cache]
    command = \"%service serve {port}\"
    port = \"%20-%29\"
    kind = \"redis\"
    [services.worker]
    command = \"%service sleep\"
";

fn three() -> Sandbox {
    Sandbox::new().manifest(THREE)
}

/// The result of one service.
fn result(report: &Value, service: &str) -> Value {
    let all = report["services"].as_array().unwrap();
    let found = all.iter().find(|one| one["service"] == service);
    found.cloned().unwrap()
}

#[test]
fn each_service_is_checked_by_its_kind() {
    let sandbox = three();
    sandbox.run(&["up", "--detach"]).success();
    let report = sandbox.run(&["health", "--all", "--json"]);
    let report = report.success().json();
    assert_eq!(report["healthy"], true);
    // The worker has no port.
    assert_eq!(report["services"].as_array().unwrap().len(), 3);
    let backend = result(&report, "backend");
    assert_eq!(backend["url"], sandbox.expand("http://localhost:%0/health"));
    assert_eq!(backend["check"], "http");
    assert_eq!(backend["status"], 200);
    assert!(backend["latency_ms"].as_f64().unwrap() > 0.0);
    let frontend = result(&report, "frontend");
    assert_eq!(frontend["url"], sandbox.expand("http://localhost:%10/"));
    let cache = result(&report, "cache");
    assert_eq!(cache["url"], sandbox.expand("redis://localhost:%20"));
    assert_eq!(cache["check"], "tcp");
    assert_eq!(cache["status"], Value::Null);

    fs::write(sandbox.project().join("sick"), "").unwrap();
    let ran = sandbox.run(&["health", "--all"]).code(1);
    let lines: Vec<String> = ran.stdout().lines().map(str::to_owned).collect();
    assert!(lines[1].starts_with("backend"), "{lines:?}");
    assert!(lines[1].contains(" unhealthy "), "{lines:?}");
    assert!(lines[1].contains(" 500 "), "{lines:?}");
    assert!(lines[3].contains(" healthy "), "{lines:?}");
    assert!(lines[3].contains(" tcp "), "{lines:?}");
    // Only the named services count.
    sandbox.run(&["health", "frontend", "cache"]).success();
    let report = sandbox.run(&["health", "backend", "--json"]).code(1).json();
    assert_eq!(report["services"].as_array().unwrap().len(), 1);
    assert_eq!(report["services"][0]["healthy"], false);
    assert_eq!(report["services"][0]["status"], 500);
    let problem = report["services"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("500"), "{problem}");
}

#[test]
fn health_checks_the_main_or_only_service() {
    let sandbox = three();
    let checked = |sandbox: &Sandbox| {
        let ran = sandbox.run(&["health", "--json"]).code(1);
        let services = ran.json()["services"].clone();
        let names = services.as_array().unwrap().iter();
        let names: Vec<String> = names.map(|one| one["service"].to_string()).collect();
        (names.join(" "), ran.stderr())
    };
    let (names, note) = checked(&sandbox);
    assert_eq!(names, "\"frontend\"");
    assert!(
        note.contains("`frontend`") && note.contains("--all"),
        "{note}"
    );
    // No service is the main one.
    let cache = "[services.NAME]\ncommand = \"sleep 600\"\nport = \"%0-%9\"\nkind = \"redis\"\n";
    sandbox.write("portway.toml", &cache.replace("NAME", "a"));
    let (names, note) = checked(&sandbox);
    assert_eq!((names.as_str(), note.as_str()), ("\"a\"", ""));
    sandbox.write(
        "portway.toml",
        &[cache.replace("NAME", "a"), cache.replace("NAME", "b")].concat(),
    );
    assert_eq!(checked(&sandbox).0, "\"a\" \"b\"");
}

#[test]
fn stopped_services_are_unhealthy_and_no_port_is_chosen() {
    let sandbox = three();
    let report = sandbox.run(&["health", "--all", "--json"]).code(1).json();
    let backend = result(&report, "backend");
    assert_eq!(backend["url"], sandbox.expand("http://localhost:%0/health"));
    assert_eq!(backend["healthy"], false);
    assert_eq!(backend["latency_ms"], Value::Null);
    let problem = backend["problem"].as_str().unwrap();
    assert!(problem.contains(&sandbox.expand("port %0")), "{problem}");
    assert!(!sandbox.project().join(".ports.json").exists());
    assert!(!sandbox.state().exists());
    // A server that was started by hand in the checkout, on the port in `.ports.json`.
    sandbox.write(".ports.json", "{\"cache_port\": %35}");
    let cache = UnrelatedServer::start(sandbox.port(35), sandbox.project());
    sandbox.run(&["health", "cache"]).success();
    assert_eq!(
        sandbox.read(".ports.json"),
        sandbox.expand("{\"cache_port\": %35}")
    );
    // A server that accepts connections and never responds.
    drop(cache);
    sandbox.write(".ports.json", "{\"backend_port\": %36}");
    let silent = TcpListener::bind(("127.0.0.1", sandbox.port(36))).unwrap();
    let ask = ["health", "backend", "--timeout", "100ms", "--json"];
    let report = sandbox.run(&ask).code(1).json();
    let backend = result(&report, "backend");
    assert_eq!(backend["latency_ms"], Value::Null);
    drop(silent);
}

#[test]
fn an_unrelated_process_on_the_port_is_unhealthy() {
    let sandbox = three();
    let other = UnrelatedServer::start(sandbox.port(10), &sandbox.path("home"));
    let report = sandbox
        .run(&["health", "frontend", "--json"])
        .code(1)
        .json();
    let frontend = result(&report, "frontend");
    assert_eq!(
        (&frontend["healthy"], &frontend["status"]),
        (&json!(false), &Value::Null)
    );
    let problem = frontend["problem"].as_str().unwrap();
    assert!(problem.contains(&sandbox.expand("port %10")), "{problem}");
    let owner = format!("`service` (pid {}", other.pid());
    assert!(problem.contains(&owner), "{problem}");
}

#[test]
fn watch_shows_changes() {
    let sandbox = three();
    sandbox.run(&["up", "--detach"]).success();
    let arguments = ["health", "--watch", "--interval", "20ms", "backend"];
    let mut text = sandbox.spawn(&arguments);
    let mut lines = sandbox.spawn(&[&arguments[..], &["--json"]].concat());
    text.wait_for_output(" 200 ");
    lines.wait_for_output("\"status\":200");
    fs::write(sandbox.project().join("sick"), "").unwrap();
    text.wait_for_output("unhealthy  500");
    lines.wait_for_output("\"status\":500");
    let printed = lines.output().to_owned();
    let (first, _) = printed.split_once('\n').unwrap();
    let first: Value = serde_json::from_str(first).unwrap();
    assert_eq!(first["healthy"], true);
    // Without a terminal there are no escape sequences.
    assert!(!text.output().contains('\x1b'));
    text.signal(Signal::INT);
    assert_eq!(text.wait(), 130);
}

#[test]
fn watch_redraws_a_terminal() {
    let sandbox = three();
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let screen = openpt(flags).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let terminal = ioctl_tiocgptpeer(&screen, flags).unwrap();
    let mut command = sandbox.portway(&["health", "--watch", "--interval", "10ms", "backend"]);
    command.stdout(terminal);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    let mut screen = fs::File::from(screen);
    let redraws = |shown: &[u8]| {
        String::from_utf8_lossy(shown)
            .matches("\x1b[H\x1b[2J")
            .count()
    };
    while redraws(&shown) < 3 {
        let mut bytes = [0; 1024];
        let count = screen.read(&mut bytes).unwrap();
        shown.extend(&bytes[..count]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn watch_ends_when_its_reader_exits() {
    let sandbox = three();
    let mut shell = sandbox.command("sh");
    let portway = env!("CARGO_BIN_EXE_portway");
    let script = format!("{portway} health --watch --interval 10ms --json | head -n 2 | wc -l");
    shell.args(["-c", &script]);
    assert_eq!(sandbox.run_command(shell).success().stdout().trim(), "2");
}

#[test]
fn the_health_url_is_in_the_ports_file_while_the_manifest_has_a_path() {
    let sandbox = two_services().file(
        ".ports.json",
        "{\"frontend_health_url\": \"http://localhost:1/mine\"}",
    );
    sandbox.run(&["detect"]).success();
    let keys = |json: &Value| {
        json.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let plain = sandbox.ports_json();
    let four = [
        "backend_port",
        "frontend_port",
        "backend_url",
        "frontend_url",
    ];
    let mine = [&four[..], &["frontend_health_url"]].concat();
    assert_eq!(keys(&plain), mine);

    let manifest = sandbox.read("portway.toml");
    let with = manifest.replacen("port =", "health = \"/health\"\nport =", 1);
    sandbox.write("portway.toml", &with);
    for _ in 0..2 {
        sandbox.run(&["detect"]).success();
        let json = sandbox.ports_json();
        assert_eq!(
            json["backend_health_url"],
            sandbox.expand("http://localhost:%0/health")
        );
        // The health URL of the user is kept.
        assert_eq!(json["frontend_health_url"], "http://localhost:1/mine");
    }
    // A health URL that Portway has written forces no port.
    let other = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox.run(&["detect"]).success();
    let json = sandbox.ports_json();
    assert_eq!(
        json["backend_health_url"],
        sandbox.expand("http://localhost:%1/health")
    );
    drop(other);

    sandbox.write("portway.toml", &manifest);
    sandbox.run(&["detect"]).success();
    assert_eq!(sandbox.ports_json(), {
        let mut json = plain.clone();
        json["frontend_health_url"] = json!("http://localhost:1/mine");
        json
    });
    assert_eq!(keys(&sandbox.ports_json()), mine);
}

#[test]
fn a_copied_file_with_a_health_url_forces_nothing() {
    let mut sandbox = three();
    sandbox.run(&["detect"]).success();
    let file = sandbox.read(".ports.json");
    let manifest = sandbox.read("portway.toml");
    let other = sandbox.path("other");
    fs::create_dir(&other).unwrap();
    sandbox.set_project(&other);
    sandbox.write("portway.toml", &manifest);
    sandbox.write(".ports.json", &file);
    sandbox.run(&["detect"]).success();
    assert_eq!(
        sandbox.ports_json()["backend_health_url"],
        sandbox.expand("http://localhost:%1/health")
    );
}

#[test]
fn the_health_path_is_the_readiness_probe() {
    let sandbox = three().file("sick", "");
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait", "frontend", "cache"]).success();
    sandbox
        .run(&["wait", "backend", "--timeout", "100ms"])
        .code(124);
    fs::remove_file(sandbox.project().join("sick")).unwrap();
    sandbox.wait_until_ready();
    up.wait_for_output(&sandbox.expand("http://localhost:%0"));
}

#[test]
fn rejects_services_and_urls_that_cannot_be_checked() {
    let sandbox = three();
    sandbox
        .fails(&["health", "bakend"], 2, "unknown_service")
        .names("bakend")
        .names("backend");
    sandbox
        .fails(&["health", "worker"], 2, "usage")
        .names("worker");
    sandbox
        .fails(&["health", "--watch", "--interval", "0s"], 2, "usage")
        .mentions("--interval");
    let url = "{\"backend_health_url\": \"http://elsewhere.example/\"}";
    sandbox.write(".ports.json", url);
    for command in ["health", "detect"] {
        sandbox
            .fails(&[command], 2, "ports_file_invalid")
            .names("backend_health_url")
            .mentions("http://elsewhere.example/")
            .hints("delete");
    }
    assert_eq!(sandbox.read(".ports.json"), url);
    for health in ["\"health\"", "3"] {
        let text = THREE.replace("\"/health\"", health);
        sandbox.write("portway.toml", &text);
        sandbox
            .fails(&["health"], 2, "manifest_invalid")
            .at("portway.toml:7:14");
    }
}
