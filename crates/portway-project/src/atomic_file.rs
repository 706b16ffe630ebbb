//! Replaces a text file atomically, so that no reader sees an incomplete file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes a temporary file next to `file`, syncs it and renames it to `file`. The mode of an
/// existing file stays; a new file gets the default mode.
///
/// `prefix` starts the name of the temporary file, which is locked while it is written.
///
/// # Errors
/// When the directory or the file cannot be written.
pub fn replace(file: &Path, prefix: &str, text: &str) -> io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(mode);
    let mut temporary = builder.tempfile_in(dir)?;
    // The lock shows that the writer is running. On Windows, an open file shows it.
    #[cfg(unix)]
    temporary.as_file().lock()?;
    if let Ok(current) = fs::symlink_metadata(file)
        && current.is_file()
    {
        temporary.as_file().set_permissions(current.permissions())?;
    }
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}
