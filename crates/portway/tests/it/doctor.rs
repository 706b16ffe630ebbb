//! `portway doctor`: why services do not communicate. Everything that can be wrong is made wrong
//! once.

use std::fs;
use std::net::ToSocketAddrs;

use portway_registry::{NewInstance, Registry, SqliteRegistry};
use serde_json::{Value, json};

use crate::invalid_input::directory_contents;
use crate::leases::with_leftover;
use crate::sandbox::{Sandbox, http_get, wait_until};
use crate::servers::UnrelatedServer;

const JOBI: &str = "
    [project]
    name = \"jobi\"
    [services.backend]
    command = \"%service serve {port} --cors --unhealthy-file sick\"
    port = \"%0-%9\"
    health = \"/health\"
    restart = \"never\"
    [services.frontend]
    command = \"%service serve {port}\"
    dir = \"web\"
    port = \"%10-%19\"
";

fn jobi() -> Sandbox {
    Sandbox::new().manifest(JOBI).file("web/index.html", "")
}

fn running() -> Sandbox {
    let sandbox = jobi();
    sandbox.run(&["up", "--detach"]).success();
    sandbox
}

/// What `doctor` says; `code` is its exit code.
#[track_caller]
fn diagnosis(sandbox: &Sandbox, code: i32) -> Value {
    let diagnosis = sandbox.run(&["doctor", "--json"]).code(code).json();
    assert_eq!(diagnosis["healthy"], code == 0);
    diagnosis
}

/// All that is not fine, as CHECK/SUBJECT/SEVERITY.
fn wrong(diagnosis: &Value) -> Vec<String> {
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    diagnosis["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] != "fine")
        .map(|finding| {
            assert!(finding["repair"].is_string(), "{finding:#}");
            let words = ["check", "subject", "severity"].map(|key| word(finding, key));
            words.join("/")
        })
        .collect()
}

/// The one finding of a check that is not fine, or else the first.
#[track_caller]
fn finding(diagnosis: &Value, check: &str) -> Value {
    let all = diagnosis["findings"].as_array().unwrap();
    let mut own: Vec<&Value> = all.iter().filter(|one| one["check"] == check).collect();
    own.sort_by_key(|one| one["severity"] == "fine");
    (*own
        .first()
        .unwrap_or_else(|| panic!("no {check} in {diagnosis:#}")))
    .clone()
}

/// The message has a name, a port, a process or a path. Its prose is in the snapshots.
#[track_caller]
fn mentions(finding: &Value, what: &str) {
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains(what), "no `{what}` in `{message}`");
}

#[test]
fn a_healthy_checkout_has_nothing_wrong_and_stays_as_it_is() {
    let sandbox = jobi()
        .file(
            "web/vite.config.ts",
            "export default { server: { proxy: { '/api': process.env.BACKEND_URL } } }",
        )
        .file(
            ".env",
            "API=http://localhost:%0\nBACKEND_URL=http://localhost:1\n",
        );
    sandbox.run(&["up", "--detach"]).success();
    let before = directory_contents(sandbox.project());
    let leases = sandbox.run(&["leases", "--json"]).success().json();
    let diagnosis = diagnosis(&sandbox, 0);
    assert_eq!(wrong(&diagnosis), [""; 0], "{diagnosis:#}");
    let text = sandbox.run(&["doctor"]).success();
    for (check, subject, detail) in [
        ("ports_file", ".ports.json", String::new()),
        ("listening", "backend", sandbox.expand("port %0")),
        (
            "answer",
            "backend",
            sandbox.expand("http://localhost:%0/health"),
        ),
        ("cors", "backend", sandbox.expand("http://localhost:%10")),
    ] {
        let found = finding(&diagnosis, check);
        assert_eq!(found["subject"], subject, "{found}");
        mentions(&found, &detail);
        let line = format!("✓ {subject}: {}\n", found["message"].as_str().unwrap());
        assert!(
            text.stdout().contains(&line),
            "no `{line}` in\n{}",
            text.stdout()
        );
    }
    assert_eq!(directory_contents(sandbox.project()), before);
    // There is nothing to mend either.
    let mended = sandbox.run(&["doctor", "--fix", "--json"]).success().json();
    assert_eq!(mended["fixed"], Value::Null);
    let after = sandbox.run(&["leases", "--json"]).success().json();
    assert_eq!(after, leases);
    assert_eq!(directory_contents(sandbox.project()), before);
}

#[test]
fn a_checkout_that_nobody_has_used_yet_stays_unknown() {
    let sandbox = jobi();
    let diagnosis = diagnosis(&sandbox, 0);
    assert_eq!(
        wrong(&diagnosis),
        ["ports_file/.ports.json/warning", "running/services/warning"]
    );
    assert!(!sandbox.project().join(".ports.json").exists());
    assert!(!sandbox.state().exists());
}

#[test]
fn a_port_of_which_a_stranger_has_taken_possession() {
    let sandbox = jobi();
    sandbox.run(&["detect"]).success();
    let stranger = UnrelatedServer::start(sandbox.port(0), &sandbox.path("home"));
    let report = diagnosis(&sandbox, 1);
    let found = finding(&report, "listening");
    assert_eq!(found["subject"], "backend");
    mentions(&found, &sandbox.expand("port %0"));
    mentions(&found, &format!("`service` (pid {}", stranger.pid()));
    assert_eq!(found["command"], sandbox.expand("portway free %0"));
    // Nobody asks a stranger whether the backend is well.
    assert!(!wrong(&report).iter().any(|one| one.starts_with("answer")));
    // Nothing is ended by mending.
    sandbox.run(&["doctor", "--fix"]).code(1);
    assert!(http_get(sandbox.port(0), "/").is_some());
    drop(stranger);
    // Started by hand, in the checkout: that is what the ports are for.
    let _own = UnrelatedServer::start(sandbox.port(0), sandbox.project());
    let report = diagnosis(&sandbox, 1);
    assert_eq!(
        wrong(&report),
        [
            "listening/backend/warning",
            "listening/frontend/warning",
            "cors/backend/error"
        ]
    );
}

#[test]
fn a_forced_port_that_is_taken() {
    let sandbox = jobi();
    sandbox.write(".ports.json", "{\"backend_port\": %5}");
    let _stranger = UnrelatedServer::start(sandbox.port(5), &sandbox.path("home"));
    let asks = |sandbox: &Sandbox| {
        let found = finding(&diagnosis(sandbox, 1), "listening");
        let repair = found["repair"].as_str().unwrap();
        assert!(repair.contains("`backend_port`"), "{repair}");
        assert_eq!(found["command"], sandbox.expand("portway free %5"));
    };
    asks(&sandbox);
    sandbox.run(&["up", "--detach"]).code(4);
    asks(&sandbox);
}

#[test]
fn preferences_that_cannot_be_used_are_a_finding_beside_the_others() {
    let sandbox = jobi();
    let config = sandbox.path("home/.config/portway/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "moved = \"x\"\n").unwrap();
    let report = diagnosis(&sandbox, 1);
    let expected = [
        "preferences/preferences/error",
        "ports_file/.ports.json/warning",
        "running/services/warning",
    ];
    assert_eq!(wrong(&report), expected);
    let found = finding(&report, "preferences");
    let place = found["place"].as_str().unwrap();
    assert!(place.ends_with("config.toml:1:9"), "{place}");
    fs::remove_file(&config).unwrap();
    let mut with_variable = sandbox.portway(&["doctor", "--json"]);
    with_variable.env("PORTWAY_NEVER", "zzz");
    let report = sandbox.run_command(with_variable).code(1).json();
    assert_eq!(wrong(&report), expected);
    mentions(&finding(&report, "preferences"), "`PORTWAY_NEVER`");
}

#[test]
fn a_service_without_a_port_that_failed() {
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
    wait_until("it has failed", || {
        let report = sandbox.run(&["doctor", "--json"]).json();
        wrong(&report) == ["running/worker/error"]
    });
    let found = finding(&diagnosis(&sandbox, 1), "running");
    mentions(&found, "code 3");
    assert_eq!(found["command"], "portway logs worker");
    // Its directory may go as well.
    sandbox.run(&["down"]).success();
    fs::remove_dir_all(sandbox.project().join("gone")).unwrap();
    let report = diagnosis(&sandbox, 1);
    assert_eq!(
        wrong(&report),
        ["manifest/other/error", "running/services/warning"]
    );
    let found = report["findings"].as_array().unwrap();
    let found = found.iter().find(|one| one["subject"] == "other").unwrap();
    mentions(found, "`gone`");
    let place = found["place"].as_str().unwrap();
    assert!(place.ends_with("portway.toml:7:15"), "{place}");
}

#[test]
fn a_file_that_was_copied_from_another_checkout() {
    let mut sandbox = running();
    let file = sandbox.read(".ports.json");
    let first = sandbox.project().to_owned();
    let other = sandbox.path("other");
    fs::create_dir_all(other.join("web")).unwrap();
    sandbox.set_project(&other);
    sandbox.write("portway.toml", JOBI);
    let mut copy: Value = serde_json::from_str(&file).unwrap();
    copy["mine"] = json!(1);
    sandbox.write(".ports.json", &copy.to_string());
    let report = diagnosis(&sandbox, 1);
    let found = finding(&report, "ports_file");
    assert_eq!(found["fixable"], true);
    mentions(&found, "`backend`");
    mentions(&found, "jobi");
    mentions(&found, first.to_str().unwrap());
    // The other checkout is to keep its services.
    let foreign = finding(&report, "listening");
    assert_eq!(foreign["command"], "portway detect");
    let mended = sandbox.run(&["doctor", "--fix", "--json"]).success().json();
    assert_eq!(mended["fixed"][0]["check"], "ports_file");
    assert_eq!(wrong(&mended), ["running/services/warning"]);
    let json = sandbox.ports_json();
    assert_eq!(json["backend_port"], sandbox.port(1));
    assert_eq!(json["mine"], 1);
    sandbox.set_project(&first);
    assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
}

#[test]
fn a_file_that_is_not_there_or_not_true_while_services_run() {
    let sandbox = running();
    let whole = sandbox.ports_json();
    fs::remove_file(sandbox.project().join(".ports.json")).unwrap();
    let report = diagnosis(&sandbox, 1);
    let found = finding(&report, "ports_file");
    assert_eq!(
        (&found["severity"], &found["fixable"]),
        (&json!("error"), &json!(true))
    );
    let mended = sandbox.run(&["doctor", "--fix"]).success();
    mended.stderr_has(".ports.json: ");
    assert_eq!(sandbox.ports_json(), whole);

    let mut other = whole.clone();
    other["backend_url"] = json!("http://localhost:1");
    sandbox.write(".ports.json", &other.to_string());
    let found = finding(&diagnosis(&sandbox, 1), "ports_file");
    assert_eq!(found["fixable"], true);
    mentions(&found, "`backend_url`");
    sandbox.run(&["doctor", "--fix"]).success();
    assert_eq!(sandbox.ports_json(), whole);

    // What a person asks for stays, to be looked at by the next start.
    let mut wish = whole;
    wish["backend_port"] = json!(sandbox.port(5));
    wish["backend_url"] = json!(sandbox.expand("http://localhost:%5"));
    wish["backend_health_url"] = json!(sandbox.expand("http://localhost:%5/health"));
    sandbox.write(".ports.json", &wish.to_string());
    for arguments in [&["doctor", "--json"][..], &["doctor", "--json", "--fix"]] {
        let report = sandbox.run(arguments).code(1).json();
        let found = finding(&report, "ports_file");
        assert_eq!(found.get("fixable"), None);
        mentions(&found, &sandbox.expand("port %5"));
        mentions(&found, "`backend_port`");
        mentions(&found, &sandbox.expand("%0"));
        assert_eq!(sandbox.ports_json(), wish);
    }
}

#[test]
fn a_backend_that_lets_no_pages_call_it() {
    let sandbox = jobi();
    let text = sandbox.read("portway.toml");
    sandbox.write("portway.toml", &text.replace("--cors", ""));
    sandbox.run(&["up", "--detach"]).success();
    let report = diagnosis(&sandbox, 1);
    assert_eq!(wrong(&report), ["cors/backend/error"]);
    let found = finding(&report, "cors");
    mentions(&found, "`frontend`");
    mentions(&found, &sandbox.expand("http://localhost:%10"));
    assert!(found["repair"].as_str().unwrap().contains("CORS_ORIGINS"));
    // Where the frontend's own server calls it, nobody has to be let in.
    sandbox.write(
        "web/vite.config.js",
        "export default { server: { proxy: { '/api': process.env.BACKEND_URL } } }",
    );
    assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
}

#[test]
fn a_backend_that_no_frontend_means_is_only_mentioned() {
    let sandbox = jobi();
    let text = sandbox.read("portway.toml").replace("--cors", "");
    let second =
        "\n[services.mailer]\ncommand = \"%service serve {port} --cors\"\nport = \"%20-%29\"\n";
    sandbox.write("portway.toml", &(text + second));
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(wrong(&diagnosis(&sandbox, 0)), ["cors/backend/warning"]);
    let text = sandbox.read("portway.toml");
    let told = "dir = \"web\"\nenv = { VITE_API = \"{backend.url}/v1\" }";
    sandbox.write("portway.toml", &text.replace("dir = \"web\"", told));
    assert_eq!(wrong(&diagnosis(&sandbox, 1)), ["cors/backend/error"]);
}

#[test]
fn a_backend_that_lets_other_pages_call_it() {
    let sandbox = jobi();
    let text = sandbox.read("portway.toml");
    let other = "env = { CORS_ORIGINS = \"http://localhost:1\" }\n[services.frontend]";
    sandbox.write("portway.toml", &text.replace("[services.frontend]", other));
    sandbox.run(&["up", "--detach"]).success();
    let report = diagnosis(&sandbox, 1);
    assert_eq!(wrong(&report), ["cors/backend/error"]);
    mentions(
        &finding(&report, "cors"),
        &sandbox.expand("http://localhost:%10"),
    );
}

#[test]
fn a_proxy_that_leads_elsewhere() {
    let sandbox = running();
    let config = "export default {\n  server: {\n    proxy: {\n      '/api': { target: 'http://localhost:%35' },\n    },\n  },\n}\n";
    sandbox.write("web/vite.config.ts", config);
    let report = diagnosis(&sandbox, 1);
    assert_eq!(wrong(&report), ["proxy/frontend/error"]);
    let found = finding(&report, "proxy");
    mentions(&found, &sandbox.expand("http://localhost:%35"));
    mentions(&found, "`backend`");
    mentions(&found, &sandbox.expand("%0"));
    let place = sandbox.project().join("web/vite.config.ts:4");
    assert_eq!(found["place"], place.to_str().unwrap());
    assert!(
        found["repair"]
            .as_str()
            .unwrap()
            .contains("process.env.BACKEND_URL")
    );
    // A source is never edited.
    sandbox.run(&["doctor", "--fix"]).code(1);
    assert_eq!(sandbox.read("web/vite.config.ts"), sandbox.expand(config));
    sandbox.write("web/vite.config.ts", &config.replace("%35", "%0"));
    assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
}

#[test]
fn a_variable_that_leads_elsewhere() {
    let mut sandbox = running();
    sandbox.write("web/.env.local", "# the API\nAPI=http://localhost:%35/v1\n");
    let report = diagnosis(&sandbox, 0);
    assert_eq!(wrong(&report), ["env_file/API/warning"]);
    let found = finding(&report, "env_file");
    mentions(&found, &sandbox.expand("port %35"));
    let place = sandbox.project().join("web/.env.local:2");
    assert_eq!(found["place"], place.to_str().unwrap());
    // The port of another checkout is the wrong one for certain.
    let first = sandbox.project().to_owned();
    let other = sandbox.path("other");
    fs::create_dir_all(&other).unwrap();
    sandbox.set_project(&other);
    sandbox.write("portway.toml", &JOBI.replace("dir = \"web\"", ""));
    sandbox.run(&["detect"]).success();
    sandbox.set_project(&first);
    sandbox.write("web/.env.local", "API=http://localhost:%1/v1\n");
    let report = diagnosis(&sandbox, 1);
    assert_eq!(wrong(&report), ["env_file/API/error"]);
    let found = finding(&report, "env_file");
    mentions(&found, &sandbox.expand("%1"));
    mentions(&found, "`backend`");
}

#[test]
fn a_service_that_has_ended_or_answers_badly() {
    let sandbox = running();
    fs::write(sandbox.project().join("sick"), "").unwrap();
    let report = diagnosis(&sandbox, 1);
    assert_eq!(wrong(&report), ["answer/backend/error"]);
    mentions(&finding(&report, "answer"), "500");
    let _ = http_get(sandbox.port(0), "/exit/1");
    wait_until("it has failed", || {
        let report = sandbox.run(&["doctor", "--json"]).code(1).json();
        let message = finding(&report, "listening")["message"].to_string();
        message.contains("code 1")
    });
    let report = diagnosis(&sandbox, 1);
    assert_eq!(wrong(&report), ["listening/backend/error"]);
    let found = finding(&report, "listening");
    mentions(&found, &sandbox.expand("port %0"));
    assert_eq!(found["command"], "portway logs backend");
}

#[test]
fn a_service_that_listens_where_its_url_does_not_lead() {
    let sandbox = jobi();
    let text = sandbox.read("portway.toml");
    let one_family = text.replace("serve {port}\"", "serve {port} --host ::1\"");
    sandbox.write("portway.toml", &one_family);
    sandbox.run(&["up", "--detach"]).success();
    let resolved = ("localhost", 0).to_socket_addrs().unwrap();
    let everywhere = resolved.into_iter().any(|address| address.is_ipv6());
    if everywhere {
        assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
    } else {
        let report = diagnosis(&sandbox, 1);
        assert_eq!(wrong(&report), ["localhost/frontend/error"]);
        mentions(&finding(&report, "localhost"), "::1");
    }
}

#[test]
fn what_is_broken_hides_nothing_else() {
    let sandbox = running();
    let stop = |file: &str| {
        sandbox.write(file, "{ broken");
        let before = directory_contents(sandbox.project());
        for fix in [&[][..], &["--fix"]] {
            let arguments = [&["doctor", "--json"][..], fix].concat();
            let ran = sandbox.run(&arguments).code(1);
            assert!(!ran.stderr().contains("panicked"), "{}", ran.stderr());
            let report = ran.json();
            assert_eq!(directory_contents(sandbox.project()), before);
            for check in ["registry", "lease", "localhost", "clock", "disk", "limits"] {
                assert_eq!(finding(&report, check)["severity"], "fine", "{report:#}");
            }
        }
        diagnosis(&sandbox, 1)
    };
    let whole = sandbox.read(".ports.json");
    let report = stop(".ports.json");
    assert_eq!(wrong(&report), ["ports_file/.ports.json/error"]);
    mentions(&finding(&report, "ports_file"), "JSON");
    // The leases tell where the services are all the same.
    let found = finding(&report, "listening");
    assert_eq!(found["severity"], "fine");
    mentions(&found, &sandbox.expand("port %0"));
    sandbox.write(
        ".ports.json",
        &whole.replace(&sandbox.port(0).to_string(), "0"),
    );
    mentions(
        &finding(&diagnosis(&sandbox, 1), "ports_file"),
        "`backend_port`",
    );
    sandbox.write(".ports.json", &whole);

    let manifest = sandbox.read("portway.toml");
    let report = stop("portway.toml");
    assert_eq!(wrong(&report), ["manifest/portway.toml/error"]);
    let place = format!("{}:1:", sandbox.project().join("portway.toml").display());
    let found = finding(&report, "manifest");
    assert!(
        found["place"].as_str().unwrap().starts_with(&place),
        "{found:#}"
    );
    sandbox.write("portway.toml", &manifest);

    sandbox.run(&["down"]).success();
    let state = sandbox.state();
    for file in fs::read_dir(&state).unwrap().flatten() {
        if file
            .file_name()
            .to_string_lossy()
            .starts_with("registry.db")
        {
            fs::write(file.path(), "nonsense".repeat(100)).unwrap();
        }
    }
    let report = diagnosis(&sandbox, 1);
    assert_eq!(
        wrong(&report),
        ["registry/registry/error", "running/services/warning"]
    );
    mentions(&finding(&report, "registry"), "registry.db");
    let mut homeless = sandbox.portway(&["doctor", "--json"]);
    homeless.env_remove("XDG_STATE_HOME").env_remove("HOME");
    let report = sandbox.run_command(homeless).code(1).json();
    mentions(&finding(&report, "registry"), "HOME");
    // A registry that cannot be used may not be in the way of what comes after the test.
    fs::remove_dir_all(&state).unwrap();
}

#[test]
fn leases_of_a_vanished_checkout_are_dropped() {
    let mut sandbox = running();
    let first = sandbox.project().to_owned();
    let other = sandbox.path("other");
    fs::create_dir_all(&other).unwrap();
    sandbox.set_project(&other);
    sandbox.write("portway.toml", &JOBI.replace("dir = \"web\"", ""));
    sandbox.run(&["detect"]).success();
    sandbox.set_project(&first);
    fs::remove_dir_all(&other).unwrap();
    let report = diagnosis(&sandbox, 0);
    let found = finding(&report, "lease");
    assert_eq!(found["severity"], "warning");
    mentions(&found, &sandbox.expand("%1"));
    mentions(&found, &sandbox.expand("%11"));
    let mended = sandbox.run(&["doctor", "--fix", "--json"]).success().json();
    assert_eq!(mended["fixed"][0]["check"], "lease");
    assert_eq!(wrong(&mended), [""; 0]);
    let left = sandbox.run(&["leases", "--json"]).success().json();
    assert_eq!(left.as_array().unwrap().len(), 2);
}

#[test]
fn a_process_that_was_left_behind() {
    let sandbox = with_leftover();
    let (pid, _) = sandbox.processes().pop_first().unwrap();
    for arguments in [&["doctor", "--json"][..], &["doctor", "--json", "--fix"]] {
        let report = sandbox.run(arguments).success().json();
        let found = finding(&report, "lease");
        mentions(&found, &pid.to_string());
        mentions(&found, "`backend`");
        assert_eq!(found["command"], "portway prune");
    }
    assert_eq!(sandbox.processes().len(), 1, "nothing is ended");
    sandbox.run(&["prune", "--yes"]).success();
    assert_eq!(
        finding(&diagnosis(&sandbox, 0), "lease")["severity"],
        "fine"
    );
}

#[test]
fn a_clock_that_was_set_back() {
    let sandbox = running();
    let hour = 3_600_000;
    let new = NewInstance {
        id: "0123456789abcdef".into(),
        dir: sandbox.path("home"),
        project: "later".into(),
        name: "later".into(),
        fallback_name: "later-1".into(),
        branch: None,
        is_main: true,
    };
    let mut registry = SqliteRegistry::open(&sandbox.state()).unwrap();
    let now = sandbox.run(&["health", "--json"]).success().json()["at"].as_u64();
    registry.register(&new, now.unwrap() + 5 * hour).unwrap();
    let report = diagnosis(&sandbox, 0);
    assert_eq!(wrong(&report), ["clock/clock/warning"]);
    let found = finding(&report, "clock");
    mentions(&found, "later");
    mentions(&found, "4 ");
}

#[test]
fn few_open_files() {
    let sandbox = running();
    let mut shell = sandbox.command("sh");
    let portway = env!("CARGO_BIN_EXE_portway");
    shell.args([
        "-c",
        &format!("ulimit -n 200; exec {portway} doctor --json"),
    ]);
    let report = sandbox.run_command(shell).success().json();
    assert_eq!(wrong(&report), ["limits/limits/warning"]);
    mentions(&finding(&report, "limits"), "200");
}

/// On a disk of its own, where the system lets a user make one.
#[test]
fn a_disk_that_is_full() {
    let sandbox = running();
    let (portway, project) = (env!("CARGO_BIN_EXE_portway"), sandbox.project().display());
    let on_disk = |size: &str| {
        let mut command = sandbox.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        // The directory is another one from within, and so another checkout.
        command.arg(format!(
            "mount -t tmpfs -o size={size} none '{project}' && exec {portway} doctor --json"
        ));
        command
    };
    if !on_disk("1m")
        .output()
        .is_ok_and(|ran| ran.stderr.is_empty())
    {
        return;
    }
    for (size, severity) in [("8m", "error"), ("100m", "warning")] {
        let report = sandbox.run_command(on_disk(size)).json();
        let found = finding(&report, "disk");
        assert_eq!(found["severity"], severity);
        mentions(&found, &format!("{} MiB", size.trim_end_matches('m')));
    }
}

#[test]
fn a_directory_without_a_project() {
    let mut sandbox = Sandbox::new();
    let report = diagnosis(&sandbox, 1);
    assert_eq!(wrong(&report)[0], "manifest/portway.toml/error");
    assert!(
        finding(&report, "manifest")["repair"]
            .as_str()
            .unwrap()
            .contains("portway init")
    );
    // What could not be read is told beside what was found.
    sandbox.write("requirements.txt", "fastapi\n");
    sandbox.write("main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
    sandbox.write("api/pyproject.toml", "[broken\n");
    let report = diagnosis(&sandbox, 0);
    assert_eq!(report["findings"][0]["check"], "manifest");
    assert_eq!(report["findings"][0]["severity"], "fine");
    mentions(&report["findings"][0], "`backend`");
    let found = finding(&report, "manifest");
    assert_eq!(found["severity"], "warning");
    assert_eq!(found["subject"], "api/pyproject.toml");
    mentions(&found, "TOML");
    sandbox.set_project(sandbox.path("home"));
    sandbox
        .fails(&["doctor", "-C", "nowhere"], 1, "failed")
        .names("nowhere");
}
