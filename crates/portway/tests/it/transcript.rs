//! What Portway prints, as text that is the same on every run, for snapshots.
//!
//! Tests of behavior check codes, names and numbers. The messages are in `snapshots/`, where they
//! can be read as a whole. To update the snapshots: `INSTA_UPDATE=always cargo test -p portway
//! --test it texts`.

use std::fmt::{Display, Write};
use std::process::Command;

use regex_lite::Regex;

use crate::sandbox::{CommandOutput, Sandbox, test_service};

/// The first port of a block in a snapshot. It has as many digits as a real one, so that tables
/// keep their columns.
const FIRST_PORT: u16 = 20_000;

/// Compares a text with its snapshot, `snapshots/NAME.snap`.
#[track_caller]
pub fn assert_text(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Commands and what they print, one after the other.
#[derive(Default)]
pub struct Transcript {
    text: String,
    hidden: Vec<(String, String)>,
    pids: Vec<(Regex, String)>,
}

impl Transcript {
    /// Replaces a value that differs from run to run in everything that is recorded from now on.
    pub fn hide(&mut self, value: impl ToString, placeholder: &str) {
        self.hidden
            .push((value.to_string(), placeholder.to_owned()));
    }

    /// Replaces the id of a process, also where it is aligned with ids of other lengths at the start of a
    /// line.
    pub fn hide_pid(&mut self, pid: impl Display, placeholder: &str) {
        let pattern = Regex::new(&format!(r"(?m)(^ +)?\b{pid}\b")).unwrap();
        self.pids.push((pattern, placeholder.to_owned()));
    }

    /// Runs Portway in the sandbox and records what it prints. `title` describes the case.
    pub fn run(&mut self, sandbox: &Sandbox, title: &str, arguments: &[&str]) -> CommandOutput {
        let ran = sandbox.run(arguments);
        self.record(sandbox, title, &arguments.join(" "), &ran);
        ran
    }

    /// Runs a command that runs Portway with these arguments, and records what it prints.
    pub fn run_as(&mut self, sandbox: &Sandbox, title: &str, arguments: &str, command: Command) {
        let ran = sandbox.run_command(command);
        self.record(sandbox, title, arguments, &ran);
    }

    /// Records what a command has printed.
    pub fn record(&mut self, sandbox: &Sandbox, title: &str, arguments: &str, ran: &CommandOutput) {
        self.entry(title);
        let command = self.redact(sandbox, arguments);
        let _ = writeln!(self.text, "$ portway {command}");
        // Which notices of a start a command receives depends on timing.
        let err = ran.stderr();
        let err = err.lines().filter(|line| !line.starts_with("· "));
        let err: String = err.map(|line| format!("{line}\n")).collect();
        for stream in [ran.stdout(), err] {
            self.lines(sandbox, &stream);
        }
        if ran.exit_code() != 0 {
            let _ = writeln!(self.text, "[exit code {}]", ran.exit_code());
        }
    }

    /// Records a text that Portway reports elsewhere than on a terminal, such as in JSON.
    pub fn text(&mut self, sandbox: &Sandbox, title: &str, text: &str) {
        self.entry(title);
        self.lines(sandbox, text);
    }

    /// Compares everything that was recorded with its snapshot. Only on Linux: other systems
    /// have other messages.
    #[track_caller]
    pub fn assert(self, name: &str) {
        if cfg!(target_os = "linux") {
            assert_text(name, &self.text);
        }
    }

    fn entry(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = writeln!(self.text, "# {title}");
    }

    fn lines(&mut self, sandbox: &Sandbox, text: &str) {
        for line in self.redact(sandbox, text).lines() {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// The text with every path, port, process and time replaced that differs from run to run.
    fn redact(&self, sandbox: &Sandbox, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, placeholder) in &self.hidden {
            text = text.replace(value, placeholder);
        }
        for (pattern, placeholder) in &self.pids {
            let aligned = |captures: &regex_lite::Captures<'_>| {
                let indent = captures.get(1).map_or("", |_| "  ");
                format!("{indent}{placeholder}")
            };
            text = pattern.replace_all(&text, aligned).into_owned();
        }
        let paths = [
            (env!("CARGO_BIN_EXE_portway").to_owned(), "portway"),
            (test_service().display().to_string(), "service"),
            (sandbox.path("").display().to_string(), "~/"),
        ];
        for (path, placeholder) in paths {
            text = text.replace(&path, placeholder);
        }
        let replace = |text: String, pattern: &str, with: &str| {
            let pattern = Regex::new(pattern).unwrap();
            pattern.replace_all(&text, with).into_owned()
        };
        text = replace(text, r"\bpid \d+", "pid 1234");
        text = replace(text, r"\b\d+\.\d+ (s|ms)\b", "0.1 $1");
        text = replace(text, r"\b\d+ s\b", "1 s");
        // The hash of a directory in the name of an instance, and the id of a CA.
        text = replace(text, r"\b([a-z]+)-[0-9a-f]{6}\b", "$1-1a2b3c");
        text = replace(text, r"\b[0-9a-f]{16}\b", "0123456789abcdef");
        // The parents of a process are those of the test.
        text = replace(text, r"\n *parents .*", "");
        let number = Regex::new(r"\b\d{5}\b").unwrap();
        let first = sandbox.port(0);
        let port = |captures: &regex_lite::Captures<'_>| {
            let written = captures[0].parse::<u32>().unwrap();
            match written.checked_sub(first.into()) {
                Some(index @ 0..200) => (u32::from(FIRST_PORT) + index).to_string(),
                _ => captures[0].to_owned(),
            }
        };
        number.replace_all(&text, port).into_owned()
    }
}
