//! What a killed supervisor leaves: keepers that are still stopping their services, and processes
//! whose keepers were killed, too.
//!
//! A keeper holds the lock of its record while it lives. The processes of a dead one are those in its
//! control group and in its session, and those with its variable or with the mark of the instance.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::mark::{self, Mark};
use crate::platform::{self, ControlGroup};
use crate::process::{Process, ProcessId, ancestors, env_var, kill, pids};
use crate::record::{self, Found, Kind};
use crate::stuck::KillWatch;
pub use crate::stuck::{StuckProcess, is_not_stopped, list};

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
    find(dir, &dead(dir))
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
        // All are suspended before the first one is killed, so that none is replaced.
        let mut is_new = false;
        let left: Vec<ProcessId> = find(dir, &dead).iter().map(|found| found.id).collect();
        for &process in &left {
            is_new |= seen.insert(process);
            if is_suspending && is_new {
                platform::suspend(process);
            } else {
                // It may have exited meanwhile.
                let _ = kill(process);
            }
        }
        new_rounds += u32::from(is_new);
        is_suspending &= is_new && new_rounds < SUSPEND_ROUNDS;
        // Processes that appear again and again fork and exit again and again.
        if is_new && new_rounds > SUSPEND_ROUNDS {
            Scanner::new(dir, &dead).kill_latest();
        }
        if !left.is_empty() || groups.iter().any(ControlGroup::is_populated) {
            empty_scans = 0;
            if watch.is_stuck(&left) || start.elapsed() >= END_TIMEOUT {
                return left.into_iter().filter_map(StuckProcess::read).collect();
            }
        } else if empty_scans == EMPTY_SCANS || seen.is_empty() {
            clean(dir);
            return Vec::new();
        } else {
            // A process that forks and exits again and again can be missing in a scan.
            empty_scans += 1;
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

/// Finds the processes of dead keepers, and processes with the mark of the instance but without a
/// keeper.
fn find(dir: &Path, dead: &[Found]) -> Vec<Leftover> {
    let scanner = Scanner::new(dir, dead);
    let mut pids = pids();
    // The latest come first, because a process that forks and exits again and again is among them.
    pids.sort_unstable_by(|one, other| other.cmp(one));
    pids.into_iter()
        .filter_map(|pid| scanner.read(pid))
        .collect()
}

/// Recognizes the processes of dead keepers.
struct Scanner<'a> {
    dir: &'a Path,
    /// The services by pids in control groups, by sessions, and by values of the keeper's variable.
    groups: HashMap<u32, &'a str>,
    sessions: HashMap<u32, &'a str>,
    values: HashMap<String, &'a str>,
}

impl<'a> Scanner<'a> {
    fn new(dir: &'a Path, dead: &'a [Found]) -> Self {
        let mut scanner = Self {
            dir,
            groups: HashMap::new(),
            sessions: HashMap::new(),
            values: HashMap::new(),
        };
        for found in dead {
            let (record, service) = (&found.record, found.record.service.as_str());
            let pids = found.group().map(|group| group.pids()).unwrap_or_default();
            scanner
                .groups
                .extend(pids.into_iter().map(|pid| (pid, service)));
            let value = mark::keeper_value(record.keeper());
            scanner.values.insert(value, service);
            // A pid is not reused while it is the number of a session. The record may be older than
            // the machine's start, though.
            if record.is_of_this_boot() {
                let sessions = std::iter::once(record.pid).chain(record.session);
                let ended = sessions.filter(|&pid| ProcessId::read(pid).is_none());
                scanner.sessions.extend(ended.map(|pid| (pid, service)));
            }
        }
        scanner
    }

    /// Reads a process. `None` if it does not belong to a dead keeper.
    fn read(&self, pid: u32) -> Option<Leftover> {
        if pid == 1 || pid == std::process::id() {
            return None;
        }
        let id = ProcessId::read(pid)?;
        let service = self.service_of(pid)?;
        (!is_supervised(pid, self.dir)).then_some(Leftover { id, service })
    }

    fn service_of(&self, pid: u32) -> Option<String> {
        let session = || self.sessions.get(&platform::session(pid)?);
        let value = || self.values.get(&env_var(pid, mark::KEEPER_NAME)?);
        let known = self.groups.get(&pid).or_else(session).or_else(value);
        match known {
            Some(&service) => Some(service.to_owned()),
            None => {
                let mark = Mark::read(pid).filter(|mark| mark.dir == self.dir)?;
                Some(mark.service)
            }
        }
    }

    /// Kills processes that were created in the last moment, faster than they fork and exit.
    fn kill_latest(&self) {
        const TIMEOUT: Duration = Duration::from_millis(100);
        const COUNT: u32 = 16;
        let start = Instant::now();
        while start.elapsed() < TIMEOUT {
            let Some(latest) = platform::latest_pid() else {
                return;
            };
            for pid in (latest.saturating_sub(COUNT)..=latest).rev() {
                if let Some(leftover) = self.read(pid) {
                    // It may have exited meanwhile.
                    let _ = kill(leftover.id);
                }
            }
        }
    }
}

/// Returns whether a process is Portway itself, such as a supervisor that a service of this instance
/// started, or below one: such processes inherit marks and groups.
fn is_supervised(pid: u32, dir: &Path) -> bool {
    let own = own_name();
    let is_portway = |process: &Process| {
        // A hidden command may follow `-C DIR`.
        is_program(&process.name, &own)
            || process
                .args
                .iter()
                .skip(1)
                .take(3)
                .any(|one| one.starts_with("__"))
    };
    let has_mark = |pid| Mark::read(pid).is_some_and(|mark| mark.dir == dir);
    Process::read(pid).is_some_and(|process| is_portway(&process))
        || ancestors(pid)
            .iter()
            .any(|process| is_portway(process) && has_mark(process.id.pid))
}

/// Returns the file name of this binary.
fn own_name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Linux adds this if the file was replaced.
    name.trim_end_matches(" (deleted)").to_owned()
}

/// Returns whether the name of a process is that of Portway, or of this binary, whose file name may
/// differ. A service may be called `portway-worker`, so a common start of both names is not enough.
fn is_program(name: &str, own: &str) -> bool {
    // Linux truncates the names of processes.
    const MAX_LENGTH: usize = 15;
    let strip = |name: &str| name.trim_end_matches(".exe").to_owned();
    let name = strip(name);
    let truncated: String = strip(own).chars().take(MAX_LENGTH).collect();
    !name.is_empty() && (name == "portway" || name == truncated || name == strip(own))
}

#[cfg(test)]
mod tests {
    use super::is_program;

    #[test]
    fn recognizes_portway_by_its_whole_name() {
        assert!(is_program("portway", "portway"));
        assert!(is_program("portway.exe", "portway.exe"));
        assert!(is_program("portway", "portway-1.0"));
        assert!(is_program("portway-1.0", "portway-1.0"));
        assert!(is_program("portway-x86_64-", "portway-x86_64-linux"));
        assert!(!is_program("portway-worker", "portway"));
        assert!(!is_program("portways", "portway"));
        assert!(!is_program("", ""));
    }
}
