//! The keeper: a small process between the supervisor and one service's process tree.
//!
//! It is the same binary, executed again as `portway __keeper`, so small that one per service is
//! no burden: one thread, no runtime. On Linux it is a *child subreaper*: a process below it that
//! loses its parent becomes its child, so nothing that the service starts can leave the tree, not
//! by `setsid` and not by forking twice. When its standard input, a socket to the supervisor,
//! closes, the supervisor is gone, by SIGKILL or otherwise, and the keeper ends the tree.
//!
//! Ending a tree: the stop signal goes to the leader's process group, as Ctrl-C in a terminal
//! would; once the leader has ended, to all that is left; when the grace is over, SIGKILL goes to
//! everything again and again until nothing is left.
//!
//! On macOS, which has no subreapers, what belongs to a keeper is known by a mark in its
//! environment. On Windows the keeper puts itself into a job object, which the system ends with it,
//! and asks with Ctrl-C.

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
pub use handle::{Keeper, KeeperEvent, KeeperExit, Reports, Start, Streams};

use crate::state::ExitStatus;

/// The hidden command that makes a keeper of the binary.
pub const COMMAND: &str = "__keeper";

/// What a keeper tells its supervisor, one JSON value a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Report {
    /// The service's command runs as this process.
    Started(u32),
    /// The command could not be started.
    Failed(String),
    /// The process that the command became has ended.
    Exited(ExitStatus),
    /// Nothing of the tree is left.
    Gone,
}

/// What a supervisor tells its keeper, one byte each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Ask the tree to end, and end it after the grace.
    Stop = b's' as isize,
    /// End it now.
    Kill = b'k' as isize,
}

/// What a keeper is started with; its environment and directory are the service's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Task {
    /// The shell command.
    command: String,
    /// What asks it to end.
    signal: StopSignal,
    /// How long it may take.
    grace: Duration,
    /// Whether the command takes a listening socket from descriptor 3.
    socket: bool,
}

impl Task {
    /// As arguments of the hidden command.
    fn to_arguments(&self) -> [String; 4] {
        [
            serde_json::to_string(&self.signal).unwrap_or_default(),
            self.grace.as_millis().to_string(),
            self.socket.to_string(),
            self.command.clone(),
        ]
    }

    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        Some(Self {
            signal: serde_json::from_str(&arguments.next()?).ok()?,
            grace: Duration::from_millis(arguments.next()?.parse().ok()?),
            socket: arguments.next()?.parse().ok()?,
            command: arguments.next()?,
        })
    }
}

/// Runs the keeper in this process; `arguments` are those after [`COMMAND`]. Answers the process's
/// exit code when nothing of the tree is left.
pub fn run(mut arguments: impl Iterator<Item = String>) -> u8 {
    let Some(task) = Task::from_arguments(&mut arguments) else {
        return 2;
    };
    #[cfg(unix)]
    let kept = unix::run(&task);
    #[cfg(windows)]
    let kept = windows::run(&task, arguments.next().as_deref());
    match kept {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_passes_through_arguments() {
        let task = Task {
            command: "echo 'a b' && exec x".into(),
            signal: StopSignal::Int,
            grace: Duration::from_millis(1500),
            socket: true,
        };
        let back = Task::from_arguments(task.to_arguments().into_iter());
        assert_eq!(back, Some(task));
        assert_eq!(Task::from_arguments(["x".to_owned()].into_iter()), None);
    }
}
