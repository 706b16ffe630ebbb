//! The directories of a command: its working directory and the state directory.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use portway_api::ErrorCode;

use crate::error::CommandError;

/// Returns the directory of Portway's state.
///
/// # Errors
/// When neither `XDG_STATE_HOME` nor `HOME` (on Windows `LOCALAPPDATA`) is an absolute path.
pub(crate) fn state_dir() -> Result<PathBuf, CommandError> {
    let windows = cfg!(windows);
    resolve_state_dir(&|name| env::var_os(name), windows).ok_or_else(|| {
        let home = home_variable(windows);
        CommandError::new(
            ErrorCode::State,
            format!("cannot determine the state directory: `{home}` is not set"),
        )
        .hint(format!(
            "set `{home}` or `XDG_STATE_HOME` to an absolute path"
        ))
    })
}

/// Returns the variable with the user's local data directory.
fn home_variable(windows: bool) -> &'static str {
    if windows { "LOCALAPPDATA" } else { "HOME" }
}

/// Resolves the state directory as the XDG base directory specification says. Ignores relative
/// paths.
fn resolve_state_dir(
    variable: &dyn Fn(&str) -> Option<OsString>,
    windows: bool,
) -> Option<PathBuf> {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let subdirectory = if windows { "" } else { ".local/state" };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute(home_variable(windows)).map(|home| home.join(subdirectory)))
        .map(|state| state.join("portway"))
}

/// Returns the canonical path of the directory in which a command runs.
///
/// # Errors
/// When it does not exist.
pub(crate) fn directory(given: Option<&Path>) -> Result<PathBuf, CommandError> {
    let directory = given.unwrap_or(Path::new("."));
    portway_project::checkout::canonical(directory)
        .map_err(|error| CommandError::file("enter", directory, error))
}

/// Returns the former path of a directory that does not exist, with the symbolic links resolved that
/// still exist: the given one, or the working directory of the shell.
pub(crate) fn missing_directory(given: Option<&Path>) -> Option<PathBuf> {
    let path = match given {
        Some(given) => std::path::absolute(given).ok()?,
        None => PathBuf::from(env::var_os("PWD")?),
    };
    if !path.is_absolute() {
        return None;
    }
    let (existing, above) = path.ancestors().find_map(|above| {
        let existing = portway_project::checkout::canonical(above).ok()?;
        Some((existing, above))
    })?;
    Some(existing.join(path.strip_prefix(above).ok()?))
}

/// Returns whether `PATH` contains a program.
pub(crate) fn has_program(name: &str) -> bool {
    which::which(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_the_state_directory() {
        let local = if cfg!(windows) {
            r"C:\Local"
        } else {
            "/u/Local"
        };
        let variable = |name: &str| (name == "LOCALAPPDATA").then(|| local.into());
        let windows = resolve_state_dir(&variable, true);
        assert_eq!(windows, Some(Path::new(local).join("portway")));
        // The paths below have no drive, so they are not absolute on Windows.
        if cfg!(windows) {
            return;
        }
        let resolve = |state: Option<&str>, home: Option<&str>| {
            let variable = |name: &str| match name {
                "XDG_STATE_HOME" => state.map(Into::into),
                "HOME" => home.map(Into::into),
                _ => None,
            };
            resolve_state_dir(&variable, false)
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
