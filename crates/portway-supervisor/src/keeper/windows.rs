//! The keeper on Windows: a job object around the keeper and its process tree.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::process::CommandExt;
use std::process::{self, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use portway_project::policy::StopSignal;

use super::{KeeperCommand, Report, Task, TaskCommand, TaskInput};
use crate::platform;
use crate::state::ExitStatus;

/// How often the keeper checks for remaining processes after the leader has exited.
const TREE_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How often killing is repeated while processes are left.
const KILL_INTERVAL: Duration = Duration::from_millis(5);

/// The exit code of a program that Ctrl-C terminated.
const CONTROL_C_EXIT: u32 = 0xc000_013a;

/// The number of SIGINT, to which Ctrl-C corresponds.
const INTERRUPT: i32 = 2;

/// What the keeper waits for.
enum Event {
    LeaderExited(ExitStatus),
    Command(u8),
    SupervisorGone,
}

/// Whether the process tree is being stopped.
#[derive(Clone, Copy)]
enum StopState {
    Running,
    /// Ctrl-C was sent. The processes are killed at this time.
    Stopping(Instant),
    Killing,
}

/// Starts the command and waits until no process of the tree is left. `reports` is the argument with
/// the handle of the pipe for reports.
pub(super) fn run(task: &Task, reports: Option<&str>) -> io::Result<()> {
    let mut reports = platform::report_writer(reports.unwrap_or_default())?;
    platform::disable_stream_inheritance();
    // Processes that are started from here on belong to the job from their first instruction.
    let job = platform::own_job()?;
    let (sender, events) = mpsc::channel();
    match start(task, &sender) {
        Ok(pid) => report(&mut reports, &Report::Started(pid)),
        Err(error) => {
            report(&mut reports, &Report::StartFailed(error.into()));
            report(&mut reports, &Report::TreeGone);
            return Ok(());
        }
    }
    thread::spawn(move || receive_commands(&sender));
    let mut is_leader_running = true;
    let mut stop_state = StopState::Running;
    loop {
        let timeout = match stop_state {
            StopState::Killing => KILL_INTERVAL,
            _ if !is_leader_running => TREE_POLL_INTERVAL,
            StopState::Stopping(deadline) => deadline.saturating_duration_since(Instant::now()),
            StopState::Running => Duration::MAX,
        };
        let event = match events.recv_timeout(timeout) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(timeout.min(TREE_POLL_INTERVAL));
                None
            }
        };
        match event {
            Some(Event::LeaderExited(status)) => {
                is_leader_running = false;
                report(&mut reports, &Report::LeaderExited(status));
            }
            Some(Event::Command(command)) if command == KeeperCommand::Kill as u8 => {
                stop_state = StopState::Killing;
            }
            Some(Event::Command(command)) if command != KeeperCommand::Stop as u8 => {}
            Some(Event::Command(_) | Event::SupervisorGone) => {
                if let StopState::Running = stop_state {
                    stop_state = request_stop(task);
                }
            }
            None => {}
        }
        if let StopState::Stopping(deadline) = stop_state
            && Instant::now() >= deadline
        {
            stop_state = StopState::Killing;
        }
        let remaining = job.others();
        if let StopState::Killing = stop_state {
            platform::kill_all(&remaining);
        }
        if !is_leader_running && remaining.is_empty() {
            report(&mut reports, &Report::TreeGone);
            return Ok(());
        }
    }
}

/// Starts the leader, and a thread that waits for its exit.
fn start(task: &Task, events: &Sender<Event>) -> io::Result<u32> {
    let TaskCommand::Shell(command) = &task.command;
    let mut child = Command::new("cmd.exe")
        // `/d` ignores the user's AutoRun commands. `/s` removes only the outermost quotes, so that
        // the command is parsed as in a terminal.
        .raw_arg(format!("/d /s /c \"{command}\""))
        .stdin(match task.input {
            TaskInput::Pipe => Stdio::piped(),
            TaskInput::Empty => Stdio::null(),
        })
        .spawn()?;
    // `wait` would close the pipe.
    let input = child.stdin.take();
    let pid = child.id();
    let events = events.clone();
    thread::spawn(move || {
        let status = child.wait().map_or(ExitStatus::KILLED, exit_status);
        drop(input);
        // Sending fails only when the keeper is about to exit.
        let _ = events.send(Event::LeaderExited(status));
    });
    Ok(pid)
}

fn exit_status(status: process::ExitStatus) -> ExitStatus {
    match status.code() {
        Some(code) if code.cast_unsigned() == CONTROL_C_EXIT => ExitStatus::Signal(INTERRUPT),
        Some(code) => ExitStatus::Code(code),
        None => ExitStatus::KILLED,
    }
}

/// Passes on the supervisor's commands until the supervisor is gone.
fn receive_commands(events: &Sender<Event>) {
    let mut command = [0; 1];
    // Sending fails only when the keeper is about to exit.
    while let Ok(1) = io::stdin().read(&mut command) {
        let _ = events.send(Event::Command(command[0]));
    }
    let _ = events.send(Event::SupervisorGone);
}

/// Sends Ctrl-C in place of every stop signal except SIGKILL. Windows programs handle no other.
fn request_stop(task: &Task) -> StopState {
    if task.stop_signal == StopSignal::Kill {
        return StopState::Killing;
    }
    platform::interrupt_console();
    StopState::Stopping(Instant::now() + task.grace)
}

fn report(reports: &mut File, report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    // A write fails only if the supervisor is gone.
    let _ = reports.write_all(&line);
}
