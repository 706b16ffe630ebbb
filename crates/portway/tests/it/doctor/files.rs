//! Findings about files: preferences, `.ports.json` and `.env` files.

use std::fs;

use serde_json::{Value, json};

use super::{JOBI, diagnosis, finding, jobi, mentions, prose, running, wrong};
use crate::transcript::Transcript;

#[test]
fn reports_invalid_preferences_beside_other_findings() {
    let mut transcript = Transcript::default();
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
    transcript.text(&sandbox, "an invalid file", &prose(&report));
    assert_eq!(wrong(&report), expected);
    let found = finding(&report, "preferences");
    let place = found["place"].as_str().unwrap();
    assert!(place.ends_with("config.toml:1:9"), "{place}");
    fs::remove_file(&config).unwrap();
    let mut with_variable = sandbox.portway(&["doctor", "--json"]);
    with_variable.env("PORTWAY_NEVER", "zzz");
    let report = sandbox.run_command(with_variable).code(1).json();
    assert_eq!(wrong(&report), expected);
    transcript.text(&sandbox, "an invalid variable", &prose(&report));
    mentions(&finding(&report, "preferences"), "`PORTWAY_NEVER`");
    transcript.assert("doctor-preferences");
}

#[test]
fn reports_and_fixes_a_ports_file_copied_from_another_checkout() {
    let mut transcript = Transcript::default();
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
    transcript.text(&sandbox, "before the fix", &prose(&report));
    let found = finding(&report, "ports_file");
    assert_eq!(found["fixable"], true);
    mentions(&found, "`backend`");
    mentions(&found, "jobi");
    mentions(&found, first.to_str().unwrap());
    // The services of the other checkout keep running.
    let listening = finding(&report, "listening");
    assert_eq!(listening["command"], "portway detect");
    let fixed = sandbox.run(&["doctor", "--fix", "--json"]).success().json();
    assert_eq!(fixed["fixed"][0]["check"], "ports_file");
    assert_eq!(wrong(&fixed), ["running/services/warning"]);
    let json = sandbox.ports_json();
    assert_eq!(json["backend_port"], sandbox.port(1));
    assert_eq!(json["mine"], 1);
    sandbox.set_project(&first);
    assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
    transcript.assert("doctor-copied-ports-file");
}

#[test]
fn reports_and_fixes_a_missing_or_wrong_ports_file() {
    let mut transcript = Transcript::default();
    let sandbox = running();
    let whole = sandbox.ports_json();
    fs::remove_file(sandbox.project().join(".ports.json")).unwrap();
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "no file", &prose(&report));
    let found = finding(&report, "ports_file");
    assert_eq!(
        (&found["severity"], &found["fixable"]),
        (&json!("error"), &json!(true))
    );
    let fixed = sandbox.run(&["doctor", "--fix"]).success();
    fixed.stderr_has("fixed: rewrote `.ports.json`");
    assert_eq!(sandbox.ports_json(), whole);

    let mut other = whole.clone();
    other["backend_url"] = json!("http://localhost:1");
    sandbox.write(".ports.json", &other.to_string());
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "a URL of another port", &prose(&report));
    let found = finding(&report, "ports_file");
    assert_eq!(found["fixable"], true);
    mentions(&found, "`backend_url`");
    sandbox.run(&["doctor", "--fix"]).success();
    assert_eq!(sandbox.ports_json(), whole);

    // A port that the user requires stays in the file for the next start.
    let mut forced = whole;
    forced["backend_port"] = json!(sandbox.port(5));
    forced["backend_url"] = json!(sandbox.expand("http://localhost:%5"));
    forced["backend_health_url"] = json!(sandbox.expand("http://localhost:%5/health"));
    sandbox.write(".ports.json", &forced.to_string());
    for arguments in [&["doctor", "--json"][..], &["doctor", "--json", "--fix"]] {
        let report = sandbox.run(arguments).code(1).json();
        transcript.text(&sandbox, &arguments.join(" "), &prose(&report));
        let found = finding(&report, "ports_file");
        assert_eq!(found.get("fixable"), None);
        mentions(&found, &sandbox.expand("port %5"));
        mentions(&found, "`backend_port`");
        mentions(&found, &sandbox.expand("%0"));
        assert_eq!(sandbox.ports_json(), forced);
    }
    transcript.assert("doctor-ports-file");
}

#[test]
fn reports_a_variable_with_the_wrong_port() {
    let mut transcript = Transcript::default();
    let mut sandbox = running();
    sandbox.write(
        "web/.env.local",
        "# the API\nUPSTREAM=http://localhost:%35/v1\n",
    );
    let report = diagnosis(&sandbox, 0);
    transcript.text(&sandbox, "an unknown port", &prose(&report));
    // The file was created after the start.
    let changed = "manifest/manifest/warning";
    assert_eq!(wrong(&report), [changed, "env_file/UPSTREAM/warning"]);
    let found = finding(&report, "env_file");
    mentions(&found, &sandbox.expand("port %35"));
    let place = sandbox.project().join("web/.env.local:2");
    assert_eq!(found["place"], place.to_str().unwrap());
    // The port of another checkout is certainly wrong.
    let first = sandbox.project().to_owned();
    let other = sandbox.path("other");
    fs::create_dir_all(&other).unwrap();
    sandbox.set_project(&other);
    sandbox.write("portway.toml", &JOBI.replace("dir = \"web\"", ""));
    sandbox.run(&["detect"]).success();
    sandbox.set_project(&first);
    sandbox.write("web/.env.local", "UPSTREAM=http://localhost:%1/v1\n");
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "a port of another checkout", &prose(&report));
    assert_eq!(wrong(&report), [changed, "env_file/UPSTREAM/error"]);
    let found = finding(&report, "env_file");
    mentions(&found, &sandbox.expand("%1"));
    mentions(&found, "`backend`");
    transcript.assert("doctor-variable");
}
