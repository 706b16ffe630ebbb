//! What a killed supervisor leaves: keepers that are still stopping their services, and processes
//! whose keepers were killed, too.
//!
//! A keeper holds the lock of its record while it lives. The processes of a dead one are those in its
//! control group and in its session, and those with its variable or with the mark of the instance.

mod scan;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::platform::{self, ControlGroup};
use crate::process::{ProcessId, kill};
use crate::record::{self, Found, Kind};
use crate::stuck::KillWatch;
pub use crate::stuck::{StuckProcess, is_not_stopped, list};
use scan::{Scanner, is_supervised};

/// How long [`end`] may take in all.
const END_TIMEOUT: Duration = Duration::from_secs(15);

/// How often new processes are suspended before all are killed.
const SUSPEND_ROUNDS: u32 = 3;

/// After this many scans without a process, none is left.
const EMPTY_SCANS: u32 = 3;

/// A keeper without a supervisor that is still stopping its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppingKeeper {
    /// The service.
    pub service: String,
    /// The pid; 0 if it has only just started.
    pub pid: u32,
}

/// Returns the keepers of services that live. Without a supervisor, each is stopping its service.
/// `dir` is the directory of the instance.
pub fn stopping(dir: &Path) -> Vec<StoppingKeeper> {
    record::read_all(dir)
        .into_iter()
        .filter(|found| found.is_locked && found.record.kind == Kind::Service)
        .map(|found| StoppingKeeper {
            service: found.record.service,
            pid: found.record.pid,
        })
        .collect()
}

/// Kills the processes of keepers that live and have no supervisor, without waiting for their grace.
pub fn kill_stopping(dir: &Path) {
    let records = record::read_all(dir);
    let services = records
        .iter()
        .filter(|found| found.record.kind == Kind::Service);
    for found in services.filter(|found| found.is_locked) {
        match found.group() {
            Some(group) => group.kill(),
            None => {
                for process in crate::process::descendants(found.record.pid) {
                    // It may have exited meanwhile.
                    let _ = kill(process);
                }
            }
        }
    }
}

/// Returns whether keepers were killed and left their records. Much faster than [`leftovers`].
pub fn has_dead_keepers(dir: &Path) -> bool {
    !dead(dir).is_empty()
}

/// A process whose keeper and supervisor were killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The process.
    pub id: ProcessId,
    /// The service, or the program of `portway exec`.
    pub service: String,
}

/// Returns the processes whose keeper and supervisor were killed. The caller knows that the instance
/// has no supervisor.
pub fn leftovers(dir: &Path) -> Vec<Leftover> {
    Scanner::new(dir, &dead(dir)).scan().leftovers
}

/// Kills the processes whose keeper and supervisor were killed. Returns those that cannot be stopped.
/// The caller knows that the instance has no supervisor.
pub fn kill_leftovers(dir: &Path) -> Vec<StuckProcess> {
    let start = Instant::now();
    let mut watch = KillWatch::default();
    let mut seen = BTreeSet::new();
    let mut is_suspending = true;
    let mut new_rounds = 0;
    let mut empty_scans = 0;
    loop {
        let dead = dead(dir);
        // A group that contains another instance, which a service started, is not killed as a whole.
        let mut groups: Vec<ControlGroup> = dead.iter().filter_map(Found::group).collect();
        groups.retain(|group| !group.pids().into_iter().any(|pid| is_supervised(pid, dir)));
        for group in &groups {
            group.kill();
        }
        let scanner = Scanner::new(dir, &dead);
        let scan = scanner.scan();
        let left: Vec<ProcessId> = scan.leftovers.iter().map(|found| found.id).collect();
        // All are suspended before the first one is killed, so that none is replaced.
        let mut is_new = false;
        for &process in &left {
            is_new |= seen.insert(process);
            if is_suspending && is_new {
                platform::suspend(process);
            } else {
                // It may have exited meanwhile.
                let _ = kill(process);
            }
        }
        // A process that forks and exits again and again has exited meanwhile. Its successor is in the
        // same group.
        for &group in &scan.groups {
            platform::signal_group(group, !is_suspending);
        }
        new_rounds += u32::from(is_new);
        is_suspending &= is_new && new_rounds < SUSPEND_ROUNDS;
        // Processes that appear again and again change their group, too.
        if is_new && new_rounds > SUSPEND_ROUNDS {
            scanner.kill_latest();
        }
        if !left.is_empty() || groups.iter().any(ControlGroup::is_populated) {
            empty_scans = 0;
            if watch.is_stuck(&left) || start.elapsed() >= END_TIMEOUT {
                return left.into_iter().filter_map(StuckProcess::read).collect();
            }
        } else if empty_scans == EMPTY_SCANS || (seen.is_empty() && dead.is_empty()) {
            clean(dir);
            return Vec::new();
        } else {
            // A process that forks and exits again and again can be missing in a scan during which
            // processes were created, on a busy machine in all of them.
            let is_missed = !scan.is_complete && scanner.kill_latest();
            empty_scans = if is_missed { 0 } else { empty_scans + 1 };
        }
        if start.elapsed() >= END_TIMEOUT {
            return Vec::new();
        }
    }
}

/// Kills the control group of a keeper that was killed while its supervisor lives. Without a group,
/// the supervisor stops the processes, which are its children now.
pub(crate) fn kill_groups(dir: &Path) {
    for found in dead(dir) {
        if let Some(group) = found.group() {
            group.kill();
        }
    }
}

/// Removes the records and groups of dead keepers without processes.
pub(crate) fn clean(dir: &Path) {
    for found in dead(dir) {
        let group = found.group();
        if group.as_ref().is_some_and(ControlGroup::is_populated) {
            continue;
        }
        if let Some(group) = group {
            group.remove();
        }
        found.remove();
    }
}

fn dead(dir: &Path) -> Vec<Found> {
    let all = record::read_all(dir).into_iter();
    all.filter(|found| !found.is_locked).collect()
}
