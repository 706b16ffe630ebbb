//! Prepare steps: run when they have to, and only then.

use crate::sandbox::Sandbox;

fn project() -> Sandbox {
    Sandbox::new()
        .manifest(
            "[services.a]\ncommand = \"%service serve {port}\"\nport = \"%0\"\n\
             prepare = { command = \"echo preparing; mkdir -p node_modules; echo x >> runs\", inputs = [\"extra\"] }",
        )
        .file("requirements.txt", "fastapi")
        .file("extra", "1")
}

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
    // What it made is gone.
    std::fs::remove_dir(sandbox.project().join("node_modules")).unwrap();
    assert_eq!(runs(&sandbox), 4);
    sandbox.run(&["logs"]).success().out_has("a │ preparing");
}

#[test]
fn a_failing_prepare_step_shows_its_last_lines_and_stops() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"touch started; sleep 600\"\n\
         prepare = \"echo cannot resolve fastapi==99 >&2; exit 4\"",
    );
    for arguments in [&["up"][..], &["up", "--detach"]] {
        let ran = sandbox.run(arguments).code(5);
        let ran = ran.err_has("its prepare step ended with code 4");
        let all = ran.out() + &ran.err();
        assert!(all.contains("cannot resolve fastapi==99"), "{all}");
    }
    assert!(!sandbox.project().join("started").exists());
}

#[test]
fn prepare_steps_run_side_by_side() {
    // Each waits for the other's file, so one after the other would never end.
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
