//! Stops processes that Portway did not start: refuses processes that must not be stopped, sends
//! SIGTERM first, and identifies each process by pid and start time.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use portway_api::ErrorCode;
use portway_ports::{Process, ProcessId};
use portway_supervisor::process::{self, ProcessTree};

use crate::error::CommandError;

/// The interval between two checks whether the processes have exited.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long killed processes may take to exit.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Decides which processes a user may stop from a process.
pub(crate) struct StopPolicy {
    /// The user of this process.
    user: u32,
    /// The pids of this process and its ancestors.
    own_processes: Vec<u32>,
}

impl StopPolicy {
    /// Creates the policy of this process.
    pub(crate) fn for_this_process() -> Self {
        let pid = std::process::id();
        let ancestors = process::ancestors(pid);
        Self {
            user: process::current_user(),
            own_processes: std::iter::once(pid)
                .chain(ancestors.iter().map(|process| process.id.pid))
                .collect(),
        }
    }

    /// Returns the pids of this process and its ancestors, which are never part of a tree to stop.
    pub(crate) fn own_processes(&self) -> &[u32] {
        &self.own_processes
    }

    /// Checks that a process may be stopped.
    ///
    /// # Errors
    /// When it is the init process, this process or an ancestor of it, or belongs to another user.
    pub(crate) fn check(&self, process: &Process) -> Result<(), CommandError> {
        let (pid, name) = (process.id.pid, &process.name);
        let refused = |why: String| CommandError::new(ErrorCode::Refused, why);
        if pid == 1 {
            return Err(refused(format!(
                "cannot stop `{name}` (pid 1): it is the init process of this machine"
            )));
        }
        if self.own_processes.contains(&pid) {
            return Err(refused(format!(
                "cannot stop `{name}` (pid {pid}): it is a parent process of this command"
            ))
            .hint("run the command in another terminal"));
        }
        if process.user != Some(self.user) {
            let user = process.user.map_or_else(
                || "another user".to_owned(),
                |user| {
                    let name = process::user_name(user);
                    format!("user `{}`", name.unwrap_or_else(|| user.to_string()))
                },
            );
            return Err(refused(format!("`{name}` (pid {pid}) belongs to {user}"))
                .hint("run the command as that user: `sudo -u USER portway free PORT`"));
        }
        Ok(())
    }
}

/// Stops process trees: sends SIGTERM to each root, then to the remaining processes once the roots
/// have exited, and kills what still runs after `grace`. Returns whether a process was killed.
pub(crate) fn stop_trees(trees: &[ProcessTree], grace: Duration) -> Result<bool, CommandError> {
    let mut all: Vec<(ProcessId, bool)> = Vec::new();
    for tree in trees {
        let _ = process::terminate(tree.root.id);
        all.push((tree.root.id, true));
        all.extend(tree.descendants.iter().map(|process| (*process, false)));
    }
    let unrelated = trees.iter().flat_map(|tree| tree.unrelated.clone());
    let mut unrelated: HashSet<ProcessId> = unrelated.collect();
    let roots: Vec<ProcessId> = trees.iter().map(|tree| tree.root.id).collect();
    let deadline = Instant::now() + grace;
    let mut killed = false;
    loop {
        all.retain(|(process, _)| process.is_alive());
        if all.is_empty() {
            return Ok(killed);
        }
        if Instant::now() > deadline + KILL_TIMEOUT {
            return Err(CommandError::new(
                ErrorCode::Failed,
                format!("pid {} did not exit after SIGKILL", all[0].0.pid),
            )
            .hint(
                "try again later: the process waits in the kernel, for example for a network drive",
            ));
        }
        let must_kill = Instant::now() >= deadline;
        let roots_have_exited = !roots.iter().any(|root| root.is_alive());
        for (process, was_signaled) in &mut all {
            if must_kill {
                killed = true;
                let _ = process::kill(*process);
            } else if roots_have_exited && !*was_signaled {
                *was_signaled = true;
                let _ = process::terminate(*process);
            }
        }
        // The processes may have started others since the last check.
        for process in unrelated.clone() {
            unrelated.extend(process::descendants(process.pid));
        }
        for (process, _) in all.clone() {
            for descendant in process::descendants(process.pid) {
                if !unrelated.contains(&descendant)
                    && !all.iter().any(|(other, _)| *other == descendant)
                {
                    all.push((descendant, false));
                }
            }
        }
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, user: Option<u32>) -> Process {
        let mut process = Process::new(ProcessId { pid, started: 1 }, "server");
        process.user = user;
        process
    }

    #[test]
    fn refuses_init_ancestors_and_processes_of_other_users() {
        let policy = StopPolicy {
            user: 1000,
            own_processes: vec![50, 40],
        };
        assert!(policy.check(&process(60, Some(1000))).is_ok());
        for (pid, user, reason) in [
            (1, Some(1000), "init process"),
            (50, Some(1000), "is a parent process of this command"),
            (40, Some(1000), "is a parent process of this command"),
            (60, Some(0), "belongs to user `"),
            (60, None, "another user"),
        ] {
            let error = policy.check(&process(pid, user)).unwrap_err();
            assert_eq!(error.info.code, ErrorCode::Refused);
            assert!(
                error.info.message.contains(reason),
                "{}",
                error.info.message
            );
        }
    }

    #[test]
    fn own_processes_include_this_process_and_its_parent() {
        let own = StopPolicy::for_this_process().own_processes;
        assert_eq!(own[0], std::process::id());
        // On Windows the parent may have exited.
        #[cfg(unix)]
        assert!(own.contains(&std::os::unix::process::parent_id()));
    }
}
