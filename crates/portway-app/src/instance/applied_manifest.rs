//! The manifest that a running instance uses, in the instance's directory. `portway.toml` may have changed
//! since, and other services may be detected with the `PATH` of another command.

use std::fs;
use std::path::Path;

use portway_project::user_file;

const FILE_NAME: &str = "applied.toml";

/// Writes the text of the manifest. Without it, commands use the manifest as it is now.
pub(super) fn write(dir: &Path, text: &str) {
    let new = dir.join("applied.new");
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, dir.join(FILE_NAME)));
    if let Err(error) = written {
        tracing::warn!(%error, "cannot record the manifest of the instance");
    }
}

/// Reads the text of the manifest that the instance with this directory used last.
pub(crate) fn read(dir: &Path) -> Option<String> {
    user_file::read_text(&dir.join(FILE_NAME)).ok()
}
