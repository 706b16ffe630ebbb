//! The mark that everything carries which was started for a service: `PORTWAY_RUN=DIR/SERVICE` in
//! its environment, with the directory in which the instance has its locks and logs. It tells whose
//! a process is when all that stood above it is gone.
//!
//! `portway env` never prints it, so that a person's shell does not come to carry it.

use std::path::{Path, PathBuf};

use portway_ports::Process;

use crate::keeper;

/// The variable's name.
pub(crate) const NAME: &str = "PORTWAY_RUN";

/// Of which service of which instance a process carries the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The directory of the instance's locks and logs.
    pub dir: PathBuf,
    /// The service.
    pub service: String,
}

impl Mark {
    /// The mark of a process, if it carries one and this user may see it.
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(&crate::process::env_var(pid, NAME)?)
    }

    fn parse(value: &str) -> Option<Self> {
        let (dir, service) = value.rsplit_once('/')?;
        Some(Self {
            dir: PathBuf::from(dir),
            service: service.to_owned(),
        })
    }

    /// The instance's id.
    pub fn id(&self) -> &str {
        self.dir
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }

    /// The variable's value.
    pub(crate) fn value(dir: &Path, service: &str) -> String {
        format!("{}/{service}", dir.display())
    }
}

/// Whether a keeper stands above a process: then it will be ended with its service.
pub fn is_kept(pid: u32) -> bool {
    keeper_of(pid).is_some()
}

/// The services of which a process is the supervisor: those of the keepers that it has started.
/// Empty for any other process.
pub fn supervised(pid: u32) -> Vec<Mark> {
    let below = crate::process::descendants(pid);
    let processes = below.iter().filter_map(|one| Process::read(one.pid));
    let keepers = processes.filter(|process| process.parent == pid && is_keeper(process));
    keepers
        .filter_map(|keeper| Mark::of(keeper.id.pid))
        .collect()
}

fn is_keeper(process: &Process) -> bool {
    process.args.get(1).map(String::as_str) == Some(keeper::COMMAND)
}

/// The keeper above a process: below it is everything that was started for the same service.
pub fn keeper_of(pid: u32) -> Option<u32> {
    let keeper = crate::process::ancestors(pid).into_iter().find(is_keeper)?;
    Some(keeper.id.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back() {
        let dir = Path::new("/home/ada/.local/state/portway/instances/0123");
        let mark = Mark::parse(&Mark::value(dir, "backend")).unwrap();
        assert_eq!(mark.dir, dir);
        assert_eq!((mark.id(), mark.service.as_str()), ("0123", "backend"));
        assert_eq!(Mark::parse("nonsense"), None);
    }
}
