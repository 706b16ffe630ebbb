//! Files in the state directory, which only their owner can access. Portway never writes to one through
//! a symbolic link.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Fails if a file of Portway is a symbolic link.
pub(crate) fn refuse_link(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(io::Error::other("it is a symbolic link")),
        _ => Ok(()),
    }
}

/// Replaces a file in one step, so that no reader sees an incomplete one. A symbolic link in its place
/// is replaced too.
///
/// # Errors
/// Fails if the directory or the file cannot be written.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    // Several processes may replace the file at the same time.
    new.push(format!(".{}.new", std::process::id()));
    let new = Path::new(&new);
    // Left by a killed process, or a link.
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(new)?.write_all(content)?;
    fs::rename(new, path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn replaces_links_instead_of_writing_through_them() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (file, victim) = (dir.path().join("state.json"), dir.path().join("victim"));
        fs::write(&victim, "mine").unwrap();
        for link in [
            &file,
            &dir.path()
                .join(format!("state.json.{}.new", std::process::id())),
        ] {
            symlink(&victim, link).unwrap();
            replace_file(&file, b"new").unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "new");
            assert!(file.symlink_metadata().unwrap().is_file());
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
