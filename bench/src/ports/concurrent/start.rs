//! Starts processes at the same time, reads one line from each, and stops them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Result;

/// Time limit for all processes, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What a process printed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// 0 if it got none.
    pub(super) port: u16,
    pub(super) bound: bool,
}

/// Run processes until each has printed a line. Returns the time from the first start to the last
/// line, in milliseconds, and the lines.
pub(super) fn run(commands: Vec<Command>) -> Result<(f64, Vec<Outcome>)> {
    let (send, receive) = mpsc::channel();
    let started = Instant::now();
    let mut processes = Processes(Vec::new());
    for mut command in commands {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let output = child.stdout.take();
        processes.0.push(child);
        let send = send.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            if let Some(output) = output {
                let _ = BufReader::new(output).read_line(&mut line);
            }
            let _ = send.send((Instant::now(), line));
        });
    }
    let mut last = started;
    let mut outcomes = Vec::new();
    for _ in 0..processes.0.len() {
        let remaining = TIMEOUT.saturating_sub(started.elapsed());
        let (at, line) = receive
            .recv_timeout(remaining)
            .map_err(|_| "a process prints nothing".to_owned())?;
        last = last.max(at);
        outcomes.push(parse(&line));
    }
    Ok(((last - started).as_secs_f64() * 1000.0, outcomes))
}

/// Parse `PORT bound` or `PORT failed`.
fn parse(line: &str) -> Outcome {
    let (port, state) = line.trim().split_once(' ').unwrap_or_default();
    Outcome {
        port: port.parse().unwrap_or(0),
        bound: state == "bound",
    }
}

/// Dropping it closes the standard input of all processes, which stops them.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        for child in &mut self.0 {
            while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(2));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
