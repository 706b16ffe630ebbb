//! A project, a home directory and a block of ports that only one test uses.
//!
//! ```ignore
//! let sandbox = Sandbox::new().manifest("[services.api]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"");
//! sandbox.run(&["up", "--detach"]).success();
//! ```
//!
//! In files, `%N` is the Nth port and `%service` the test service. Leftover processes fail a test.

#[path = "sandbox/commands.rs"]
mod commands;
#[cfg(unix)]
#[path = "sandbox/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "sandbox/windows.rs"]
mod system;

use std::collections::BTreeMap;
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portway_testing::PortBlock;
use serde_json::Value;

pub use commands::{CommandOutput, Failure, RunningCommand};
pub use system::kill;

/// Maximum time that a test waits for a condition. A test that passes needs much less, even on a
/// busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a condition is checked that a test waits for.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

pub struct Sandbox {
    temp: tempfile::TempDir,
    ports: PortBlock,
    /// The directory in which commands run.
    project: PathBuf,
}

impl Sandbox {
    pub fn new() -> Self {
        Self::with_blocks(1)
    }

    /// A sandbox with `blocks` times forty ports.
    pub fn with_blocks(blocks: u16) -> Self {
        // On Windows with the drive letter, as Portway prints it.
        let target = std::path::absolute(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let temp = tempfile::Builder::new()
            .prefix("it-")
            .tempdir_in(target)
            .unwrap();
        let project = temp.path().join("project");
        for dir in [
            &project,
            &temp.path().join("home"),
            &temp.path().join("state"),
        ] {
            fs::create_dir(dir).unwrap();
        }
        // Main checkouts, even when the tests themselves run in a worktree. The second one is for
        // the other directories that a test creates next to the project.
        for checkout in [temp.path(), &project] {
            fs::create_dir(checkout.join(".git")).unwrap();
            fs::write(checkout.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        }
        Self {
            project,
            temp,
            ports: PortBlock::claim(env!("CARGO_TARGET_TMPDIR"), blocks),
        }
    }

    /// Changes the directory in which commands run.
    pub fn set_project(&mut self, dir: impl Into<PathBuf>) {
        self.project = dir.into();
    }

    pub fn project(&self) -> &Path {
        &self.project
    }

    /// A path in the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Portway's state directory.
    pub fn state(&self) -> PathBuf {
        self.path("state/portway")
    }

    /// The Nth port of the sandbox.
    pub fn port(&self, index: u16) -> u16 {
        self.ports.port(index)
    }

    /// Writes `portway.toml`.
    pub fn manifest(self, text: &str) -> Self {
        self.file("portway.toml", text)
    }

    /// Writes a file of the project.
    pub fn file(self, name: &str, text: &str) -> Self {
        self.write(name, text);
        self
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.project.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.expand(text)).unwrap();
    }

    /// Reads a file of the project.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.project.join(name)).unwrap()
    }

    /// Replaces `%N` and `%service`, the latter for a text in which backslashes are escapes.
    pub fn expand(&self, text: &str) -> String {
        let service = test_service().to_str().unwrap().replace('\\', r"\\");
        let text = text.replace("%service", &service);
        let mut expanded = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('%') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            match rest[..digits].parse::<u16>() {
                Ok(index) => expanded.push_str(&self.port(index).to_string()),
                Err(_) => expanded.push('%'),
            }
            rest = &rest[digits..];
        }
        expanded + rest
    }

    /// The content of `.ports.json`.
    pub fn ports_json(&self) -> Value {
        serde_json::from_str(&self.read(".ports.json")).unwrap()
    }

    /// A command whose environment contains only `PATH` and the variables of the sandbox.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("LANG", "C.UTF-8")
            .current_dir(&self.project)
            .stdin(Stdio::null());
        system::set_home(&mut command, &self.path("home"), &self.path("state"));
        // Runs the tests with `network`, to see that nothing depends on the network of the machine.
        if let Some(isolation) = std::env::var_os("PORTWAY_TEST_ISOLATION") {
            command.env("PORTWAY_ISOLATION", isolation);
        }
        command
    }

    /// Portway, not started yet.
    pub fn portway(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_portway"));
        command.args(arguments);
        command
    }

    /// Runs Portway and waits until it exits.
    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.run_command(self.portway(arguments))
    }

    /// Runs a command and waits until it exits.
    pub fn run_command(&self, mut command: Command) -> CommandOutput {
        let output = command.output().unwrap();
        CommandOutput::new(&command, self.temp.path(), output)
    }

    /// Runs Portway with `--json` and expects an error with this exit code and this stable code.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], exit: i32, code: &str) -> Failure {
        self.command_fails(self.portway(&[arguments, &["--json"]].concat()), exit, code)
    }

    /// Runs a command that reports errors as JSON and expects an error.
    #[track_caller]
    pub fn command_fails(&self, command: Command, exit: i32, code: &str) -> Failure {
        self.run_command(command).code(exit).error(code)
    }

    /// Starts Portway and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> RunningCommand {
        RunningCommand::start(self.portway(arguments))
    }

    /// Runs Git in a directory of the sandbox.
    pub fn git(&self, dir: &Path, arguments: &[&str]) {
        let mut command = self.command("git");
        command
            .args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
            .args(["-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(dir);
        self.run_command(command).success();
    }

    /// Waits until every service that was started is ready.
    pub fn wait_until_ready(&self) {
        self.run(&["wait"]).success();
    }

    /// What Portway itself wrote into the log of a service.
    pub fn portway_log(&self, service: &str) -> Vec<String> {
        let log = self.run(&["logs", "--json", service]).success().stdout();
        log.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|record| record["stream"] == "portway")
            .map(|record| record["text"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The status of this project's instance.
    pub fn status(&self) -> Value {
        self.run(&["detect", "--json"]).success().json()
    }

    /// The command line of every process of this sandbox by pid. Zombies do not count.
    pub fn processes(&self) -> BTreeMap<u32, String> {
        system::processes(&self.path("state"))
    }

    /// Waits until no process of the sandbox is left.
    pub fn wait_until_empty(&self) {
        wait_until("every process is gone", || self.processes().is_empty());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for manifest in manifests(self.temp.path()) {
            let _ = self
                .portway(&["down", "--now"])
                .current_dir(manifest.parent().unwrap())
                .output();
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.processes().is_empty() && Instant::now() < deadline {
            std::thread::sleep(POLL_INTERVAL);
        }
        let left = self.processes();
        for pid in left.keys() {
            kill(*pid);
        }
        if !left.is_empty() && !std::thread::panicking() {
            panic!("these processes are left: {left:#?}");
        }
    }
}

/// Every manifest at most two levels below `dir`.
fn manifests(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = next.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.ends_with("portway.toml") {
                found.push(path);
            } else if depth < 2 && path.is_dir() && !path.is_symlink() {
                next.push((path, depth + 1));
            }
        }
    }
    found
}

/// A backend on one of ten ports and a frontend on one of the next ten.
pub const TWO_SERVICES: &str = "
    [project]
    name = \"jobi\"
    [services.backend]
    command = \"%service serve {port}\"
    port = \"%0-%9\"
    [services.frontend]
    command = \"%service serve {port}\"
    port = { prefer = %10, range = \"%10-%19\" }
    env = { API = \"{backend.url}/v1\" }
";

/// A sandbox with [`TWO_SERVICES`].
pub fn two_services() -> Sandbox {
    Sandbox::new().manifest(TWO_SERVICES)
}

/// The binary of the test service.
pub fn test_service() -> PathBuf {
    std::path::absolute(env!("CARGO_BIN_EXE_portway"))
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join(format!("service{EXE_SUFFIX}"))
}

/// Returns the body of an HTTP server's response, from a loopback address of either family.
pub fn http_get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .or_else(|_| TcpStream::connect(("::1", port)))
        .ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (_, body) = response.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

/// Waits until a condition is true, at most [`TIMEOUT`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}
