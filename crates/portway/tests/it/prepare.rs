//! Prepare steps run only when their inputs or outputs have changed.

use crate::sandbox::{Sandbox, kill, wait_until};

fn project() -> Sandbox {
    Sandbox::new()
        .manifest(
            "[services.a]\ncommand = \"%service serve {port}\"\nport = \"%0\"\n\
             prepare = { command = \"echo preparing; mkdir -p node_modules; echo x >> runs\", inputs = [\"extra\"] }",
        )
        .file("requirements.txt", "fastapi")
        .file("extra", "1")
}

/// Starts and stops the services, and returns how often the step has run so far.
fn runs(sandbox: &Sandbox) -> usize {
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down"]).success();
    sandbox.read("runs").lines().count()
}

#[test]
fn a_prepare_step_runs_again_when_its_inputs_change() {
    let sandbox = project();
    assert_eq!(runs(&sandbox), 1);
    assert_eq!(runs(&sandbox), 1);
    sandbox.write("requirements.txt", "fastapi==1");
    assert_eq!(runs(&sandbox), 2);
    sandbox.write("extra", "2");
    assert_eq!(runs(&sandbox), 3);
    sandbox.write("unrelated", "2");
    assert_eq!(runs(&sandbox), 3);
    // The output of the step is deleted.
    std::fs::remove_dir(sandbox.project().join("node_modules")).unwrap();
    assert_eq!(runs(&sandbox), 4);
    sandbox.run(&["logs"]).success().stdout_has("a │ preparing");
}

#[test]
fn a_failing_prepare_step_shows_its_last_lines_and_fails_the_start() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"touch started; sleep 600\"\n\
         prepare = \"echo cannot resolve fastapi==99 >&2; exit 4\"",
    );
    for arguments in [&["up"][..], &["up", "--detach"]] {
        let ran = sandbox.run(arguments).code(5);
        let ran = ran.stderr_has("`a`").stderr_has("code 4: cannot resolve");
        let all = ran.stdout() + &ran.stderr();
        assert!(all.contains("cannot resolve fastapi==99"), "{all}");
    }
    assert!(!sandbox.project().join("started").exists());
}

#[test]
fn prepare_steps_run_concurrently() {
    // Each step waits for the file of the other, so they complete only when they run concurrently.
    let step = |own: &str, other: &str| {
        format!("touch {own}; while ! test -f {other}; do sleep 0.01; done")
    };
    let sandbox = Sandbox::new().manifest(&format!(
        "[services.a]\ncommand = \"sleep 600\"\nprepare = \"{}\"\n\
         [services.b]\ncommand = \"sleep 600\"\nprepare = \"{}\"\nafter = [\"a\"]",
        step("a", "b"),
        step("b", "a"),
    ));
    sandbox.run(&["up", "--detach"]).success();
}

/// Two services with the same prepare step in the same directory, and one with another step.
fn with_shared_step(step: &str) -> Sandbox {
    let sandbox = Sandbox::new().manifest(&format!(
        "[services.a]\ncommand = \"sleep 600\"\ndir = \"a\"\nprepare = {{ command = \"{step}\", dir = \".\" }}\n\
         [services.b]\ncommand = \"sleep 600\"\ndir = \"b\"\nprepare = {{ command = \"{step}\", dir = \".\" }}\n\
         [services.c]\ncommand = \"sleep 600\"\nprepare = \"echo x >> of-c\"",
    ));
    for dir in ["a", "b"] {
        std::fs::create_dir(sandbox.project().join(dir)).unwrap();
    }
    sandbox
}

#[test]
fn a_shared_step_runs_once() {
    let sandbox = with_shared_step("echo x >> runs");
    for _ in 0..2 {
        sandbox.run(&["up", "--detach"]).success();
        sandbox.run(&["down"]).success();
    }
    assert_eq!(sandbox.read("runs"), "x\n");
    assert_eq!(sandbox.read("of-c"), "x\n");
}

#[test]
fn a_failing_shared_step_fails_every_service_with_it() {
    let sandbox = with_shared_step("echo x >> runs; exit 3");
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .names("a")
        .names("b")
        .mentions("code 3");
    assert_eq!(sandbox.read("runs"), "x\n");
}

#[test]
fn an_interrupted_shared_step_is_run_by_the_next_service() {
    let sandbox = with_shared_step("echo x >> runs; while ! test -f go; do sleep 0.01; done");
    let mut up = sandbox.spawn(&["up"]);
    let runs = || std::fs::read_to_string(sandbox.project().join("runs")).unwrap_or_default();
    wait_until("the step runs", || runs() == "x\n");
    sandbox.run(&["down", "a"]).success();
    wait_until("the step runs again", || runs() == "x\nx\n");
    sandbox.write("go", "");
    sandbox.run(&["wait", "b"]).success();
    sandbox.run(&["down"]).success();
    up.wait();
}

#[test]
fn an_interrupted_step_runs_again_although_its_inputs_are_unchanged() {
    let step = "echo x >> runs; while ! test -f go; do sleep 0.01; done; mkdir -p node_modules";
    let sandbox = Sandbox::new()
        .manifest(&format!(
            "[services.a]\ncommand = \"sleep 600\"\nprepare = \"{step}\""
        ))
        .file("requirements.txt", "a")
        .file("go", "");
    let runs = || {
        let text = std::fs::read_to_string(sandbox.project().join("runs")).unwrap_or_default();
        text.lines().count()
    };
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down"]).success();
    assert_eq!(runs(), 1);
    // The step starts for other inputs, is interrupted, and the inputs are those of the first run again.
    sandbox.write("requirements.txt", "b");
    std::fs::remove_file(sandbox.project().join("go")).unwrap();
    let mut up = sandbox.spawn(&["up"]);
    wait_until("the step runs", || runs() == 2);
    kill(up.pid());
    up.wait();
    sandbox.wait_until_empty();
    sandbox.write("requirements.txt", "a");
    sandbox.write("go", "");
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(runs(), 3);
}

#[test]
fn a_step_runs_on_request() {
    let sandbox = project();
    assert_eq!(runs(&sandbox), 1);
    sandbox.run(&["up", "--detach", "--prepare"]).success();
    assert_eq!(sandbox.read("runs").lines().count(), 2);
    // A running instance has prepared its services already.
    sandbox
        .fails(&["up", "--detach", "--prepare"], 2, "usage")
        .hints("portway down");
    sandbox.run(&["down"]).success();
    assert_eq!(runs(&sandbox), 2);
}

#[cfg(unix)]
#[test]
fn a_step_without_its_tool_names_the_tool() {
    for step in ["no-such-tool sync", "true && no-such-tool sync"] {
        let sandbox = Sandbox::new().manifest(&format!(
            "[services.a]\ncommand = \"sleep 600\"\nprepare = \"{step}\""
        ));
        sandbox
            .fails(&["up", "--detach"], 3, "missing_requirement")
            .names("a")
            .names("no-such-tool");
    }
}
