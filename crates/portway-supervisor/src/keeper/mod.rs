//! The keeper: a process between the supervisor and the process tree of one service.
//!
//! It is the same binary, executed again as `portway __keeper`, with one thread and no runtime. It
//! adopts every process that the service starts: on Linux as a child subreaper, on macOS by a mark
//! in the environment, on Windows with a job object. It stops the tree when the supervisor requests
//! it or exits. The stop signal goes to the leader's process group and, once the leader has exited,
//! to all remaining processes. After the grace period it sends SIGKILL until no process is left.

mod handle;
#[cfg(unix)]
mod input;
#[cfg(windows)]
#[path = "no_input.rs"]
mod input;
mod own_program;
#[cfg(unix)]
mod shell;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::io;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use portway_project::policy::StopSignal;
use serde::{Deserialize, Serialize};

pub use handle::{
    Keeper, KeeperConfig, KeeperEvent, KeeperEvents, KeeperExit, KeeperStreams, Namespace,
};
pub(crate) use input::ServiceInput;

use crate::mark;
use crate::state::ExitStatus;
use crate::stuck::StuckProcess;

/// The hidden command that runs a keeper.
pub const COMMAND: &str = mark::KEEPER_COMMAND;

/// What a keeper reports to its supervisor, as one JSON value per line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Report {
    /// The command was started with this pid.
    Started(u32),
    /// The command could not be started.
    StartFailed(StartError),
    /// The process that runs the command has exited.
    LeaderExited(ExitStatus),
    /// A process that stayed after the leader had exited with code 0 failed.
    #[cfg_attr(windows, allow(dead_code, reason = "only Linux reports it"))]
    DaemonFailed(ExitStatus),
    /// These processes of the tree cannot be stopped.
    #[cfg_attr(windows, allow(dead_code, reason = "a job ends all its processes"))]
    Stuck(Vec<StuckProcess>),
    /// No process of the tree is left, except those that were reported as stuck.
    TreeGone,
}

/// Why the system did not start a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartError {
    /// The system's error message.
    pub message: String,
    /// The system's error code, if it has one.
    code: Option<i32>,
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self {
            message: error.to_string(),
            code: error.raw_os_error(),
        }
    }
}

/// Has the kind of the original error if that had a code.
impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        match error.code {
            Some(code) => Self::from_raw_os_error(code),
            None => Self::other(error.message),
        }
    }
}

/// A command from a supervisor to its keeper, as one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeeperCommand {
    /// Stop the process tree, and kill it after the grace period.
    Stop = b's' as isize,
    /// Kill the process tree.
    Kill = b'k' as isize,
    /// Send SIGTERM to the command in the foreground.
    #[cfg(unix)]
    Terminate = b't' as isize,
    /// Send SIGHUP to the command in the foreground.
    #[cfg(unix)]
    HangUp = b'h' as isize,
}

/// The standard input of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// At its end.
    Empty,
    /// A pipe that stays open. Compilers that watch files exit at the end of their input.
    Pipe,
    /// A terminal, which is also its output and its controlling terminal. On Windows, a pipe.
    Terminal,
}

/// The standard input of a command, as a keeper gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TaskInput {
    Empty,
    /// A pipe, by the file descriptors of its ends: the one to read from first.
    #[cfg(unix)]
    Pipe(i32, i32),
    #[cfg(windows)]
    Pipe,
    /// A terminal, by the file descriptor of its controlling end.
    #[cfg(unix)]
    Terminal(i32),
}

/// What a keeper runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TaskCommand {
    /// A shell command, in a session of its own.
    Shell(String),
    /// A program with its arguments in the session and with the streams of the keeper. The keeper's
    /// connection is this file descriptor.
    #[cfg(unix)]
    Foreground(i32, Vec<OsString>),
}

/// The arguments of a keeper. Its environment and directory are those of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Task {
    command: TaskCommand,
    /// The signal that requests the process tree to stop.
    stop_signal: StopSignal,
    /// The time between the stop signal and SIGKILL.
    grace: Duration,
    /// Whether the command gets a listening socket as file descriptor 3.
    has_socket: bool,
    /// The standard input of the command.
    input: TaskInput,
    /// The file descriptor and the path of the keeper's record.
    #[cfg(unix)]
    record: Option<(i32, PathBuf)>,
}

impl Task {
    fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![
            serde_json::to_string(&self.stop_signal)
                .unwrap_or_default()
                .into(),
            self.grace.as_millis().to_string().into(),
            self.has_socket.to_string().into(),
            serde_json::to_string(&self.input)
                .unwrap_or_default()
                .into(),
        ];
        #[cfg(unix)]
        {
            let (fd, path) = self.record.clone().unwrap_or((-1, PathBuf::new()));
            arguments.extend([fd.to_string().into(), path.into()]);
        }
        match &self.command {
            TaskCommand::Shell(command) => arguments.extend(["shell".into(), command.into()]),
            #[cfg(unix)]
            TaskCommand::Foreground(connection, command) => {
                arguments.extend(["foreground".into(), connection.to_string().into()]);
                arguments.extend(command.clone());
            }
        }
        arguments
    }

    fn from_arguments(arguments: &mut impl Iterator<Item = OsString>) -> Option<Self> {
        let mut text = || arguments.next()?.into_string().ok();
        let stop_signal = serde_json::from_str(&text()?).ok()?;
        let grace = Duration::from_millis(text()?.parse().ok()?);
        let has_socket = text()?.parse().ok()?;
        let input = serde_json::from_str(&text()?).ok()?;
        #[cfg(unix)]
        let fd: i32 = text()?.parse().ok()?;
        #[cfg(unix)]
        let path = PathBuf::from(arguments.next()?);
        let mut text = || arguments.next()?.into_string().ok();
        let command = match text()?.as_str() {
            "shell" => TaskCommand::Shell(text()?),
            #[cfg(unix)]
            "foreground" => {
                let connection = text()?.parse().ok()?;
                TaskCommand::Foreground(connection, arguments.collect())
            }
            _ => return None,
        };
        Some(Self {
            command,
            stop_signal,
            grace,
            has_socket,
            input,
            #[cfg(unix)]
            record: (fd >= 0).then_some((fd, path)),
        })
    }
}

/// Runs a keeper in this process until no process of the tree is left. `arguments` are those after
/// [`COMMAND`]. Returns the exit code.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    let Some(task) = Task::from_arguments(&mut arguments) else {
        return 2;
    };
    #[cfg(unix)]
    let result = unix::run(&task);
    #[cfg(windows)]
    let result = windows::run(
        &task,
        arguments
            .next()
            .and_then(|last| last.into_string().ok())
            .as_deref(),
    );
    match result {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_in_a_report() {
        let original = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(
            io::Error::from(StartError::from(original)).kind(),
            io::ErrorKind::Other
        );
        for code in [2, 13, 24] {
            let report = Report::StartFailed(io::Error::from_raw_os_error(code).into());
            let line = serde_json::to_string(&report).unwrap();
            let Report::StartFailed(error) = serde_json::from_str(&line).unwrap() else {
                panic!("{line}");
            };
            let original = io::Error::from_raw_os_error(code);
            assert_eq!(error.message, original.to_string());
            assert_eq!(io::Error::from(error).kind(), original.kind());
        }
    }

    #[test]
    fn parses_its_own_arguments() {
        let shell = Task {
            command: TaskCommand::Shell("echo 'a b' && exec x".into()),
            stop_signal: StopSignal::Int,
            grace: Duration::from_millis(1500),
            has_socket: true,
            #[cfg(unix)]
            input: TaskInput::Pipe(11, 12),
            #[cfg(windows)]
            input: TaskInput::Pipe,
            #[cfg(unix)]
            record: Some((12, "/state/keepers/1".into())),
        };
        let parse = |task: &Task| Task::from_arguments(&mut task.to_arguments().into_iter());
        assert_eq!(parse(&shell), Some(shell.clone()));
        #[cfg(unix)]
        {
            let foreground = Task {
                command: TaskCommand::Foreground(11, vec!["npm".into(), "test".into()]),
                record: None,
                input: TaskInput::Terminal(12),
                ..shell
            };
            assert_eq!(parse(&foreground), Some(foreground.clone()));
        }
        assert_eq!(Task::from_arguments(&mut ["x".into()].into_iter()), None);
    }
}
