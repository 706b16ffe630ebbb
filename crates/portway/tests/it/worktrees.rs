//! Several instances of a project: worktrees, clones and copies.

use std::fs;
use std::process::Command;

use crate::sandbox::{Sandbox, TWO_SERVICES, http_get, wait_until};

/// A Git repository with a committed manifest.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new().manifest(TWO_SERVICES);
    let project = sandbox.project().to_owned();
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    sandbox
}

fn add_worktree(sandbox: &Sandbox, name: &str, branch: &str) -> String {
    let dir = sandbox.path(name).display().to_string();
    sandbox.git(
        sandbox.project(),
        &["worktree", "add", "-q", "-b", branch, &dir],
    );
    dir
}

fn backend(sandbox: &Sandbox, dir: &str) -> u64 {
    let out = sandbox
        .run(&["-C", dir, "port", "backend"])
        .success()
        .stdout();
    out.trim().parse().unwrap()
}

#[test]
fn the_main_checkout_keeps_the_preferred_ports() {
    let sandbox = repository();
    let worktree = add_worktree(&sandbox, "w", "feature/auth");
    // The worktree is the first to choose.
    let other = backend(&sandbox, &worktree);
    assert_eq!(other, u64::from(sandbox.port(1)));
    let detect = ["-C", &worktree, "detect", "--json"];
    let json = sandbox.run(&detect).success().json();
    let displaced = &json["services"][0]["ports"][0]["displaced"];
    assert_eq!(displaced["wanted"], sandbox.port(0));
    assert_eq!(displaced["forced"], false);
    assert_eq!(displaced.get("excluded"), None);
    // No instance or process is using the port, so the message names none.
    let holder = displaced["holder"].as_str().unwrap();
    assert!(
        !holder.contains('`') && holder.contains("main checkout"),
        "{holder}"
    );
    assert_eq!(backend(&sandbox, "."), u64::from(sandbox.port(0)));
}

#[test]
fn nothing_is_created_where_the_main_checkout_was() {
    let sandbox = repository();
    let worktree = add_worktree(&sandbox, "w", "a");
    let git = sandbox.project().join(".git");
    fs::rename(&git, sandbox.path("moved.git")).unwrap();
    // Whether this works is not the question here.
    sandbox.run(&["-C", &worktree, "detect"]);
    assert!(!git.exists());
}

#[test]
fn a_worktree_gets_listed_files_that_git_ignores() {
    let sandbox = repository();
    let project = sandbox.project().to_owned();
    sandbox.write(".gitignore", ".env*\nkeys/\nlink\n");
    sandbox.write(".worktreeinclude", "/.env\nkeys\n/link\n/notes\n");
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "ignore"]);
    sandbox.write(".env", "SECRET=s\n");
    sandbox.write(".env.local", "LOCAL=1\n");
    sandbox.write("keys/dev.pem", "key\n");
    // Not ignored by git, so it is not one of these files.
    sandbox.write("notes", "untracked\n");
    std::os::unix::fs::symlink("/etc/hostname", project.join("link")).unwrap();
    let worktree = add_worktree(&sandbox, "w", "feature");
    let path = |name: &str| sandbox.path("w").join(name);
    sandbox
        .run(&["-C", &worktree, "up", "--detach"])
        .success()
        .stderr_has("copied `.env`, `keys/dev.pem` from the main checkout")
        .stderr_has("this worktree lacks `.env.local`");
    assert_eq!(fs::read_to_string(path(".env")).unwrap(), "SECRET=s\n");
    assert_eq!(fs::read_to_string(path("keys/dev.pem")).unwrap(), "key\n");
    for name in ["link", "notes", ".env.local"] {
        assert!(path(name).symlink_metadata().is_err(), "{name}");
    }
    sandbox.run(&["-C", &worktree, "down"]).success();
    // A file of the worktree stays as it is.
    fs::write(path(".env"), "SECRET=own\n").unwrap();
    sandbox.run(&["-C", &worktree, "up", "--detach"]).success();
    assert_eq!(fs::read_to_string(path(".env")).unwrap(), "SECRET=own\n");
    sandbox.run(&["-C", &worktree, "down"]).success();
}

#[test]
fn commands_before_the_first_start_say_what_it_copies() {
    let manifest = "[services.api]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
                    database = { template = \"shop_dev\", env = [\"DB_URL\", \"DB_NAME\"] }\n";
    let sandbox = Sandbox::new().manifest(manifest);
    let project = sandbox.project().to_owned();
    sandbox.write(".gitignore", ".env\n.ports.json\n");
    sandbox.write(".worktreeinclude", ".env\n");
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    sandbox.write(
        ".env",
        "DB_URL=postgres://app:x@localhost:15999/shop_dev\nDB_NAME=shop_dev\n",
    );
    let worktree = add_worktree(&sandbox, "w", "feature");
    for command in ["plan", "env", "detect"] {
        let run = sandbox.run(&["-C", &worktree, command]);
        assert_ne!(run.exit_code(), 0);
        run.stderr_has("`DB_URL` and `DB_NAME` have no value")
            .stderr_has("run `portway up`, which copies `.env` from the main checkout");
    }
}

#[test]
fn a_port_that_code_requires_is_named_with_its_line() {
    let sandbox = Sandbox::new()
        .file(
            "package.json",
            "{\"name\": \"shop\", \"scripts\": {\"dev\": \"node server.js\"}}",
        )
        .file(
            "server.js",
            "const http = require('http')\nhttp.createServer((_, to) => to.end('hi')).listen(%0)\n",
        );
    let project = sandbox.project().to_owned();
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    let worktree = add_worktree(&sandbox, "w", "feature");
    sandbox.run(&["up", "--detach"]).success();
    let mut up = sandbox.portway(&["-C", &worktree, "up", "--detach"]);
    up.env("PORTWAY_ISOLATION", "none");
    let run = sandbox.run_command(up);
    assert_ne!(run.exit_code(), 0);
    let said = run.stderr();
    let port = sandbox.port(0);
    assert!(
        said.contains(&format!(
            "server.js:2 requires port {port}; read `process.env.PORT` there to allow any port"
        )),
        "{said}"
    );
    assert!(said.contains("down` to stop `"), "{said}");
    assert!(!said.contains("larger range"), "{said}");
    assert!(!said.contains("portway.toml"), "{said}");
    // With a network of its own, the worktree uses the same port.
    let plan = sandbox.run(&["-C", &worktree, "plan"]).success();
    plan.stdout_has("a network of its own")
        .stdout_has("the port of `backend` cannot be changed");
    let up = sandbox.run(&["-C", &worktree, "up", "--detach", "--json"]);
    let status = up.success().json();
    let served = &status["services"][0]["ports"][0];
    assert_eq!(served["inner"], port);
    assert_ne!(served["port"], port);
    let outside = u16::try_from(served["port"].as_u64().unwrap()).unwrap();
    assert_eq!(http_get(outside, "/").unwrap(), "hi");
    sandbox.run(&["-C", &worktree, "down"]).success();
    sandbox.run(&["down"]).success();
}

#[test]
fn worktrees_keep_their_ports() {
    let sandbox = repository();
    let first = add_worktree(&sandbox, "a", "a");
    let second = add_worktree(&sandbox, "b", "b");
    let before = [backend(&sandbox, &first), backend(&sandbox, &second)];
    assert_ne!(before[0], before[1]);
    // In the other order, after a run, and while the main checkout runs.
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(backend(&sandbox, &second), before[1]);
    sandbox.run(&["-C", &first, "up", "--detach"]).success();
    sandbox.run(&["-C", &first, "down"]).success();
    assert_eq!(backend(&sandbox, &first), before[0]);
}

#[test]
fn instances_run_concurrently_and_ps_lists_them_all() {
    let sandbox = repository();
    let worktree = add_worktree(&sandbox, "w", "fix/login");
    let clone = sandbox.path("clone").display().to_string();
    sandbox.git(&sandbox.path("."), &["clone", "-q", "project", "clone"]);
    for dir in [".", &worktree, &clone] {
        sandbox.run(&["-C", dir, "up", "--detach"]).success();
    }
    let list = sandbox.run(&["ps", "--json"]).success().json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 3);
    let mut names: Vec<_> = list
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names[0], "fix-login.jobi");
    assert_eq!(names[1], "jobi");
    assert!(names[2].starts_with("jobi-"), "{names:?}");
    for one in list {
        assert_eq!(one["state"], "ready");
        let port = one["services"][0]["ports"][0]["port"].as_u64().unwrap();
        let served = http_get(port as u16, "/env/PORTWAY_INSTANCE").unwrap();
        assert_eq!(served, one["name"].as_str().unwrap());
    }
    let out = sandbox.run(&["ps"]).success().stdout();
    assert!(out.contains("fix/login") && out.contains("main"), "{out}");
    // Stopping one does not stop the others.
    sandbox.run(&["-C", &worktree, "down"]).success();
    let list = sandbox.run(&["ps", "--json"]).success().json();
    let ready = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["state"] == "ready");
    assert_eq!(ready.count(), 2);
    sandbox.run(&["-C", &clone, "down"]).success();
}

#[test]
fn the_branch_is_updated_while_the_instance_runs() {
    let sandbox = repository();
    sandbox.run(&["up", "--detach"]).success();
    let instance = || sandbox.run(&["ps", "--json"]).success().json()[0].clone();
    let before = instance();
    let project = sandbox.project();
    sandbox.git(project, &["switch", "-q", "-c", "feature/auth"]);
    wait_until("the new branch is reported", || {
        instance()["branch"] == "feature/auth"
    });
    sandbox.git(project, &["switch", "-q", "--detach"]);
    wait_until("the commit is reported", || {
        let branch = instance()["branch"].as_str().unwrap().to_owned();
        branch.len() == 8 && branch.chars().all(|one| one.is_ascii_hexdigit())
    });
    // The name and the processes do not change.
    let now = instance();
    for key in ["name", "id", "pid"] {
        assert_eq!(now[key], before[key], "{key}");
    }
    assert_eq!(now["services"], before["services"]);
}

#[test]
fn a_copy_with_its_ports_file_forces_nothing() {
    let sandbox = repository();
    sandbox.run(&["up", "--detach"]).success();
    let copy = sandbox.path("copy");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(sandbox.project())
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    let copy = copy.display().to_string();
    sandbox.run(&["-C", &copy, "up", "--detach"]).success();
    assert_eq!(backend(&sandbox, "."), u64::from(sandbox.port(0)));
    assert_eq!(backend(&sandbox, &copy), u64::from(sandbox.port(1)));
}

#[test]
fn ports_of_a_removed_worktree_are_reused() {
    let sandbox =
        Sandbox::new().manifest("[services.backend]\ncommand = \"x {port}\"\nport = \"%0-%1\"");
    let project = sandbox.project().to_owned();
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    let first = add_worktree(&sandbox, "a", "a");
    assert_eq!(backend(&sandbox, &first), u64::from(sandbox.port(1)));
    fs::remove_dir_all(&first).unwrap();
    let second = add_worktree(&sandbox, "b", "b");
    assert_eq!(backend(&sandbox, &second), u64::from(sandbox.port(1)));
}

#[test]
fn ports_of_stopped_instances_are_reused_when_the_range_is_full() {
    let sandbox = Sandbox::new()
        .manifest("[services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%1\"");
    for name in ["a", "b", "c"] {
        let dir = sandbox.path(name);
        fs::create_dir(&dir).unwrap();
        fs::copy(
            sandbox.project().join("portway.toml"),
            dir.join("portway.toml"),
        )
        .unwrap();
    }
    let dir = |name: &str| sandbox.path(name).display().to_string();
    assert_eq!(backend(&sandbox, &dir("a")), u64::from(sandbox.port(0)));
    assert_eq!(backend(&sandbox, &dir("b")), u64::from(sandbox.port(1)));
    sandbox.run(&["-C", &dir("b"), "up", "--detach"]).success();
    // `a` is stopped, so its port is reused. `b` runs, so its port is not.
    assert_eq!(backend(&sandbox, &dir("c")), u64::from(sandbox.port(0)));
    sandbox.run(&["-C", &dir("c"), "up", "--detach"]).success();
    sandbox
        .fails(&["-C", &dir("a"), "detect"], 4, "range_full")
        .mentions(sandbox.expand("%0-%1"))
        .hints(&sandbox.port(0).to_string())
        .hints(&sandbox.port(1).to_string());
    for name in ["b", "c"] {
        sandbox.run(&["-C", &dir(name), "down"]).success();
    }
}

#[test]
fn a_worktree_inside_the_main_checkout_is_a_checkout_of_its_own() {
    let sandbox = Sandbox::new();
    let project = sandbox.project().to_owned();
    sandbox.write(
        "package.json",
        "{\"name\": \"shop\", \"scripts\": {\"dev\": \"node server.js\"}, \"dependencies\": {\"express\": \"*\"}}",
    );
    sandbox.write("server.js", "");
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    let worktree = add_worktree(&sandbox, "project/fix", "fix");
    // The services of the worktree are not those of the main checkout.
    let plan = |dir: &str| {
        let plan = sandbox.run(&["-C", dir, "plan", "--json"]);
        plan.success().json()
    };
    let main = plan(".");
    assert_eq!(main["services"].as_array().unwrap().len(), 1, "{main:#}");
    // The main checkout's manifest, which is not committed, is not used in the worktree.
    sandbox.write("portway.toml", TWO_SERVICES);
    let services = plan(&worktree)["services"].clone();
    assert_eq!(services, main["services"]);
    let below = format!("{worktree}/below");
    fs::create_dir(&below).unwrap();
    let plan = sandbox.run(&["-C", &below, "plan", "--json"]);
    plan.error("no_manifest");
}

#[test]
fn the_name_of_a_worktree_contains_the_project() {
    let sandbox = Sandbox::new();
    let project = sandbox.project().to_owned();
    sandbox.write(
        "portway.toml",
        "[services.a]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         env = { DATABASE = \"app_{instance}\" }",
    );
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    let name = |dir: &str| {
        let env = sandbox.run(&["-C", dir, "env", "a", "--json"]);
        let env = env.success().json();
        let name = env["PORTWAY_INSTANCE"].as_str().unwrap().to_owned();
        assert_eq!(env["DATABASE"], format!("app_{name}"));
        name
    };
    assert_eq!(name("."), "project");
    let worktree = add_worktree(&sandbox, "w", "fix/login");
    assert_eq!(name(&worktree), "fix-login.project");
    // A bare repository with worktrees.
    let top = sandbox.path(".");
    sandbox.git(&top, &["clone", "-q", "--bare", "project", "shop.git"]);
    let bare = sandbox.path("shop.git");
    sandbox.git(&bare, &["worktree", "add", "-q", "-b", "try", "../one"]);
    assert_eq!(name(&sandbox.path("one").display().to_string()), "try.shop");
}
