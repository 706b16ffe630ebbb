//! Services and Portway itself in containers of a real engine.

use std::fs;

use crate::engine::{Engine, with_engine};
use crate::sandbox::{Sandbox, wait_until};

/// A Redis that takes two seconds to stop.
const SLOW_REDIS: &str = "
services:
  cache:
    image: redis:7
    command:
      - sh
      - -c
      - redis-server --protected-mode no & trap 'sleep 2; kill $$!; wait; exit' TERM; wait
    ports: ['%0:6379']
";

/// The container of a service. Its name contains that of the sandbox's project.
fn container(engine: &Engine, service: &str, project: &str) -> Option<String> {
    let names = engine.containers(project).into_iter();
    let mut names = names.filter(|name| name.ends_with(service));
    names.next()
}

/// A project with a name of its own, because all tests share the engine.
fn project(name: &str, compose: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    let dir = sandbox.path(name);
    fs::create_dir_all(dir.join(".git")).unwrap();
    fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    sandbox.set_project(dir);
    sandbox.file("compose.yaml", compose)
}

#[test]
fn down_returns_when_the_container_is_gone() {
    with_engine(|engine| {
        let sandbox = project("slowstop", SLOW_REDIS);
        engine.run(&sandbox, &["up", "--detach"]).success();
        assert!(container(engine, "cache", "slowstop").is_some());
        engine.run(&sandbox, &["down"]).success();
        assert_eq!(engine.containers("slowstop"), [""; 0]);
        sandbox.wait_until_empty();
    });
}

#[test]
fn a_container_that_a_killed_supervisor_left_is_replaced() {
    with_engine(|engine| {
        let sandbox = project(
            "killed",
            "services:\n  cache:\n    image: redis:7\n    ports: ['%0:6379']\n",
        );
        engine.run(&sandbox, &["up", "--detach"]).success();
        let first = engine.docker(&["ps", "--quiet", "--filter", "name=killed"]);
        let processes = sandbox.processes();
        // All processes but the container, which belongs to the engine.
        for pid in processes.keys() {
            crate::sandbox::kill(*pid);
        }
        sandbox.wait_until_empty();
        assert_eq!(engine.containers("killed").len(), 1);
        engine.run(&sandbox, &["up", "--detach"]).success();
        let second = engine.docker(&["ps", "--quiet", "--filter", "name=killed"]);
        assert_eq!(second.lines().count(), 1);
        assert_ne!(first, second);
        engine.run(&sandbox, &["down"]).success();
        assert_eq!(engine.containers("killed"), [""; 0]);
    });
}

#[test]
fn who_reports_the_container_that_publishes_a_port() {
    with_engine(|engine| {
        let sandbox = Sandbox::new();
        let port = sandbox.port(0).to_string();
        let publish = format!("127.0.0.1:{port}:6379");
        let name = "jobi-db-1";
        engine.docker(&["run", "--detach", "--name", name, "-p", &publish, "redis:7"]);
        engine
            .run(&sandbox, &["who", &port])
            .success()
            .stdout_has("`jobi-db-1`")
            .stdout_has("redis:7");
        let free = engine.portway(&sandbox, &["free", &port, "--yes", "--json"]);
        sandbox
            .command_fails(free, 1, "refused")
            .names(name)
            .mentions("redis:7")
            .hints("docker stop");
        assert_eq!(engine.containers(name), [name]);
        engine.docker(&["rm", "--force", name]);
    });
}

#[test]
fn reaps_orphans_as_process_1_of_a_container() {
    with_engine(|engine| {
        let sandbox =
            Sandbox::new().manifest("[services.web]\ncommand = \"echo started; exec sleep 600\"");
        let name = "portway-as-init";
        let mount = |path: &std::path::Path, to: &str| format!("{}:{to}", path.display());
        let binary = mount(env!("CARGO_BIN_EXE_portway").as_ref(), "/bin/portway:ro");
        let dir = mount(sandbox.project(), "/work");
        engine.docker(&[
            "run",
            "--detach",
            "--name",
            name,
            "--user",
            "0",
            "--volume",
            &binary,
            "--volume",
            &dir,
            "--workdir",
            "/work",
            "--env",
            "HOME=/tmp",
            "--entrypoint",
            "portway",
            "redis:7",
            "up",
        ]);
        wait_until("the service has started", || {
            engine.logs(name).contains("started")
        });
        let pid = engine.docker(&["inspect", "--format", "{{.State.Pid}}", name]);
        assert_ne!(pid, "0", "{}", engine.logs(name));
        engine.docker(&["exec", name, "sh", "-c", "sleep 0.1 & sleep 0.1 & exit"]);
        let list = || engine.docker(&["exec", name, "sh", "-c", "cat /proc/[0-9]*/stat"]);
        wait_until("both orphans have exited and are reaped", || {
            !list().lines().any(|line| line.contains("(sleep) Z"))
                && list()
                    .lines()
                    .filter(|line| line.contains("(sleep)"))
                    .count()
                    == 1
        });
        engine.docker(&["stop", name]);
        assert_eq!(
            engine.docker(&["inspect", "--format", "{{.State.ExitCode}}", name]),
            "143"
        );
        engine.docker(&["rm", "--force", name]);
    });
}
