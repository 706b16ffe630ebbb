//! `portway doctor`. Each test breaks something and expects its finding.

mod connections;
mod files;
mod machine;
mod pages;
mod services;

use std::fs;

use serde_json::Value;

use crate::invalid_input::directory_contents;
use crate::sandbox::Sandbox;
use crate::transcript::Transcript;

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

/// Runs the doctor and expects this exit code.
#[track_caller]
fn diagnosis(sandbox: &Sandbox, code: i32) -> Value {
    let diagnosis = sandbox.run(&["doctor", "--json"]).code(code).json();
    assert_eq!(diagnosis["healthy"], code == 0);
    diagnosis
}

/// The findings that are not fine, as CHECK/SUBJECT/SEVERITY.
fn wrong(diagnosis: &Value) -> Vec<String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    diagnosis["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] != "fine")
        .map(|finding| {
            assert!(finding["repair"].is_string(), "{finding:#}");
            let parts = ["check", "subject", "severity"].map(|key| text(finding, key));
            parts.join("/")
        })
        .collect()
}

/// The first finding of a check that is not fine, or else its first finding.
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

/// The findings that are not fine, for a snapshot.
pub fn prose(diagnosis: &Value) -> String {
    let findings = diagnosis["findings"].as_array().unwrap();
    let findings = findings.iter().filter(|one| one["severity"] != "fine");
    findings.map(describe).collect()
}

/// One finding, for a snapshot.
pub fn describe(finding: &Value) -> String {
    let text = |key: &str| finding[key].as_str().unwrap_or_default();
    let mut lines = format!(
        "{} {}: {}\n",
        text("severity"),
        text("subject"),
        text("message")
    );
    for key in ["place", "repair", "command"] {
        if finding[key].is_string() {
            lines.push_str(&format!("    {key}: {}\n", text(key)));
        }
    }
    lines
}

/// Expects that the message contains a name, a port, a process or a path. The whole message is in
/// the snapshots.
#[track_caller]
fn mentions(finding: &Value, what: &str) {
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains(what), "no `{what}` in `{message}`");
}

#[test]
fn a_healthy_checkout_has_no_findings_and_is_not_changed() {
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
        let line = format!("✓ {subject}  {}\n", found["message"].as_str().unwrap());
        assert!(
            text.stdout().contains(&line),
            "no `{line}` in\n{}",
            text.stdout()
        );
    }
    assert_eq!(directory_contents(sandbox.project()), before);
    // `--fix` changes nothing either.
    let fixed = sandbox.run(&["doctor", "--fix", "--json"]).success().json();
    assert_eq!(fixed["fixed"], Value::Null);
    let after = sandbox.run(&["leases", "--json"]).success().json();
    assert_eq!(after, leases);
    assert_eq!(directory_contents(sandbox.project()), before);
}

#[test]
fn a_new_checkout_is_not_registered() {
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
fn reports_a_directory_without_a_project() {
    let mut transcript = Transcript::default();
    let mut sandbox = Sandbox::new();
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "an empty directory", &prose(&report));
    assert_eq!(wrong(&report)[0], "manifest/portway.toml/error");
    assert!(
        finding(&report, "manifest")["repair"]
            .as_str()
            .unwrap()
            .contains("portway init")
    );
    // A file that cannot be read is reported in addition to the detected services.
    sandbox.write("requirements.txt", "fastapi\n");
    sandbox.write("main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
    sandbox.write("api/pyproject.toml", "[broken\n");
    let report = diagnosis(&sandbox, 0);
    transcript.text(&sandbox, "a file that cannot be read", &prose(&report));
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
    transcript.assert("doctor-no-project");
}

#[test]
fn broken_files_do_not_hide_other_findings() {
    let mut transcript = Transcript::default();
    let sandbox = running();
    let check = |file: &str| {
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
    let report = check(".ports.json");
    transcript.text(&sandbox, "a broken ports file", &prose(&report));
    assert_eq!(wrong(&report), ["ports_file/.ports.json/error"]);
    mentions(&finding(&report, "ports_file"), "JSON");
    // The leases have the ports of the services.
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
    let report = check("portway.toml");
    transcript.text(&sandbox, "a broken manifest", &prose(&report));
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
    transcript.text(&sandbox, "a damaged registry", &prose(&report));
    assert_eq!(
        wrong(&report),
        ["registry/registry/error", "running/services/warning"]
    );
    mentions(&finding(&report, "registry"), "registry.db");
    let mut homeless = sandbox.portway(&["doctor", "--json"]);
    homeless.env_remove("XDG_STATE_HOME").env_remove("HOME");
    let report = sandbox.run_command(homeless).code(1).json();
    transcript.text(&sandbox, "no home", &prose(&report));
    mentions(&finding(&report, "registry"), "HOME");
    // The sandbox needs a registry that works to stop what is left.
    fs::remove_dir_all(&state).unwrap();
    transcript.assert("doctor-broken-files");
}
