//! `portway logs`, and what is kept of the output of services.

use crate::sandbox::{Sandbox, wait_until};

#[test]
fn logs_are_kept_and_filtered() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --print one --print two\"\nport = \"%0\"\n\
         [services.b]\ncommand = \"echo three; sleep 600\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    wait_until("all services have printed", || {
        sandbox.run(&["logs"]).stdout().contains("three")
    });
    sandbox.run(&["down"]).success();
    let out = sandbox.run(&["logs"]).success().stdout();
    assert!(
        out.contains("a │ one\n") && out.contains("b │ three\n"),
        "{out}"
    );
    let only = sandbox
        .run(&["logs", "a", "--grep", "^t"])
        .success()
        .stdout();
    assert_eq!(only, "a │ two\n");
    assert_eq!(
        sandbox
            .run(&["logs", "--grep", "^t", "-n", "1"])
            .stdout()
            .lines()
            .count(),
        1
    );
    assert_eq!(
        sandbox.run(&["logs", "--since", "0s"]).success().stdout(),
        ""
    );
    assert_eq!(
        sandbox
            .run(&["logs", "--since", "1h", "--grep", "one"])
            .stdout(),
        "a │ one\n"
    );
    sandbox
        .fails(&["logs", "--grep", "("], 2, "usage")
        .mentions("--grep");
    sandbox
        .fails(&["logs", "c"], 2, "unknown_service")
        .names("c");
    let record = sandbox
        .run(&["logs", "--json", "--grep", "one"])
        .success()
        .json();
    assert_eq!(record["service"], "a");
    assert_eq!(record["stream"], "out");
}

#[test]
fn following_ends_when_the_instance_stops() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"i=0; while sleep 0.02; do i=$((i+1)); echo line $i; done\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    let mut follow = sandbox.spawn(&["logs", "-f"]);
    follow.wait_for_output("line 3\n");
    let seen = follow.wait_for_output("line 20\n");
    // No line is missing or repeated.
    let numbers: Vec<u32> = seen
        .lines()
        .filter_map(|line| line.strip_prefix("a │ line ")?.parse().ok())
        .collect();
    let expected: Vec<u32> = (1..=numbers.len() as u32).collect();
    assert_eq!(numbers, expected);
    sandbox.run(&["down"]).success();
    assert_eq!(follow.wait(), 0);
}

#[test]
fn following_shows_the_main_service() {
    let sandbox = Sandbox::new().manifest(
        "[services.worker]\ncommand = \"echo working; sleep 600\"\n\
         [services.web]\ncommand = \"%service serve {port} --print serving\"\nport = \"%0\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    wait_until("both have printed", || {
        let out = sandbox.run(&["logs"]).stdout();
        out.contains("working") && out.contains("serving")
    });
    let mut main = sandbox.spawn(&["logs", "--follow"]);
    let mut all = sandbox.spawn(&["logs", "--follow", "--all"]);
    let out = main.wait_for_output("serving").to_owned();
    assert!(!out.contains("working"), "{out}");
    assert!(out.contains("`web`") && out.contains("--all"), "{out}");
    all.wait_for_output("serving");
    all.wait_for_output("working");
    sandbox.run(&["down"]).success();
    assert_eq!((main.wait(), all.wait()), (0, 0));
    assert!(!main.output().contains("working"));
}

#[test]
fn a_flood_of_invalid_output_is_bounded() {
    let sandbox = Sandbox::new().manifest(
        "[services.flood]\ncommand = \"%service serve {port} --flood 60000000\"\nport = \"%0\"\n\
         [services.calm]\ncommand = \"%service serve {port}\"\nport = \"%1\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    let bytes: u64 = std::fs::read_dir(sandbox.state().join("instances"))
        .unwrap()
        .flatten()
        .flat_map(|dir| std::fs::read_dir(dir.path().join("logs")).unwrap())
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < 20_000_000, "{bytes} bytes of logs");
    let out = sandbox
        .run(&["logs", "flood", "-n", "50"])
        .success()
        .stdout();
    assert!(
        out.contains('\u{fffd}') && !out.contains('\x1b'),
        "escape sequences in a pipe"
    );
}

#[test]
fn a_partial_line_is_shown() {
    let sandbox =
        Sandbox::new().manifest("[services.a]\ncommand = \"printf 'no newline'; sleep 600\"");
    sandbox.run(&["up", "--detach"]).success();
    wait_until("the line is shown", || {
        sandbox.run(&["logs"]).stdout().contains("a │ no newline")
    });
}
