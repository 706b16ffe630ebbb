//! Stops the process tree of a keeper.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process, kill_process_group};

use super::{StopState, Tree};
use crate::keeper::TaskCommand;
use crate::platform;
use crate::process::send_signal;

/// How often the whole tree is read while SIGKILL is repeated.
const TREE_READ_INTERVAL: Duration = Duration::from_millis(20);

/// How long processes are suspended before they are killed, while new ones appear.
const SUSPEND_TIMEOUT: Duration = Duration::from_millis(100);

impl Tree<'_> {
    pub(super) fn request_stop(&mut self) {
        if !matches!(self.stop_state, StopState::Running) {
            return;
        }
        self.stop_state = StopState::Stopping(Instant::now() + self.task.grace);
        let signal = platform::signal(self.task.stop_signal);
        match self.leader {
            // The command in the foreground shares its process group with its shell.
            Some(_) if self.is_foreground() => self.signal_leader(signal),
            Some(leader) => {
                // Both calls fail only if the group has already exited. A suspended process handles
                // the signal when it continues.
                let _ = kill_process_group(leader, signal);
                let _ = kill_process_group(leader, Signal::CONT);
            }
            None => self.signal_tree(),
        }
    }

    pub(super) fn is_foreground(&self) -> bool {
        matches!(self.task.command, TaskCommand::Foreground(..))
    }

    pub(super) fn signal_leader(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // Both calls fail only if the leader has already exited.
            let _ = kill_process(leader, signal);
            let _ = kill_process(leader, Signal::CONT);
        }
    }

    pub(super) fn signal_tree(&self) {
        platform::signal_tree(platform::signal(self.task.stop_signal));
    }

    pub(super) fn start_killing(&mut self) {
        if matches!(self.stop_state, StopState::Killing(_)) {
            return;
        }
        self.stop_state = StopState::Killing(Instant::now());
        if self.group.is_none() {
            suspend_tree();
        }
    }

    /// Kills the process tree once the grace period is over.
    pub(super) fn kill_if_due(&mut self) {
        if let StopState::Stopping(deadline) = self.stop_state
            && Instant::now() >= deadline
        {
            self.start_killing();
        }
        if !matches!(self.stop_state, StopState::Killing(_)) {
            return;
        }
        match &self.group {
            Some(group) => group.kill(),
            None => platform::kill_children(),
        }
        // Processes can leave the group, and be grandchildren.
        let is_due = |last: Instant| last.elapsed() >= TREE_READ_INTERVAL;
        if self.last_tree_read.is_none_or(is_due) {
            let tree = platform::tree();
            for &process in &tree {
                // A process may have exited since the tree was read.
                let _ = send_signal(process, Signal::KILL);
            }
            if self.watch.is_stuck(&tree) {
                self.stuck = tree;
            }
            self.last_tree_read = Some(Instant::now());
        }
    }
}

/// Suspends the tree as a whole, until no new process appears. A process that forks and exits again and
/// again stands still, and none is replaced when it is killed.
fn suspend_tree() {
    let deadline = Instant::now() + SUSPEND_TIMEOUT;
    let mut seen = HashSet::new();
    loop {
        let mut is_complete = true;
        for process in platform::tree() {
            if seen.insert(process) {
                is_complete = false;
                platform::suspend(process);
            }
        }
        if is_complete || Instant::now() >= deadline {
            return;
        }
    }
}
