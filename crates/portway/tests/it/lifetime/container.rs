//! Services that are containers: their processes belong to the engine and not to Portway.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::wait_until_state;
use crate::sandbox::{Sandbox, wait_until};

/// An engine whose client exits at once when it is asked to stop, as Docker's may. The container itself
/// is a file, which the test deletes some time after the engine was requested to stop it.
const ENGINE: &str = "#!/bin/sh
state=$(dirname \"$0\")
case \"$1\" in
compose)
    trap 'exit 143' TERM INT
    touch $state/container
    while :; do sleep 0.05; done ;;
stop)
    touch $state/stop
    while [ -e $state/container ]; do sleep 0.05; done ;;
esac
";

#[test]
fn down_returns_when_the_container_is_gone() {
    let sandbox = Sandbox::new().file(
        "compose.yaml",
        "services:\n  worker:\n    image: postgres:16\n    ports: ['%0:5432']\n",
    );
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).unwrap();
    let docker = bin.join("docker");
    fs::write(&docker, ENGINE).unwrap();
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut init = sandbox.portway(&["init"]);
    init.env("PATH", &path);
    sandbox.run_command(init).success();
    let manifest = sandbox.read("portway.toml");
    // The engine does not listen, so the service is ready at once.
    let command = manifest
        .lines()
        .find(|line| line.starts_with("command = "))
        .unwrap();
    sandbox.write(
        "portway.toml",
        &format!("[services.worker]\n{command}\nport = \"%0-%9\"\nready = {{ exec = \"true\" }}\n"),
    );
    let mut up = sandbox.portway(&["up"]);
    up.env("PATH", &path);
    let mut up = crate::sandbox::RunningCommand::start(up);
    let container = bin.join("container");
    wait_until("the container runs", || container.exists());
    wait_until_state(&sandbox, "worker", "starting");
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("the engine is requested to stop it", || {
                bin.join("stop").exists()
            });
            assert!(!sandbox.processes().is_empty());
            fs::remove_file(&container).unwrap();
        });
        sandbox.run(&["down"]).success();
        assert!(!container.exists(), "the container is still there");
    });
    up.wait();
    sandbox.wait_until_empty();
}
