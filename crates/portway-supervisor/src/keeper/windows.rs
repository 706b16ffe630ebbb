//! The keeper on Windows: a job object around itself and its service.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::process::CommandExt;
use std::process::{self, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use portway_project::policy::StopSignal;

use super::{Order, Report, Task};
use crate::platform;
use crate::state::ExitStatus;

/// How often it is looked whether anything is left, once the leader has ended.
const LOOK_FOR_REST: Duration = Duration::from_millis(20);

/// How often killing is repeated while something of the tree is left.
const KILL_AGAIN: Duration = Duration::from_millis(5);

/// The code with which Ctrl-C ends a program that has no handler for it.
const CONTROL_C_EXIT: u32 = 0xc000_013a;

/// The signal that Ctrl-C stands for elsewhere.
const INTERRUPT: i32 = 2;

/// What the keeper waits for.
enum Happened {
    LeaderEnded(ExitStatus),
    Order(u8),
    SupervisorGone,
}

/// What ends the tree, and when.
#[derive(Clone, Copy)]
enum Ending {
    No,
    /// Asked; killed at the deadline.
    Asked(Instant),
    Killing,
}

/// Keeps one tree until nothing of it is left. `reports` is the argument that names the pipe.
pub(super) fn run(task: &Task, reports: Option<&str>) -> io::Result<()> {
    let mut reports = platform::report_writer(reports.unwrap_or_default())?;
    platform::disable_stream_inheritance();
    // What is started from here on is in the job from its first instruction.
    let job = platform::own_job()?;
    let (happened, happens) = mpsc::channel();
    match start(task, &happened) {
        Ok(pid) => report(&mut reports, &Report::Started(pid)),
        Err(error) => {
            report(&mut reports, &Report::Failed(error.to_string()));
            report(&mut reports, &Report::Gone);
            return Ok(());
        }
    }
    thread::spawn(move || take_orders(&happened));
    let mut leader_runs = true;
    let mut ending = Ending::No;
    loop {
        let pause = match ending {
            Ending::Killing => KILL_AGAIN,
            _ if !leader_runs => LOOK_FOR_REST,
            Ending::Asked(deadline) => deadline.saturating_duration_since(Instant::now()),
            Ending::No => Duration::MAX,
        };
        let what = match happens.recv_timeout(pause) {
            Ok(what) => Some(what),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(pause.min(LOOK_FOR_REST));
                None
            }
        };
        match what {
            Some(Happened::LeaderEnded(ended)) => {
                leader_runs = false;
                report(&mut reports, &Report::Exited(ended));
            }
            Some(Happened::Order(order)) if order == Order::Kill as u8 => ending = Ending::Killing,
            Some(Happened::Order(order)) if order != Order::Stop as u8 => {}
            Some(Happened::Order(_) | Happened::SupervisorGone) => {
                if let Ending::No = ending {
                    ending = ask_to_end(task);
                }
            }
            None => {}
        }
        if let Ending::Asked(deadline) = ending
            && Instant::now() >= deadline
        {
            ending = Ending::Killing;
        }
        let rest = job.others();
        if let Ending::Killing = ending {
            platform::kill_all(&rest);
        }
        if !leader_runs && rest.is_empty() {
            report(&mut reports, &Report::Gone);
            return Ok(());
        }
    }
}

/// Starts the service, and a thread that waits for the end of its first process.
fn start(task: &Task, happened: &Sender<Happened>) -> io::Result<u32> {
    let mut child = Command::new("cmd.exe")
        // No AutoRun of the user's; and of the quotes only the outermost are taken off, so that
        // the command is what it would be in a terminal.
        .raw_arg(format!("/d /s /c \"{}\"", task.command))
        .stdin(Stdio::null())
        .spawn()?;
    let pid = child.id();
    let happened = happened.clone();
    thread::spawn(move || {
        let ended = child.wait().map_or(ExitStatus::Signal(9), how);
        let _ = happened.send(Happened::LeaderEnded(ended));
    });
    Ok(pid)
}

fn how(status: process::ExitStatus) -> ExitStatus {
    match status.code() {
        Some(code) if code.cast_unsigned() == CONTROL_C_EXIT => ExitStatus::Signal(INTERRUPT),
        Some(code) => ExitStatus::Code(code),
        None => ExitStatus::Signal(9),
    }
}

/// Reads the supervisor's orders until it is gone.
fn take_orders(happened: &Sender<Happened>) {
    let mut order = [0; 1];
    while let Ok(1) = io::stdin().read(&mut order) {
        let _ = happened.send(Happened::Order(order[0]));
    }
    let _ = happened.send(Happened::SupervisorGone);
}

/// Every signal but SIGKILL is Ctrl-C here: the one thing that programs expect.
fn ask_to_end(task: &Task) -> Ending {
    if task.signal == StopSignal::Kill {
        return Ending::Killing;
    }
    platform::interrupt_console();
    Ending::Asked(Instant::now() + task.grace)
}

fn report(reports: &mut File, report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    // A supervisor that is gone need not hear it.
    let _ = reports.write_all(&line);
}
