//! Broken files that detection meets: named, passed over, and the rest is still found.

use crate::invalid_input::{directory_contents, rejected};
use crate::sandbox::{Sandbox, http_get};

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

/// Three broken files: path, text, and where each is broken.
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
fn broken_files_are_named_and_the_rest_is_found() {
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
    // Beside `.ports.json`, which git is told to leave alone.
    let mut after = directory_contents(sandbox.project());
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
fn two_that_were_found_to_insist_on_one_port_are_both_shown() {
    let sandbox = Sandbox::new().file(
        "Procfile",
        "a: python3 -m http.server %0\nb: python3 -m http.server %0\n",
    );
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
fn where_only_broken_files_are_the_error_names_them() {
    let mut sandbox = Sandbox::new();
    for (file, text, _) in BROKEN {
        sandbox = sandbox.file(file, text);
    }
    for verb in [&["plan"][..], &["detect"], &["up", "--detach"]] {
        let failure = rejected(&sandbox, &[verb, &["--json"]].concat(), 2).error("no_manifest");
        BROKEN
            .iter()
            .fold(failure, |failure, (_, _, place)| failure.mentions(place));
    }
}
