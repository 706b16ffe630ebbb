//! Instances that do not respond, and instances whose directory has changed.

use std::fs::File;
use std::thread;

use crate::identity::{moved, replaced};
use crate::sandbox::two_services;
use crate::silence::Suspended;
use crate::transcript::Transcript;

#[test]
fn commands_that_wait() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let suspended = Suspended::of(&sandbox);
    transcript.hide_pid(suspended.0, "1234");
    let commands: [&[&str]; 5] = [
        &["ps"],
        &["up", "--detach"],
        &["wait"],
        &["restart"],
        &["down"],
    ];
    // They wait at the same time.
    let ran: Vec<_> = thread::scope(|scope| {
        let sandbox = &sandbox;
        let run = |arguments| scope.spawn(move || sandbox.run(arguments));
        let running: Vec<_> = commands.into_iter().map(run).collect();
        let ended = running.into_iter().map(|command| command.join().unwrap());
        ended.collect()
    });
    for (arguments, ran) in commands.iter().zip(&ran) {
        let title = "a suspended supervisor";
        transcript.record(&sandbox, title, &arguments.join(" "), ran);
    }
    drop(suspended);
    sandbox.run(&["down"]).success();

    let lock = File::open(sandbox.state().join("registry.lock")).unwrap();
    lock.lock().unwrap();
    transcript.hide_pid(std::process::id(), "1234");
    let mut detect = sandbox.spawn(&["detect"]);
    let waiting = detect.wait_for_output("registry.lock`\n").to_owned();
    transcript.text(&sandbox, "a locked registry", &waiting);
    drop(lock);
    assert_eq!(detect.wait(), 0);
    transcript.assert("waiting");
}

#[test]
fn directories_that_have_changed() {
    let mut transcript = Transcript::default();
    let (sandbox, _) = moved();
    for arguments in [
        &["port", "backend"][..],
        &["wait"],
        &["up", "--detach"],
        &["down"],
    ] {
        transcript
            .run(&sandbox, "a moved directory", arguments)
            .success();
    }
    let sandbox = replaced();
    for arguments in [&["port", "backend"][..], &["wait"], &["restart"]] {
        transcript
            .run(&sandbox, "a replaced directory", arguments)
            .code(1);
    }
    for arguments in [&["up", "--detach"][..], &["down"]] {
        transcript
            .run(&sandbox, "a replaced directory", arguments)
            .success();
    }
    let sandbox = replaced();
    transcript
        .run(&sandbox, "a replaced directory", &["down"])
        .success();
    transcript.assert("changed-directories");
}
