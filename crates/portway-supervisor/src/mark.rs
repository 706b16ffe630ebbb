//! The mark of every process that Portway starts for a service: the environment variable
//! `PORTWAY_RUN=DIR/SERVICE`, where `DIR` is the directory of the instance's locks and logs.
//!
//! The mark identifies the instance of a process whose keeper and supervisor are gone.
//! `portway env` must not print it, so that no shell inherits it.

use std::path::{Path, PathBuf};

use crate::process::{Process, ProcessId, ancestors, descendants, env_var};

/// The variable's name.
pub(crate) const NAME: &str = "PORTWAY_RUN";

/// The hidden command that runs a keeper.
pub(crate) const KEEPER_COMMAND: &str = "__keeper";

/// The variable that a keeper sets for its leader, and that all processes of the tree inherit.
pub(crate) const KEEPER_NAME: &str = "PORTWAY_KEEPER";

/// Returns the value of [`KEEPER_NAME`] for a keeper.
pub(crate) fn keeper_value(keeper: ProcessId) -> String {
    format!("{}.{}", keeper.pid, keeper.started)
}

/// The mark of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The directory of the instance's locks and logs.
    pub dir: PathBuf,
    /// The service.
    pub service: String,
}

impl Mark {
    /// Returns the mark in the environment of this process.
    pub fn own() -> Option<Self> {
        Self::parse(&std::env::var(NAME).ok()?)
    }

    /// Reads the mark of a process. `None` if it has none or this user may not read it.
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&env_var(pid, NAME)?)
    }

    /// Returns the mark of the service that a process belongs to: of the closest keeper above it,
    /// otherwise its own, otherwise of the closest marked process above it. A program can overwrite
    /// its environment, as Redis does to show a title.
    pub fn of(pid: u32) -> Option<Self> {
        let above = ancestors(pid);
        let keeper = above.iter().find(|process| is_keeper(process));
        keeper
            .and_then(|keeper| Self::read(keeper.id.pid))
            .or_else(|| Self::read(pid))
            .or_else(|| above.iter().find_map(|process| Self::read(process.id.pid)))
    }

    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (dir, service) = value.rsplit_once('/')?;
        Some(Self {
            dir: PathBuf::from(dir),
            service: service.to_owned(),
        })
    }

    /// Returns the instance's id.
    pub fn instance_id(&self) -> &str {
        self.dir
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }

    /// Formats the variable's value.
    pub fn value(dir: &Path, service: &str) -> String {
        format!("{}/{service}", dir.display())
    }
}

/// Returns whether a keeper is among the ancestors of a process. It stops the process together with
/// its service.
pub fn has_keeper(pid: u32) -> bool {
    keeper_of(pid).is_some()
}

/// Returns the services that a process supervises: those of the keepers among its children. Empty
/// for a process that is not a supervisor.
pub fn supervised_services(pid: u32) -> Vec<Mark> {
    let processes = descendants(pid)
        .into_iter()
        .filter_map(|process| Process::read(process.pid));
    processes
        .filter(|process| process.parent == pid && is_keeper(process))
        .filter_map(|keeper| Mark::read(keeper.id.pid))
        .collect()
}

pub(crate) fn is_keeper(process: &Process) -> bool {
    process.args.get(1).map(String::as_str) == Some(KEEPER_COMMAND)
}

/// Returns the pid of the keeper among the ancestors of a process.
pub fn keeper_of(pid: u32) -> Option<u32> {
    let keeper = ancestors(pid).into_iter().find(is_keeper)?;
    Some(keeper.id.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_formatted_mark() {
        let dir = Path::new("/home/ada/.local/state/portway/instances/0123");
        let mark = Mark::parse(&Mark::value(dir, "backend")).unwrap();
        assert_eq!(mark.dir, dir);
        assert_eq!(
            (mark.instance_id(), mark.service.as_str()),
            ("0123", "backend")
        );
        assert_eq!(Mark::parse("nonsense"), None);
    }
}
