//! Detection reports files that it cannot read, skips them, and uses the rest.

use crate::invalid_input::{directory_contents, rejected};
use crate::sandbox::{Sandbox, http_get};

/// A `manage.py` like Django's that needs no package.
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

/// Broken files: path, content, and place of the error.
const BROKEN: [(&str, &str, &str); 3] = [
    ("web/package.json", "{\"scripts\": {]", "web/package.json"),
    ("Procfile", "# what runs\n\nno process\n", "Procfile:3"),
    (
        "compose.yaml",
        "services:\n  db:\n    image: [\n",
        "compose.yaml",
    ),
];

#[test]
fn broken_files_are_reported_and_the_rest_is_detected() {
    let mut sandbox = Sandbox::new().file("api/manage.py", MANAGE);
    for (file, text, _) in BROKEN {
        sandbox = sandbox.file(file, text);
    }
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["config", "set", "prefer.frameworks.django", &port])
        .success();
    let git = sandbox.project().join(".git");
    let mut before = directory_contents(sandbox.project());
    before.retain(|path, _| !path.starts_with(&git));
    let plan = sandbox
        .run(&["plan"])
        .success()
        .stdout_has("api  django  in api");
    let json = sandbox.run(&["plan", "--json"]).success().json();
    let up = sandbox.run(&["up", "--detach"]).success();
    assert_eq!(http_get(sandbox.port(0), "/").as_deref(), Some("up"));
    for (_, _, place) in BROKEN {
        for ran in [&plan, &up] {
            let warnings = ran.stderr();
            let mut warnings = warnings
                .lines()
                .filter(|line| line.starts_with("warning: "));
            let named = warnings
                .by_ref()
                .filter(|line| line.contains(&format!("{place}`")));
            assert_eq!(named.count(), 1, "{place}\n{}", ran.stderr());
        }
    }
    let skipped = json["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), BROKEN.len(), "{skipped:?}");
    for one in skipped {
        assert!(!one["why"].as_str().unwrap().is_empty(), "{one}");
    }
    assert_eq!(json["services"].as_array().unwrap().len(), 1);
    sandbox.run(&["down"]).success();
    // Only `.ports.json` is new, and Git ignores it.
    let mut after = directory_contents(sandbox.project());
    after.retain(|path, _| !path.ends_with(".ports.json") && !path.starts_with(&git));
    assert_eq!(after, before);
}

#[test]
fn only_broken_lines_of_a_procfile_are_skipped() {
    let sandbox = Sandbox::new().file(
        "Procfile",
        "web: %service serve $PORT\nno process\nweb: a second\nempty:\n",
    );
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["config", "set", "prefer.frameworks.procfile", &port])
        .success();
    let before = sandbox.read("Procfile");
    for command in [&["plan"][..], &["up", "--detach"]] {
        sandbox
            .run(command)
            .success()
            .stderr_has("Procfile:2`")
            .stderr_has("Procfile:3`")
            .stderr_has("`web`")
            .stderr_has("Procfile:4`")
            .stderr_has("`name: command`");
    }
    assert!(http_get(sandbox.port(0), "/").is_some());
    assert_eq!(sandbox.read("Procfile"), before);
    sandbox.run(&["down"]).success();
}

#[test]
fn two_detected_services_that_require_one_port_are_both_listed() {
    let sandbox = Sandbox::new()
        .file("Procfile", "a: node a.js\nb: node b.js\n")
        .file("a.js", "app.listen(%0)\n")
        .file("b.js", "app.listen(%0)\n");
    let plan = sandbox.run(&["plan", "--json"]).success().json();
    let (a, b) = (&plan["services"][0], &plan["services"][1]);
    assert_eq!((&a["name"], &a["optional"]), (&"a".into(), &false.into()));
    assert_eq!((&b["name"], &b["optional"]), (&"b".into(), &true.into()));
    let evidence = b["evidence"].to_string();
    assert!(evidence.contains("`a`"), "{evidence}");
    assert!(evidence.contains(&sandbox.expand("port %0")), "{evidence}");
    sandbox
        .fails(&["detect", "--with", "b"], 2, "manifest_invalid")
        .names("a")
        .names("b")
        .mentions(sandbox.expand("port %0"));
}

#[test]
fn an_error_names_broken_files_if_there_are_no_others() {
    let mut sandbox = Sandbox::new();
    for (file, text, _) in BROKEN {
        sandbox = sandbox.file(file, text);
    }
    for command in [&["plan"][..], &["detect"], &["up", "--detach"]] {
        let failure = rejected(&sandbox, &[command, &["--json"]].concat(), 2).error("no_manifest");
        BROKEN
            .iter()
            .fold(failure, |failure, (_, _, place)| failure.mentions(place));
    }
}
