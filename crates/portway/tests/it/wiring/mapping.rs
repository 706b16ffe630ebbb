//! Variables of the application that follow the ports of the instance.

use std::net::TcpListener;

use crate::engine::with_engine;
use crate::sandbox::{Sandbox, two_services};

/// A project without a manifest: an API, a page, and a database in a compose file.
fn own_variables() -> Sandbox {
    Sandbox::new()
        .file(
            "api/main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n",
        )
        .file("api/requirements.txt", "fastapi\nuvicorn\n")
        .file(
            "api/.env",
            "FRONTEND_URL=http://localhost:5173/app\nAPI_KEY=k\nSELF_URL=https://far.example\n",
        )
        .file(
            "api/settings.py",
            "import os\nCACHE = os.getenv(\"CACHE_ADDR\", \"localhost:6379\")\n",
        )
        .file(
            "web/package.json",
            r#"{"scripts":{"dev":"vite"},"devDependencies":{"vite":"7"}}"#,
        )
        .file(
            "web/.env.example",
            "VITE_API_URL=http://localhost:8000/v1\nVITE_KEY=\nVITE_TITLE=Shop\n",
        )
        .file(
            "compose.yaml",
            "services:\n  cache: {image: 'redis:7', ports: ['6379:6379']}\n",
        )
}

#[test]
fn variables_of_the_application_follow_the_ports() {
    // Without an engine, the cache would be optional.
    with_engine(|engine| {
        let sandbox = own_variables();
        let run = |arguments: &[&str]| engine.run(&sandbox, arguments).success();
        let env = |service: &str| run(&["env", service, "--json"]).json();
        let (api, web) = (env("api"), env("web"));
        let port = |service: &str| {
            let port = run(&["port", service]).stdout();
            port.trim().to_owned()
        };
        assert_eq!(
            api["FRONTEND_URL"],
            format!("http://localhost:{}/app", port("web"))
        );
        assert_eq!(api["CACHE_ADDR"], format!("localhost:{}", port("cache")));
        assert_eq!(
            web["VITE_API_URL"],
            format!("http://localhost:{}/v1", port("api"))
        );
        // The example applies, because there is no file in use beside it.
        assert_eq!(web["VITE_TITLE"], "Shop");
        // The application loads its own file.
        assert_eq!(api["API_KEY"], serde_json::Value::Null);
        let plan = run(&["plan", "--json"]).json();
        let of = |name: &str| {
            let services = plan["services"].as_array().unwrap();
            services
                .iter()
                .find(|one| one["name"] == name)
                .unwrap()
                .clone()
        };
        assert_eq!(of("web")["variables"][0]["value"], "{api.url}/v1");
        assert_eq!(of("web")["missing"][0]["name"], "VITE_KEY");
        let explained = run(&["env", "api", "--explain"]).stdout();
        let line = explained
            .lines()
            .find(|line| line.starts_with("FRONTEND_URL="));
        let line = line.unwrap();
        assert!(line.ends_with("api/.env:1, 5173 is `web`"), "{line}");
        // What the application loads itself is there, too.
        let mut lines = explained.lines();
        let line = lines.find(|line| line.starts_with("API_KEY=")).unwrap();
        assert!(
            line.contains("api/.env:") && line.ends_with(", unchanged"),
            "{line}"
        );
    });
}

#[test]
fn says_which_keys_of_the_example_an_env_file_lacks() {
    let sandbox = Sandbox::new()
        .file("Procfile", "web: %service serve $PORT\n")
        .file(".env", "OLD=1\n")
        .file(".env.example", "OLD=\nNEW_KEY=\nPORT=1\n");
    let up = sandbox.run(&["up", "--detach"]).success();
    let said = up.stderr();
    let text = "`.env` lacks `NEW_KEY`, which `.env.example` has";
    assert_eq!(said.matches(text).count(), 1, "{said}");
    let doctor = sandbox.run(&["doctor"]).stdout();
    assert!(
        doctor.contains("lacks `NEW_KEY`, which .env.example has"),
        "{doctor}"
    );
    sandbox.write(".env", "OLD=1\nNEW_KEY=x\n");
    sandbox.run(&["down"]).success();
    let up = sandbox.run(&["up", "--detach"]).success();
    assert!(!up.stderr().contains("lacks"));
    sandbox.run(&["down"]).success();
}

#[test]
fn a_bad_line_of_an_env_file_is_named_once_and_the_rest_is_used() {
    let manifest = "[services.web]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\nenv_file = \".env\"\n\
                    [services.other]\ncommand = \"%service serve {port}\"\nport = \"%10-%19\"\nenv_file = \".env\"\n";
    for file in [
        ("portway.toml", manifest),
        ("Procfile", "web: %service serve $PORT\n"),
    ] {
        let sandbox = Sandbox::new().file(file.0, file.1);
        sandbox.write(".env", "A=1\nnot a line\nB=2\n");
        let text = "skipped `.env:2`: it sets no variable: `not a line` does not have the form `NAME=value`; fix \
                    the line, or put `#` before it";
        let env = sandbox.run(&["env", "web"]).success();
        for (said, variable) in [(env.stderr(), "A=1"), (env.stdout(), "B=2")] {
            assert!(env.stdout().contains(variable), "{said}");
        }
        assert_eq!(env.stderr().matches(text).count(), 1, "{}", env.stderr());
        for arguments in [&["plan"][..], &["up", "--detach"]] {
            let said = sandbox.run(arguments).success().stderr();
            assert_eq!(said.matches(text).count(), 1, "{said}");
        }
        sandbox.run(&["down"]).success();
    }
}

#[test]
fn the_host_of_a_database_that_no_engine_runs_is_this_machine() {
    let sandbox = Sandbox::new()
        .file("Procfile", "web: %service serve $PORT\n")
        .file(
            "compose.yaml",
            "services: {store: {image: 'postgres:17', ports: ['5432:5432']}}\n",
        )
        .file(
            ".env",
            "DATABASE_URL=postgres://app:pw@store:5432/shop\nDB_HOST=store\nDB_PORT=5432\n",
        );
    let plan = sandbox.run(&["plan"]).success();
    if !plan.stderr().contains("so it is optional") {
        // This machine has an engine.
        return;
    }
    plan.stderr_has("variables that name it get `localhost`")
        .stdout_has("DATABASE_URL=postgres://app:pw@localhost:5432/shop");
    let env = sandbox.run(&["env", "web", "--json"]).success().json();
    assert_eq!(env["DATABASE_URL"], "postgres://app:pw@localhost:5432/shop");
    assert_eq!(env["DB_HOST"], "localhost");
}

#[test]
fn the_manifest_overrides_the_files_of_the_application() {
    let sandbox = two_services();
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(10))).unwrap();
    let usual = sandbox.expand("http://localhost:%10/x");
    let actual = sandbox.expand("http://localhost:%11/x");
    sandbox.write(
        "backend/.env",
        &format!("FRONTEND_URL={usual}\nOTHER={usual}\n"),
    );
    let manifest = sandbox.read("portway.toml");
    let with = |line: &str| {
        let backend = "[services.backend]\n";
        let text = manifest.replace(backend, &format!("{backend}dir = \"backend\"\n{line}\n"));
        sandbox.write("portway.toml", &text);
        sandbox.run(&["env", "backend", "--json"]).success().json()
    };
    let mapped = with("");
    assert_eq!(mapped["OTHER"], actual);
    assert_eq!(mapped["FRONTEND_URL"], actual);
    assert_eq!(with("env = { OTHER = \"{project}\" }")["OTHER"], "jobi");
    assert_eq!(with("map_env = false")["OTHER"], serde_json::Value::Null);
}

#[test]
fn says_which_values_are_missing_and_which_files_cannot_be_read() {
    let sandbox = Sandbox::new().file("Procfile", "web: %service serve $PORT\n");
    sandbox.write(
        ".env.example",
        "MAIL_KEY=\nTITLE=Shop\nSECRET=change-me\nREPLICA=http://localhost:9999\n",
    );
    sandbox
        .run(&["up", "--detach"])
        .success()
        .stderr_has("variables that still need a value: MAIL_KEY, SECRET, REPLICA")
        .stderr_has("run `cp .env.example .env` and fill them in");
    sandbox.run(&["down"]).success();
    std::fs::write(sandbox.project().join(".env"), [b'A', b'=', 0xff]).unwrap();
    sandbox
        .run(&["up", "--detach"])
        .success()
        .stderr_has("`.env` is not UTF-8; Portway cannot set the ports in its variables");
    assert_eq!(sandbox.status()["services"][0]["state"], "ready");
    sandbox.run(&["down"]).success();
}
