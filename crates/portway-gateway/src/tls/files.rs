//! The files of the local authority: a directory that is accessible to this user only.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file with the root certificate, which programs trust.
pub const ROOT_FILE: &str = "root.pem";

/// The file with the intermediate certificate.
pub(super) const INTERMEDIATE_FILE: &str = "intermediate.pem";

/// The file with the key of the intermediate. Its mode is 0600.
pub(super) const KEY_FILE: &str = "intermediate.key";

/// The rights of the group and of other users.
#[cfg(unix)]
const RIGHTS_OF_OTHERS: u32 = 0o077;

/// Why no authority is available.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file operation failed.
    #[error("cannot {action} `{}`: {source}", file.display())]
    File {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Other users can read or replace the key.
    #[error("`{}` is accessible to other users (mode {mode:03o})", file.display())]
    Permissions {
        /// The file or directory.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file has invalid content.
    #[error("`{}` is invalid: {source}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The files belong to different authorities.
    #[error("the files of the local CA in `{}` do not match: {source}", dir.display())]
    Mismatch {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The authority has expired. Contains its directory.
    #[error("the local CA in `{}` has expired", .0.display())]
    Expired(PathBuf),
    /// The authority could not be generated.
    #[error("cannot generate a local CA: {0}")]
    Generate(#[source] Box<dyn Error + Send + Sync>),
}

impl AuthorityError {
    pub(super) fn invalid(
        dir: &Path,
        name: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Invalid {
            file: dir.join(name),
            source: source.into(),
        }
    }

    fn file(action: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::File {
            action,
            file,
            source,
        }
    }
}

/// The content of the files, in PEM format.
pub(super) struct AuthorityFiles {
    pub(super) root: String,
    pub(super) intermediate: String,
    pub(super) key: String,
}

/// Writes all files to a temporary directory and renames it to `dir`.
pub(super) fn write(dir: &Path, files: &AuthorityFiles) -> Result<(), AuthorityError> {
    let temporary = dir.with_extension("new");
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(AuthorityError::file("remove", &temporary)(error));
        }
        _ => {}
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(&temporary)
        .map_err(AuthorityError::file("create", &temporary))?;
    for (name, text, mode) in [
        (ROOT_FILE, &files.root, 0o644),
        (INTERMEDIATE_FILE, &files.intermediate, 0o644),
        (KEY_FILE, &files.key, 0o600),
    ] {
        let file = temporary.join(name);
        write_file(&file, text, mode).map_err(AuthorityError::file("write", &file))?;
    }
    fs::rename(&temporary, dir).map_err(AuthorityError::file("create", dir))
}

/// Creates a file with its final mode, so that it is never accessible to other users.
fn write_file(file: &Path, text: &str, mode: u32) -> io::Result<()> {
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

/// Reads all files. Returns `None` if the directory does not exist.
pub(super) fn read(dir: &Path) -> Result<Option<AuthorityFiles>, AuthorityError> {
    let text = |name: &str| {
        let file = dir.join(name);
        fs::read_to_string(&file).map_err(AuthorityError::file("read", &file))
    };
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AuthorityError::file("read", dir)(error)),
        Ok(_) => {}
    }
    check_private(dir)?;
    let files = AuthorityFiles {
        root: text(ROOT_FILE)?,
        intermediate: text(INTERMEDIATE_FILE)?,
        key: text(KEY_FILE)?,
    };
    check_private(&dir.join(KEY_FILE))?;
    Ok(Some(files))
}

/// Checks that other users have no access to a file or directory.
#[cfg(unix)]
fn check_private(file: &Path) -> Result<(), AuthorityError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(file).map_err(AuthorityError::file("read", file))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & RIGHTS_OF_OTHERS == 0 {
        return Ok(());
    }
    Err(AuthorityError::Permissions {
        file: file.to_owned(),
        mode,
    })
}

/// Does nothing: on Windows a file inherits the permissions of the user's own directory.
#[cfg(not(unix))]
fn check_private(_file: &Path) -> Result<(), AuthorityError> {
    Ok(())
}
