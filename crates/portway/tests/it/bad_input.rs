//! Bad input: one clear error with its place and a way out, and every file stays as it was.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::sandbox::{Ran, Sandbox, get, two};

/// Everything in a directory: each entry's kind, size and beginning.
pub fn snapshot(dir: &Path) -> BTreeMap<PathBuf, (String, Vec<u8>)> {
    use std::io::Read;
    let mut all = BTreeMap::new();
    let mut next = vec![dir.to_owned()];
    while let Some(dir) = next.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let metadata = path.symlink_metadata().unwrap();
            let mut begin = Vec::new();
            if metadata.is_dir() {
                next.push(path.clone());
            } else if metadata.is_symlink() {
                begin = fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes();
            } else {
                let file = fs::File::open(&path).unwrap();
                file.take(1 << 16).read_to_end(&mut begin).unwrap();
            }
            let kind = format!("{:?} {}", metadata.file_type(), metadata.len());
            all.insert(path, (kind, begin));
        }
    }
    all
}

/// Runs a command that must fail and leave the project as it was; its error in one line.
#[track_caller]
pub fn refused(sandbox: &Sandbox, arguments: &[&str], code: i32) -> Ran {
    let before = snapshot(sandbox.project());
    let ran = sandbox.run(arguments).code(code);
    assert!(!ran.err().contains("panicked"), "{}", ran.err());
    assert_eq!(snapshot(sandbox.project()), before, "{}", ran.err());
    assert!(sandbox.processes().is_empty());
    ran
}

#[test]
fn manifests_that_cannot_be() {
    let service = "[services.a]\ncommand = \"x {port}\"\n";
    for (text, code, words) in [
        ("= 3", 2, &["portway.toml:1:1"][..]),
        ("[services.a\n", 2, &["portway.toml:1:"]),
        ("\u{0}", 2, &["portway.toml:1:"]),
        ("", 2, &["there is no service", "[services.backend]"]),
        (
            "[services.a]\ncomand = \"x\"",
            2,
            &["portway.toml:2:1", "`command`"],
        ),
        ("[services.a]\nport = 9000", 2, &["`command` is missing"]),
        (
            "[services.a]\ncommand = \"  \"",
            2,
            &["portway.toml:2:11", "is empty"],
        ),
        ("[services.a]\ncommand = 3", 2, &["portway.toml:2:11"]),
        (
            "[services.a]\ncommand = \"x\\u0000\"",
            2,
            &["portway.toml:2:11", "contains a NUL", "remove it"],
        ),
        (
            "[services.a]\ncommand = \"x\"\nenv = { \"A=B\" = \"1\" }",
            2,
            &["portway.toml:3:17", "`A=B` is not a valid variable name"],
        ),
        (
            &format!("{service}port = \"9099-9000\""),
            2,
            &["portway.toml:3:8", "is reversed", "9000-9099"],
        ),
        (
            &format!("{service}port = 0"),
            2,
            &["portway.toml:3:8", "1 to 65535"],
        ),
        (
            &format!("{service}port = 65536"),
            2,
            &["portway.toml:3:8", "1 to 65535"],
        ),
        (
            &format!("{service}port = \"9000-70000\""),
            2,
            &["portway.toml:3:8", "1 to 65535"],
        ),
        (
            &format!("{service}port = -1"),
            2,
            &["portway.toml:3:8", "1 to 65535"],
        ),
        (
            &format!(
                "{service}port = \"9000-9000\"\n[services.b]\ncommand = \"y\"\nport = \"9000\""
            ),
            2,
            &[
                "portway.toml:5:11",
                "both require port 9000",
                "another port",
            ],
        ),
        (
            "[services.a]\ncommand = \"x\"\nafter = [\"b\"]\n[services.b]\ncommand = \"x\"\nafter = [\"a\"]",
            2,
            &[
                "portway.toml:6:10",
                "wait for each other",
                "`a` → `b` → `a`",
            ],
        ),
        (
            &format!("{service}after = [\"b\"]"),
            2,
            &["portway.toml:3:10", "`b`, which does not exist"],
        ),
        (
            &format!("{service}dir = \"../elsewhere\""),
            2,
            &["portway.toml:3:7", "outside the project"],
        ),
        (
            &format!("{service}dir = \"/etc\""),
            2,
            &["portway.toml:3:7", "outside the project"],
        ),
        (
            "[services.\"a b\"]\ncommand = \"x\"",
            2,
            &["`a b` is not a valid name"],
        ),
        (
            "[services.a]\ncommand = \"x {bakend.url}\"\nport = 9000",
            2,
            &["portway.toml:2:14"],
        ),
    ] {
        let sandbox = Sandbox::new();
        // As it is written: nothing in it is filled in.
        fs::write(sandbox.project().join("portway.toml"), text).unwrap();
        for verb in [&["detect"][..], &["up", "--detach"], &["plan"]] {
            let ran = refused(&sandbox, verb, code);
            for word in words {
                assert!(
                    ran.err().contains(word),
                    "no `{word}` for\n{text}\nin\n{}",
                    ran.err()
                );
            }
            assert!(!sandbox.state().exists(), "nothing is written for\n{text}");
        }
        let json = refused(&sandbox, &["detect", "--json"], code).json();
        assert!(json["error"]["message"].is_string());
    }
}

#[test]
fn a_manifest_that_is_no_file_or_cannot_be_read() {
    let sandbox = Sandbox::new();
    let file = sandbox.project().join("portway.toml");
    fs::create_dir(&file).unwrap();
    refused(&sandbox, &["detect"], 2).err_has("portway.toml");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"# \xff\xfe").unwrap();
    refused(&sandbox, &["detect"], 2).err_has("UTF-8");
    let huge = fs::File::create(&file).unwrap();
    huge.set_len(1 << 30).unwrap();
    refused(&sandbox, &["detect"], 2).err_has("larger than 1 MiB");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("nowhere", &file).unwrap();
    refused(&sandbox, &["detect"], 2).err_has("portway.toml");
}

#[test]
fn services_that_do_not_exist() {
    let sandbox = two();
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
        refused(&sandbox, arguments, 2)
            .err_has("there is no service `bakend`")
            .err_has("did you mean `backend`?");
    }
}

#[test]
fn ports_files_that_cannot_be() {
    let sandbox = two();
    let file = sandbox.project().join(".ports.json");
    let delete = || {
        let _ = fs::remove_file(&file);
    };
    for (text, words) in [
        ("{broken", "is not valid JSON"),
        ("[1]", "does not contain a JSON object"),
        ("", "is not valid JSON"),
        ("{\"backend_port\": 0}", "is not a port"),
        ("{\"backend_port\": 70000}", "is not a port"),
        ("{\"backend_port\": \"9000\"}", "is not a port"),
        ("{\"backend_port\": -1}", "is not a port"),
        ("{\"backend_port\": 1e3}", "is not a port"),
        (
            "{\"frontend_url\": \"http://evil.example\"}",
            "is not a local URL",
        ),
        ("{\"frontend_url\": 3}", "is not a local URL"),
        (
            "{\"frontend_url\": \"http://evil.example\\\\@localhost\"}",
            "is not a local URL",
        ),
    ] {
        fs::write(&file, text).unwrap();
        for verb in [
            &["detect"][..],
            &["up", "--detach"],
            &["env"],
            &["port", "backend"],
        ] {
            refused(&sandbox, verb, 2)
                .err_has(".ports.json")
                .err_has(words)
                .err_has("delete");
        }
    }
    fs::write(&file, b"{\"a\": \"\xff\"}").unwrap();
    refused(&sandbox, &["detect"], 2).err_has(".ports.json");
    // A gigabyte, of which nothing is read.
    fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
    refused(&sandbox, &["detect"], 2).err_has("has 1073741824 bytes");
    delete();
    fs::create_dir(&file).unwrap();
    refused(&sandbox, &["detect"], 2).err_has("is not a file");
    fs::remove_dir(&file).unwrap();
    let elsewhere = sandbox.path("elsewhere.json");
    fs::write(&elsewhere, "{}").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    refused(&sandbox, &["detect"], 2).err_has("is a symbolic link");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "{}");
}

#[test]
fn a_directory_that_is_missing() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port}\"\ndir = \"gone\"\nport = \"%0-%9\"",
    );
    sandbox
        .run(&["up", "--detach"])
        .code(5)
        .err_has("its directory `~/project/gone` does not exist");
    sandbox.until_empty();
}

#[test]
fn commands_that_cannot_be_run() {
    for (command, code) in [
        ("no-such-program-anywhere", 3),
        ("./not-executable", 3),
        ("./a-directory", 3),
    ] {
        let sandbox = Sandbox::new()
            .manifest(&format!(
                "[services.a]\ncommand = \"{command}\"\nport = \"%0-%9\""
            ))
            .file("not-executable", "#!/bin/sh\n")
            .file("a-directory/x", "");
        let ran = sandbox.run(&["up", "--detach"]).code(code);
        assert!(ran.err().contains("`a`"), "{}", ran.err());
        sandbox.until_empty();
    }
}

#[test]
fn projects_in_directories_with_any_name() {
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
        assert!(get(sandbox.port(0), "/").is_some(), "{name:?}");
        for verb in [
            &["ps"][..],
            &["leases"],
            &["who"],
            &["ps", "--json"],
            &["plan"],
        ] {
            let ran = sandbox.run(verb).success();
            // No name breaks its line or reaches the terminal.
            assert!(!ran.out().contains("new\nline"), "{verb:?}\n{}", ran.out());
        }
        assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(0));
        sandbox.run(&["down"]).success();
        let left: Vec<_> = fs::read_dir(&dir).unwrap().flatten().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}

#[test]
fn without_a_home() {
    let sandbox = two();
    let before = snapshot(sandbox.project());
    for home in [None, Some("")] {
        let mut command = sandbox.portway(&["detect"]);
        command.env_remove("XDG_STATE_HOME").env_remove("HOME");
        if let Some(home) = home {
            command.env("HOME", home);
        }
        sandbox
            .end(command)
            .code(1)
            .err_has("HOME is not set")
            .err_has("set HOME, or XDG_STATE_HOME");
    }
    assert_eq!(snapshot(sandbox.project()), before);
}

#[test]
fn a_state_directory_that_cannot_be_read() {
    let sandbox = two();
    let state = sandbox.state();
    // For root no mode is an obstacle; a file in its place is one for everybody.
    fs::write(&state, "").unwrap();
    for verb in [
        &["detect"][..],
        &["up", "--detach"],
        &["ps"],
        &["leases"],
        &["prune"],
    ] {
        refused(&sandbox, verb, 1)
            .err_has("registry.db")
            .err_has("XDG_STATE_HOME");
    }
    fs::remove_file(&state).unwrap();
    if !rustix::process::geteuid().is_root() {
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o000)).unwrap();
        // Its own directory: Portway gives itself the rights again.
        sandbox.run(&["detect"]).success();
    }
}
