//! Processes that SIGKILL does not end: those of another user, and those that wait in the kernel.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use portway_api::{Notice, NoticeLevel};
use serde::{Deserialize, Serialize};

use crate::process::{Process, ProcessId, current_user, user_name};

/// A process that has not exited this long after SIGKILL cannot be stopped by this user, or waits in
/// the kernel.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// How the notice about processes that cannot be stopped starts.
const NOT_STOPPED: &str = "cannot be stopped completely";

/// Returns the text of a notice about processes that cannot be stopped.
pub(crate) fn not_stopped(processes: &[StuckProcess]) -> String {
    format!("{NOT_STOPPED}: {} does not exit", list(processes))
}

/// Returns whether a notice is about processes that cannot be stopped.
pub fn is_not_stopped(notice: &Notice) -> bool {
    notice.level == NoticeLevel::Error && notice.text.starts_with(NOT_STOPPED)
}

/// A process that cannot be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckProcess {
    /// Its pid.
    pub pid: u32,
    /// Its short name.
    pub name: String,
    /// Its user, if that is another one.
    pub user: Option<String>,
}

impl StuckProcess {
    /// Reads a process. `None` if it is gone.
    pub(crate) fn read(id: ProcessId) -> Option<Self> {
        let process = Process::read(id.pid).filter(|process| process.id == id)?;
        let own = current_user();
        let user = process.user.filter(|&user| user != own);
        Some(Self {
            pid: id.pid,
            name: process.name,
            user: user.map(|user| user_name(user).unwrap_or_else(|| user.to_string())),
        })
    }
}

impl fmt::Display for StuckProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` (pid {}", self.name, self.pid)?;
        if let Some(user) = &self.user {
            write!(formatter, " of user `{user}`")?;
        }
        formatter.write_str(")")
    }
}

/// Formats several processes.
pub fn list(processes: &[StuckProcess]) -> String {
    let texts: Vec<String> = processes.iter().map(StuckProcess::to_string).collect();
    texts.join(", ")
}

/// Recognizes processes that SIGKILL does not end.
#[derive(Debug, Default)]
pub(crate) struct KillWatch {
    killed: HashMap<ProcessId, Instant>,
}

impl KillWatch {
    /// Returns whether all of `left`, which were just killed, were already killed [`KILL_TIMEOUT`]
    /// ago. False if none is left.
    pub(crate) fn is_stuck(&mut self, left: &[ProcessId]) -> bool {
        let now = Instant::now();
        self.killed.retain(|process, _| left.contains(process));
        for &process in left {
            self.killed.entry(process).or_insert(now);
        }
        let mut times = self.killed.values();
        !left.is_empty() && times.all(|&killed| now.duration_since(killed) >= KILL_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_stuck_only_after_a_while() {
        let process = ProcessId { pid: 4, started: 1 };
        let mut watch = KillWatch::default();
        assert!(!watch.is_stuck(&[]));
        assert!(!watch.is_stuck(&[process]));
        let long_ago = Instant::now().checked_sub(KILL_TIMEOUT).unwrap();
        watch.killed.insert(process, long_ago);
        assert!(watch.is_stuck(&[process]));
        // Another process has only just been killed.
        let other = ProcessId { pid: 5, started: 1 };
        assert!(!watch.is_stuck(&[process, other]));
        // A process that has exited is forgotten.
        assert!(!watch.is_stuck(&[other]));
        assert!(!watch.is_stuck(&[process]));
    }

    #[test]
    fn names_pid_and_user() {
        let process = |user: Option<&str>| StuckProcess {
            pid: 7,
            name: "helper".into(),
            user: user.map(Into::into),
        };
        let list = list(&[process(None), process(Some("root"))]);
        assert_eq!(list, "`helper` (pid 7), `helper` (pid 7 of user `root`)");
    }
}
