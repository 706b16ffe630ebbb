//! Portway's own state, when it cannot be used.

use std::fs;

use crate::sandbox::{RunningCommand, two_services};
use crate::transcript::Transcript;

#[test]
fn state_that_cannot_be_used() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let mut homeless = sandbox.portway(&["detect"]);
    homeless.env_remove("HOME").env_remove("XDG_STATE_HOME");
    transcript.run_as(&sandbox, "no home", "detect", homeless);
    let mut homeless = sandbox.portway(&["config", "path"]);
    homeless.env_remove("HOME");
    transcript.run_as(&sandbox, "no home for preferences", "config path", homeless);
    fs::write(sandbox.state(), "").unwrap();
    transcript.run(&sandbox, "a file instead of the directory", &["detect"]);
    fs::remove_file(sandbox.state()).unwrap();

    sandbox.run(&["detect"]).success();
    let registry = sandbox.state().join("registry.db");
    let mut locker = sandbox.command("python3");
    locker.args([
        "-c",
        "import sqlite3, sys, time\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('PRAGMA locking_mode = EXCLUSIVE')\n\
        c.execute('BEGIN EXCLUSIVE')\n\
        print('locked', flush=True)\n\
        time.sleep(600)",
    ]);
    locker.arg(&registry);
    let mut locker = RunningCommand::start(locker);
    locker.wait_for_output("locked");
    transcript.run(&sandbox, "a locked registry", &["detect"]);
    drop(locker);
    let mut newer = sandbox.command("python3");
    newer.args([
        "-c",
        "import sqlite3, sys\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('PRAGMA user_version = 900')",
    ]);
    newer.arg(&registry);
    sandbox.run_command(newer).success();
    transcript.run(&sandbox, "a registry of a newer version", &["detect"]);
    fs::write(&registry, "nonsense".repeat(100)).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.state().join(format!("registry.db{suffix}")));
    }
    transcript.run(&sandbox, "a damaged registry", &["detect"]);
    fs::remove_dir_all(sandbox.state()).unwrap();
    transcript.assert("state");
}
