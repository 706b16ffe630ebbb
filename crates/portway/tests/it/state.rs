//! Portway's state directory: its permissions, and errors when it cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::sandbox::Sandbox;

fn one() -> Sandbox {
    Sandbox::new().manifest("[services.a]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"")
}

#[test]
fn only_the_owner_can_read_the_state() {
    let sandbox = one();
    sandbox.run(&["up", "--detach"]).success();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&sandbox.state()), 0o700);
    for instance in fs::read_dir(sandbox.state().join("instances")).unwrap() {
        let dir = instance.unwrap().path();
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("control.sock")), 0o600);
        assert_eq!(mode(&dir.join("logs/a.ndjson")), 0o600);
    }
    // Nothing is written to the home directory.
    assert_eq!(fs::read_dir(sandbox.path("home")).unwrap().count(), 0);
}

#[test]
fn no_value_of_a_variable_is_stored() {
    let sandbox = Sandbox::new()
        .manifest(
            "[services.a]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
             env_file = \"a.env\"\nenv = { KEY = \"value-in-manifest\" }",
        )
        .file("a.env", "TOKEN=value-in-file\n");
    let mut up = sandbox.portway(&["up", "--detach"]);
    up.env("SHELL_TOKEN", "value-in-shell");
    sandbox.run_command(up).success();
    sandbox.run(&["doctor", "--json"]);
    sandbox.write("a.env", "TOKEN=value-in-file-now\n");
    sandbox.run(&["up", "--detach"]).success();
    let mut dirs = vec![sandbox.path("state")];
    let mut files = 0;
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap().flatten() {
            let file_type = entry.file_type().unwrap();
            if file_type.is_dir() {
                dirs.push(entry.path());
            } else if file_type.is_file() {
                let content = fs::read(entry.path()).unwrap();
                let text = String::from_utf8_lossy(&content);
                assert!(!text.contains("value-in-"), "{}", entry.path().display());
                files += 1;
            }
        }
    }
    assert!(files > 2, "{files} files");
}

#[test]
fn the_control_socket_speaks_plain_http() {
    let sandbox = one();
    sandbox.run(&["up", "--detach"]).success();
    let instance = fs::read_dir(sandbox.state().join("instances"))
        .unwrap()
        .next()
        .unwrap();
    let socket = instance.unwrap().path().join("control.sock");
    let mut curl = sandbox.command("curl");
    curl.args(["-s", "--unix-socket"])
        .arg(&socket)
        .arg("http://portway/v1/status");
    let status = sandbox.run_command(curl).success().json();
    assert_eq!(status["services"][0]["state"], "ready");
    let mut curl = sandbox.command("curl");
    curl.args(["-s", "--unix-socket"]).arg(&socket);
    curl.args([
        "-H",
        "content-type: application/json",
        "-d",
        "{\"services\":[\"x\"]}",
    ]);
    curl.arg("http://portway/v1/restart");
    let answer = sandbox.run_command(curl).success().json();
    assert_eq!(answer["error"]["code"], "unknown_service");
}

#[test]
fn a_very_long_state_path_works() {
    let sandbox = one();
    let long = sandbox.path(&"long".repeat(40));
    let run = |arguments: &[&str]| {
        let mut command = sandbox.portway(arguments);
        command.env("XDG_STATE_HOME", &long);
        sandbox.run_command(command)
    };
    run(&["up", "--detach"]).success();
    run(&["ps"]).success().stdout_has("ready");
    run(&["down"]).success();
}

#[test]
fn a_damaged_registry_is_an_error_and_not_changed() {
    let sandbox = one();
    sandbox.run(&["detect"]).success();
    let file = sandbox.state().join("registry.db");
    fs::write(
        &file,
        "this is no database, only a sentence that is long enough",
    )
    .unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(sandbox.state().join(format!("registry.db{suffix}")));
    }
    sandbox
        .fails(&["up"], 1, "state")
        .mentions("registry.db`")
        .hints("mv ");
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .starts_with("this is no database")
    );
    sandbox.fails(&["ps"], 1, "state");
}

#[test]
fn an_impossible_state_directory_is_an_error() {
    let sandbox = one();
    fs::write(sandbox.path("state/portway"), "").unwrap();
    sandbox
        .fails(&["detect"], 1, "state")
        .mentions("state/portway")
        .hints("XDG_STATE_HOME");
    assert!(!sandbox.project().join(".ports.json").exists());
    let mut command = sandbox.portway(&["detect", "--json"]);
    command.env_remove("XDG_STATE_HOME").env_remove("HOME");
    sandbox.command_fails(command, 1, "state").mentions("HOME");
}

/// Runs `portway detect` with its state directory on a new tmpfs, in a mount namespace.
fn detect_on_tmpfs(sandbox: &Sandbox, options: &str, then: &str) -> crate::sandbox::CommandOutput {
    let state = sandbox.path("state");
    let script = format!(
        "mount -t tmpfs -o {options} none '{0}' && {{ {then}; }}; cd '{1}' && exec '{2}' detect --json",
        state.display(),
        sandbox.project().display(),
        env!("CARGO_BIN_EXE_portway"),
    );
    let mut command = sandbox.command("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    command.current_dir(&state);
    sandbox.run_command(command)
}

#[test]
fn a_full_disk_is_an_error() {
    let sandbox = one();
    let fill = "cd .; dd if=/dev/zero of=\"$XDG_STATE_HOME/fill\" bs=1k count=60 2>/dev/null";
    detect_on_tmpfs(&sandbox, "size=64k", fill)
        .code(1)
        .error("state")
        .mentions("registry.db")
        .mentions("full");
    assert!(!sandbox.project().join(".ports.json").exists());
}

#[test]
fn a_read_only_state_directory_is_an_error() {
    let sandbox = one();
    let ran = detect_on_tmpfs(&sandbox, "ro", "true").code(1);
    ran.error("state")
        .mentions("registry.db")
        .hints("XDG_STATE_HOME");
    assert!(!sandbox.project().join(".ports.json").exists());
}

#[test]
fn a_locked_registry_is_an_error() {
    let sandbox = one();
    sandbox.run(&["detect"]).success();
    let before = sandbox.read(".ports.json");
    let mut locker = sandbox.command("python3");
    let file = sandbox.state().join("registry.db");
    locker.args([
        "-c",
        "import sqlite3, sys, time\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('PRAGMA locking_mode = EXCLUSIVE')\n\
        c.execute('BEGIN EXCLUSIVE')\n\
        print('locked', flush=True)\n\
        time.sleep(600)",
    ]);
    locker.arg(&file);
    let mut locker = crate::sandbox::RunningCommand::start(locker);
    locker.wait_for_output("locked");
    sandbox
        .fails(&["detect"], 1, "state")
        .mentions("registry.db`")
        .mentions("locked");
    assert_eq!(sandbox.read(".ports.json"), before);
}

#[test]
fn a_kill_at_any_time_leaves_valid_files() {
    let sandbox = one();
    for round in 0..60 {
        let mut detect = sandbox.portway(&["detect"]).spawn().unwrap();
        // Spread over the few milliseconds that the command runs.
        let moment = std::time::Instant::now() + std::time::Duration::from_micros(round * 150);
        while std::time::Instant::now() < moment {
            std::hint::spin_loop();
        }
        let _ = detect.kill();
        detect.wait().unwrap();
        let file = sandbox.project().join(".ports.json");
        if let Ok(text) = fs::read_to_string(file) {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["a_port"], sandbox.port(0));
        }
    }
    sandbox.run(&["detect"]).success();
    assert_eq!(sandbox.ports_json()["a_port"], sandbox.port(0));
}
