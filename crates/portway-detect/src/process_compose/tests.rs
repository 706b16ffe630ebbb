use crate::FoundPort;
use crate::fixture::{checkout, only};
use portway_project::kind::Kind;

const FILE: &str = "process-compose.yaml";

#[test]
fn a_process_is_said_again_in_the_words_of_a_manifest() {
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
        .says("`nobody`, which is no process of the file")
        .says("not taken over: availability.backoff_seconds, shutdown.command, namespace");
    detection.services[1].says("that all others end when it fails");
    let log = &detection.services[3];
    assert!(log.optional);
    assert_eq!(log.more[1], r#"ready = { log = 'ready \(now\)' }"#);
    assert_eq!(detection.services[0].name, "db");
}

fn port(process: &str) -> Option<FoundPort> {
    only(&[(FILE, &format!("processes:\n  x: {process}\n"))], &[]).port
}

#[test]
fn the_port_is_where_the_probe_or_the_command_says() {
    let probe = "readiness_probe: {http_get: {port: '4040'}}";
    for (process, expected) in [
        (
            format!("{{command: ./x, {probe}}}"),
            Some(FoundPort::Only(4040)),
        ),
        (
            format!("{{command: './x $PORT', {probe}}}"),
            Some(FoundPort::Prefer(4040)),
        ),
        (
            format!("{{command: './x --port 4040', {probe}}}"),
            Some(FoundPort::Only(4040)),
        ),
        (
            format!("{{command: './x', environment: [PORT=4040], {probe}}}"),
            Some(FoundPort::Prefer(4040)),
        ),
        (
            "{command: ./x, environment: [PORT=3000]}".into(),
            Some(FoundPort::Prefer(3000)),
        ),
        (
            "{command: './x $PORT'}".into(),
            Some(FoundPort::Prefer(5000)),
        ),
        (
            "{command: redis-server}".into(),
            Some(FoundPort::Only(6379)),
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
        (Some(FoundPort::Prefer(4040)), Kind::Http)
    );
}

#[test]
fn what_the_shell_must_do_is_left_to_the_shell() {
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
    command("{command: x, is_daemon: true}").says("must stay in the foreground");
}

#[test]
fn an_override_is_laid_over_the_file() {
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
fn processes_of_a_compose_file_are_found() {
    assert_eq!(
        only(&[("compose.yaml", "processes: {x: {command: y}}")], &[]).command,
        "y"
    );
}

#[test]
fn what_is_broken_is_named_and_the_rest_found() {
    let procfile = ("Procfile", "web: x");
    for (text, why) in [
        ("processes: [", "is not YAML that can be used"),
        ("processes: 1", "`processes` is no mapping"),
        ("{}", "`processes` is no mapping"),
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
fn what_is_no_name_of_a_variable_is_left_out() {
    for environment in ["['=PORT=1', 'A=B=C']", "{'': 1, 'X=Y': 2, A: B=C}"] {
        let text = format!("processes:\n  a: {{command: x, environment: {environment}}}\n");
        let found = only(&[("process-compose.yaml", &text)], &[]);
        let told: Vec<_> = found
            .env
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(told, [("A", "B=C")], "{environment}");
    }
}
