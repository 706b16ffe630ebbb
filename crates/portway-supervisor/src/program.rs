//! Runs a program that answers a question, with a limit on its time and its output.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the program is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Returns what a program prints, if it succeeds within `timeout`, and prints at most `max` bytes.
pub fn output(mut command: Command, timeout: Duration, max: u64) -> Option<Vec<u8>> {
    command.stderr(Stdio::null());
    match answer(command, timeout, max) {
        Answer::Success(text) => Some(text),
        Answer::Failure(_) | Answer::Timeout => None,
    }
}

/// How a program answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It succeeded and printed this.
    Success(Vec<u8>),
    /// It failed, printed too much, or did not start. The text is from its standard error, or empty.
    Failure(String),
    /// It did not exit in time.
    Timeout,
}

/// Runs a program for at most `timeout`, and reads at most `max` bytes of each output.
pub fn ask(mut command: Command, timeout: Duration, max: u64) -> Answer {
    command.stderr(Stdio::piped());
    answer(command, timeout, max)
}

fn answer(mut command: Command, timeout: Duration, max: u64) -> Answer {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Answer::Failure(error.to_string()),
    };
    // More output than fits into the pipe would block the program.
    let stdout = child.stdout.take().map(|stream| read(stream, max));
    let stderr = child.stderr.take().map(|stream| read(stream, max));
    let deadline = Instant::now() + timeout;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            _ => {
                // It may have exited meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return Answer::Timeout;
            }
        }
    };
    let text = |reader: Option<JoinHandle<Vec<u8>>>| {
        let text = reader.and_then(|reader| reader.join().ok());
        text.unwrap_or_default()
    };
    let printed = text(stdout);
    if status.success() && printed.len() as u64 <= max {
        return Answer::Success(printed);
    }
    Answer::Failure(String::from_utf8_lossy(&text(stderr)).into_owned())
}

fn read(stream: impl Read + Send + 'static, max: u64) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut text = Vec::new();
        // An incomplete text is treated like one that ends there.
        let _ = stream.take(max + 1).read_to_end(&mut text);
        text
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration, max: u64) -> Option<Vec<u8>> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        output(command, timeout, max)
    }

    #[test]
    fn limits_time_and_output() {
        let long = Duration::from_secs(60);
        assert_eq!(shell("printf hello", long, 5).unwrap(), b"hello");
        assert_eq!(shell("printf hello", long, 4), None);
        assert_eq!(shell("printf hello; exit 1", long, 5), None);
        let large = shell("head -c 300000 /dev/zero", long, 300_000);
        assert_eq!(large.unwrap().len(), 300_000);
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo out; echo why >&2; exit 3"]);
        assert_eq!(ask(failing, long, 100), Answer::Failure("why\n".into()));
        let mut slow = Command::new("sleep");
        slow.arg("60");
        assert_eq!(ask(slow, Duration::from_millis(50), 5), Answer::Timeout);
        let missing = ask(Command::new("no-such-program"), long, 5);
        assert!(matches!(missing, Answer::Failure(_)), "{missing:?}");
        let mut endless = Command::new("cat");
        endless.arg("/dev/zero");
        assert_eq!(output(endless, Duration::from_millis(50), 1 << 20), None);
    }
}
