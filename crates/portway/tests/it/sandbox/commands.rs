//! Commands that a test has run or is running, and what they printed.

use std::fmt::Display;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use serde_json::Value;

use super::{POLL_INTERVAL, TIMEOUT, system};

/// A command that has exited.
pub struct CommandOutput {
    command: String,
    /// The directory of the sandbox.
    root: String,
    output: Output,
}

impl CommandOutput {
    pub(super) fn new(command: &Command, root: &Path, output: Output) -> Self {
        Self {
            command: format!("{command:?}"),
            root: root.display().to_string(),
            output,
        }
    }

    /// Expects exit code 0.
    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// Expects this exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.stdout(),
            self.stderr()
        );
        self
    }

    pub fn exit_code(&self) -> i32 {
        self.output.status.code().unwrap()
    }

    /// Standard output, with the sandbox's directory shortened to `~`.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).replace(&self.root, "~")
    }

    /// Standard error, with the sandbox's directory shortened to `~`.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).replace(&self.root, "~")
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.output.stdout)
            .unwrap_or_else(|error| panic!("{error} in\n{}\n{}", self.stdout(), self.stderr()))
    }

    /// Expects an error in JSON with this stable code.
    #[track_caller]
    pub fn error(&self, code: &str) -> Failure {
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{error:#}");
        Failure { error }
    }

    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        let stdout = self.stdout();
        assert!(stdout.contains(text), "no `{text}` in\n{stdout}");
        self
    }

    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        let stderr = self.stderr();
        assert!(stderr.contains(text), "no `{text}` in\n{stderr}");
        self
    }
}

/// An error that a command reported as JSON.
///
/// Tests check its code and the names and numbers in it. The whole message is in the snapshots.
pub struct Failure {
    error: Value,
}

impl Failure {
    /// The place of the error ends with this path, or with this `FILE:LINE:COLUMN`.
    #[track_caller]
    pub fn at(self, place: &str) -> Self {
        let found = self.error["place"].as_str().unwrap_or_default();
        let is_there = found.ends_with(place) || found.contains(&format!("{place}:"));
        assert!(is_there, "not at {place}: {:#}", self.error);
        self
    }

    /// The error contains a port, a process, a path or a command.
    #[track_caller]
    pub fn mentions(self, what: impl Display) -> Self {
        let what = what.to_string();
        let message = self.error["message"].as_str();
        let place = self.error["place"].as_str();
        let is_mentioned = message
            .into_iter()
            .chain(place)
            .chain(self.hint_texts())
            .any(|text| text.contains(&what));
        assert!(is_mentioned, "no `{what}` in {:#}", self.error);
        self
    }

    /// The error contains a name in backticks.
    #[track_caller]
    pub fn names(self, name: &str) -> Self {
        self.mentions(format!("`{name}`"))
    }

    /// A hint contains this command or setting.
    #[track_caller]
    pub fn hints(self, command: &str) -> Self {
        let is_hinted = self.hint_texts().any(|text| text.contains(command));
        assert!(is_hinted, "no hint `{command}` in {:#}", self.error);
        self
    }

    fn hint_texts(&self) -> impl Iterator<Item = &str> {
        let hints = self.error["hints"].as_array();
        hints.into_iter().flatten().filter_map(Value::as_str)
    }
}

/// A command that is running. It is killed when this value is dropped.
pub struct RunningCommand {
    child: Child,
    chunks: mpsc::Receiver<String>,
    output: String,
}

impl RunningCommand {
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, chunks) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for mut stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                    let _ = sender.send(text);
                }
            });
        }
        Self {
            child,
            chunks,
            output: String::new(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the command has printed so far, on either stream.
    pub fn output(&mut self) -> &str {
        while let Ok(text) = self.chunks.try_recv() {
            self.output.push_str(&text);
        }
        &self.output
    }

    /// Waits until the command has printed this text, and returns all of its output so far. Fails
    /// when the command exits before.
    #[track_caller]
    pub fn wait_for_output(&mut self, text: &str) -> &str {
        let deadline = Instant::now() + TIMEOUT;
        while !self.output().contains(text) {
            let exited = self.child.try_wait().unwrap();
            assert!(
                Instant::now() < deadline && exited.is_none(),
                "no `{text}` in\n{}",
                self.output()
            );
            thread::sleep(POLL_INTERVAL);
        }
        &self.output
    }

    /// Waits until the command exits and returns its exit code: 128 plus the number of the signal
    /// if a signal terminated it.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return system::code(status);
            }
            assert!(
                Instant::now() < deadline,
                "still running:\n{}",
                self.output()
            );
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
