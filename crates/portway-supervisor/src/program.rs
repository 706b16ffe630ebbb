//! Runs a program that answers a question, with a limit on its time and its output.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often the program is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Returns what a program prints, if it succeeds within `timeout`, and prints at most `max` bytes.
pub fn output(mut command: Command, timeout: Duration, max: u64) -> Option<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    // More output than fits into the pipe would block the program.
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout.take(max + 1).read_to_end(&mut text);
        read.ok().map(|_| text)
    });
    let deadline = Instant::now() + timeout;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            _ => {
                // It may have exited meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let is_finished = |text: &Vec<u8>| status.success() && text.len() as u64 <= max;
    reader.join().ok()?.filter(is_finished)
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
        let mut endless = Command::new("cat");
        endless.arg("/dev/zero");
        assert_eq!(output(endless, Duration::from_millis(50), 1 << 20), None);
    }
}
