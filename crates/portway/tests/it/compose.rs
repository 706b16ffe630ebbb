//! `portway compose` with a real engine.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::containers::project;
use crate::engine::{Engine, with_engine};
use crate::sandbox::{RunningCommand, Sandbox, wait_until};

/// A Redis, a command that fails, and an application that runs directly.
const COMPOSE: &str = "
services:
  cache:
    image: redis:7
    ports: ['%0:6379']
  broken:
    image: redis:7
    command: sh -c 'exit 7'
    profiles: [broken]
    networks: [inner]
networks:
  inner: {}
";

/// `portway compose run` as the command of a service of an instance, without its supervisor.
fn compose_run(engine: &Engine, sandbox: &Sandbox, service: &str) -> Command {
    let mut command = engine.portway(sandbox, &["compose", "run", service]);
    let dir = sandbox.path("instance");
    fs::create_dir_all(&dir).unwrap();
    command.env("PORTWAY_RUN", dir.join(service));
    command.env("PORTWAY_INSTANCE", "other.composed");
    command
}

/// Removes the networks of a Compose project.
fn remove_networks(engine: &Engine, project: &str) {
    let filter = format!("name={project}");
    let list = ["network", "ls", "--quiet", "--filter", &filter];
    for network in engine.docker(&list).lines() {
        engine.docker(&["network", "rm", network]);
    }
}

#[test]
fn a_container_in_the_foreground_returns_its_status_and_is_removed() {
    with_engine(|engine| {
        let sandbox = project("composed", COMPOSE);
        remove_networks(engine, "other-composed");
        // Each network of the project twice, as two services can leave them.
        for network in ["default", "inner"] {
            for end in ["", "-again"] {
                let project = "com.docker.compose.project=other-composed";
                let label = format!("com.docker.compose.network={network}");
                let name = format!("other-composed_{network}{end}");
                let labels = ["--label", project, "--label", &label];
                engine.docker(&[&["network", "create"], &labels[..], &[&name]].concat());
            }
        }
        let broken = compose_run(engine, &sandbox, "broken");
        sandbox.run_command(broken).code(7);
        assert_eq!(engine.containers("other.composed"), [""; 0]);

        let name = "portway-other.composed-cache";
        // What an earlier run left has the same name.
        engine.docker(&["run", "--detach", "--name", name, "redis:7"]);
        let old = engine.docker(&[
            "ps",
            "--quiet",
            "--no-trunc",
            "--filter",
            "name=other.composed",
        ]);
        let mut running = RunningCommand::start(compose_run(engine, &sandbox, "cache"));
        wait_until("a new container runs", || {
            engine.logs(name).contains("Ready to accept") && {
                let filter = [
                    "ps",
                    "--quiet",
                    "--no-trunc",
                    "--filter",
                    "name=other.composed",
                ];
                engine.docker(&filter) != old
            }
        });
        // Only this process gets the signal.
        running.signal(Signal::TERM);
        running.wait();
        assert_eq!(engine.containers("other.composed"), [""; 0]);
        remove_networks(engine, "other-composed");
    });
}

#[test]
fn examples_stand_in_for_env_files_that_a_fresh_clone_lacks() {
    with_engine(|engine| {
        let compose = "
services:
  cache:
    image: redis:7
    command: redis-server --requirepass ${CACHE_PASSWORD:?}
    env_file: [.env, config/.env.dev]
    ports: ['%0:6379']
  other:
    image: redis:7
    env_file: gone.env
    environment: {A: '${OTHER:?say}'}
    mem_limit: ${OTHER_MEMORY}
    depends_on: [cache]
    profiles: [other]
";
        let sandbox = project("composed-example", compose)
            .file(".env.example", "CACHE_PASSWORD=of-the-example\n")
            .file("config/.env.dev-sample", "SEEN=in-the-container\n");
        engine
            .run(&sandbox, &["plan"])
            .success()
            .stdout_has(".env is missing, so the values of .env.example apply");
        engine.run(&sandbox, &["up", "--detach"]).success();
        let containers = engine.containers("composed-example");
        let inside =
            |words: &[&str]| engine.docker(&[&["exec", containers[0].as_str()], words].concat());
        let client = ["redis-cli", "-a", "of-the-example", "ping"];
        assert!(inside(&client).contains("PONG"));
        assert!(inside(&["env"]).contains("SEEN=in-the-container"));
        engine.run(&sandbox, &["down"]).success();
        // Nothing was written into the checkout.
        assert!(!sandbox.project().join(".env").exists());
    });
}

#[test]
fn what_no_example_provides_is_said_before_the_start() {
    with_engine(|engine| {
        let compose = "
services:
  cache:
    image: redis:7
    env_file:
      - cache.env
    command: redis-server --requirepass ${CACHE_PASSWORD:?}
    ports: ['%0:6379']
";
        let sandbox = project("composed-missing", compose);
        let up = engine.run(&sandbox, &["up", "--detach"]);
        assert_ne!(up.exit_code(), 0);
        let said = up.stderr();
        for (text, count) in [
            ("`compose.yaml:6` reads `cache.env`, which is missing", 1),
            ("`compose.yaml:7` needs `CACHE_PASSWORD` for `cache`", 1),
            ("write `CACHE_PASSWORD=VALUE` to `.env`", 1),
            ("restarting", 0),
        ] {
            assert_eq!(said.matches(text).count(), count, "{text} in {said}");
        }
        let before = said.find("reads `cache.env`").unwrap();
        assert!(
            before < said.find("could not be prepared").unwrap(),
            "{said}"
        );
        // What was said is enough.
        sandbox.write("cache.env", "");
        sandbox.write(".env", "CACHE_PASSWORD=x\n");
        engine.run(&sandbox, &["up", "--detach"]).success();
        engine.run(&sandbox, &["down"]).success();
    });
}

#[test]
fn the_command_needs_no_portway_in_the_path() {
    with_engine(|engine| {
        let sandbox = project("composed-path", COMPOSE);
        // Another program with the name of Portway.
        let other = sandbox.path("bin");
        fs::create_dir(&other).unwrap();
        sandbox.write("../bin/portway", "#!/bin/sh\nexit 9\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(other.join("portway"), mode).unwrap();
        let mut up = engine.portway(&sandbox, &["up", "--detach"]);
        let path = std::env::var("PATH").unwrap();
        up.env("PATH", format!("{}:{path}", other.display()));
        sandbox.run_command(up).success();
        assert_eq!(engine.containers("composed-path").len(), 1);
        let text = engine.run(&sandbox, &["plan"]).success().stdout();
        assert!(text.contains("portway compose run --publish {host}:{port}:6379 cache"));
        assert!(text.contains("portway compose exec redis-cli ping") || !text.contains("docker"));
        engine.run(&sandbox, &["down"]).success();
        assert_eq!(engine.containers("composed-path"), [""; 0]);
    });
}

/// The command that Portway wrote into manifests before it had `portway compose`.
const OLD_MANIFEST: &str = r#"
[services.cache]
command = "trap : TERM INT HUP; docker rm -f \"portway-$PORTWAY_INSTANCE-{name}\" >/dev/null 2>&1; docker compose -f compose.yaml -p \"$(echo \"$PORTWAY_INSTANCE\" | tr . -)\" run --rm --no-deps --use-aliases --label \"portway.run=$PORTWAY_RUN\" --name \"portway-$PORTWAY_INSTANCE-{name}\" -p {host}:{port}:6379 cache; status=$?; docker stop \"portway-$PORTWAY_INSTANCE-{name}\" >/dev/null 2>&1; docker rm -f \"portway-$PORTWAY_INSTANCE-{name}\" >/dev/null 2>&1; exit $status"
port = "%0-%9"
kind = "redis"
map_env = false
"#;

#[test]
fn old_manifests_keep_working() {
    with_engine(|engine| {
        let sandbox = project("composed-old", COMPOSE).manifest(OLD_MANIFEST);
        engine.run(&sandbox, &["up", "--detach"]).success();
        assert_eq!(engine.containers("composed-old").len(), 1);
        engine.run(&sandbox, &["down"]).success();
        assert_eq!(engine.containers("composed-old"), [""; 0]);
    });
}

#[test]
fn without_an_engine_the_rest_starts_and_the_next_start_has_the_database() {
    with_engine(|engine| {
        let compose = "services: {cache: {image: 'redis:7', ports: ['%0:6379']}}";
        let sandbox = project("composed-late", compose)
            .file("package.json", "{\"scripts\": {\"dev\": \"node server.js\"}}")
            .file(
                "server.js",
                "require('http').createServer((_, to) => to.end('hi')).listen(process.env.PORT || %20)\n",
            );
        // The engine that starts later has the same address.
        let socket = sandbox.path("docker.sock");
        let late = |arguments: &[&str]| {
            let mut command = engine.portway(&sandbox, arguments);
            command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
            command
        };
        let why =
            "`cache` runs in a container, but the Docker engine does not run, so it is optional";
        let plan = sandbox.run_command(late(&["plan"])).success();
        plan.stderr_has(why).stderr_has("systemctl start docker");
        let up = sandbox.run_command(late(&["up", "--detach"])).success();
        assert_eq!(up.stderr().matches(why).count(), 1, "{}", up.stderr());
        assert_eq!(engine.containers("composed-late"), [""; 0]);
        std::os::unix::fs::symlink(engine.socket(), &socket).unwrap();
        let up = sandbox.run_command(late(&["up", "--detach"])).success();
        assert!(!up.stderr().contains("does not run"), "{}", up.stderr());
        assert_eq!(engine.containers("composed-late").len(), 1);
        sandbox.run_command(late(&["down"])).success();

        // A required container fails once.
        fs::remove_file(&socket).unwrap();
        sandbox.write("portway.toml", "[services.cache]\ncommand = \"portway compose run -p {host}:{port}:6379 cache\"\nport = \"%0-%9\"\n");
        let up = sandbox.run_command(late(&["up", "--detach"]));
        assert_ne!(up.exit_code(), 0);
        let log = sandbox.run_command(late(&["logs"])).success().stdout();
        let failures = log.matches("cannot run containers: the Docker engine does not run");
        assert_eq!(failures.count(), 1, "{log}");
    });
}

#[test]
fn a_machine_without_compose_2_is_told_what_to_install() {
    with_engine(|engine| {
        let sandbox = project("composed-v1", COMPOSE);
        let bin = sandbox.path("bin");
        fs::create_dir(&bin).unwrap();
        let plan = |path: &str| {
            let mut plan = engine.portway(&sandbox, &["plan"]);
            // Without the plugins of the user.
            plan.env("DOCKER_CONFIG", sandbox.path("home"))
                .env("PATH", path);
            sandbox.run_command(plan).success()
        };
        let path = std::env::var("PATH").unwrap();
        let in_front = format!("{}:{path}", bin.display());
        plan(&in_front)
            .stderr_has("`docker compose` is not installed, so it is optional")
            .stderr_has("https://docs.docker.com/compose/install/");
        // Debian 12 has this version.
        sandbox.write("../bin/docker-compose", "#!/bin/sh\necho 1.29.2\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(bin.join("docker-compose"), mode).unwrap();
        plan(&in_front)
            .stderr_has("`docker-compose` is version 1, and Portway needs Compose 2")
            .stdout_has("optional: enable it with `portway up --with cache`");
        fs::remove_file(bin.join("docker-compose")).unwrap();
        plan(&bin.display().to_string())
            .stderr_has("neither `docker` nor `podman` is installed, so it is optional");
    });
}

#[test]
fn an_override_gives_compose_the_ports_and_the_name_of_the_checkout() {
    with_engine(|engine| {
        let compose = "services:
  cache: { image: 'redis:7', container_name: fixed, ports: ['%0:6379'] }
  extra: { image: 'redis:7', profiles: [extra], ports: ['%0:6379'] }
";
        let sandbox = project("overridden", compose).file("notes.yaml", "a: 1\n");
        // Another program uses the port of the compose file.
        let taken = std::net::TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
        let output = ["compose", "--output", "compose.portway.yaml"];
        engine
            .run(&sandbox, &output)
            .success()
            .stderr_has("docker compose -f compose.yaml -f compose.portway.yaml up");
        let port = engine.run(&sandbox, &["port", "cache"]).success().stdout();
        let port = port.trim();
        assert_ne!(port, sandbox.port(0).to_string());
        let text = sandbox.read("compose.portway.yaml");
        assert_eq!(engine.run(&sandbox, &["compose"]).success().stdout(), text);
        assert!(
            text.contains(&format!("\"127.0.0.1:{port}:6379\"")),
            "{text}"
        );
        assert!(text.contains("\"127.0.0.1::6379\""), "{text}");
        // It replaces its own file, and no other.
        engine.run(&sandbox, &output).success();
        let other = engine.portway(&sandbox, &["compose", "--output", "notes.yaml"]);
        let refused = sandbox.run_command(other).code(1);
        refused.stderr_has("`notes.yaml` exists, and Portway did not write it");
        assert_eq!(sandbox.read("notes.yaml"), "a: 1\n");

        let real = |arguments: &[&str]| {
            let mut command = engine.client_in(&sandbox);
            let files = [
                "compose",
                "-f",
                "compose.yaml",
                "-f",
                "compose.portway.yaml",
            ];
            command.args(files).args(arguments);
            sandbox.run_command(command).success()
        };
        real(&["--profile", "extra", "up", "--detach", "--quiet-pull"]);
        let names = engine.containers("overridden");
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(
            names.contains(&"overridden-cache-1".to_owned()),
            "{names:?}"
        );
        let published = engine.docker(&["port", "overridden-cache-1"]);
        assert_eq!(published, format!("6379/tcp -> 127.0.0.1:{port}"));
        real(&["--profile", "extra", "down", "--volumes"]);
        drop(taken);
    });
}
