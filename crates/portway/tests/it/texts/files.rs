//! Files that Portway reads and cannot use: manifests, preferences, `.ports.json`, `.env` files.

use std::fs;
use std::os::unix::fs::symlink;

use crate::sandbox::{Sandbox, two_services};
use crate::transcript::Transcript;

/// Records the error of `portway detect` for each of these manifests, written as they are.
fn manifests(transcript: &mut Transcript, texts: &[(&str, &str)]) {
    for (title, text) in texts {
        let sandbox = Sandbox::new();
        fs::write(sandbox.project().join("portway.toml"), text).unwrap();
        transcript.run(&sandbox, title, &["detect"]).code(2);
    }
}

/// A service `a` with a port and with this line.
fn with(line: &str) -> String {
    format!("[services.a]\ncommand = \"x {{port}}\"\nport = 9000\n{line}")
}

#[test]
fn manifest_structure() {
    let mut transcript = Transcript::default();
    let many: String = (0..=1000)
        .map(|number| format!("[services.s{number}]\ncommand = \"x\"\n"))
        .collect();
    manifests(
        &mut transcript,
        &[
            ("not TOML", "[services.a\n"),
            ("no service", ""),
            ("an unknown key", "[services.a]\ncomand = \"x\""),
            (
                "a key of other tools",
                "[services.a]\ncommand = \"x\"\ndepends_on = [\"b\"]",
            ),
            (
                "an unknown key that resembles none",
                "[services.a]\ncommand = \"x\"\nzzz = 1",
            ),
            ("a missing key", "[services.a]\nport = 9000"),
            ("a value of the wrong type", "[services.a]\ncommand = 3"),
            ("an unknown value", &with("kind = \"htp\"")),
            ("an empty command", "[services.a]\ncommand = \"  \""),
            ("a NUL in a text", "[services.a]\ncommand = \"x\\u0000\""),
            (
                "a NUL in the name of the project",
                "[project]\nname = \"a\\u0000\"\n[services.a]\ncommand = \"x\"",
            ),
            (
                "a variable that cannot exist",
                "[services.a]\ncommand = \"x\"\nenv = { \"A=B\" = \"1\" }",
            ),
            (
                "a service name that cannot be used",
                "[services.\"a b\"]\ncommand = \"x\"",
            ),
            (
                "two services with the same name in variables",
                "[services.a-b]\ncommand = \"x\"\n[services.a_b]\ncommand = \"x\"",
            ),
            (
                "a group with the name of a service",
                "[services.a]\ncommand = \"x\"\n[groups]\na = [\"a\"]",
            ),
            (
                "a group with an unknown service",
                "[services.api]\ncommand = \"x\"\n[groups]\nall = [\"apo\"]",
            ),
            (
                "a directory outside the project",
                &with("dir = \"../elsewhere\""),
            ),
            ("too many services", &many),
            (
                "two main services",
                "[services.a]\ncommand = \"x\"\nmain = true\nport = 9000\n\
                 [services.b]\ncommand = \"x\"\nmain = true\nport = 9100",
            ),
            ("an unknown service in `after`", &with("after = [\"b\"]")),
            (
                "a cycle",
                "[services.a]\ncommand = \"x\"\nafter = [\"b\"]\n\
                 [services.b]\ncommand = \"x\"\nafter = [\"a\"]",
            ),
            ("an invalid duration", &with("stop = { grace = \"soon\" }")),
            ("an invalid size", &with("max_body = \"much\"")),
            (
                "a size for a service without HTTP",
                &with("kind = \"redis\"\nmax_body = \"1 MiB\""),
            ),
            (
                "the local network for a service without HTTP",
                &with("kind = \"redis\"\nlan = true"),
            ),
            (
                "the local network for a service without a port",
                "[services.a]\ncommand = \"x\"\nlan = true",
            ),
            (
                "a passed socket without a port",
                "[services.a]\ncommand = \"x\"\nsocket = \"fd\"",
            ),
        ],
    );
    transcript.assert("manifest-structure");
}

#[test]
fn manifest_ports() {
    let mut transcript = Transcript::default();
    let port = |port: &str| format!("[services.a]\ncommand = \"x {{port}}\"\n{port}");
    manifests(
        &mut transcript,
        &[
            ("a reversed range", &port("port = \"9099-9000\"")),
            ("a port that is too low", &port("port = 0")),
            ("a port that is too high", &port("port = \"9000-70000\"")),
            ("a negative port", &port("port = -1")),
            ("a text that is no range", &port("port = \"high\"")),
            ("a value of the wrong type", &port("port = true")),
            ("an empty port table", &port("port = {}")),
            (
                "a preferred port outside its range",
                &port("port = { prefer = 8000, range = \"9000-9099\" }"),
            ),
            (
                "both `port` and `ports`",
                &port("port = 9000\nports = { http = 9001 }"),
            ),
            (
                "two services that require one port",
                &port("port = \"9000\"\n[services.b]\ncommand = \"y\"\nport = \"9000\""),
            ),
        ],
    );
    transcript.assert("manifest-ports");
}

#[test]
fn manifest_probes_routes_and_placeholders() {
    let mut transcript = Transcript::default();
    manifests(
        &mut transcript,
        &[
            (
                "a probe without a kind",
                &with("ready = { tcp = false, timeout = \"5s\" }"),
            ),
            (
                "a probe of a port that does not exist",
                &with("ready = { tcp = true, port = \"grpc\" }"),
            ),
            (
                "a probe of a service without a port",
                "[services.a]\ncommand = \"x\"\nready = { tcp = true }",
            ),
            (
                "an invalid regular expression",
                &with("ready = { log = \"(\" }"),
            ),
            (
                "a health path without a slash",
                &with("health = \"health\""),
            ),
            ("a health path with a space", &with("health = \"/is it\"")),
            (
                "a health path without HTTP",
                &with("kind = \"redis\"\nhealth = \"/health\""),
            ),
            (
                "a health path without a port",
                "[services.a]\ncommand = \"x\"\nhealth = \"/health\"",
            ),
            (
                "a health URL with the name of another",
                &with("health = \"/health\"\n[services.a_health]\ncommand = \"x\"\nport = 9100"),
            ),
            (
                "a route with an invalid path",
                &with("[routes]\n\"api\" = \"a\""),
            ),
            (
                "a route to an unknown service",
                &with("[routes]\n\"/api\" = \"b\""),
            ),
            (
                "a route to a service without HTTP",
                &with("kind = \"redis\"\n[routes]\n\"/api\" = \"a\""),
            ),
            (
                "a placeholder with an unknown service",
                "[services.a]\ncommand = \"x {bakend.url}\"\nport = 9000",
            ),
            (
                "a placeholder with an unknown property",
                "[services.a]\ncommand = \"x {a.uri}\"\nport = 9000",
            ),
            (
                "a placeholder with an unknown port",
                "[services.a]\ncommand = \"x {a.port.grpc}\"\nport = 9000",
            ),
            (
                "a placeholder for a port that does not exist",
                "[services.a]\ncommand = \"x {port}\"",
            ),
        ],
    );
    transcript.assert("manifest-probes-routes-placeholders");
}

#[test]
fn manifest_files() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new();
    transcript
        .run(&sandbox, "no manifest and nothing to detect", &["detect"])
        .code(2);
    let file = sandbox.project().join("portway.toml");
    fs::create_dir(&file).unwrap();
    transcript.run(&sandbox, "a directory", &["detect"]).code(2);
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"# \xff\xfe").unwrap();
    transcript.run(&sandbox, "not UTF-8", &["detect"]).code(2);
    fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
    transcript.run(&sandbox, "too large", &["detect"]).code(2);
    fs::remove_file(&file).unwrap();
    symlink("nowhere", &file).unwrap();
    transcript
        .run(&sandbox, "a link to nothing", &["detect"])
        .code(2);
    fs::remove_file(&file).unwrap();
    transcript
        .run(
            &sandbox,
            "a directory that does not exist",
            &["-C", "nowhere", "detect"],
        )
        .code(1);
    transcript.assert("manifest-files");
}

#[test]
fn ports_files() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let file = sandbox.project().join(".ports.json");
    for (title, text) in [
        ("not JSON", &b"{broken"[..]),
        ("not UTF-8", b"{\"a\": \"\xff\"}"),
        ("not an object", b"[1]"),
        ("a port that is no port", b"{\"backend_port\": 70000}"),
        (
            "a URL of another host",
            b"{\"frontend_url\": \"http://evil.example\"}",
        ),
    ] {
        fs::write(&file, text).unwrap();
        transcript.run(&sandbox, title, &["detect"]).code(2);
    }
    fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
    transcript.run(&sandbox, "too large", &["detect"]).code(2);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    transcript.run(&sandbox, "a directory", &["detect"]).code(2);
    fs::remove_dir(&file).unwrap();
    symlink("elsewhere", &file).unwrap();
    transcript.run(&sandbox, "a link", &["detect"]).code(2);
    fs::remove_file(&file).unwrap();
    transcript.assert("ports-files");
}

#[test]
fn env_files() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new()
        .manifest("[services.a]\ncommand = \"x {port}\"\nport = \"%0-%9\"\nenv_file = \".env\"");
    for (title, text) in [
        ("a line without `=`", &b"nonsense"[..]),
        ("an invalid name", b"A B=1"),
        ("a quote without its end", b"A=\"open"),
        ("a NUL", b"A=a\0b"),
        ("not UTF-8", b"A=\xff"),
    ] {
        fs::write(sandbox.project().join(".env"), text).unwrap();
        transcript.run(&sandbox, title, &["exec", "--service", "a", "--", "true"]);
    }
    fs::remove_file(sandbox.project().join(".env")).unwrap();
    transcript.run(&sandbox, "no such file", &["env"]);
    transcript.assert("env-files");
}

#[test]
fn preferences() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let config = sandbox.path("home/.config/portway/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    for (title, text) in [
        ("not TOML", "moved ="),
        ("an unknown preference", "moevd = \"ask\""),
        (
            "an unknown preference in a table",
            "[logs]\nsiez = \"1 MiB\"",
        ),
        ("an unknown value", "moved = \"aks\""),
        ("a value of the wrong type", "moved = 3"),
        ("an invalid range", "[ranges]\nbackend = \"9099-9000\""),
        ("an invalid port", "[gateway]\nport = 70000"),
        ("an invalid list of ports", "never = [\"x\"]"),
        ("an invalid size", "[logs]\nsize = \"big\""),
        ("a size that is too small", "[logs]\nsize = \"1 KiB\""),
        ("a table instead of a value", "[moved]\na = 1"),
        ("a value instead of a table", "logs = 3"),
    ] {
        fs::write(&config, text).unwrap();
        transcript.run(&sandbox, title, &["detect"]).code(2);
    }
    transcript
        .run(
            &sandbox,
            "a command that works without preferences",
            &["ps"],
        )
        .success();
    fs::write(&config, b"# \xff").unwrap();
    transcript.run(&sandbox, "not UTF-8", &["detect"]).code(2);
    fs::remove_file(&config).unwrap();
    let mut command = sandbox.portway(&["detect"]);
    command.env("PORTWAY_MOVED", "perhaps");
    transcript.run_as(&sandbox, "a variable", "detect", command);
    let manifest = sandbox.read("portway.toml");
    sandbox.write(
        "portway.toml",
        &format!("{manifest}\n[preferences]\ncolor = \"never\""),
    );
    transcript
        .run(
            &sandbox,
            "a preference of the user in the manifest",
            &["detect"],
        )
        .code(2);
    transcript.assert("preferences");
}
