//! Changes that are not applied: failures, dry runs, and what shows a change until it is applied.

use super::{WORKER, pid, plan, status, up};
use crate::sandbox::{RunningCommand, Sandbox, TWO_SERVICES, two_services};

#[test]
fn an_invalid_manifest_changes_nothing() {
    let sandbox = two_services();
    up(&sandbox);
    let before = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    let env = || sandbox.run(&["env"]).success().stdout();
    let variables = env();
    sandbox.write("portway.toml", "[services.backend]\ncommand = 7\n");
    sandbox
        .fails(&["up", "--detach"], 2, "manifest_invalid")
        .at("portway.toml:2");
    sandbox.fails(&["up", "--dry-run"], 2, "manifest_invalid");
    assert_eq!(
        (pid(&sandbox, "backend"), pid(&sandbox, "frontend")),
        before
    );
    // What runs is still printed.
    assert_eq!(env(), variables);
    let port = sandbox.run(&["port", "backend"]).success().stdout();
    assert_eq!(port, format!("{}\n", sandbox.port(0)));
    let url = sandbox.run(&["url", "frontend"]).success().stdout();
    assert_eq!(url, sandbox.expand("http://localhost:%10\n"));
    // A file that cannot be used fails before anything changes, too.
    let missing = TWO_SERVICES.replace("env = {", "env_file = \"missing.env\"\nenv = {");
    sandbox.write("portway.toml", &missing);
    sandbox.run(&["up", "--detach"]).code(1);
    assert_eq!(
        (pid(&sandbox, "backend"), pid(&sandbox, "frontend")),
        before
    );
}

#[test]
fn nothing_is_remembered_of_a_command_that_failed() {
    let optional = "\n[services.extra]\ncommand = \"%service sleep --fail 3\"\n\
                    restart = \"never\"\noptional = true\n";
    let sandbox = Sandbox::new().manifest(&format!("{TWO_SERVICES}{optional}"));
    let names = || -> Vec<String> {
        let status = sandbox.status();
        let services = status["services"].as_array().unwrap().iter();
        let names = services.map(|service| service["name"].as_str().unwrap().to_owned());
        names.collect()
    };
    // At a start, in the foreground and in the background.
    sandbox
        .run(&["up", "--detach", "--with", "extra"])
        .code(5)
        .stderr_has("`extra`");
    sandbox.run(&["down"]).success();
    assert_eq!(names(), ["backend", "frontend"]);
    let mut foreground = sandbox.spawn(&["up", "--with", "extra"]);
    foreground.wait_for_output("press Ctrl-C to stop");
    sandbox.run(&["down"]).success();
    assert_eq!(foreground.wait(), 0);
    assert_eq!(names(), ["backend", "frontend"]);
    // Because a port is in use.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = format!("backend={}", listener.local_addr().unwrap().port());
    for command in ["up", "detect"] {
        let arguments = [command, "--with", "extra", "--port", &taken];
        sandbox.fails(&arguments, 4, "port_taken");
        assert_eq!(names(), ["backend", "frontend"]);
    }
    // In a running instance.
    up(&sandbox);
    let before = pid(&sandbox, "backend");
    sandbox.fails(
        &["up", "--detach", "--with", "extra", "--port", &taken],
        4,
        "port_taken",
    );
    assert_eq!(names(), ["backend", "frontend"]);
    sandbox
        .run(&["up", "--detach", "--with", "extra"])
        .code(5)
        .stderr_has("`extra`");
    assert_eq!(pid(&sandbox, "backend"), before);
    up(&sandbox);
    assert_eq!(names(), ["backend", "frontend"]);
    assert_eq!(pid(&sandbox, "backend"), before);
    sandbox.run(&["down"]).success();
    assert_eq!(names(), ["backend", "frontend"]);
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(0));
}

#[test]
fn a_change_is_shown_until_it_is_applied() {
    let sandbox = two_services();
    up(&sandbox);
    let is_shown = |is_expected: bool| {
        let ps = sandbox.run(&["ps"]).success().stdout();
        assert_eq!(ps.contains("manifest changed"), is_expected, "{ps}");
        assert_eq!(ps.contains("portway up"), is_expected, "{ps}");
        let doctor = sandbox.run(&["doctor"]).stdout();
        let text = "changed since it was applied: `portway.toml`";
        assert_eq!(doctor.contains(text), is_expected, "{doctor}");
    };
    is_shown(false);
    // The same content in a new file is no change.
    let text = sandbox.read("portway.toml");
    std::fs::remove_file(sandbox.project().join("portway.toml")).unwrap();
    sandbox.write("portway.toml", &text);
    is_shown(false);
    sandbox.write("portway.toml", &format!("{text}{WORKER}"));
    is_shown(true);
    sandbox.write("portway.toml", &text);
    is_shown(false);
    sandbox.write("portway.toml", &format!("{text}{WORKER}"));
    up(&sandbox);
    is_shown(false);
}

#[test]
fn the_status_reports_a_change_by_itself() {
    let sandbox = two_services();
    up(&sandbox);
    let socket = sandbox
        .state()
        .join("instances")
        .join(status(&sandbox)["id"].as_str().unwrap())
        .join("control.sock");
    let mut curl = sandbox.command("curl");
    curl.args(["--no-buffer", "--silent", "--unix-socket"])
        .arg(socket)
        .arg("http://portway/v1/changes");
    let mut changes = RunningCommand::start(curl);
    changes.wait_for_output("\"ready\"");
    sandbox.write("portway.toml", &format!("{TWO_SERVICES}{WORKER}"));
    changes.wait_for_output("\"changed_files\":[\"portway.toml\"]");
}

#[test]
fn the_path_of_another_command_changes_nothing() {
    let sandbox = two_services();
    up(&sandbox);
    let before = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    let mut other = sandbox.portway(&["up", "--detach"]);
    other.env("PATH", "/usr/bin:/bin").env("BACKEND_URL", "x");
    sandbox.run_command(other).success();
    let now = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    assert_eq!(before, now);
}

#[test]
fn dry_run_of_a_stopped_instance_writes_nothing() {
    let sandbox = two_services();
    assert_eq!(
        plan(&sandbox, &[]),
        ["start backend not running", "start frontend not running"]
    );
    assert_eq!(plan(&sandbox, &["backend"]), ["start backend not running"]);
    assert!(!sandbox.project().join(".ports.json").exists());
    assert!(!sandbox.state().exists());
    sandbox.fails(&["up", "--dry-run", "nope"], 2, "unknown_service");
}
