//! The user's `config.toml`: where it lies, reading it, replacing it whole.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{Setting, from_text};
use crate::diagnostic::Diagnostic;

/// A file larger than this was not made for this purpose.
const MAX_BYTES: u64 = 1 << 20;

/// How many links may lead from one to the next.
const MAX_LINKS: usize = 40;

/// Where the file lies: by the XDG base directory specification, which ignores relative paths, or
/// on Windows below `%APPDATA%`. `None` where the variables do not tell.
pub fn place(variable: &dyn Fn(&str) -> Option<OsString>, windows: bool) -> Option<PathBuf> {
    let path = |name: &str| {
        variable(name)
            .filter(|held| !held.is_empty())
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
pub enum FileError {
    /// It cannot be read.
    #[error("`{}` {problem}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why, as the end of a sentence.
        problem: String,
    },
    /// It cannot be written, and is as it was.
    #[error("cannot write `{}`: {source}", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error(transparent)]
    Invalid(#[from] Box<Diagnostic>),
}

/// The file's text, empty where there is none.
///
/// # Errors
/// When it is something else than a small text file.
pub fn read_text(file: &Path) -> Result<String, FileError> {
    let fail = |problem: String| FileError::Unreadable {
        file: file.to_owned(),
        problem,
    };
    let metadata = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        other => other.map_err(|error| fail(format!("cannot be read: {error}")))?,
    };
    if !metadata.is_file() {
        return Err(fail("is not a file".into()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(fail(format!("has {} bytes, far too many", metadata.len())));
    }
    let mut text = String::new();
    fs::File::open(file)
        .and_then(|open| open.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| fail(format!("cannot be read: {error}")))?;
    Ok(text)
}

/// What the file sets; nothing where there is none.
///
/// # Errors
/// When it cannot be read, or says something that cannot be.
pub fn read(file: &Path) -> Result<Vec<Setting>, FileError> {
    let text = read_text(file)?;
    Ok(from_text(file, &text).map_err(Box::new)?)
}

/// Changes the file's text whole, or not at all; `change` answers `None` where there is nothing to
/// change. A link stays a link, and a file keeps its mode. What comes out must be a file that can
/// be read; two commands at a time follow each other.
///
/// # Errors
/// When the file cannot be read or written, and what `change` refuses.
pub fn change<E: From<FileError>>(
    file: &Path,
    change: impl FnOnce(&str) -> Result<Option<String>, E>,
) -> Result<bool, E> {
    let fail = |source: io::Error| FileError::Unwritable {
        file: file.to_owned(),
        source,
    };
    let target = target(file).map_err(fail)?;
    let dir = target.parent().unwrap_or(Path::new("/"));
    let locked = lock(dir);
    let text = read_text(&target)?;
    from_text(file, &text).map_err(|invalid| FileError::from(Box::new(invalid)))?;
    let Some(changed) = change(&text)? else {
        return Ok(false);
    };
    from_text(file, &changed).map_err(|invalid| FileError::from(Box::new(invalid)))?;
    if changed != text {
        replace(&target, dir, &changed).map_err(fail)?;
    }
    drop(locked);
    Ok(true)
}

/// Keeps other commands from changing a file of this directory meanwhile. Where the system cannot
/// do that, the last one wins; the file is whole in any case.
fn lock(dir: &Path) -> Option<fs::File> {
    let open = fs::File::open(dir).ok()?;
    open.lock().ok()?;
    Some(open)
}

/// What a chain of links leads to, which need not be there yet.
fn target(file: &Path) -> io::Result<PathBuf> {
    let mut file = file.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&file) {
            Ok(next) => file = file.parent().unwrap_or(Path::new("/")).join(next),
            Err(_) => return Ok(file),
        }
    }
    Err(io::Error::other("its links go round in a circle"))
}

fn replace(file: &Path, dir: &Path, text: &str) -> io::Result<()> {
    make_dirs(dir)?;
    let mut temporary = tempfile::Builder::new();
    temporary.prefix(".config.toml.");
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    temporary.permissions(mode);
    let mut temporary = temporary.tempfile_in(dir)?;
    if let Ok(current) = fs::metadata(file) {
        temporary.as_file().set_permissions(current.permissions())?;
    }
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    // So that the new name survives a power cut as well; the content does in any case.
    if let Ok(dir) = fs::File::open(dir) {
        let _ = dir.sync_all();
    }
    Ok(())
}

/// The directories of configuration are the user's own, as the specification has it.
fn make_dirs(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
