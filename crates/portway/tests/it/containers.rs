//! Services and Portway itself in containers of a real engine.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

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
pub fn project(name: &str, compose: &str) -> Sandbox {
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

/// Starts an instance, then kills all its processes at the same moment, the guard included. Only the
/// container is left, which belongs to the engine.
fn leave_container(engine: &Engine, sandbox: &Sandbox) -> String {
    engine.run(sandbox, &["up", "--detach"]).success();
    let id = engine.docker(&["ps", "--quiet", "--filter", "name=killed"]);
    let pids: Vec<u32> = sandbox.processes().into_keys().collect();
    // No process sees the end of another one before its own.
    for signal in [Signal::STOP, Signal::KILL] {
        for pid in &pids {
            let pid = Pid::from_raw(pid.cast_signed()).unwrap();
            // The kernel kills the first processes of services with their keepers.
            let _ = kill_process(pid, signal);
        }
    }
    sandbox.wait_until_empty();
    assert_eq!(engine.containers("killed").len(), 1);
    id
}

#[test]
fn containers_that_a_killed_supervisor_left_are_removed() {
    with_engine(|engine| {
        let sandbox = project(
            "killed",
            "services:\n  cache:\n    image: redis:7\n    ports: ['%0:6379']\n",
        );
        // Of an instance with another state directory.
        let other = "portway-other-cache";
        let label = "portway.run=/elsewhere/instances/01/cache";
        engine.docker(&[
            "run", "--detach", "--name", other, "--label", label, "redis:7",
        ]);

        let first = leave_container(engine, &sandbox);
        let up = engine.run(&sandbox, &["up", "--detach"]).success();
        up.stderr_has("removing what a killed start left: container `portway-killed-cache`");
        let second = engine.docker(&["ps", "--quiet", "--filter", "name=killed"]);
        assert_eq!(second.lines().count(), 1);
        assert_ne!(first, second);
        let port = engine.run(&sandbox, &["port", "cache"]).success();
        assert_eq!(port.stdout().trim(), sandbox.port(0).to_string());

        leave_container(engine, &sandbox);
        let listed = engine.run(&sandbox, &["prune", "--dry-run"]).success();
        listed.stdout_has("leftover container portway-killed-cache");
        let silent = UnixListener::bind(sandbox.path("silent.sock")).unwrap();
        let mut down = engine.portway(&sandbox, &["down"]);
        let path = sandbox.path("silent.sock");
        down.env("DOCKER_HOST", format!("unix://{}", path.display()));
        let start = Instant::now();
        let down = sandbox.run_command(down).success();
        down.stderr_has("`docker ps` failed or did not respond within 2 s");
        assert!(start.elapsed() < Duration::from_secs(4));
        drop(silent);
        assert_eq!(engine.containers("killed").len(), 1);
        engine.run(&sandbox, &["prune", "--yes"]).success();
        assert_eq!(engine.containers("killed"), [""; 0]);

        leave_container(engine, &sandbox);
        engine.run(&sandbox, &["down"]).success();
        assert_eq!(engine.containers("killed"), [""; 0]);
        assert_eq!(engine.containers(other), [other]);
        engine.docker(&["rm", "--force", other]);
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

/// Databases whose users, passwords and databases are in the compose file and in `.env`.
const DATABASES: &str = "
services:
  db:
    image: postgres:16
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: '${DB_PASSWORD}', POSTGRES_DB: shop }
    ports: ['%0:5432']
  cache:
    image: redis:7
    command: redis-server --requirepass pa_ss --protected-mode no
    ports: ['%10:6379']
";

#[test]
fn variables_contain_what_clients_of_databases_need() {
    with_engine(|engine| {
        let sandbox = project("credentials", DATABASES);
        sandbox.write(".env", "DB_PASSWORD=p@ss/word\n");
        engine.run(&sandbox, &["up", "--detach"]).success();
        let shell = |script: &str| {
            let exec = engine.portway(&sandbox, &["exec", "--", "sh", "-c", script]);
            sandbox
                .run_command(exec)
                .success()
                .stdout()
                .trim()
                .to_owned()
        };
        let query = "SELECT current_user || ' ' || current_database()";
        let user = shell(&format!("psql -Atc \"{query}\" \"$DATABASE_URL\""));
        assert_eq!(user, "app shop");
        assert_eq!(
            shell("echo $REDIS_URL"),
            sandbox.expand("redis://:pa_ss@localhost:%10")
        );
        let login = sandbox.expand("redis-cli -p %10 -a pa_ss --no-auth-warning PING");
        assert_eq!(shell(&login), "PONG");
        assert_eq!(shell("echo $DATABASE_URL"), shell("echo $DB_URL"));
        // The plan does not show them.
        let plan = engine.run(&sandbox, &["plan"]).success().stdout();
        assert!(!plan.contains("p@ss") && !plan.contains("pa_ss"), "{plan}");
        engine.run(&sandbox, &["down"]).success();

        let mysql = "services:\n  db:\n    image: mysql:8\n    ports: ['%0:3306']\n    environment:\n\
                     \x20     - MYSQL_USER=app\n      - MYSQL_PASSWORD=pw\n      - MYSQL_DATABASE=shop\n\
                     \x20     - MYSQL_ROOT_PASSWORD=root\n";
        sandbox.write("compose.yaml", mysql);
        engine.run(&sandbox, &["up", "--detach"]).success();
        let url = sandbox.expand("mysql://app:pw@localhost:%0/shop");
        assert_eq!(shell("echo $DATABASE_URL"), url);
        let login = sandbox.expand(
            "mysql --no-defaults --protocol=TCP -h 127.0.0.1 -P %0 -u app -ppw -Ne 'SELECT database()' shop",
        );
        assert_eq!(shell(&login), "shop");
        engine.run(&sandbox, &["down"]).success();

        // The names of the variables of MariaDB, in a network in which the engine publishes no port.
        let mariadb = mysql
            .replace("mysql:8", "mariadb:11")
            .replace("MYSQL_", "MARIADB_")
            + "    networks: [back]\nnetworks: { back: { internal: true } }\n";
        sandbox.write("compose.yaml", &mariadb);
        engine.run(&sandbox, &["up", "--detach"]).success();
        assert_eq!(shell("echo $DATABASE_URL"), url);
        assert_eq!(shell(&login), "shop");
        // A value of the user stays.
        sandbox.write(".env", "DATABASE_URL=mysql://other@db.example/x\n");
        assert_eq!(shell("echo $DATABASE_URL"), url, "of the running instance");
        engine.run(&sandbox, &["down"]).success();
        assert_eq!(engine.containers("credentials"), [""; 0]);
    });
}
