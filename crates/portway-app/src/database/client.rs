//! Runs client programs of database servers. Passwords go through the environment only, and statements
//! through the standard input.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

/// Maximum size of the output of a program that is kept, in bytes.
const MAX_OUTPUT: u64 = 1 << 20;

/// The result of a program.
pub(super) struct Output {
    pub(super) is_success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a program with `input` as its standard input and waits for it.
pub(super) fn run(mut command: Command, input: &str) -> io::Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    let input = input.to_owned();
    let writer = thread::spawn(move || {
        // A program that ends early does not read it; its error says why.
        let _ = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
    });
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let status = child.wait()?;
    let _ = writer.join();
    Ok(Output {
        is_success: status.success(),
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    })
}

/// Runs `from` and passes its output to `to`. Returns the errors of the one that failed first.
pub(super) fn pipe(mut from: Command, mut to: Command) -> io::Result<Result<(), Failed>> {
    let mut source = from
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = source.stdout.take().map_or(Stdio::null(), Stdio::from);
    let target = to
        .stdin(output)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    // Closes this process's end of the pipe, so that the source notices if the target ends.
    drop(to);
    let mut target = match target {
        Ok(target) => target,
        Err(error) => {
            stop(&mut source);
            return Err(error);
        }
    };
    let source_errors = reader(source.stderr.take());
    let target_errors = reader(target.stderr.take());
    let target_status = target.wait()?;
    let source_status = source.wait()?;
    let source_errors = source_errors.join().unwrap_or_default();
    let target_errors = target_errors.join().unwrap_or_default();
    // A source whose target failed ends with a broken pipe and has no cause of its own.
    Ok(if !target_status.success() && !target_errors.is_empty() {
        Err(Failed {
            is_source: false,
            stderr: target_errors,
        })
    } else if !source_status.success() {
        Err(Failed {
            is_source: true,
            stderr: source_errors,
        })
    } else if !target_status.success() {
        Err(Failed {
            is_source: false,
            stderr: status_text(target_status),
        })
    } else {
        Ok(())
    })
}

/// Which end of a pipe failed.
pub(super) struct Failed {
    pub(super) is_source: bool,
    pub(super) stderr: String,
}

fn status_text(status: ExitStatus) -> String {
    status.to_string()
}

fn stop(child: &mut Child) {
    // It may have exited meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads a stream to its end and keeps its first bytes.
fn reader(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}
