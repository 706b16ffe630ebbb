//! Findings about the machine: stale leases and processes, the clock, limits and the disk.

use std::fs;

use portway_registry::{NewInstance, Registry, SqliteRegistry};

use super::{JOBI, diagnosis, finding, mentions, prose, running, wrong};
use crate::leases::with_stale_process;
use crate::transcript::Transcript;

#[test]
fn fixes_leases_of_a_deleted_checkout() {
    let mut transcript = Transcript::default();
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
    transcript.text(&sandbox, "leases of a deleted checkout", &prose(&report));
    let found = finding(&report, "lease");
    assert_eq!(found["severity"], "warning");
    mentions(&found, &sandbox.expand("%1"));
    mentions(&found, &sandbox.expand("%11"));
    let fixed = sandbox.run(&["doctor", "--fix", "--json"]).success().json();
    assert_eq!(fixed["fixed"][0]["check"], "lease");
    assert_eq!(wrong(&fixed), [""; 0]);
    let left = sandbox.run(&["leases", "--json"]).success().json();
    assert_eq!(left.as_array().unwrap().len(), 2);
    transcript.assert("doctor-stale-leases");
}

#[test]
fn reports_a_process_of_a_killed_instance() {
    let mut transcript = Transcript::default();
    let sandbox = with_stale_process();
    let (pid, _) = sandbox.processes().pop_first().unwrap();
    for arguments in [&["doctor", "--json"][..], &["doctor", "--json", "--fix"]] {
        let report = sandbox.run(arguments).success().json();
        transcript.text(&sandbox, &arguments.join(" "), &prose(&report));
        let found = finding(&report, "lease");
        mentions(&found, &pid.to_string());
        mentions(&found, "`backend`");
        assert_eq!(found["command"], "portway prune");
    }
    assert_eq!(sandbox.processes().len(), 1, "no process is stopped");
    sandbox.run(&["prune", "--yes"]).success();
    assert_eq!(
        finding(&diagnosis(&sandbox, 0), "lease")["severity"],
        "fine"
    );
    transcript.assert("doctor-stale-process");
}

#[test]
fn reports_a_clock_that_was_set_back() {
    let mut transcript = Transcript::default();
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
        identity: None,
    };
    let mut registry = SqliteRegistry::open(&sandbox.state()).unwrap();
    let now = sandbox.run(&["health", "--json"]).success().json()["at"].as_u64();
    registry.register(&new, now.unwrap() + 5 * hour).unwrap();
    let report = diagnosis(&sandbox, 0);
    transcript.text(&sandbox, "a use in the future", &prose(&report));
    assert_eq!(wrong(&report), ["clock/clock/warning"]);
    let found = finding(&report, "clock");
    mentions(&found, "later");
    mentions(&found, "4 ");
    transcript.assert("doctor-clock");
}

#[test]
fn reports_a_low_limit_of_open_files() {
    let mut transcript = Transcript::default();
    let sandbox = running();
    let mut shell = sandbox.command("sh");
    let portway = env!("CARGO_BIN_EXE_portway");
    shell.args([
        "-c",
        &format!("ulimit -n 200; exec {portway} doctor --json"),
    ]);
    let report = sandbox.run_command(shell).success().json();
    transcript.text(&sandbox, "200 open files", &prose(&report));
    assert_eq!(wrong(&report), ["limits/limits/warning"]);
    mentions(&finding(&report, "limits"), "200");
    transcript.assert("doctor-limits");
}

/// On a tmpfs, if the system lets the user mount one.
#[test]
fn reports_a_full_disk() {
    let sandbox = running();
    let (portway, project) = (env!("CARGO_BIN_EXE_portway"), sandbox.project().display());
    let on_disk = |size: &str| {
        let mut command = sandbox.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        // The mount hides the project, so this is another checkout.
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
