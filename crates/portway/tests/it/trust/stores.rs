//! The stores of the system and of browsers: adding the CA and removing it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{
    all, browsers_trust, ca, database, databases, portway, portway_as_user, portway_files, states,
    with_browsers, with_own_stores,
};
use crate::sandbox::Sandbox;
use crate::transcript::Transcript;

#[test]
fn nothing_is_changed_without_confirmation() {
    let sandbox = with_browsers(Sandbox::new());
    let before = browsers_trust(&sandbox);
    let dry = portway(&sandbox, &["trust", "--dry-run"]).success();
    let mut transcript = Transcript::default();
    transcript.record(&sandbox, "the plan", "trust --dry-run", &dry);
    dry.stderr_has("update-ca-certificates")
        .stderr_has(".pki/nssdb")
        .stderr_has("x.default-release")
        .stderr_has("gateway/ca");
    // There is no terminal for a question.
    let without_terminal = portway(&sandbox, &["trust"]).code(1).stderr_has("--yes");
    transcript.record(&sandbox, "no terminal", "trust", &without_terminal);
    transcript.assert("trust-plan");
    let refused = portway(&sandbox, &["trust", "--json"]).code(1);
    refused.error("refused").hints("--yes");
    assert_eq!(browsers_trust(&sandbox), before);
    assert_eq!(portway_files(&sandbox, "anchors"), [""; 0]);
    assert!(!sandbox.state().join("gateway").exists());
    portway(&sandbox, &["trust", "--undo"]).success();
    let undone = portway(&sandbox, &["trust", "--undo", "--json"]).code(6);
    undone.error("nothing_there");
}

#[test]
fn asks_only_if_there_is_something_to_do() {
    let sandbox = Sandbox::new();
    let program = env!("CARGO_BIN_EXE_portway");
    let answer = |word: &str| {
        let script = format!("echo {word} | script -qec '{program} trust' /dev/null");
        let mut command = with_own_stores(&sandbox, &["sh", "-c", &script]);
        command.env("NO_COLOR", "1");
        sandbox.run_command(command).success().stdout()
    };
    let refused = answer("n");
    assert!(refused.contains("[y/N]"), "{refused}");
    assert!(!ca(&sandbox).exists());
    let done = answer("y");
    assert!(done.contains("[y/N]"), "{done}");
    assert_eq!(portway_files(&sandbox, "anchors").len(), 1);
    let key = fs::read(ca(&sandbox).join("intermediate.key")).unwrap();
    let again = answer("n");
    assert!(!again.contains("[y/N]"), "{again}");
    let report = portway(&sandbox, &["trust", "--yes", "--json"]).success();
    assert_eq!(states(&report.json())[0].1, "already");
    assert_eq!(
        fs::read(ca(&sandbox).join("intermediate.key")).unwrap(),
        key
    );
}

#[test]
fn adds_the_ca_to_every_store_and_removes_it() {
    let sandbox = with_browsers(Sandbox::new());
    let report = portway(&sandbox, &["trust", "--yes", "--json"])
        .success()
        .json();
    assert_eq!(states(&report), all("done"));
    let name = report["root"]["name"].as_str().unwrap();
    let trusted = format!("{name} C,,");
    assert_eq!(browsers_trust(&sandbox), [trusted.clone(), trusted]);
    assert_eq!(portway_files(&sandbox, "anchors").len(), 1);
    assert_eq!(portway_files(&sandbox, "certs").len(), 1);
    let (bundle, root) = (
        sandbox.path("home/certs/ca-certificates.crt"),
        fs::read_to_string(ca(&sandbox).join("root.pem")).unwrap(),
    );
    let is_trusted = || fs::read_to_string(&bundle).unwrap().contains(root.trim());
    assert!(is_trusted());
    // Only the owner can read the key, and there is one key.
    let mut files: Vec<(String, u32)> = fs::read_dir(ca(&sandbox))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    files.sort();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "bundle.pem",
            "intermediate.key",
            "intermediate.pem",
            "root.pem"
        ]
    );
    assert_eq!(files[1].1, 0o600);
    // A second run changes nothing.
    let again = portway(&sandbox, &["trust", "--yes", "--json"])
        .success()
        .json();
    assert_eq!(states(&again), all("already"));
    assert_eq!(again["root"], report["root"]);
    // A browser is installed later.
    let [_, firefox] = databases(&sandbox);
    fs::remove_dir_all(&firefox).unwrap();
    database(&sandbox, &firefox, &["--empty-password"]);
    let later = portway(&sandbox, &["trust", "--yes", "--json"]).success();
    assert_eq!(states(&later.json())[1].1, "done");
    let undone = portway(&sandbox, &["trust", "--undo", "--yes", "--json"])
        .success()
        .json();
    assert!(states(&undone).iter().all(|(_, state)| state == "done"));
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert_eq!(portway_files(&sandbox, "anchors"), [""; 0]);
    assert_eq!(portway_files(&sandbox, "certs"), [""; 0]);
    assert!(!is_trusted());
    let left = fs::read_dir(sandbox.state().join("gateway")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn without_root_shows_the_command_and_does_the_rest() {
    let sandbox = with_browsers(Sandbox::new());
    let mut transcript = Transcript::default();
    let ran = portway_as_user(&sandbox, &["trust", "--yes"]).success();
    transcript.record(&sandbox, "without root", "trust --yes", &ran);
    ran.stderr_has("sudo install -m 644")
        .stderr_has("sbin/update-ca-certificates");
    let report = portway_as_user(&sandbox, &["trust", "--yes", "--json"]).success();
    assert_eq!(states(&report.json())[0].1, "needs_root");
    assert_eq!(browsers_trust(&sandbox).len(), 2);
    assert_eq!(portway_files(&sandbox, "anchors"), [""; 0]);
    // The user has run the command. Undoing it needs another command, and the record contains
    // the CA until then.
    portway(&sandbox, &["trust", "--yes"]).success();
    assert_eq!(portway_files(&sandbox, "anchors").len(), 1);
    let undone = portway_as_user(&sandbox, &["trust", "--undo", "--yes"]).success();
    transcript.record(&sandbox, "undo without root", "trust --undo --yes", &undone);
    undone.stderr_has("sudo rm -f ");
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert!(!ca(&sandbox).exists());
    let former = portway(&sandbox, &["trust", "--yes"]).code(1);
    transcript.record(&sandbox, "a former CA in a store", "trust --yes", &former);
    portway(&sandbox, &["trust", "--yes", "--json"])
        .code(1)
        .error("refused")
        .hints("`portway trust --undo`");
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(portway_files(&sandbox, "anchors"), [""; 0]);
    portway(&sandbox, &["trust", "--yes"]).success();
    transcript.assert("trust");
}

#[test]
fn a_store_with_a_password_is_reported_and_not_changed() {
    let sandbox = Sandbox::new();
    let [chromium, firefox] = databases(&sandbox);
    database(&sandbox, &chromium, &["--empty-password"]);
    let password = sandbox.path("password");
    fs::write(&password, "secret12\n").unwrap();
    database(&sandbox, &firefox, &["-f", password.to_str().unwrap()]);
    // Without a terminal, so that `certutil` cannot ask for the password.
    let program = ["setsid", "--wait", env!("CARGO_BIN_EXE_portway")];
    let trust = || {
        let arguments = [&program[..], &["trust", "--yes", "--json"]].concat();
        sandbox
            .run_command(with_own_stores(&sandbox, &arguments))
            .code(1)
            .json()
    };
    for state in ["done", "already"] {
        let report = trust();
        assert_eq!(states(&report)[1], ("Firefox".into(), "failed".into()));
        assert_eq!(states(&report)[2], ("Chromium-based".into(), state.into()));
        let message = report["steps"][1]["message"].as_str().unwrap();
        assert!(message.contains("password"), "{message}");
        assert_eq!(browsers_trust(&sandbox).len(), 1);
    }
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
}

#[test]
fn undo_works_without_the_files_of_the_ca() {
    let sandbox = with_browsers(Sandbox::new());
    portway(&sandbox, &["trust", "--yes"]).success();
    fs::remove_dir_all(ca(&sandbox)).unwrap();
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert_eq!(portway_files(&sandbox, "anchors"), [""; 0]);
}

#[test]
fn undo_works_without_a_record() {
    let sandbox = with_browsers(Sandbox::new());
    let record = sandbox.state().join("gateway/trust.json");
    portway(&sandbox, &["trust", "--yes"]).success();
    fs::write(&record, "{").unwrap();
    portway(&sandbox, &["trust", "--undo", "--yes", "--json"])
        .code(1)
        .error("state")
        .mentions("trust.json")
        .hints("`rm ");
    fs::remove_file(&record).unwrap();
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert_eq!(portway_files(&sandbox, "anchors"), [""; 0]);
    // Without files and record, undo cleans the stores of this user, also with a later CA.
    for is_later in [false, true] {
        portway(&sandbox, &["trust", "--yes"]).success();
        fs::remove_dir_all(sandbox.state().join("gateway")).unwrap();
        if is_later {
            portway(&sandbox, &["trust", "--yes"]).success();
        }
        let undone = portway(&sandbox, &["trust", "--undo", "--yes", "--json"]).success();
        // The certificate in the system's store may be another user's.
        let states = states(&undone.json());
        assert!(
            states.contains(&("the".into(), "lacking".into())),
            "{states:?}"
        );
        assert_eq!(browsers_trust(&sandbox), [""; 0]);
        assert!(!record.exists());
        let anchors = fs::read_dir(sandbox.path("home/anchors")).unwrap();
        for file in anchors {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        portway(&sandbox, &["trust", "--undo", "--json"])
            .code(6)
            .error("nothing_there");
    }
}

#[test]
fn finds_the_system_store_without_sbin_in_path() {
    let sandbox = Sandbox::new();
    let program = env!("CARGO_BIN_EXE_portway");
    let short = "PATH=/usr/local/bin:/usr/bin:/bin";
    let arguments = [
        "unshare",
        "--user",
        "--map-user=1000",
        "env",
        short,
        program,
    ];
    let dry_run = || {
        let arguments = [&arguments[..], &["trust", "--dry-run"]].concat();
        sandbox
            .run_command(with_own_stores(&sandbox, &arguments))
            .success()
            .stderr()
    };
    let plan = dry_run();
    assert!(plan.contains("/sbin/update-ca-certificates"), "{plan}");
    // The name of the CA is not known before it is created.
    assert!(plan.contains("Portway local CA ID"), "{plan}");
    assert_eq!(plan, dry_run());
}
