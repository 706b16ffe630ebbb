//! The authority's files: a directory that is this user's alone, in which all of them lie or none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file of the root's certificate: what programs are told to trust.
pub const ROOT_FILE: &str = "root.pem";

/// The intermediate's certificate.
pub(super) const INTERMEDIATE: &str = "intermediate.pem";

/// The intermediate's key, the only one that is kept; 0600.
pub(super) const KEY: &str = "intermediate.key";

/// Why there is no authority to sign with.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("cannot {action} `{}`: {source}", file.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else may read the key, or write where it lies.
    #[error("`{}` is open to others (mode {mode:03o})", file.display())]
    Permissions {
        /// The file or directory.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("`{}` is broken: {why}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The files are not of one authority.
    #[error("the local CA in `{}` does not hold together: {why}", dir.display())]
    Mismatch {
        /// The directory.
        dir: PathBuf,
        /// What a client says.
        why: String,
    },
    /// It has run out.
    #[error("the local CA in `{}` has run out", .0.display())]
    Expired(PathBuf),
    /// It could not be made.
    #[error("cannot make a local CA: {0}")]
    Generate(String),
}

/// The files' contents.
pub(super) struct Texts {
    pub(super) root: String,
    pub(super) intermediate: String,
    pub(super) key: String,
}

/// Writes all files beside their place, and then has them all there at once.
pub(super) fn write(dir: &Path, texts: &Texts) -> Result<(), AuthorityError> {
    let new = dir.with_extension("new");
    let failed = |action, file: &Path| {
        let file = file.to_owned();
        move |source| AuthorityError::File {
            action,
            file,
            source,
        }
    };
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", &new)(error));
        }
        _ => {}
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&new).map_err(failed("make", &new))?;
    for (name, text, mode) in [
        (ROOT_FILE, &texts.root, 0o644),
        (INTERMEDIATE, &texts.intermediate, 0o644),
        (KEY, &texts.key, 0o600),
    ] {
        let file = new.join(name);
        write_one(&file, text, mode).map_err(failed("write", &file))?;
    }
    fs::rename(&new, dir).map_err(failed("make", dir))
}

/// Writes a file that has its mode from its first moment.
fn write_one(file: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads all files; `None` when there is no such directory.
pub(super) fn read(dir: &Path) -> Result<Option<Texts>, AuthorityError> {
    let text = |name: &str| {
        let file = dir.join(name);
        fs::read_to_string(&file).map_err(|source| AuthorityError::File {
            action: "read",
            file,
            source,
        })
    };
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(AuthorityError::File {
                action: "read",
                file: dir.to_owned(),
                source,
            });
        }
        Ok(_) => {}
    }
    closed(dir, 0o077)?;
    let texts = Texts {
        root: text(ROOT_FILE)?,
        intermediate: text(INTERMEDIATE)?,
        key: text(KEY)?,
    };
    closed(&dir.join(KEY), 0o077)?;
    Ok(Some(texts))
}

/// Sees to it that a file has none of the rights `rights`.
#[cfg(unix)]
fn closed(file: &Path, rights: u32) -> Result<(), AuthorityError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(file).map_err(|source| AuthorityError::File {
        action: "read",
        file: file.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & rights == 0 {
        return Ok(());
    }
    Err(AuthorityError::Permissions {
        file: file.to_owned(),
        mode,
    })
}

/// There a file has the rights of the user's own directory, in which it lies.
#[cfg(not(unix))]
fn closed(_file: &Path, _rights: u32) -> Result<(), AuthorityError> {
    Ok(())
}
