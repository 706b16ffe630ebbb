//! `portway run`: one command without a manifest.

use std::fs;

use crate::gateway::{gateway, request};
use crate::sandbox::{RunningCommand, Sandbox, http_get, test_service, wait_until};

/// Starts `portway run` with these arguments, in which `%service` is the test service.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> RunningCommand {
    let service = test_service();
    let expand = |one: &&str| sandbox.expand(&one.replace("%service", service.to_str().unwrap()));
    let arguments: Vec<String> = arguments.iter().map(expand).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    sandbox.spawn(&[&["run"][..], &arguments].concat())
}

/// The instance with this name, once its only service is ready.
fn ready(sandbox: &Sandbox, name: &str) -> serde_json::Value {
    let mut found = None;
    wait_until("the command is ready", || {
        let all = sandbox.run(&["ps", "--json"]).success().json();
        let mut all = all.as_array().unwrap().iter();
        let instance = all.find(|one| one["name"] == name);
        found = instance
            .filter(|one| one["services"][0]["state"] == "ready")
            .cloned();
        found.is_some()
    });
    found.unwrap()
}

fn port(instance: &serde_json::Value) -> u16 {
    let port = instance["services"][0]["ports"][0]["port"].as_u64();
    u16::try_from(port.unwrap()).unwrap()
}

#[cfg(unix)]
#[test]
fn a_command_gets_a_port_a_name_and_ends_with_ctrl_c() {
    use rustix::process::Signal;

    let sandbox = Sandbox::new();
    let start = || {
        run(
            &sandbox,
            &[
                "--port",
                "%0",
                "--name",
                "docs",
                "--",
                "%service",
                "serve",
                "{port}",
                "--grandchild",
                "daemon",
            ],
        )
    };
    let mut command = start();
    let instance = ready(&sandbox, "docs");
    assert_eq!(port(&instance), sandbox.port(0));
    let pid = http_get(sandbox.port(0), "/").unwrap();
    assert_eq!(pid, instance["services"][0]["pid"].to_string());
    assert_eq!(
        http_get(sandbox.port(0), "/env/PORT").unwrap(),
        sandbox.port(0).to_string()
    );
    // Nothing is written to the project.
    let files: Vec<_> = fs::read_dir(sandbox.project()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    // The name is in use, another one is not.
    let again = sandbox
        .run(&["run", "--name", "docs", "--", "true"])
        .code(2);
    again.stderr_has("`docs` is running").stderr_has("--name");
    command.signal(Signal::INT);
    assert_eq!(command.wait(), 130);
    sandbox.wait_until_empty();
}

#[test]
fn the_gateway_serves_the_command_under_its_name() {
    let sandbox = Sandbox::new();
    let _gateway = gateway(&sandbox);
    let root = sandbox.project().to_owned();
    fs::remove_dir_all(root.join(".git")).unwrap();
    sandbox.git(&root, &["init", "-q"]);
    fs::write(root.join("file"), "").unwrap();
    sandbox.git(&root, &["add", "-A"]);
    sandbox.git(&root, &["commit", "-qm", "one"]);
    let tree = sandbox.path("tree");
    let tree = tree.to_str().unwrap();
    sandbox.git(&root, &["worktree", "add", "-q", "-b", "fix/a", tree]);
    let serve = ["--", "%service", "serve", "{port}"];
    let (main, other) = (["--name", "docs"], ["--name", "site"]);
    let mut commands = vec![run(&sandbox, &[&main[..], &serve].concat())];
    commands.push(run(&sandbox, &[&other[..], &serve].concat()));
    let mut in_tree = sandbox.portway(&["run", "--name", "docs"]);
    in_tree.args(serve.map(|word| sandbox.expand(word)));
    commands.push(RunningCommand::start({
        in_tree.current_dir(tree);
        in_tree
    }));
    for name in ["docs", "site", "fix-a.docs"] {
        let instance = ready(&sandbox, name);
        let host = format!("{name}.localhost");
        let pid = instance["services"][0]["pid"].to_string();
        assert_eq!(request(&sandbox, &host, "/"), (200, pid), "{name}");
        let url = format!("http://{host}:{}", sandbox.port(39));
        sandbox.run(&["ps"]).success().stdout_has(&url);
        let directory = instance["directory"].as_str().unwrap();
        let named = sandbox.run(&["-C", directory, "url", "--name"]);
        assert_eq!(named.success().stdout().trim(), url);
        sandbox.run(&["-C", directory, "down"]).success();
        wait_until("the name is free", || {
            request(&sandbox, &host, "/").0 != 200
        });
    }
    for mut command in commands {
        assert_eq!(command.wait(), 0);
    }
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let sandbox = Sandbox::new();
    for (arguments, code) in [
        (&["%service", "sleep", "--fail", "7"][..], 7),
        (&["%service", "sleep", "--fail", "0"], 0),
        (&["missing-program"], 127),
    ] {
        let mut command = run(&sandbox, &[&["--"][..], arguments].concat());
        assert_eq!(command.wait(), code, "{arguments:?}");
        sandbox.wait_until_empty();
    }
    sandbox.run(&["run"]).code(2);
    sandbox
        .run(&["run", "--name", "My Docs", "--", "true"])
        .code(2)
        .stderr_has("not a valid name");
}

#[test]
fn the_port_stays_the_same_and_is_one_per_name() {
    let sandbox = Sandbox::new();
    let mut ports = Vec::new();
    for _ in 0..2 {
        let one = run(
            &sandbox,
            &["--name", "one", "--", "%service", "serve", "{port}"],
        );
        let two = run(&sandbox, &["--name", "two", "%service serve $PORT"]);
        let (first, second) = (ready(&sandbox, "one"), ready(&sandbox, "two"));
        ports.push((port(&first), port(&second)));
        for (mut command, instance) in [(one, first), (two, second)] {
            let directory = instance["directory"].as_str().unwrap();
            sandbox.run(&["-C", directory, "down"]).success();
            assert_eq!(command.wait(), 0);
        }
    }
    assert_ne!(ports[0].0, ports[0].1);
    assert_eq!(ports[0], ports[1]);
}

#[cfg(target_os = "linux")]
#[test]
fn in_a_network_of_its_own_any_port_is_observed() {
    let sandbox = Sandbox::new();
    let mut command = run(
        &sandbox,
        &[
            "--isolate",
            "--port",
            "%0",
            "--",
            "%service",
            "serve",
            "7777",
        ],
    );
    let instance = ready(&sandbox, "project");
    assert_eq!(port(&instance), sandbox.port(0));
    assert_eq!(instance["services"][0]["ports"][0]["inner"], 7777);
    let pid = http_get(sandbox.port(0), "/").unwrap();
    assert_eq!(pid, instance["services"][0]["pid"].to_string());
    let directory = instance["directory"].as_str().unwrap();
    sandbox.run(&["-C", directory, "down"]).success();
    assert_eq!(command.wait(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn in_a_running_checkout_the_command_joins_its_network_and_variables() {
    let sandbox = Sandbox::new().manifest(
        "isolation = \"network\"\n[project]\nname = \"shop\"\n\
         [services.api]\ncommand = \"%service serve 5000\"\n\
         port = { range = \"%0-%9\", usual = 5000 }\n",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let api = status["services"][0]["pid"].to_string();
    // The usual port of the service is taken in this network.
    let mut command = run(
        &sandbox,
        &[
            "--port",
            "%20",
            "curl -sS http://localhost:5000/ -o api.txt && %service serve {port}",
        ],
    );
    let instance = ready(&sandbox, "shop-curl");
    assert_eq!(sandbox.read("api.txt"), api);
    assert_eq!(port(&instance), sandbox.port(20));
    assert!(http_get(sandbox.port(20), "/").is_some());
    assert_eq!(
        http_get(sandbox.port(20), "/env/API_URL").unwrap(),
        format!("http://localhost:{}", sandbox.port(0))
    );
    // The service of the checkout runs on.
    assert_eq!(http_get(sandbox.port(0), "/").unwrap(), api);
    let directory = instance["directory"].as_str().unwrap();
    sandbox.run(&["-C", directory, "down"]).success();
    assert_eq!(command.wait(), 0);
    assert_eq!(http_get(sandbox.port(0), "/").unwrap(), api);
}
