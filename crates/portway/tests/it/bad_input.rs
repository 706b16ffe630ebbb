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
fn refused(sandbox: &Sandbox, arguments: &[&str], code: i32) -> Ran {
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
            &["portway.toml:2:11", "has a NUL", "take it out"],
        ),
        (
            "[services.a]\ncommand = \"x\"\nenv = { \"A=B\" = \"1\" }",
            2,
            &["portway.toml:3:17", "`A=B` is not the name of a variable"],
        ),
        (
            &format!("{service}port = \"9099-9000\""),
            2,
            &["portway.toml:3:8", "upside down", "9000-9099"],
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
                "both insist on port 9000",
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
            &["`a b` is not a name"],
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

/// A manage.py as Django's, that needs no package.
const MANAGE: &str = "import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'up')
    def log_message(self, *_):
        pass
host, port = sys.argv[2].split(':')
HTTPServer((host, int(port)), Handler).serve_forever()
";

/// What is met in the three broken files, and why they are passed over.
const BROKEN: [(&str, &str, &str); 3] = [
    (
        "web/package.json",
        "{\"scripts\": {]",
        "web/package.json` was passed over: it is not JSON: ",
    ),
    (
        "Procfile",
        "# what runs\n\nno process\n",
        "Procfile:3` was passed over: it is no `name: command`",
    ),
    (
        "compose.yaml",
        "services:\n  db:\n    image: [\n",
        "compose.yaml` was passed over: it is not YAML that can be used: line ",
    ),
];

#[test]
fn broken_files_are_named_and_the_rest_is_found() {
    let mut sandbox = Sandbox::new().file("api/manage.py", MANAGE);
    for (file, text, _) in BROKEN {
        sandbox = sandbox.file(file, text);
    }
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["config", "set", "prefer.frameworks.django", &port])
        .success();
    let before = snapshot(sandbox.project());
    let plan = sandbox
        .run(&["plan"])
        .success()
        .out_has("api  django  in api");
    let json = sandbox.run(&["plan", "--json"]).success().json();
    let up = sandbox.run(&["up", "--detach"]).success();
    assert_eq!(get(sandbox.port(0), "/").as_deref(), Some("up"));
    for (_, _, words) in BROKEN {
        for ran in [&plan, &up] {
            assert_eq!(
                ran.err().matches(words).count(),
                1,
                "{words}\n{}",
                ran.err()
            );
        }
    }
    let skipped = json["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), BROKEN.len(), "{skipped:?}");
    assert_eq!(json["services"].as_array().unwrap().len(), 1);
    sandbox.run(&["down"]).success();
    // Beside `.ports.json`, which git is told to leave alone.
    let mut after = snapshot(sandbox.project());
    after.retain(|path, _| !path.ends_with(".ports.json") && !path.starts_with(&git));
    assert_eq!(after, before);
}

#[test]
fn a_broken_line_of_a_procfile_does_not_spoil_the_others() {
    let sandbox = Sandbox::new().file(
        "Procfile",
        "web: %service serve $PORT\nno process\nweb: a second\nempty:\n",
    );
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["config", "set", "prefer.frameworks.procfile", &port])
        .success();
    let before = sandbox.read("Procfile");
    for verb in [&["plan"][..], &["up", "--detach"]] {
        sandbox
            .run(verb)
            .success()
            .err_has("Procfile:2` was passed over: it is no `name: command`")
            .err_has("Procfile:3` was passed over: it is a second `web`")
            .err_has("Procfile:4` was passed over: it is no `name: command`");
    }
    assert!(get(sandbox.port(0), "/").is_some());
    assert_eq!(sandbox.read("Procfile"), before);
    sandbox.run(&["down"]).success();
}

#[test]
fn two_that_were_found_to_insist_on_one_port_are_both_shown() {
    let sandbox = Sandbox::new().file(
        "Procfile",
        "a: python3 -m http.server %0\nb: python3 -m http.server %0\n",
    );
    sandbox
        .run(&["plan"])
        .success()
        .out_has("b  procfile  optional")
        .out_has(&sandbox.fill("`a` insists on port %0 too"));
    sandbox
        .run(&["detect", "--with", "b"])
        .code(2)
        .err_has(&sandbox.fill("both insist on port %0"));
}

#[test]
fn where_only_broken_files_are_the_error_names_them() {
    let mut sandbox = Sandbox::new();
    for (file, text, _) in BROKEN {
        sandbox = sandbox.file(file, text);
    }
    for verb in [&["plan"][..], &["detect"], &["up", "--detach"]] {
        let ran = refused(&sandbox, verb, 2).err_has("nothing that Portway knows how to start");
        for (_, _, words) in BROKEN {
            let words = words
                .replace('`', "")
                .replace("name: command", "`name: command`");
            assert!(ran.err().contains(&words), "no {words} in\n{}", ran.err());
        }
    }
}

/// The first of these ports on which nothing listens.
fn free(ports: impl IntoIterator<Item = u16>) -> u16 {
    let is_free = |port: &u16| std::net::TcpListener::bind(("0.0.0.0", *port)).is_ok();
    let mut ports = ports.into_iter();
    ports.find(is_free).expect("one of these ports is free")
}

#[test]
fn a_blocked_port_is_given_to_whoever_asks_for_it_and_to_nobody_else() {
    // Those of an X server and of IRC, which no browser calls.
    let port = free([6000, 6566, 6665, 6666, 6668, 6669, 6697]);
    let manifest = |port: &str| format!("[services.a]\ncommand = \"x {{port}}\"\nport = {port}");
    for wish in [port.to_string(), format!("\"{port}\"")] {
        let sandbox = Sandbox::new().manifest(&manifest(&wish));
        let ran = sandbox.run(&["detect"]).success();
        assert!(
            ran.err().contains("warning") && ran.err().contains("browsers"),
            "{}",
            ran.err()
        );
        assert_eq!(sandbox.ports_json()["a_port"], port);
    }
    let sandbox = Sandbox::new().manifest(&manifest(&format!("\"{port}-{}\"", port + 30)));
    let ran = sandbox.run(&["detect"]).success();
    assert!(!ran.err().contains("warning"), "{}", ran.err());
    let given = sandbox.ports_json()["a_port"].as_u64().unwrap();
    assert!(
        (u64::from(port) + 1..=u64::from(port) + 30).contains(&given),
        "{given}"
    );
}

#[test]
fn a_privileged_port_is_refused_with_a_way_out_or_given_with_a_warning() {
    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let start: u16 = start.trim().parse().unwrap();
    if start < 1000 {
        return;
    }
    let is_root = rustix::process::geteuid().is_root();
    // Nobody but root can try them.
    let port = match is_root {
        true => free(820..start),
        false => 821,
    };
    let sandbox = Sandbox::new().manifest(&format!(
        "[services.a]\ncommand = \"x {{port}}\"\nport = \"{port}\""
    ));
    let before = snapshot(sandbox.project());
    let mut command = match is_root {
        true => {
            let mut command = sandbox.command("setpriv");
            command.arg("--bounding-set=-net_bind_service");
            command.args([
                "--inh-caps=-net_bind_service",
                env!("CARGO_BIN_EXE_portway"),
            ]);
            command
        }
        false => sandbox.portway(&[]),
    };
    command.arg("detect");
    sandbox
        .end(command)
        .code(4)
        .err_has(&port.to_string())
        .err_has(&format!(
            "sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
        ))
        .err_has("or take another port");
    assert_eq!(snapshot(sandbox.project()), before);
    if is_root {
        sandbox.run(&["detect"]).success().err_has("warning");
        assert_eq!(sandbox.ports_json()["a_port"], port);
    }
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
        ("{broken", "is not JSON"),
        ("[1]", "holds no JSON object"),
        ("", "is not JSON"),
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
    refused(&sandbox, &["detect"], 2).err_has("is a link to elsewhere");
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
