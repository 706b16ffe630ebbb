//! A Docker engine of this test run, in a network of its own.
//!
//! `cargo xtask setup` prepares the engine, Compose, and the images of Redis, PostgreSQL, and MySQL. The
//! first test that needs the engine starts it. Its processes are in a PID namespace whose first process
//! reads from a pipe of the test, so the kernel kills them when the test exits.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::sandbox::{CommandOutput, Sandbox, wait_until};

/// Starts the engine and keeps the namespaces until the input is closed. `/run` is private, because
/// the engine uses fixed paths there. Containers that a killed test left are removed.
const START: &str = "
mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
echo '{}' > daemon.json
dockerd --config-file $PWD/daemon.json --data-root $PWD/data --exec-root /run/docker \
    --host unix://$PWD/docker.sock --pidfile /run/docker.pid --log-level warn > dockerd.log 2>&1 &
echo ready
exec cat
";

/// The running engine.
pub struct Engine {
    directory: PathBuf,
    /// The network of the engine, in which its containers publish their ports.
    network: File,
    _namespaces: Child,
    /// Only one test run uses the images at a time.
    _lock: File,
}

/// Runs a test in the network of the engine: all its commands and connections use that network.
/// Without root, says that it does nothing.
pub fn with_engine(test: impl FnOnce(&Engine) + Send) {
    if !rustix::process::geteuid().is_root() {
        skip();
        return;
    }
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(Engine::start);
    // The thread ends with the test, so no other test gets its network.
    let result = thread::scope(|scope| {
        let run = || {
            let kind = LinkNameSpaceType::Network;
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&engine.network), Some(kind))
                .unwrap();
            test(engine);
        };
        scope.spawn(run).join()
    });
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

#[allow(
    clippy::print_stderr,
    reason = "the only output of a test that does nothing"
)]
fn skip() {
    eprintln!("skipped: the engine needs root");
}

impl Engine {
    fn start() -> Self {
        let target = std::path::absolute(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let directory = target.parent().unwrap().join("docker");
        let images = directory.join("images");
        assert!(
            images.is_dir(),
            "the images are missing: run `cargo xtask setup`"
        );
        let lock = File::create(directory.join("lock")).unwrap();
        lock.lock().unwrap();
        let _ = fs::remove_file(directory.join("docker.sock"));
        let mut namespaces = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child"])
            .args(["--mount-proc", "sh", "-c", START])
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = namespaces.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let own = namespaces.id();
        let first = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap();
        let network = File::open(format!("/proc/{}/ns/net", first.trim())).unwrap();
        let engine = Self {
            directory,
            network,
            _namespaces: namespaces,
            _lock: lock,
        };
        let log = engine.directory.join("dockerd.log");
        wait_until(&format!("the engine starts, see {}", log.display()), || {
            engine
                .client()
                .arg("version")
                .output()
                .unwrap()
                .status
                .success()
        });
        for container in engine.docker(&["ps", "--all", "--quiet"]).lines() {
            engine.docker(&["rm", "--force", "--volumes", container]);
        }
        engine.import(&images);
        engine
    }

    /// Imports the images that are new. `NAME.changes` has a hash, the tags, and the changes.
    fn import(&self, images: &Path) {
        for entry in fs::read_dir(images).unwrap() {
            let archive = entry.unwrap().path();
            if archive.extension() != Some(OsStr::new("tar")) {
                continue;
            }
            let text = fs::read_to_string(archive.with_extension("changes")).unwrap();
            let mut lines = text.lines();
            let (stamp, tags) = (lines.next().unwrap(), lines.next().unwrap());
            let mut tags = tags.split(' ');
            let name = tags.next().unwrap();
            let inspect = ["image", "inspect", "--format", "{{.Comment}}", name];
            let present = self.client().args(inspect).output().unwrap().stdout;
            if String::from_utf8_lossy(&present).contains(stamp) {
                continue;
            }
            let mut import = self.client();
            import.args(["import", "--message", stamp]);
            import.args(lines.flat_map(|line| ["--change", line]));
            let output = import.arg(&archive).arg(name).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            for tag in tags {
                self.docker(&["tag", name, tag]);
            }
        }
    }

    /// The socket of the engine.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("docker.sock")
    }

    fn variables(&self) -> [(&'static str, String); 2] {
        let directory = self.directory.display();
        [
            ("DOCKER_HOST", format!("unix://{directory}/docker.sock")),
            ("DOCKER_CONFIG", format!("{directory}/config")),
        ]
    }

    /// The client of the engine.
    fn client(&self) -> Command {
        let mut command = Command::new("docker");
        command.envs(self.variables()).stdin(Stdio::null());
        command
    }

    /// The client of the engine in the project of a sandbox.
    pub fn client_in(&self, sandbox: &Sandbox) -> Command {
        let mut command = self.client();
        command.current_dir(sandbox.project());
        command
    }

    /// Runs the client of the engine and returns what it prints.
    #[track_caller]
    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = self.client().args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What a container has printed, on either stream.
    pub fn logs(&self, container: &str) -> String {
        let output = self.client().args(["logs", container]).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Portway with this engine, not started yet.
    pub fn portway(&self, sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let mut command = sandbox.portway(arguments);
        command.envs(self.variables());
        command
    }

    /// Runs Portway with this engine and waits until it exits.
    pub fn run(&self, sandbox: &Sandbox, arguments: &[&str]) -> CommandOutput {
        sandbox.run_command(self.portway(sandbox, arguments))
    }

    /// The names of the containers whose names contain `text`, running or not.
    pub fn containers(&self, text: &str) -> Vec<String> {
        let filter = format!("name={text}");
        let list = ["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"];
        let names = self.docker(&list);
        names.lines().map(str::to_owned).collect()
    }
}
