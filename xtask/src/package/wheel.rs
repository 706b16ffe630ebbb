//! The wheels: one for each platform, written by `packaging/pypi/build_wheel.py`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Built, DESCRIPTION, Output, VERSION, copy};
use crate::command::root;

/// Writes the wheel of a platform, and returns its file.
pub(super) fn write(built: &Built<'_>, output: &Output<'_>) -> Result<PathBuf, String> {
    let platform = built.platform;
    // The file in the wheel has the name of the binary, whatever the name of the given file is.
    let binary = output
        .stage
        .join("wheel")
        .join(&platform.target)
        .join(&platform.binary);
    copy(&built.binary, &binary, 0o755)?;
    let result = Command::new("python3")
        .arg(root().join("packaging/pypi/build_wheel.py"))
        .args([VERSION, DESCRIPTION, &platform.wheel.join(",")])
        .arg(&binary)
        .arg(root())
        .args([output.out, Path::new(output.level.number())])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run `python3`: {error}"))?;
    if !result.status.success() {
        return Err(format!("`build_wheel.py` failed ({})", result.status));
    }
    let path = String::from_utf8_lossy(&result.stdout);
    Ok(path.trim_end().into())
}
