//! Reads all processes and recognizes those of keepers that were killed.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Leftover;
use crate::mark::{self, Mark};
use crate::platform;
use crate::process::{Process, ProcessId, ancestors, env_var, kill, pids};
use crate::record::Found;

/// The result of reading all processes.
pub(super) struct Scan {
    pub(super) leftovers: Vec<Leftover>,
    /// The process groups that contain nothing else.
    pub(super) groups: Vec<u32>,
    /// Whether no process was created meanwhile that could be missing.
    pub(super) is_complete: bool,
}

/// Recognizes the processes of dead keepers.
pub(super) struct Scanner<'a> {
    dir: &'a Path,
    /// The services by pids in control groups, by sessions, and by values of the keeper's variable.
    groups: HashMap<u32, &'a str>,
    sessions: HashMap<u32, &'a str>,
    values: HashMap<String, &'a str>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(dir: &'a Path, dead: &'a [Found]) -> Self {
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

    /// Finds the processes of dead keepers, and processes with the mark of the instance but without a
    /// keeper.
    pub(super) fn scan(&self) -> Scan {
        let latest = platform::latest_pid();
        let mut pids = pids();
        // The latest come first, because a process that forks and exits again and again is among them.
        pids.sort_unstable_by(|one, other| other.cmp(one));
        let mut leftovers = Vec::new();
        let (mut groups, mut unrelated) = (BTreeSet::new(), BTreeSet::new());
        for pid in pids {
            match self.read(pid) {
                Some((leftover, group)) => {
                    leftovers.push(leftover);
                    groups.extend(group);
                }
                None => unrelated.extend(platform::process_group(pid)),
            }
        }
        Scan {
            leftovers,
            groups: groups.difference(&unrelated).copied().collect(),
            is_complete: latest == platform::latest_pid(),
        }
    }

    /// Reads a process and its process group. `None` if it does not belong to a dead keeper.
    fn read(&self, pid: u32) -> Option<(Leftover, Option<u32>)> {
        if pid == 1 || pid == std::process::id() {
            return None;
        }
        let id = ProcessId::read(pid)?;
        let group = platform::process_group(pid);
        let service = self.service_of(pid)?;
        (!is_supervised(pid, self.dir)).then_some((Leftover { id, service }, group))
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

    /// Kills processes that were created in the last moment, faster than they fork and exit. Returns
    /// whether there was one.
    pub(super) fn kill_latest(&self) -> bool {
        const TIMEOUT: Duration = Duration::from_millis(100);
        const COUNT: u32 = 16;
        let start = Instant::now();
        let mut is_found = false;
        while start.elapsed() < TIMEOUT {
            let Some(latest) = platform::latest_pid() else {
                break;
            };
            for pid in (latest.saturating_sub(COUNT)..=latest).rev() {
                if let Some((leftover, _)) = self.read(pid) {
                    is_found = true;
                    // It may have exited meanwhile.
                    let _ = kill(leftover.id);
                }
            }
        }
        is_found
    }
}

/// Returns whether a process is Portway itself, such as a supervisor that a service of this instance
/// started, or below one: such processes inherit marks and groups.
pub(super) fn is_supervised(pid: u32, dir: &Path) -> bool {
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
