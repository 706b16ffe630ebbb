//! Invalid input is an error with a location, and changes no file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::sandbox::{CommandOutput, Sandbox, http_get, two_services};

/// Every entry below a directory: its kind, its size and the start of its content.
pub fn directory_contents(dir: &Path) -> BTreeMap<PathBuf, (String, Vec<u8>)> {
    use std::io::Read;
    let mut all = BTreeMap::new();
    let mut next = vec![dir.to_owned()];
    while let Some(dir) = next.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let metadata = path.symlink_metadata().unwrap();
            let mut start = Vec::new();
            if metadata.is_dir() {
                next.push(path.clone());
            } else if metadata.is_symlink() {
                start = fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes();
            } else {
                let file = fs::File::open(&path).unwrap();
                file.take(1 << 16).read_to_end(&mut start).unwrap();
            }
            let kind = format!("{:?} {}", metadata.file_type(), metadata.len());
            all.insert(path, (kind, start));
        }
    }
    all
}

/// Runs a command and expects that it fails and changes nothing.
#[track_caller]
pub fn rejected(sandbox: &Sandbox, arguments: &[&str], code: i32) -> CommandOutput {
    let before = directory_contents(sandbox.project());
    let output = sandbox.run(arguments).code(code);
    assert!(!output.stderr().contains("panicked"), "{}", output.stderr());
    assert_eq!(
        directory_contents(sandbox.project()),
        before,
        "{}",
        output.stderr()
    );
    assert!(sandbox.processes().is_empty());
    output
}

#[test]
fn rejects_invalid_manifests() {
    let service = "[services.a]\ncommand = \"x {port}\"\n";
    let with = |line: &str| format!("{service}{line}");
    // The manifest, the place of the error, and the names and values that it mentions.
    let cases: &[(&str, &str, &[&str])] = &[
        ("= 3", "portway.toml:1:1", &[]),
        ("[services.a\n", "portway.toml:1", &[]),
        ("\u{0}", "portway.toml:1", &[]),
        ("", "portway.toml", &["[services.backend]"]),
        (
            "[services.a]\ncomand = \"x\"",
            "portway.toml:2:1",
            &["`comand`", "`command`"],
        ),
        (
            "[services.a]\nport = 9000",
            "portway.toml:1",
            &["`command`"],
        ),
        (
            "[services.a]\ncommand = \"  \"",
            "portway.toml:2:11",
            &["`a`"],
        ),
        ("[services.a]\ncommand = 3", "portway.toml:2:11", &[]),
        (
            "[services.a]\ncommand = \"x\\u0000\"",
            "portway.toml:2:11",
            &["NUL"],
        ),
        (
            "[services.a]\ncommand = \"x\"\nenv = { \"A=B\" = \"1\" }",
            "portway.toml:3:17",
            &["`A=B`"],
        ),
        (
            &with("port = \"9099-9000\""),
            "portway.toml:3:8",
            &["9000-9099"],
        ),
        (&with("port = 0"), "portway.toml:3:8", &["65535"]),
        (&with("port = 65536"), "portway.toml:3:8", &["65535"]),
        (
            &with("port = \"9000-70000\""),
            "portway.toml:3:8",
            &["65535"],
        ),
        (&with("port = -1"), "portway.toml:3:8", &["65535"]),
        (
            &with("port = \"9000-9000\"\n[services.b]\ncommand = \"y\"\nport = \"9000\""),
            "portway.toml:5:11",
            &["`a`", "`b`", "9000"],
        ),
        (
            "[services.a]\ncommand = \"x\"\nafter = [\"b\"]\n[services.b]\ncommand = \"x\"\nafter = [\"a\"]",
            "portway.toml:6:10",
            &["`a` → `b` → `a`"],
        ),
        (&with("after = [\"b\"]"), "portway.toml:3:10", &["`b`"]),
        (
            &with("dir = \"../elsewhere\""),
            "portway.toml:3:7",
            &["`../elsewhere`"],
        ),
        (&with("dir = \"/etc\""), "portway.toml:3:7", &["`/etc`"]),
        (
            "[services.\"a b\"]\ncommand = \"x\"",
            "portway.toml:2:11",
            &["`a b`"],
        ),
        (
            "[services.a]\ncommand = \"x {bakend.url}\"\nport = 9000",
            "portway.toml:2:14",
            &[],
        ),
    ];
    for (text, place, mentioned) in cases {
        let sandbox = Sandbox::new();
        // Written as it is, without placeholders.
        fs::write(sandbox.project().join("portway.toml"), text).unwrap();
        for command in [&["detect"][..], &["up", "--detach"], &["plan"]] {
            let ran = rejected(&sandbox, command, 2);
            assert!(ran.stderr().starts_with("error: "), "{}", ran.stderr());
            let mut failure = rejected(&sandbox, &[command, &["--json"]].concat(), 2)
                .error("manifest_invalid")
                .at(place);
            for text in *mentioned {
                failure = failure.mentions(text);
            }
            assert!(
                !sandbox.state().exists(),
                "an invalid manifest writes no state:\n{text}"
            );
        }
    }
}

#[test]
fn rejects_manifests_that_cannot_be_read() {
    let sandbox = Sandbox::new();
    let file = sandbox.project().join("portway.toml");
    fs::create_dir(&file).unwrap();
    let rejected = || {
        rejected(&sandbox, &["detect", "--json"], 2)
            .error("manifest_invalid")
            .at("portway.toml")
    };
    rejected();
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"# \xff\xfe").unwrap();
    rejected().mentions("UTF-8");
    let huge = fs::File::create(&file).unwrap();
    huge.set_len(1 << 30).unwrap();
    rejected().mentions("1 MiB");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("nowhere", &file).unwrap();
    rejected();
}

#[test]
fn rejects_unknown_services() {
    let sandbox = two_services();
    for arguments in [
        &["up", "bakend"][..],
        &["restart", "bakend"],
        &["logs", "bakend"],
        &["port", "bakend"],
        &["url", "bakend"],
        &["env", "bakend"],
        &["wait", "bakend"],
        &["down", "bakend"],
        &["exec", "--service", "bakend", "--", "true"],
    ] {
        rejected(&sandbox, arguments, 2)
            .stderr_has("`bakend`")
            .stderr_has("`backend`");
    }
}

#[test]
fn rejects_invalid_ports_files() {
    let sandbox = two_services();
    let file = sandbox.project().join(".ports.json");
    let delete = || {
        let _ = fs::remove_file(&file);
    };
    // The content, and the key or format that is wrong.
    for (text, wrong) in [
        ("{broken", "JSON"),
        ("[1]", "JSON object"),
        ("", "JSON"),
        ("{\"backend_port\": 0}", "`backend_port`"),
        ("{\"backend_port\": 70000}", "`backend_port`"),
        ("{\"backend_port\": \"9000\"}", "`backend_port`"),
        ("{\"backend_port\": -1}", "`backend_port`"),
        ("{\"backend_port\": 1e3}", "`backend_port`"),
        (
            "{\"frontend_url\": \"http://evil.example\"}",
            "`frontend_url`",
        ),
        ("{\"frontend_url\": 3}", "`frontend_url`"),
        (
            "{\"frontend_url\": \"http://evil.example\\\\@localhost\"}",
            "`frontend_url`",
        ),
    ] {
        fs::write(&file, text).unwrap();
        for command in [
            &["detect"][..],
            &["up", "--detach"],
            &["env"],
            &["port", "backend"],
        ] {
            rejected(&sandbox, &[command, &["--json"]].concat(), 2)
                .error("ports_file_invalid")
                .at(".ports.json")
                .mentions(wrong)
                .hints("delete");
        }
    }
    let rejected = || {
        rejected(&sandbox, &["detect", "--json"], 2)
            .error("ports_file_invalid")
            .at(".ports.json")
    };
    fs::write(&file, b"{\"a\": \"\xff\"}").unwrap();
    rejected();
    // One GiB, which is not read.
    fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
    rejected();
    delete();
    fs::create_dir(&file).unwrap();
    rejected();
    fs::remove_dir(&file).unwrap();
    let elsewhere = sandbox.path("elsewhere.json");
    fs::write(&elsewhere, "{}").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    rejected();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "{}");
}

#[test]
fn rejects_a_missing_directory() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port}\"\ndir = \"gone\"\nport = \"%0-%9\"",
    );
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .names("a")
        .names(sandbox.project().join("gone").to_str().unwrap());
    sandbox.wait_until_empty();
}

#[test]
fn rejects_commands_that_cannot_be_run() {
    for command in [
        "no-such-program-anywhere",
        "./not-executable",
        "./a-directory",
    ] {
        let sandbox = Sandbox::new()
            .manifest(&format!(
                "[services.a]\ncommand = \"{command}\"\nport = \"%0-%9\""
            ))
            .file("not-executable", "#!/bin/sh\n")
            .file("a-directory/x", "");
        sandbox
            .fails(&["up", "--detach"], 3, "missing_requirement")
            .names("a");
        sandbox.wait_until_empty();
    }
}

#[test]
fn accepts_any_name_of_a_directory() {
    for name in [
        &b"with spaces"[..],
        b"quotes ' and \" and `",
        b"new\nline",
        b"$(touch pwned) ; & | * ?",
        b"-C",
        "\u{fc}n\u{ef}\u{e7}\u{f8}de \u{1f6a2}".as_bytes(),
        b"not utf8 \xff\xfe",
    ] {
        let mut sandbox = Sandbox::new();
        let dir = sandbox.path("x").with_file_name(OsStr::from_bytes(name));
        fs::create_dir(&dir).unwrap();
        sandbox.set_project(&dir);
        let sandbox = sandbox
            .manifest("[services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"");
        sandbox.run(&["up", "--detach"]).success();
        assert!(http_get(sandbox.port(0), "/").is_some(), "{name:?}");
        for command in [
            &["ps"][..],
            &["leases"],
            &["who"],
            &["ps", "--json"],
            &["plan"],
        ] {
            let ran = sandbox.run(command).success();
            // A newline in a name is escaped.
            assert!(
                !ran.stdout().contains("new\nline"),
                "{command:?}\n{}",
                ran.stdout()
            );
        }
        assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(0));
        sandbox.run(&["down"]).success();
        let left: Vec<_> = fs::read_dir(&dir).unwrap().flatten().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}

#[test]
fn rejects_a_missing_home() {
    let sandbox = two_services();
    let before = directory_contents(sandbox.project());
    for home in [None, Some("")] {
        let mut command = sandbox.portway(&["detect", "--json"]);
        command.env_remove("XDG_STATE_HOME").env_remove("HOME");
        if let Some(home) = home {
            command.env("HOME", home);
        }
        sandbox
            .command_fails(command, 1, "state")
            .hints("HOME")
            .hints("XDG_STATE_HOME");
    }
    assert_eq!(directory_contents(sandbox.project()), before);
}

#[test]
fn rejects_an_unusable_state_directory() {
    let sandbox = two_services();
    let state = sandbox.state();
    // Modes do not restrict root, so a file is in the place of the directory.
    fs::write(&state, "").unwrap();
    for command in [
        &["detect"][..],
        &["up", "--detach"],
        &["ps"],
        &["leases"],
        &["prune"],
    ] {
        rejected(&sandbox, &[command, &["--json"]].concat(), 1)
            .error("state")
            .mentions("registry.db")
            .hints("XDG_STATE_HOME");
    }
    fs::remove_file(&state).unwrap();
    if !rustix::process::geteuid().is_root() {
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o000)).unwrap();
        // Portway owns the directory, and restores its mode.
        sandbox.run(&["detect"]).success();
    }
}
