//! Output without a reader: a pager, a paused terminal, a pipe of a program that does something else.

use std::fs;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use super::kill;
use crate::sandbox::{Sandbox, wait_until};

/// A server, and a service that fills every pipe.
fn flood(command: &str) -> Sandbox {
    Sandbox::new().manifest(&format!(
        "[services.flood]
        command = \"{command}\"
        [services.api]
        command = \"%service serve {{port}}\"
        port = \"%0-%9\""
    ))
}

/// Starts `portway up` with pipes that are never read, and waits until they are full.
fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut up = sandbox.portway(arguments);
    up.stdout(Stdio::piped()).stderr(Stdio::piped());
    let up = up.spawn().unwrap();
    wait_until("the service is ready", || {
        let instances = sandbox.run(&["ps", "--json"]).success().json();
        let services = instances[0]["services"].as_array().cloned();
        let mut services = services.into_iter().flatten();
        services.any(|service| service["name"] == "api" && service["state"] == "ready")
    });
    wait_until_blocked(&up);
    up
}

fn wait_until_blocked(command: &Child) {
    wait_until("a thread waits for the reader", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", command.id())).unwrap();
        tasks.flatten().any(|task| {
            let channel = fs::read_to_string(task.path().join("wchan"));
            channel.is_ok_and(|channel| channel.contains("pipe_write"))
        })
    });
}

fn wait(up: &mut Child) -> i32 {
    let mut code = None;
    wait_until("`portway up` exits", || {
        code = up.try_wait().unwrap();
        code.is_some()
    });
    code.unwrap().code().unwrap()
}

#[test]
fn a_full_pipe_does_not_delay_the_end() {
    let finite = "sh -c 'yes | head -c 40000; exec sleep 600'";
    for (arguments, command) in [(&["up"][..], "yes"), (&["-vv", "up"], finite)] {
        let sandbox = flood(command);
        let mut up = start(&sandbox, arguments);
        kill(up.id(), Signal::TERM);
        assert_eq!(wait(&mut up), 143);
        sandbox.wait_until_empty();

        let mut up = start(&sandbox, arguments);
        sandbox.run(&["down"]).success();
        assert_eq!(wait(&mut up), 0);
        sandbox.wait_until_empty();
    }
}

#[test]
fn a_failed_start_ends_although_its_error_cannot_be_printed() {
    let sandbox = Sandbox::new()
        .manifest(
            "[services.flood]
            command = \"sh -c 'yes | head -c 40000; while [ ! -e stop ]; do sleep 0.01; done; exit 3'\"
            ready = { log = \"never\" }
            restart = \"never\"",
        );
    // Both streams are one pipe, which is full.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut up = sandbox.portway(&["up"]);
    up.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = up.spawn().unwrap();
    drop(up);
    wait_until_blocked(&child);
    sandbox.write("stop", "");
    assert_ne!(wait(&mut child), 0);
    drop(reader);
    sandbox.wait_until_empty();
}
