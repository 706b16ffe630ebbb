//! Reads and extends files that Portway did not create, such as `.env` and `.git/HEAD`.
//!
//! A checkout may contain anything: a link to a device without an end, a pipe that nothing writes to,
//! a file of many gigabytes. Only regular files of a limited size are read, and a file that Portway
//! writes is never written through a symbolic link.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The maximum size of a text file, in bytes.
pub const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum UserFileError {
    /// It is a directory.
    #[error("it is a directory")]
    Directory,
    /// It is a pipe, a device or a socket.
    #[error("it is not a regular file")]
    NotRegular,
    /// It is larger than this number of bytes.
    #[error("it is larger than {} MiB", .0 >> 20)]
    TooLarge(u64),
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl UserFileError {
    /// Returns whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        use io::ErrorKind::{NotADirectory, NotFound};
        matches!(self, Self::Io(error) if matches!(error.kind(), NotFound | NotADirectory))
    }
}

impl From<UserFileError> for io::Error {
    fn from(error: UserFileError) -> Self {
        match error {
            UserFileError::Io(error) => error,
            other => Self::other(other),
        }
    }
}

/// Reads a text file of at most [`MAX_TEXT_BYTES`].
///
/// # Errors
/// When it is not a regular file, too large, not UTF-8, or cannot be read.
pub fn read_text(path: &Path) -> Result<String, UserFileError> {
    let bytes = read(path, MAX_TEXT_BYTES)?;
    String::from_utf8(bytes).map_err(|_| UserFileError::NotUtf8)
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// When it is not a regular file, too large, or cannot be read.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, UserFileError> {
    let file = open_regular(path)?;
    if file.metadata()?.len() > max {
        return Err(UserFileError::TooLarge(max));
    }
    let mut bytes = Vec::new();
    // The file can grow, and the files of `/proc` report no size.
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(UserFileError::TooLarge(max));
    }
    Ok(bytes)
}

/// Reads the first bytes of a text file of any size, at most `max`. Characters that are not UTF-8 are replaced.
///
/// # Errors
/// When it is not a regular file, or cannot be read.
pub fn read_start(path: &Path, max: u64) -> Result<String, UserFileError> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(max).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens a file to read it.
fn open_regular(path: &Path) -> Result<File, UserFileError> {
    // Opening a device can have an effect, so the path is checked first. Another file may replace it
    // meanwhile, so the open file is checked again.
    check(&path.metadata()?)?;
    let file = open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(metadata: &Metadata) -> Result<(), UserFileError> {
    if metadata.is_dir() {
        Err(UserFileError::Directory)
    } else if metadata.is_file() {
        Ok(())
    } else {
        Err(UserFileError::NotRegular)
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Without it, opening a pipe waits for a writer.
    #[cfg(unix)]
    set_flags(&mut options, rustix::fs::OFlags::NONBLOCK);
    options.open(path)
}

/// Opens a regular file to append to it, and creates it if it does not exist.
///
/// # Errors
/// When the path or its directory is a symbolic link, or the system refuses.
pub fn append_to(path: &Path) -> io::Result<File> {
    append(path, 0o666)
}

/// Same as [`append_to`] for a file of Portway: only its owner can read it.
///
/// # Errors
/// When the path or its directory is a symbolic link, or the system refuses.
pub fn append_to_private(path: &Path) -> io::Result<File> {
    append(path, 0o600)
}

fn append(path: &Path, mode: u32) -> io::Result<File> {
    let is_link = |path: &Path| path.symlink_metadata().is_ok_and(|at| at.is_symlink());
    if is_link(path) || path.parent().is_some_and(is_link) {
        return Err(io::Error::other("it is a symbolic link"));
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        set_flags(
            &mut options,
            rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK,
        );
    }
    #[cfg(not(unix))]
    let _ = mode;
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

#[cfg(unix)]
fn set_flags(options: &mut OpenOptions, flags: rustix::fs::OFlags) {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(flags.bits().cast_signed());
}

#[cfg(test)]
mod tests {
    use std::fs;
    #[cfg(unix)]
    use std::io::Write;

    use super::*;

    #[test]
    fn reads_only_regular_files_of_a_limited_size() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "abc").unwrap();
        assert_eq!(read(&file, 3).unwrap(), b"abc");
        assert!(matches!(read(&file, 2), Err(UserFileError::TooLarge(2))));
        fs::write(&file, [0xff]).unwrap();
        assert!(matches!(read_text(&file), Err(UserFileError::NotUtf8)));
        let dir = read_text(temp.path());
        assert!(matches!(dir, Err(UserFileError::Directory)));
        let missing = read_text(&temp.path().join("missing")).unwrap_err();
        assert!(missing.is_not_found());
    }

    #[cfg(unix)]
    #[test]
    fn refuses_devices_and_pipes_without_blocking() {
        let temp = tempfile::tempdir().unwrap();
        let link = temp.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(matches!(read_text(&link), Err(UserFileError::NotRegular)));
        let pipe = temp.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(matches!(read_text(&pipe), Err(UserFileError::NotRegular)));
        // The path is checked before and after it is opened.
        assert!(open(&pipe).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn appends_through_no_link() {
        let temp = tempfile::tempdir().unwrap();
        let victim = temp.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(append_to(&link).is_err());
        let dir = temp.path().join("dir");
        std::os::unix::fs::symlink(temp.path(), &dir).unwrap();
        assert!(append_to(&dir.join("victim")).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        append_to(&victim).unwrap().write_all(b"!").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine!");
    }
}
