//! `portway leases`, `prune` and `forget`.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{Sandbox, two_services, wait_until};

#[test]
fn leases_are_listed_with_state_and_directory() {
    let sandbox = two_services();
    assert_eq!(sandbox.run(&["leases"]).success().stdout(), "");
    sandbox.run(&["detect"]).success();
    let json = sandbox.run(&["leases", "--json"]).success().json();
    assert_eq!(json[0]["port"], sandbox.port(0));
    assert_eq!(json[0]["service"], "backend");
    assert_eq!(json[0]["instance"], "jobi");
    assert_eq!(json[0]["state"], "kept");
    assert_eq!(json[0]["directory"], sandbox.project().to_str().unwrap());
    sandbox.run(&["up", "--detach"]).success();
    sandbox
        .run(&["leases"])
        .success()
        .stdout_has("live")
        .stdout_has("frontend")
        .stdout_has("~/project");
}

#[test]
fn a_lease_can_be_forgotten_only_while_its_instance_is_stopped() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0).to_string();
    sandbox
        .fails(&["forget", &port], 1, "refused")
        .names("backend")
        .mentions("jobi")
        .hints(&format!("portway -C {} down", sandbox.project().display()));
    sandbox.run(&["down"]).success();
    sandbox
        .run(&["forget", &port])
        .success()
        .stderr_has("`backend`")
        .stderr_has("jobi");
    sandbox
        .fails(&["forget", &port], 6, "nothing_there")
        .mentions(&port);
    let json = sandbox.run(&["leases", "--json"]).success().json();
    assert_eq!(json.as_array().unwrap().len(), 1);
}

#[test]
fn prune_removes_leases_of_deleted_directories() {
    let mut sandbox = two_services();
    sandbox.run(&["detect"]).success();
    let project = sandbox.project().to_owned();
    sandbox.set_project(project.parent().unwrap());
    fs::rename(&project, sandbox.path("moved")).unwrap();
    sandbox.run(&["leases"]).success().stdout_has("gone");
    sandbox
        .run(&["prune", "--dry-run"])
        .success()
        .stdout_has(&sandbox.expand("port %0"))
        .stdout_has(&sandbox.expand("port %10"));
    let pruned = sandbox.run(&["prune", "--json"]).success().json();
    assert_eq!(pruned["leases"].as_array().unwrap().len(), 2);
    assert_eq!(pruned["leases"][0]["state"], "gone");
    let again = sandbox.run(&["prune", "--json"]).success().json();
    assert_eq!(again["leases"].as_array().unwrap().len(), 0);
    assert_eq!(
        sandbox
            .run(&["leases", "--json"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

/// Creates a sandbox with a leftover process: its supervisor and its keeper were killed at the same
/// time.
pub fn with_stale_process() -> Sandbox {
    let sandbox = Sandbox::new().manifest(
        "[project]\nname = \"jobi\"\n[services.backend]\n\
         command = \"%service serve {port} --grandchild setsid\"\nport = \"%0-%9\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    let find = |text: &str| -> Vec<u32> {
        let all = sandbox.processes();
        let found = all.iter().filter(|(_, command)| command.contains(text));
        found.map(|(pid, _)| *pid).collect()
    };
    // The guard would stop the rest.
    let all = [find("__guard"), find("__supervise"), find("__keeper")].concat();
    assert_eq!(all.len(), 3, "{:#?}", sandbox.processes());
    let signal = |pid: u32, signal: Signal| {
        kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
    };
    // Suspended first, so that neither can react to the death of the other.
    for &pid in &all {
        signal(pid, Signal::STOP);
    }
    for &pid in &all {
        signal(pid, Signal::KILL);
    }
    wait_until("only the grandchild is left", || {
        sandbox.processes().len() == 1
    });
    sandbox
}

#[test]
fn prune_stops_processes_of_a_killed_instance() {
    let sandbox = with_stale_process();
    let left = sandbox.processes();
    sandbox
        .run(&["prune"])
        .success()
        .stderr_has("portway prune --yes");
    let found = sandbox.run(&["prune", "--json"]).success().json();
    let (pid, _) = left.first_key_value().unwrap();
    assert_eq!(found["processes"][0]["pid"], *pid);
    assert_eq!(found["processes"][0]["service"], "backend");
    assert_eq!(found["processes"][0]["instance"], "jobi");
    assert_eq!(found["ended"], false);
    assert_eq!(
        sandbox.processes(),
        left,
        "nothing is stopped without confirmation"
    );
    sandbox
        .run(&["prune", "--yes"])
        .success()
        .stdout_has(&pid.to_string());
    sandbox.wait_until_empty();
}

#[test]
fn prune_does_not_touch_running_instances() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let before = sandbox.processes();
    let pruned = sandbox.run(&["prune", "--yes", "--json"]).success().json();
    for key in ["leases", "processes", "running"] {
        assert_eq!(pruned[key].as_array().unwrap().len(), 0, "{key}");
    }
    assert_eq!(pruned["ended"], false);
    assert_eq!(sandbox.processes(), before);
}

#[test]
fn prune_spares_an_instance_that_a_leftover_process_started() {
    let mut sandbox = two_services();
    sandbox.run(&["detect"]).success();
    let id = sandbox.run(&["ps", "--json"]).success().json()[0]["id"].clone();
    let mark = sandbox.state().join("instances").join(id.as_str().unwrap());
    let other = sandbox.path("other");
    fs::create_dir(&other).unwrap();
    fs::copy(
        sandbox.project().join("portway.toml"),
        other.join("portway.toml"),
    )
    .unwrap();
    sandbox.set_project(&other);
    // A shell that belongs to the stopped instance starts another instance.
    let mut shell = sandbox.command("sh");
    shell.env("PORTWAY_RUN", mark.join("backend"));
    shell.args([
        "-c",
        &format!("'{}' up & wait; sleep 600", env!("CARGO_BIN_EXE_portway")),
    ]);
    let shell = crate::sandbox::RunningCommand::start(shell);
    sandbox.wait_until_ready();
    let pruned = sandbox.run(&["prune", "--yes", "--json"]).success().json();
    let pids = pruned["processes"].as_array().unwrap().iter();
    let pids: Vec<u64> = pids.map(|one| one["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids, [u64::from(shell.pid())], "{pruned:#}");
    assert_eq!(sandbox.status()["state"], "ready");
    sandbox.run(&["down"]).success();
}

#[test]
fn a_shell_with_the_variables_of_a_service_is_not_stale() {
    let sandbox = two_services();
    let mut command = sandbox.command("sh");
    let portway = env!("CARGO_BIN_EXE_portway");
    command.args([
        "-c",
        &format!("eval \"$({portway} env backend)\"; echo ${{PORTWAY_SERVICE}}; exec {portway} prune --json"),
    ]);
    let ran = sandbox.run_command(command).success();
    assert!(ran.stdout().starts_with("backend\n"), "{}", ran.stdout());
    assert!(
        ran.stdout().contains("\"processes\": []"),
        "{}",
        ran.stdout()
    );
}

#[test]
fn a_port_that_files_call_is_not_kept_by_a_stopped_instance_of_another_project() {
    let mut sandbox = Sandbox::new().file(
        "shop/portway.toml",
        "[project]\nname = \"shop\"\n[services.api]\ncommand = \"%service serve {port}\"\nport = %0",
    );
    sandbox.write(
        "desk/portway.toml",
        "[project]\nname = \"desk\"\n[services.api]\ncommand = \"%service serve {port}\"\n\
         port = { prefer = %0, called_by = \"web/vite.config.ts:9\" }",
    );
    let project = sandbox.project().to_owned();
    for name in ["shop", "desk"] {
        std::fs::create_dir(project.join(name).join(".git")).unwrap();
        std::fs::write(
            project.join(name).join(".git/HEAD"),
            "ref: refs/heads/main\n",
        )
        .unwrap();
    }
    let port = |sandbox: &Sandbox| {
        let port = sandbox.run(&["port", "api"]).success().stdout();
        port.trim().parse::<u16>().unwrap()
    };
    sandbox.set_project(project.join("shop"));
    assert_eq!(port(&sandbox), sandbox.port(0));
    sandbox.set_project(project.join("desk"));
    assert_eq!(port(&sandbox), sandbox.port(0));
    // The other project moves at its next start and keeps that port.
    sandbox.set_project(project.join("shop"));
    assert_eq!(port(&sandbox), sandbox.port(1));
    sandbox.run(&["up", "--detach"]).success();
    sandbox.set_project(project.join("desk"));
    assert_eq!(port(&sandbox), sandbox.port(0));
}
