//! Systems without control groups.

use std::convert::Infallible;
use std::path::Path;

/// A control group, which does not exist on this system.
#[derive(Debug)]
pub(crate) struct ControlGroup(Infallible);

impl ControlGroup {
    /// Returns `None`.
    pub(crate) fn open(_path: &Path) -> Option<Self> {
        None
    }

    pub(crate) fn kill(&self) {
        match self.0 {}
    }

    pub(crate) fn is_populated(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        match self.0 {}
    }

    pub(crate) fn remove(&self) {
        match self.0 {}
    }
}

/// What only a keeper needs.
#[cfg(unix)]
impl ControlGroup {
    /// Returns `None`.
    pub(crate) fn create(_name: &str) -> Option<Self> {
        None
    }

    /// Returns `None`.
    pub(crate) fn create_delegated(_name: &str) -> Option<Self> {
        None
    }

    pub(crate) fn path(&self) -> &Path {
        match self.0 {}
    }
}

/// Starts a command in a group.
#[cfg(unix)]
pub(crate) fn spawn_in(
    _command: &mut std::process::Command,
    group: &ControlGroup,
) -> std::io::Result<u32> {
    match group.0 {}
}
