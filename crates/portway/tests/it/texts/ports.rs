//! Ports that are in use, required, excluded or moved.

use std::fs;

use crate::excluded_ports::free;
use crate::sandbox::{RunningCommand, Sandbox, http_get, test_service, two_services, wait_until};
use crate::transcript::Transcript;

/// The test service on a port, started outside Portway.
fn occupy(sandbox: &Sandbox, index: u16) -> RunningCommand {
    let mut command = sandbox.command(test_service());
    command.args(["serve", &sandbox.port(index).to_string()]);
    let running = RunningCommand::start(command);
    wait_until("it listens", || {
        http_get(sandbox.port(index), "/").is_some()
    });
    running
}

#[test]
fn ports_in_use() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let mut occupants = vec![occupy(&sandbox, 0)];
    transcript
        .run(&sandbox, "the preferred port is in use", &["detect"])
        .success();
    let ask = ["up", "--moved", "ask"];
    transcript
        .run(&sandbox, "it is in use, and `up` must ask", &ask)
        .code(4);
    sandbox.write(
        ".ports.json",
        "{\"backend_port\": %5, \"frontend_port\": %15}",
    );
    occupants.push(occupy(&sandbox, 15));
    transcript
        .run(
            &sandbox,
            "the forced port of a frontend is in use",
            &["up", "--detach"],
        )
        .success();
    sandbox.run(&["down"]).success();
    occupants.push(occupy(&sandbox, 5));
    transcript
        .run(
            &sandbox,
            "the forced port of a backend is in use",
            &["detect"],
        )
        .code(4);

    let sandbox = Sandbox::new().manifest(
        "[services.api]\ncommand = \"x\"\nport = { prefer = %0, range = \"%0-%9\" }\n\
         [services.web]\ncommand = \"x\"\nport = { prefer = %0, range = \"%0-%9\" }",
    );
    transcript
        .run(&sandbox, "two services prefer the same port", &["detect"])
        .success();
    transcript.assert("ports-in-use");
}

#[test]
fn ranges_without_a_free_port() {
    let mut transcript = Transcript::default();
    let sandbox =
        Sandbox::new().manifest("[services.api]\ncommand = \"x {port}\"\nport = \"%0-%2\"");
    let mut occupants: Vec<RunningCommand> = (0..3).map(|index| occupy(&sandbox, index)).collect();
    transcript
        .run(&sandbox, "every port is in use", &["detect"])
        .code(4);
    occupants.clear();
    let config = sandbox.path("home/.config/portway/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, sandbox.expand("never = [\"%0-%2\"]")).unwrap();
    transcript
        .run(&sandbox, "every port is excluded", &["detect"])
        .code(4);
    transcript
        .run(
            &sandbox,
            "an excluded port is required by number",
            &["detect", "--port", &sandbox.expand("api=%1")],
        )
        .success();
    transcript.assert("full-ranges");
}

#[test]
fn a_port_that_browsers_block() {
    let mut transcript = Transcript::default();
    let port = free([6000, 6566, 6665, 6666, 6668, 6669, 6697]);
    transcript.hide(port, "6000");
    let sandbox = Sandbox::new().manifest(&format!(
        "[services.api]\ncommand = \"x {{port}}\"\nport = {port}"
    ));
    transcript
        .run(&sandbox, "it is required by number", &["detect"])
        .success();
    transcript.assert("blocked-port");
}

#[test]
fn ports_of_other_instances() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new()
        .manifest("[services.api]\ncommand = \"%service serve {port}\"\nport = \"%0-%1\"");
    for name in ["first", "second", "third"] {
        let dir = sandbox.path(name);
        fs::create_dir(&dir).unwrap();
        fs::copy(
            sandbox.project().join("portway.toml"),
            dir.join("portway.toml"),
        )
        .unwrap();
    }
    let dir = |name: &str| sandbox.path(name).display().to_string();
    for name in ["first", "second"] {
        sandbox.run(&["-C", &dir(name), "up", "--detach"]).success();
    }
    let (first, third) = (dir("first"), dir("third"));
    let force = sandbox.expand("api=%0");
    transcript
        .run(
            &sandbox,
            "the forced port is leased to a running instance",
            &["-C", &third, "detect", "--port", &force],
        )
        .code(4);
    transcript
        .run(
            &sandbox,
            "every port is leased to running instances",
            &["-C", &third, "detect"],
        )
        .code(4);
    sandbox.run(&["-C", &first, "down"]).success();
    transcript
        .run(
            &sandbox,
            "the preferred port is leased to a stopped instance",
            &["-C", &third, "detect"],
        )
        .success();
    transcript.assert("ports-of-other-instances");
}

#[test]
fn a_worktree_leaves_the_preferred_port_to_the_main_checkout() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let project = sandbox.project().to_owned();
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "portway.toml"]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    let tree = sandbox.path("tree").display().to_string();
    sandbox.git(&project, &["worktree", "add", "-q", "-b", "login", &tree]);
    transcript
        .run(&sandbox, "in a worktree", &["-C", &tree, "detect"])
        .success();
    transcript
        .run(&sandbox, "a start there", &["-C", &tree, "up", "--detach"])
        .success();
    sandbox.run(&["-C", &tree, "down"]).success();
    let _other = occupy(&sandbox, 0);
    transcript
        .run(&sandbox, "a moved port", &["up", "--detach"])
        .success();
    for command in [&["up", "--detach"][..], &["restart"], &["url", "backend"]] {
        transcript
            .run(&sandbox, "a later command", command)
            .success();
    }
    transcript.assert("worktree");
}
