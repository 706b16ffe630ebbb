//! The user's `config.toml`: its path, reading it, and changing it as a whole.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Setting, from_text};
use crate::atomic_file;
use crate::diagnostic::Diagnostic;
use crate::user_file;

/// The longest chain of symbolic links that is followed.
const MAX_LINKS: usize = 40;

/// The path of the file: in the directory that the XDG base directory specification defines, which
/// ignores relative paths, or below `%APPDATA%` on Windows. `None` if no variable is set.
pub fn default_path(variable: &dyn Fn(&str) -> Option<OsString>, windows: bool) -> Option<PathBuf> {
    let path = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let dir = if windows {
        path("APPDATA")?
    } else {
        let absolute = |name: &str| path(name).filter(|path| path.is_absolute());
        absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?
    };
    Some(dir.join("portway").join("config.toml"))
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// It cannot be written, and is unchanged.
    #[error("cannot write `{}`: {source}", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// It has an error.
    #[error(transparent)]
    Invalid(#[from] Box<Diagnostic>),
}

/// Reads the text of the file; empty if it does not exist.
///
/// # Errors
/// When it is not a text file of at most 1 MiB.
pub fn read_text(file: &Path) -> Result<String, ConfigFileError> {
    match user_file::read_text(file) {
        Err(error) if error.is_not_found() => Ok(String::new()),
        other => other.map_err(|error| ConfigFileError::Unreadable {
            file: file.to_owned(),
            source: error.into(),
        }),
    }
}

/// Reads the settings in the file; none if it does not exist.
///
/// # Errors
/// When it cannot be read, or has an error.
pub fn read(file: &Path) -> Result<Vec<Setting>, ConfigFileError> {
    let text = read_text(file)?;
    Ok(from_text(file, &text).map_err(Box::new)?)
}

/// Changes the text of the file as a whole, or not at all. `edit` returns the new text, or `None`
/// if there is nothing to change. Returns whether there was something to change.
///
/// A symbolic link stays a link, and the mode of the file stays. Concurrent changes wait for each
/// other.
///
/// # Errors
/// When the file cannot be read or written, when the old or the new text has an error, and when
/// `edit` fails.
pub fn change<E: From<ConfigFileError>>(
    file: &Path,
    edit: impl FnOnce(&str) -> Result<Option<String>, E>,
) -> Result<bool, E> {
    let fail = |source: io::Error| ConfigFileError::Unwritable {
        file: file.to_owned(),
        source,
    };
    let target = link_target(file).map_err(fail)?;
    let dir = target.parent().unwrap_or(Path::new("/"));
    let locked = lock(dir);
    let text = read_text(&target)?;
    from_text(file, &text).map_err(|error| ConfigFileError::from(Box::new(error)))?;
    let Some(changed) = edit(&text)? else {
        return Ok(false);
    };
    from_text(file, &changed).map_err(|error| ConfigFileError::from(Box::new(error)))?;
    if changed != text {
        replace(&target, dir, &changed).map_err(fail)?;
    }
    drop(locked);
    Ok(true)
}

/// Locks the directory against other commands that change a file in it. If the system does not
/// support that, the last command wins; the file is complete in any case.
fn lock(dir: &Path) -> Option<fs::File> {
    let open = fs::File::open(dir).ok()?;
    open.lock().ok()?;
    Some(open)
}

/// The target of a chain of symbolic links, which may not exist yet.
fn link_target(file: &Path) -> io::Result<PathBuf> {
    let mut file = file.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&file) {
            Ok(next) => file = file.parent().unwrap_or(Path::new("/")).join(next),
            Err(_) => return Ok(file),
        }
    }
    Err(io::Error::other("its symbolic links form a cycle"))
}

fn replace(file: &Path, dir: &Path, text: &str) -> io::Result<()> {
    create_dirs(dir)?;
    atomic_file::replace(file, ".config.toml.", text)?;
    // Makes the new name survive a power failure. The content is complete in any case, so a
    // directory that cannot be synced is not an error.
    if let Ok(dir) = fs::File::open(dir) {
        let _ = dir.sync_all();
    }
    Ok(())
}

/// Creates the directories of the configuration, for the user only, as the specification requires.
fn create_dirs(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(test)]
mod tests;
