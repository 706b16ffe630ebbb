//! `portway env`, `exec`, `port` and `url`, and the environment of services.

mod mapping;

use std::net::TcpListener;
use std::path::Path;

use crate::sandbox::{RunningCommand, Sandbox, http_get, two_services, wait_until};

#[test]
fn env_is_the_same_before_during_and_after_a_run() {
    let sandbox = two_services();
    let env = || sandbox.run(&["env"]).success().stdout();
    let before = env();
    assert!(before.contains(&sandbox.expand("export BACKEND_URL=http://localhost:%0\n")));
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(env(), before);
    // Services have the same variables.
    let json = sandbox.run(&["env", "--json"]).success().json();
    for (name, value) in json.as_object().unwrap() {
        for index in [0, 10] {
            let received = http_get(sandbox.port(index), &format!("/env/{name}")).unwrap();
            assert_eq!(received, value.as_str().unwrap(), "{name}");
        }
    }
    sandbox.run(&["down"]).success();
    assert_eq!(env(), before);
}

#[test]
fn env_has_three_formats() {
    let sandbox = two_services();
    let url = sandbox.expand("http://localhost:%0");
    sandbox
        .run(&["env", "--format", "dotenv"])
        .success()
        .stdout_has(&format!("BACKEND_URL={url}\n"));
    let json = sandbox.run(&["env", "--format", "json"]).success().json();
    assert_eq!(json["BACKEND_URL"], url);
    assert_eq!(json["VITE_BACKEND_URL"], url);
    let own = sandbox.run(&["env", "frontend", "--json"]).success().json();
    assert_eq!(own["API"], format!("{url}/v1"));
    assert_eq!(own["PORT"], sandbox.port(10).to_string());
    // A shell can evaluate it.
    let mut shell = sandbox.command("sh");
    let portway = env!("CARGO_BIN_EXE_portway");
    shell.args([
        "-c",
        &format!("eval \"$({portway} env)\"; echo $FRONTEND_PORT"),
    ]);
    let expected = format!("{}\n", sandbox.port(10));
    assert_eq!(sandbox.run_command(shell).success().stdout(), expected);
}

#[test]
fn cors_origins_are_exact_and_local() {
    let sandbox = two_services();
    let json = sandbox.run(&["env", "--json"]).success().json();
    let origins = json["CORS_ORIGINS"].as_str().unwrap();
    let expected = sandbox.expand(
        "http://localhost:%10,http://127.0.0.1:%10,http://localhost:5173,\
         http://127.0.0.1:5173,http://localhost:3000,http://127.0.0.1:3000",
    );
    assert_eq!(origins, expected);
}

#[test]
fn port_and_url_print_one_value() {
    let sandbox = two_services();
    let expected = format!("{}\n", sandbox.port(0));
    assert_eq!(
        sandbox.run(&["port", "backend"]).success().stdout(),
        expected
    );
    let expected = sandbox.expand("http://localhost:%10\n");
    assert_eq!(
        sandbox.run(&["url", "frontend"]).success().stdout(),
        expected
    );
    let json = sandbox.run(&["url", "backend", "--json"]).success().json();
    assert_eq!(json["port"], sandbox.port(0));
    sandbox
        .fails(&["port", "bakend"], 2, "unknown_service")
        .names("backend");
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"x\"\nports = { http = \"%0\", metrics = \"%1\" }\n\
         [services.worker]\ncommand = \"x\"",
    );
    let expected = format!("{}\n", sandbox.port(1));
    assert_eq!(
        sandbox.run(&["port", "a.metrics"]).success().stdout(),
        expected
    );
    sandbox
        .fails(&["port", "worker"], 2, "usage")
        .names("worker");
}

#[test]
fn exec_sets_the_wiring_and_returns_the_exit_code() {
    let sandbox = two_services();
    let url = sandbox.expand("http://localhost:%0\n");
    let show = ["exec", "--", "sh", "-c", "echo $BACKEND_URL"];
    assert_eq!(sandbox.run(&show).success().stdout(), url);
    let own = [
        "exec",
        "--service",
        "frontend",
        "--",
        "sh",
        "-c",
        "echo $PORT",
    ];
    let port = format!("{}\n", sandbox.port(10));
    assert_eq!(sandbox.run(&own).success().stdout(), port);
    sandbox.run(&["exec", "--", "sh", "-c", "exit 42"]).code(42);
    sandbox
        .run(&["exec", "--", "sh", "-c", "kill -9 $$"])
        .code(137);
    sandbox
        .run(&["exec", "--", "no-such-program"])
        .code(3)
        .stderr_has("no-such-program");
}

#[test]
fn exec_holds_the_ports_while_its_command_runs() {
    let sandbox = two_services();
    let mut exec = sandbox.spawn(&["exec", "--", "sh", "-c", "echo running; sleep 600"]);
    exec.wait_for_output("running");
    // The ports are leased, so another checkout gets others.
    assert!(
        TcpListener::bind(("127.0.0.1", sandbox.port(0))).is_ok(),
        "the hold is soft, so that the command can bind"
    );
    let other = sandbox.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(
        sandbox.project().join("portway.toml"),
        other.join("portway.toml"),
    )
    .unwrap();
    let other = other.display().to_string();
    let port = sandbox
        .run(&["-C", &other, "port", "backend"])
        .success()
        .stdout();
    assert_eq!(port, format!("{}\n", sandbox.port(1)));
    // The same checkout can start on them at the same time.
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(0));
    assert!(http_get(sandbox.port(0), "/").is_some());
    exec.signal(rustix::process::Signal::TERM);
    assert_eq!(exec.wait(), 143);
    wait_until("the child of its shell is gone", || {
        sandbox
            .processes()
            .values()
            .all(|command| !command.starts_with("sleep"))
    });
}

#[test]
fn variables_from_files_do_not_override_the_wiring() {
    let sandbox = Sandbox::new()
        .manifest(
            "[services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
             dir = \"api\"\nenv_file = [\".env\", \".env.local\"]\nenv = { LEVEL = \"manifest\" }",
        )
        .file(
            "api/.env",
            "SECRET=$2b$10$x\nBACKEND_URL=http://localhost:1\nLEVEL=file\nA=1\n",
        )
        .file("api/.env.local", "A=2\n");
    let json = sandbox.run(&["env", "backend", "--json"]).success().json();
    assert_eq!(json["SECRET"], "$2b$10$x");
    assert_eq!(json["BACKEND_URL"], sandbox.expand("http://localhost:%0"));
    assert_eq!(json["LEVEL"], "manifest");
    assert_eq!(json["A"], "2");
    sandbox.write("api/.env", "nonsense");
    let text =
        "skipped `api/.env:1`: it sets no variable: `nonsense` does not have the form `NAME=value`";
    sandbox.run(&["env", "backend"]).success().stderr_has(text);
}

#[test]
fn the_example_contains_no_port() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobi");
    let files = [
        "backend/app/config.py",
        "backend/app/main.py",
        "backend/app/store.py",
        "backend/app/visits.py",
        "frontend/package.json",
        "frontend/vite.config.js",
        "frontend/src/api.js",
        "frontend/src/App.jsx",
        "frontend/src/DirectCall.jsx",
    ];
    for file in files {
        let text = std::fs::read_to_string(example.join(file)).unwrap();
        let numbers = text.split(|character: char| !character.is_ascii_digit());
        let ports = numbers.filter(|number| number.parse().is_ok_and(|n: u32| n >= 1024));
        assert_eq!(ports.collect::<Vec<_>>(), [""; 0], "{file}");
    }
}

#[test]
fn pwd_is_the_directory_of_the_service() {
    let sandbox = Sandbox::new()
        .manifest(
            "[services.plain]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\ndir = \"a\"\n\
             [services.shell]\ncommand = \"'%service' serve {port}\"\nport = \"%10-%19\"\ndir = \"b\"",
        )
        .file("a/x", "")
        .file("b/x", "");
    let mut command = sandbox.portway(&["up"]);
    command.env("PWD", sandbox.project());
    let _up = RunningCommand::start(command);
    sandbox.wait_until_ready();
    for (index, dir) in [(0, "a"), (10, "b")] {
        let received = http_get(sandbox.port(index), "/env/PWD").unwrap();
        assert_eq!(received, sandbox.project().join(dir).to_str().unwrap());
    }
    sandbox.run(&["down"]).success();
}

#[test]
fn port_and_url_default_to_the_main_or_only_service() {
    let sandbox = Sandbox::new()
        .manifest("[services.db]\nkind = \"postgres\"\ncommand = \"x\"\nport = \"%0\"");
    let printed = |command: &str| sandbox.run(&[command]).success().stdout();
    assert_eq!(printed("port"), sandbox.expand("%0\n"));
    assert_eq!(
        printed("url"),
        sandbox.expand("postgresql://localhost:%0\n")
    );
    sandbox.write(
        "portway.toml",
        "[services.db]\nkind = \"postgres\"\ncommand = \"x\"\nport = \"%0\"\n\
         [services.cache]\nkind = \"redis\"\ncommand = \"x\"\nport = \"%1\"",
    );
    sandbox
        .fails(&["url"], 2, "usage")
        .names("db")
        .names("cache");
    sandbox.write(
        "portway.toml",
        "[services.db]\nkind = \"postgres\"\ncommand = \"x\"\nport = \"%0\"\n\
         [services.web]\ncommand = \"x\"\nport = \"%1\"",
    );
    assert_eq!(printed("url"), sandbox.expand("http://localhost:%1\n"));
}

#[test]
fn every_port_has_the_scheme_of_its_protocol() {
    let sandbox = Sandbox::new().manifest(
        "[services.jobs]\nkind = \"amqp\"\ncommand = \"x\"\n\
         ports = { amqp = \"%0\", management = \"%1\" }",
    );
    let urls = || {
        let status = sandbox.run(&["ps", "--json"]).success().json();
        let ports = status[0]["services"][0]["ports"]
            .as_array()
            .unwrap()
            .clone();
        ports
            .iter()
            .map(|port| port["url"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    sandbox.run(&["detect"]).success();
    let expected = ["amqp://localhost:%0", "http://localhost:%1"].map(|url| sandbox.expand(url));
    assert_eq!(sandbox.ports_json()["jobs_management_url"], expected[1]);
    // The instance is stopped, so `ps` knows only its leases and `.ports.json`.
    assert_eq!(urls(), expected);
}

#[test]
fn an_optional_env_file_may_be_missing() {
    let sandbox = Sandbox::new()
        .manifest(
            "[services.a]\ncommand = \"sleep 600\"\n\
             env_file = [\".env\", { path = \".env.local\", optional = true }]",
        )
        .file(".env", "A=1");
    let value = |name: &str| {
        let json = sandbox.run(&["env", "a", "--json"]).success().json();
        json[name].clone()
    };
    assert_eq!(value("A"), "1");
    sandbox.write(".env.local", "A=2");
    assert_eq!(value("A"), "2");
    std::fs::remove_file(sandbox.project().join(".env")).unwrap();
    sandbox
        .fails(&["env"], 1, "failed")
        .mentions(".env")
        .hints("optional = true");
}

#[test]
fn valid_lines_of_a_detected_env_file_are_used() {
    let sandbox = Sandbox::new()
        .file("Procfile", "web: %service serve $PORT")
        .file(".env", "A=1\nSSH_AUTH_SOCK\nmy-key=2\nB=2\n");
    let ran = sandbox.run(&["env", "web", "--json"]).success();
    assert_eq!(
        (&ran.json()["A"], &ran.json()["B"]),
        (&"1".into(), &"2".into())
    );
    sandbox
        .run(&["plan"])
        .success()
        .stderr_has(".env:2")
        .stderr_has(".env:3");
}

#[test]
fn exec_needs_no_dashes() {
    let sandbox = two_services();
    let ran = sandbox.run(&["exec", "--service", "backend", "sh", "-c", "echo $PORT"]);
    assert_eq!(ran.success().stdout(), sandbox.expand("%0\n"));
}
