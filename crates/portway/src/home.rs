//! What surrounds a command: where state is kept, what time it is.

use std::env;
use std::path::{Path, PathBuf};

use portway_api::ErrorCode;

use crate::error::CommandError;

/// The directory of Portway's own state.
///
/// # Errors
/// When neither `XDG_STATE_HOME` nor `HOME` tells where that is.
pub(crate) fn state_dir() -> Result<PathBuf, CommandError> {
    resolve_state_dir(env::var_os("XDG_STATE_HOME"), env::var_os("HOME")).ok_or_else(|| {
        CommandError::new(
            ErrorCode::State,
            "there is no place to keep state: HOME is not set",
        )
        .hint("set HOME, or XDG_STATE_HOME to an absolute path")
    })
}

/// By the XDG base directory specification: relative paths there are ignored.
fn resolve_state_dir(
    state: Option<std::ffi::OsString>,
    home: Option<std::ffi::OsString>,
) -> Option<PathBuf> {
    let absolute = |value: Option<std::ffi::OsString>| {
        value.map(PathBuf::from).filter(|path| path.is_absolute())
    };
    absolute(state)
        .or_else(|| absolute(home).map(|home| home.join(".local/state")))
        .map(|state| state.join("portway"))
}

/// The directory in which a command acts.
///
/// # Errors
/// When it does not exist.
pub(crate) fn directory(given: Option<&Path>) -> Result<PathBuf, CommandError> {
    let directory = given.unwrap_or(Path::new("."));
    directory
        .canonicalize()
        .map_err(|error| CommandError::file("enter", directory, &error))
}

/// Whether a program can be found in `PATH`, as a shell would find it.
pub(crate) fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| is_executable(&dir.join(name)))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_lies_where_the_standard_says() {
        let resolve = |state: Option<&str>, home: Option<&str>| {
            resolve_state_dir(state.map(Into::into), home.map(Into::into))
        };
        assert_eq!(resolve(Some("/s"), Some("/h")), Some("/s/portway".into()));
        assert_eq!(
            resolve(None, Some("/h")),
            Some("/h/.local/state/portway".into())
        );
        assert_eq!(
            resolve(Some("relative"), Some("/h")),
            Some("/h/.local/state/portway".into())
        );
        assert_eq!(resolve(None, None), None);
        assert_eq!(resolve(Some(""), Some("")), None);
    }
}
