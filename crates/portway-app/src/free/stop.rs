//! Ending processes that Portway did not start: only what is certain to be meant, asked first,
//! killed by identity and never by number.

use std::thread;
use std::time::{Duration, Instant};

use portway_api::ErrorCode;
use portway_ports::{Process, ProcessId};
use portway_supervisor::process::{self, ProcessTree};

use crate::error::CommandError;

/// How often what is being ended is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How long the system may take to end what was killed.
const LAST: Duration = Duration::from_secs(5);

/// Who asks: what may not be touched follows from it.
pub(crate) struct Asker {
    user: u32,
    /// This process and all above it.
    own: Vec<u32>,
}

impl Asker {
    /// This process.
    pub(crate) fn this() -> Self {
        let pid = std::process::id();
        let above = process::ancestors(pid);
        Self {
            user: process::current_user(),
            own: std::iter::once(pid)
                .chain(above.iter().map(|process| process.id.pid))
                .collect(),
        }
    }

    /// The processes that are never part of somebody's tree: this one and those above it.
    pub(crate) fn own(&self) -> &[u32] {
        &self.own
    }

    /// Refuses to end a process that this one lives by, the system's first, or another user's.
    pub(crate) fn may_end(&self, process: &Process) -> Result<(), CommandError> {
        let (pid, name) = (process.id.pid, &process.name);
        let refused = |why: String| CommandError::new(ErrorCode::Refused, why);
        if pid == 1 {
            return Err(refused(format!(
                "`{name}` is the machine's first process (pid 1), which is never ended"
            )));
        }
        if self.own.contains(&pid) {
            return Err(refused(format!(
                "`{name}` (pid {pid}) is what this command itself runs in"
            ))
            .hint("call it from another terminal"));
        }
        if process.user != Some(self.user) {
            let user = process.user.map_or_else(
                || "another user".to_owned(),
                |user| {
                    let name = process::user_name(user);
                    format!("user {}", name.unwrap_or_else(|| user.to_string()))
                },
            );
            return Err(refused(format!("`{name}` (pid {pid}) belongs to {user}"))
                .hint("ask that user, or act as that user: `sudo -u USER portway free PORT`"));
        }
        Ok(())
    }
}

/// Ends whole trees: asks each root, then what is left when its root has gone, and kills what still
/// is there after `grace`. Answers whether something had to be killed.
pub(crate) fn end(trees: &[ProcessTree], grace: Duration) -> Result<bool, CommandError> {
    let mut all: Vec<(ProcessId, bool)> = Vec::new();
    for tree in trees {
        let _ = process::terminate(tree.root.id);
        all.push((tree.root.id, true));
        all.extend(tree.descendants.iter().map(|process| (*process, false)));
    }
    let roots: Vec<ProcessId> = trees.iter().map(|tree| tree.root.id).collect();
    let deadline = Instant::now() + grace;
    let mut killed = false;
    loop {
        all.retain(|(process, _)| process.is_alive());
        if all.is_empty() {
            return Ok(killed);
        }
        if Instant::now() > deadline + LAST {
            return Err(CommandError::new(
                ErrorCode::Failed,
                format!("pid {} does not end, even by SIGKILL", all[0].0.pid),
            )
            .hint("it waits inside the kernel, for a disk or a network drive; try again later"));
        }
        let by_force = Instant::now() >= deadline;
        let roots_gone = !roots.iter().any(|root| root.is_alive());
        for (process, asked) in &mut all {
            if by_force {
                killed = true;
                let _ = process::kill(*process);
            } else if roots_gone && !*asked {
                *asked = true;
                let _ = process::terminate(*process);
            }
        }
        // What was started meanwhile belongs to it as well.
        for (process, _) in all.clone() {
            for below in process::descendants(process.pid) {
                if !all.iter().any(|(known, _)| *known == below) {
                    all.push((below, false));
                }
            }
        }
        thread::sleep(LOOK_AGAIN);
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
    fn what_would_do_harm_is_refused() {
        let asker = Asker {
            user: 1000,
            own: vec![50, 40],
        };
        assert!(asker.may_end(&process(60, Some(1000))).is_ok());
        for (pid, user, words) in [
            (1, Some(1000), "first process"),
            (50, Some(1000), "itself runs in"),
            (40, Some(1000), "itself runs in"),
            (60, Some(0), "belongs to user "),
            (60, None, "another user"),
        ] {
            let error = asker.may_end(&process(pid, user)).unwrap_err();
            assert_eq!(error.info.code, ErrorCode::Refused);
            assert!(error.info.message.contains(words), "{}", error.info.message);
        }
    }

    #[test]
    fn this_process_and_its_parents_are_its_own() {
        let own = Asker::this().own;
        assert_eq!(own[0], std::process::id());
        // Elsewhere the parent may have ended.
        #[cfg(unix)]
        assert!(own.contains(&std::os::unix::process::parent_id()));
    }
}
