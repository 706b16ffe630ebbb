//! A project, a home and a block of ports that one test has to itself.
//!
//! ```ignore
//! let sandbox = Sandbox::new().manifest("[services.api]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"");
//! sandbox.run(&["up", "--detach"]).success();
//! ```
//!
//! In files, `%N` stands for the Nth port of the block and `%service` for the test service. When
//! the sandbox goes, everything that was started in it must be gone: a test that leaves a process
//! behind fails.

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
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use portway_testing::PortBlock;

pub use system::kill;

/// Long enough for anything that should happen on a busy machine; nothing waits this long when it
/// goes well.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Sandbox {
    temp: tempfile::TempDir,
    ports: PortBlock,
    /// The directory of the project, within the sandbox.
    project: PathBuf,
}

impl Sandbox {
    pub fn new() -> Self {
        Self::with_blocks(1)
    }

    /// A sandbox with so many times forty ports.
    pub fn with_blocks(blocks: u16) -> Self {
        // On Windows with the drive, as Portway prints it.
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
        // A main checkout, wherever the tests themselves are checked out.
        // Above the project, for the other directories of a test.
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

    /// The same sandbox with its commands run in another directory.
    pub fn set_project(&mut self, dir: impl Into<PathBuf>) {
        self.project = dir.into();
    }

    pub fn project(&self) -> &Path {
        &self.project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state/portway")
    }

    /// The Nth port of the sandbox.
    pub fn port(&self, index: u16) -> u16 {
        self.ports.port(index)
    }

    pub fn manifest(self, text: &str) -> Self {
        self.file("portway.toml", text)
    }

    /// Writes a file of the project.
    pub fn file(self, name: &str, text: &str) -> Self {
        self.write(name, text);
        self
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.project.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.fill(text)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.project.join(name)).unwrap()
    }

    /// `%N` and `%service` filled in, the latter for a text in which a backslash escapes.
    pub fn fill(&self, text: &str) -> String {
        let service = service().to_str().unwrap().replace('\\', r"\\");
        let text = text.replace("%service", &service);
        let mut filled = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('%') {
            filled.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            match rest[..digits].parse::<u16>() {
                Ok(index) => filled.push_str(&self.port(index).to_string()),
                Err(_) => filled.push('%'),
            }
            rest = &rest[digits..];
        }
        filled + rest
    }

    /// `.ports.json` as a map.
    pub fn ports_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.read(".ports.json")).unwrap()
    }

    /// A command with the sandbox's environment and nothing of the machine's that could matter.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("LANG", "C.UTF-8")
            .current_dir(&self.project)
            .stdin(Stdio::null());
        system::set_home(&mut command, &self.path("home"), &self.path("state"));
        command
    }

    /// Portway, not started yet.
    pub fn portway(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_portway"));
        command.args(arguments);
        command
    }

    /// Runs Portway to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.end(self.portway(arguments))
    }

    /// Runs a command to its end.
    pub fn end(&self, mut command: Command) -> Ran {
        let output = command.output().unwrap();
        Ran {
            what: format!("{command:?}"),
            root: self.temp.path().display().to_string(),
            output,
        }
    }

    /// Runs Portway with `--json` and expects an error: its exit code and its stable code.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], exit: i32, code: &str) -> Failure {
        self.failed(self.portway(&[arguments, &["--json"]].concat()), exit, code)
    }

    /// Runs a command that reports errors as JSON and expects one.
    #[track_caller]
    pub fn failed(&self, command: Command, exit: i32, code: &str) -> Failure {
        self.end(command).code(exit).failure(code)
    }

    /// Starts Portway and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        Running::start(self.portway(arguments))
    }

    /// Runs git in a directory of the sandbox.
    pub fn git(&self, dir: &Path, arguments: &[&str]) {
        let mut command = self.command("git");
        command
            .args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
            .args(["-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(dir);
        self.end(command).success();
    }

    /// Waits until every service that was started is ready.
    pub fn until_ready(&self) {
        self.run(&["wait"]).success();
    }

    /// What Portway itself wrote into the log of a service.
    pub fn events(&self, service: &str) -> Vec<String> {
        let log = self.run(&["logs", "--json", service]).success().out();
        log.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|record| record["stream"] == "portway")
            .map(|record| record["text"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The status of this project's instance.
    pub fn status(&self) -> serde_json::Value {
        self.run(&["detect", "--json"]).success().json()
    }

    /// Every process of this sandbox that is not a zombie, by pid, with its command line.
    pub fn processes(&self) -> BTreeMap<u32, String> {
        system::processes(&self.path("state"))
    }

    /// Waits until nothing of the sandbox runs.
    pub fn until_empty(&self) {
        until("every process is gone", || self.processes().is_empty());
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
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = self.processes();
        for pid in left.keys() {
            kill(*pid);
        }
        if !left.is_empty() && !std::thread::panicking() {
            panic!("left behind: {left:#?}");
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
pub const TWO: &str = "
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

/// A sandbox with [`TWO`].
pub fn two() -> Sandbox {
    Sandbox::new().manifest(TWO)
}

/// The test service's binary.
pub fn service() -> PathBuf {
    std::path::absolute(env!("CARGO_BIN_EXE_portway"))
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join(format!("service{EXE_SUFFIX}"))
}

/// What an HTTP server on a loopback address of either family answers.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .or_else(|_| TcpStream::connect(("::1", port)))
        .ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

/// Waits for something to come about.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A command that has ended.
pub struct Ran {
    what: String,
    root: String,
    output: Output,
}

impl Ran {
    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "{}\n--- out\n{}\n--- err\n{}",
            self.what,
            self.out(),
            self.err()
        );
        self
    }

    pub fn exit_code(&self) -> i32 {
        self.output.status.code().unwrap()
    }

    /// Standard output, with the sandbox's own path shortened to `~`.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).replace(&self.root, "~")
    }

    /// Standard error, shortened in the same way.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).replace(&self.root, "~")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout)
            .unwrap_or_else(|error| panic!("{error} in\n{}\n{}", self.out(), self.err()))
    }

    /// The error that the command reported as JSON.
    #[track_caller]
    pub fn failure(&self, code: &str) -> Failure {
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{error:#}");
        Failure { error }
    }

    #[track_caller]
    pub fn out_has(self, words: &str) -> Self {
        assert!(
            self.out().contains(words),
            "no `{words}` in\n{}",
            self.out()
        );
        self
    }

    #[track_caller]
    pub fn err_has(self, words: &str) -> Self {
        assert!(
            self.err().contains(words),
            "no `{words}` in\n{}",
            self.err()
        );
        self
    }
}

/// An error in JSON. Its prose is in the snapshots; tests check its code and what it names.
pub struct Failure {
    pub error: serde_json::Value,
}

impl Failure {
    /// The error is at this place: the end of a path, `FILE:LINE:COLUMN`.
    #[track_caller]
    pub fn at(self, place: &str) -> Self {
        let found = self.error["place"].as_str().unwrap_or_default();
        assert!(
            found.ends_with(place) || found.contains(&format!("{place}:")),
            "not at {place}: {:#}",
            self.error
        );
        self
    }

    /// The error mentions a port, a process, a path or a command.
    #[track_caller]
    pub fn mentions(self, what: impl std::fmt::Display) -> Self {
        let what = what.to_string();
        let texts = ["message", "place", "hints"].map(|key| self.error[key].to_string());
        // A string in JSON has its quotes and backslashes escaped.
        let escaped = serde_json::Value::from(what.as_str()).to_string();
        let escaped = escaped.trim_matches('"');
        assert!(
            texts.iter().any(|text| text.contains(escaped)),
            "no `{what}` in {:#}",
            self.error
        );
        self
    }

    /// The error has a name in backticks.
    #[track_caller]
    pub fn names(self, name: &str) -> Self {
        self.mentions(format!("`{name}`"))
    }

    /// A hint has this command or setting.
    #[track_caller]
    pub fn hints(self, command: &str) -> Self {
        let hints = self.error["hints"].as_array().cloned().unwrap_or_default();
        assert!(
            hints
                .iter()
                .any(|hint| hint.as_str().unwrap().contains(command)),
            "no hint `{command}` in {:#}",
            self.error
        );
        self
    }
}

/// A command that runs. Killed when it goes out of scope.
pub struct Running {
    child: Child,
    out: std::sync::mpsc::Receiver<String>,
    seen: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, out) = std::sync::mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for mut stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                    let _ = sender.send(text);
                }
            });
        }
        Self {
            child,
            out,
            seen: String::new(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has printed on either stream so far.
    pub fn printed(&mut self) -> &str {
        while let Ok(text) = self.out.try_recv() {
            self.seen.push_str(&text);
        }
        &self.seen
    }

    /// Waits until it has printed something.
    #[track_caller]
    pub fn until_printed(&mut self, words: &str) -> &str {
        let deadline = Instant::now() + PATIENCE;
        while !self.printed().contains(words) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                Instant::now() < deadline && ended.is_none(),
                "no `{words}` in\n{}",
                self.printed()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        &self.seen
    }

    /// Waits for its end and answers its exit code, or that which stands for a signal.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return system::code(status);
            }
            assert!(
                Instant::now() < deadline,
                "does not end:\n{}",
                self.printed()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
