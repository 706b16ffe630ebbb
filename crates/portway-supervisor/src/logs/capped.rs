//! A file that is limited in size. When it is full, it replaces its predecessor.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use portway_project::user_file;

/// An append-only file and the predecessor that it replaces when it is full.
#[derive(Debug)]
pub struct CappedFile {
    path: PathBuf,
    previous: PathBuf,
    /// Maximum size of each of the two files, in bytes; a single larger write exceeds it.
    limit: u64,
    file: File,
    length: u64,
}

impl CappedFile {
    /// Opens `path` for appending, with mode 0600 on Unix if it is created. When a write would
    /// exceed `limit` bytes, the file is first renamed to `previous`.
    ///
    /// # Errors
    /// If the file cannot be opened, or it or its directory is a symbolic link.
    pub fn open(path: &Path, previous: &Path, limit: u64) -> io::Result<Self> {
        let (file, length) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            previous: previous.to_owned(),
            limit,
            file,
            length,
        })
    }
}

impl Write for CappedFile {
    /// Writes the whole buffer to one file, so that a line is never split between the two.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length > 0 && self.length + bytes.len() as u64 > self.limit {
            fs::rename(&self.path, &self.previous)?;
            (self.file, self.length) = open(&self.path)?;
        }
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = user_file::append_to_private(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn never_writes_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("a.log"), dir.path().join("victim"));
        fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        let error = CappedFile::open(&path, &dir.path().join("a.log.1"), 10).unwrap_err();
        assert_eq!(error.to_string(), "it is a symbolic link");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }

    #[test]
    fn replaces_the_predecessor_when_it_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let (path, previous) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
        let mut file = CappedFile::open(&path, &previous, 10).unwrap();
        for line in ["one\n", "two\n", "three\n", "a line of its own\n", "end\n"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "end\n");
        assert_eq!(
            fs::read_to_string(&previous).unwrap(),
            "a line of its own\n"
        );
    }

    #[test]
    fn counts_what_an_earlier_process_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let (path, previous) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
        fs::write(&path, "12345678").unwrap();
        let mut file = CappedFile::open(&path, &previous, 10).unwrap();
        file.write_all(b"next").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "next");
        assert_eq!(fs::read_to_string(&previous).unwrap(), "12345678");
    }
}
