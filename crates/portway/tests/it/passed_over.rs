//! Broken files that detection meets: named, passed over, and the rest is still found.

use crate::bad_input::{refused, snapshot};
use crate::sandbox::{Sandbox, get};

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
    let git = sandbox.project().join(".git");
    let mut before = snapshot(sandbox.project());
    before.retain(|path, _| !path.starts_with(&git));
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
        .out_has(&sandbox.fill("`a` requires port %0 too"));
    sandbox
        .run(&["detect", "--with", "b"])
        .code(2)
        .err_has(&sandbox.fill("both require port %0"));
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
