//! The keeper: a process between the supervisor and the process tree of one service.
//!
//! It is the same binary, executed again as `portway __keeper`, with one thread and no runtime. It
//! adopts every process that the service starts: on Linux as a child subreaper, on macOS by a mark
//! in the environment, on Windows with a job object. It stops the tree when the supervisor requests
//! it or exits. The stop signal goes to the leader's process group and, once the leader has exited,
//! to all remaining processes. After the grace period it sends SIGKILL until no process is left.

mod handle;
#[cfg(unix)]
mod shell;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::time::Duration;

use portway_project::policy::StopSignal;
use serde::{Deserialize, Serialize};

pub(crate) use handle::keepers;
pub use handle::{Keeper, KeeperConfig, KeeperEvent, KeeperEvents, KeeperExit, KeeperStreams};

use crate::state::ExitStatus;

/// The hidden command that runs a keeper.
pub const COMMAND: &str = "__keeper";

/// What a keeper reports to its supervisor, as one JSON value per line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Report {
    /// The command was started with this pid.
    Started(u32),
    /// The command could not be started, with the system's error message.
    StartFailed(String),
    /// The process that runs the command has exited.
    LeaderExited(ExitStatus),
    /// A process that stayed after the leader had exited with code 0 failed.
    #[cfg_attr(windows, allow(dead_code, reason = "only Linux reports it"))]
    DaemonFailed(ExitStatus),
    /// No process of the tree is left.
    TreeGone,
}

/// A command from a supervisor to its keeper, as one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeeperCommand {
    /// Stop the process tree, and kill it after the grace period.
    Stop = b's' as isize,
    /// Kill the process tree.
    Kill = b'k' as isize,
}

/// The arguments of a keeper. Its environment and directory are those of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Task {
    /// The shell command.
    command: String,
    /// The signal that requests the process tree to stop.
    stop_signal: StopSignal,
    /// The time between the stop signal and SIGKILL.
    grace: Duration,
    /// Whether the command gets a listening socket as file descriptor 3.
    has_socket: bool,
}

impl Task {
    fn to_arguments(&self) -> [String; 4] {
        [
            serde_json::to_string(&self.stop_signal).unwrap_or_default(),
            self.grace.as_millis().to_string(),
            self.has_socket.to_string(),
            self.command.clone(),
        ]
    }

    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        Some(Self {
            stop_signal: serde_json::from_str(&arguments.next()?).ok()?,
            grace: Duration::from_millis(arguments.next()?.parse().ok()?),
            has_socket: arguments.next()?.parse().ok()?,
            command: arguments.next()?,
        })
    }
}

/// Runs a keeper in this process until no process of the tree is left. `arguments` are those after
/// [`COMMAND`]. Returns the exit code.
pub fn run(mut arguments: impl Iterator<Item = String>) -> u8 {
    let Some(task) = Task::from_arguments(&mut arguments) else {
        return 2;
    };
    #[cfg(unix)]
    let result = unix::run(&task);
    #[cfg(windows)]
    let result = windows::run(&task, arguments.next().as_deref());
    match result {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_its_own_arguments() {
        let task = Task {
            command: "echo 'a b' && exec x".into(),
            stop_signal: StopSignal::Int,
            grace: Duration::from_millis(1500),
            has_socket: true,
        };
        let parsed = Task::from_arguments(task.to_arguments().into_iter());
        assert_eq!(parsed, Some(task));
        assert_eq!(Task::from_arguments(["x".to_owned()].into_iter()), None);
    }
}
