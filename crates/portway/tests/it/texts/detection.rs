//! What is found without a manifest, and which files cannot be read.

use crate::engine::with_engine;
use crate::sandbox::Sandbox;
use crate::transcript::Transcript;

/// Makes services of a Procfile use a port of the sandbox.
fn prefer_own_port(sandbox: &Sandbox) {
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["config", "set", "prefer.frameworks.procfile", &port])
        .success();
}

#[test]
fn files_that_cannot_be_read() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new()
        .file(
            "Procfile",
            "no process\nweb: python3 -m http.server $PORT\nweb: again\n",
        )
        .file("web/package.json", "{\"scripts\": {]")
        .file("compose.yaml", "services:\n  db:\n    image: [\n")
        .file("api/pyproject.toml", "[broken\n");
    prefer_own_port(&sandbox);
    transcript.run(&sandbox, "invalid files and a service", &["plan"]);
    transcript.run(&sandbox, "invalid files and a service", &["detect"]);
    let sandbox = Sandbox::new().file("compose.yaml", "services:\n  db:\n    image: [\n");
    transcript.run(&sandbox, "an invalid file and no service", &["detect"]);
    let sandbox = Sandbox::new().file("Procfile", "web: %service serve $PORT\n");
    prefer_own_port(&sandbox);
    transcript.run(&sandbox, "a start without a manifest", &["up", "--detach"]);
    sandbox.run(&["down"]).success();
    let sandbox = Sandbox::new()
        .file("Procfile", "a: node a.js\nb: node b.js\n")
        .file("a.js", "app.listen(8000)\n")
        .file("b.js", "app.listen(8000)\n");
    transcript.run(&sandbox, "two services on one port", &["plan"]);
    transcript.run(&sandbox, "both of them", &["detect", "--with", "b"]);
    transcript.assert("detection");
}

#[test]
fn a_parent_folder_of_checkouts() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new();
    // Outside the checkout of the sandbox.
    let parent = tempfile::tempdir().unwrap();
    let parent = parent.path().canonicalize().unwrap();
    for name in ["jobi", "my shop"] {
        let git = parent.join(name).join(".git");
        std::fs::create_dir_all(&git).unwrap();
        std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let package = "{ \"scripts\": { \"dev\": \"vite\" } }";
        std::fs::write(parent.join(name).join("package.json"), package).unwrap();
    }
    transcript.hide(parent.display(), "~/src");
    let parent = parent.to_str().unwrap();
    for command in ["up", "plan"] {
        transcript
            .run(&sandbox, "in the parent", &["-C", parent, command])
            .code(2);
    }
    std::fs::remove_dir_all(std::path::Path::new(parent).join("jobi")).unwrap();
    transcript
        .run(&sandbox, "one checkout", &["-C", parent, "up"])
        .code(2);
    transcript.assert("parent-folder");
}

#[test]
fn frameworks_that_are_found() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new()
        .file("requirements.txt", "fastapi[standard]\n")
        .file("main.py", "from fastapi import FastAPI\napp = FastAPI()\n")
        .file(
            "web/package.json",
            "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"^7\"}}",
        )
        .file("web/package-lock.json", "{}")
        .file(
            "compose.yaml",
            "services:\n  db:\n    image: postgres:17\n    ports: [\"5432:5432\"]\n",
        );
    // Without an engine, the database would be optional.
    with_engine(|engine| {
        let plan = engine.portway(&sandbox, &["plan"]);
        let title = "a backend, a frontend and a database";
        transcript.run_as(&sandbox, title, "plan", plan);
        transcript.assert("frameworks");
    });
}
