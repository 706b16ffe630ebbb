use crate::DetectedPort;
use crate::fixture::{checkout, only};
use portway_project::kind::Kind;

const FILE: &str = "process-compose.yaml";

#[test]
fn converts_a_process_to_manifest_keys() {
    let text = r#"
version: "0.5"
environment: [ALL=1]
processes:
  _db:
    command: ./db
    readiness_probe: {exec: {command: "pg_isready -p 5433"}}
  migrate:
    command: ./migrate
    depends_on: {_db: {condition: process_healthy}}
    availability: {restart: exit_on_failure}
  api:
    command: "python -m uvicorn app:app --port ${PORT}"
    working_dir: ./services/api/
    environment: {PORT: 8080, A: "x$$y"}
    depends_on:
      migrate: {condition: process_completed_successfully}
      _db: {condition: process_started}
      nobody: {condition: process_started}
    readiness_probe:
      http_get: {host: 127.0.0.1, port: 8080, path: /health}
      initial_delay_seconds: 30
      failure_threshold: 10
    liveness_probe:
      exec: {command: "curl localhost:8080"}
      period_seconds: 5
      failure_threshold: 2
    availability: {restart: always, backoff_seconds: 2}
    shutdown: {signal: 2, timeout_seconds: 4, command: "x"}
    namespace: web
  log:
    command: tail -f x
    disabled: true
    ready_log_line: "ready (now)"
"#;
    let files = [(FILE, text), (".env", "B=2"), ("services/api/x", "")];
    let detection = checkout(&files, &[]);
    let manifest = detection.manifest("p");
    let expected = r#"
[services.api]
dir = "services/api"
command = "python -m uvicorn app:app --port ${PORT}"
port = 8080
after = { migrate = "completed", db = "started" }
env = { ALL = "1", A = "x$y" }
env_file = ["../../.env"]
ready = { http = "/health", timeout = "130s" }
liveness = { exec = "curl localhost:{port}", interval = "5s", failures = 2 }
restart = "always"
stop = { signal = "INT", grace = "4s" }
"#;
    let table = expected.trim_start();
    assert!(manifest.contains(table), "{manifest}");
    detection.services[2]
        .has_evidence("`nobody`, which is not a process of the file")
        .has_evidence("not converted: availability.backoff_seconds, shutdown.command, namespace");
    detection.services[1].has_evidence("all other processes stop when it fails");
    let log = &detection.services[3];
    assert!(log.optional);
    assert_eq!(log.more[1], r#"ready = { log = 'ready \(now\)' }"#);
    assert_eq!(detection.services[0].name, "db");
}

fn port(process: &str) -> Option<DetectedPort> {
    only(&[(FILE, &format!("processes:\n  x: {process}\n"))], &[]).port
}

#[test]
fn reads_the_port_from_probe_or_command() {
    let probe = "readiness_probe: {http_get: {port: '4040'}}";
    for (process, expected) in [
        (
            format!("{{command: ./x, {probe}}}"),
            Some(DetectedPort::Fixed(4040)),
        ),
        (
            format!("{{command: './x $PORT', {probe}}}"),
            Some(DetectedPort::Preferred(4040)),
        ),
        (
            format!("{{command: './x --port 4040', {probe}}}"),
            Some(DetectedPort::Preferred(4040)),
        ),
        (
            format!("{{command: './x serve :4040', {probe}}}"),
            Some(DetectedPort::Preferred(4040)),
        ),
        (
            format!("{{command: './x', environment: [PORT=4040], {probe}}}"),
            Some(DetectedPort::Preferred(4040)),
        ),
        (
            "{command: ./x, environment: [PORT=3000]}".into(),
            Some(DetectedPort::Preferred(3000)),
        ),
        (
            "{command: './x $PORT'}".into(),
            Some(DetectedPort::Preferred(5000)),
        ),
        (
            "{command: redis-server}".into(),
            Some(DetectedPort::Preferred(6379)),
        ),
        ("{command: ./x}".into(), None),
        (
            "{command: ./x, readiness_probe: {http_get: {host: example.com, port: 80}}}".into(),
            None,
        ),
        (
            "{command: ./x, readiness_probe: {http_get: {port: '404{{.N}}'}}}".into(),
            None,
        ),
    ] {
        assert_eq!(port(&process), expected, "{process}");
    }
    let text = "processes:\n  x:\n    command: ./x\n    environment: {SERVER_PORT: 4040}\n    readiness_probe: {http_get: {port: 4040}}\n";
    let found = only(&[(FILE, text)], &[]);
    assert_eq!(found.env["SERVER_PORT"], "{port}");
    assert_eq!(
        (found.port, found.kind),
        (Some(DetectedPort::Preferred(4040)), Kind::Http)
    );
}

#[test]
fn leaves_expansion_to_the_shell() {
    let command = |process: &str| only(&[(FILE, &format!("processes:\n  x: {process}\n"))], &[]);
    for (process, expected) in [
        (r#"{command: "echo $$HOME $A"}"#, "echo $HOME $A"),
        (
            r#"{command: x, environment: ["URL=$HOST/a\"`$(b)$$c"]}"#,
            r#"export URL="$HOST/a\"\`\$(b)\$c"; x"#,
        ),
        (
            r#"{command: x, environment: ["URL={db.url}"]}"#,
            r#"export URL="{""db.url}"; x"#,
        ),
        (
            r#"{command: x, working_dir: /tmp/a b}"#,
            "cd '/tmp/a b' && x",
        ),
        (r#"{command: x, working_dir: ../x}"#, "cd ../x && x"),
        (
            r#"{command: "[[ -f x ]] && y"}"#,
            "bash -c '[[ -f x ]] && y'",
        ),
        (r#"{entrypoint: [echo, "a b"]}"#, "echo 'a b'"),
    ] {
        assert_eq!(command(process).command, expected, "{process}");
    }
    command("{command: x, is_daemon: true}").has_evidence("must stay in the foreground");
}

#[test]
fn merges_the_override_file() {
    let found = only(
        &[
            (
                "process-compose.yml",
                "processes:\n  x: {command: a, environment: [A=1]}\n",
            ),
            (
                "process-compose.override.yml",
                "processes:\n  x: {command: b, environment: [B=2]}\n",
            ),
        ],
        &[],
    );
    assert_eq!(found.command, "b");
    assert_eq!(found.env.len(), 2);
}

#[test]
fn reads_processes_from_a_compose_file() {
    assert_eq!(
        only(&[("compose.yaml", "processes: {x: {command: y}}")], &[]).command,
        "y"
    );
}

#[test]
fn reports_broken_files_and_finds_the_rest() {
    let procfile = ("Procfile", "web: x");
    for (text, why) in [
        ("processes: [", "cannot be parsed as YAML"),
        ("processes: 1", "`processes` is not a mapping"),
        ("{}", "`processes` is not a mapping"),
    ] {
        let detection = checkout(&[(FILE, text), procfile], &[]);
        assert!(
            detection.skipped[0].why.contains(why),
            "{:?}",
            detection.skipped
        );
        assert_eq!(detection.services[0].framework, "procfile");
    }
    let detection = checkout(
        &[(FILE, "vars: {A: 1}\nprocesses: {x: , y: {command: z}}")],
        &[],
    );
    assert_eq!(detection.services.len(), 1);
    let skipped: Vec<_> = detection.skipped.iter().map(|s| s.file.as_str()).collect();
    assert_eq!(
        skipped,
        [
            "process-compose.yaml: vars",
            "process-compose.yaml: processes.x"
        ]
    );
}

#[test]
fn drops_invalid_variable_names() {
    for environment in ["['=PORT=1', 'A=B=C']", "{'': 1, 'X=Y': 2, A: B=C}"] {
        let text = format!("processes:\n  a: {{command: x, environment: {environment}}}\n");
        let found = only(&[("process-compose.yaml", &text)], &[]);
        let actual: Vec<_> = found
            .env
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(actual, [("A", "B=C")], "{environment}");
    }
}

#[test]
fn a_second_checkout_can_run_with_other_ports() {
    let text = r#"
processes:
  db:
    command: redis-server --port 6399
    readiness_probe: {exec: {command: "redis-cli -p 6399 ping"}}
  api:
    command: node api.js --port 8123 --redis redis://localhost:6399/1
    environment: ["CACHE=redis://127.0.0.1:6399"]
    readiness_probe: {http_get: {port: 8123}}
  web:
    command: npm run dev
    working_dir: web
    readiness_probe: {http_get: {port: 3200}}
"#;
    let vite = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}";
    let detection = checkout(&[(FILE, text), ("web/package.json", vite)], &["npm"]);
    let found = detection.commands();
    assert_eq!(
        found,
        [
            ("redis-server --port {port}", Some(6399)),
            (
                "node api.js --port {port} --redis redis://localhost:{db.port}/1",
                Some(8123)
            ),
            ("npm run dev -- --port {port} --strictPort", Some(3200)),
        ]
    );
    let manifest = detection.manifest("p");
    assert!(manifest.contains("redis-cli -p {port} ping"), "{manifest}");
    assert_eq!(
        detection.services[1].env["CACHE"],
        "redis://127.0.0.1:{db.port}"
    );
    assert_eq!(detection.services[2].dir, "web");
    assert!(detection.services[2].prepare.is_some());
}
