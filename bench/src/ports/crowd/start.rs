//! Starts processes together, waits for one line of each, and ends them all.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Result;

/// The longest that a crowd may take; long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a process said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    /// 0 where it had none.
    pub(super) port: u16,
    pub(super) bound: bool,
}

/// Milliseconds from the first start to the last line, and the lines. The processes end when their
/// standard input does.
pub(super) fn all(commands: Vec<Command>) -> Result<(f64, Vec<Answer>)> {
    let (send, receive) = mpsc::channel();
    let began = Instant::now();
    let mut crowd = Crowd(Vec::new());
    for mut command in commands {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let output = child.stdout.take();
        crowd.0.push(child);
        let send = send.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            if let Some(output) = output {
                let _ = BufReader::new(output).read_line(&mut line);
            }
            let _ = send.send((Instant::now(), line));
        });
    }
    let mut last = began;
    let mut answers = Vec::new();
    for _ in 0..crowd.0.len() {
        let left = PATIENCE.saturating_sub(began.elapsed());
        let (at, line) = receive
            .recv_timeout(left)
            .map_err(|_| "a crowd of processes does not answer".to_owned())?;
        last = last.max(at);
        answers.push(read(&line));
    }
    Ok(((last - began).as_secs_f64() * 1000.0, answers))
}

/// `PORT bound` or `PORT failed`.
fn read(line: &str) -> Answer {
    let (port, state) = line.trim().split_once(' ').unwrap_or_default();
    Answer {
        port: port.parse().unwrap_or(0),
        bound: state == "bound",
    }
}

/// Processes that end with this value.
struct Crowd(Vec<Child>);

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
        }
        let until = Instant::now() + Duration::from_secs(10);
        for child in &mut self.0 {
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(2));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
