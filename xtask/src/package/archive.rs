//! Archives with the same bytes for the same files, and their checksums.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::platforms::ArchiveFormat;
use super::{Built, VERSION, cannot, copy, copy_licenses, write};
use crate::command::root;

/// Packs a directory into a compressed tar file. `name` is its only top directory in the file.
pub(super) fn tar_gz(parent: &Path, name: &str, file: &Path) -> Result<(), String> {
    let output = File::create(file).map_err(|error| cannot("create", file, &error))?;
    // The order, times and owners of the files are fixed, and gzip writes no name and no time.
    let mut tar = Command::new("tar")
        .args([
            "--create",
            "--format=ustar",
            "--sort=name",
            "--mtime=@499162500",
        ])
        .args(["--owner=0", "--group=0", "--numeric-owner", "--directory"])
        .arg(parent)
        .arg(name)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run `tar`: {error}"))?;
    let pipe = tar.stdout.take().ok_or("`tar` has no output")?;
    let gzip = Command::new("gzip")
        .args(["--no-name", "--best"])
        .stdin(pipe)
        .stdout(output)
        .status();
    let tar = tar.wait();
    for (program, status) in [("gzip", gzip), ("tar", tar)] {
        let status = status.map_err(|error| format!("cannot run `{program}`: {error}"))?;
        if !status.success() {
            return Err(format!("`{program}` failed ({status})"));
        }
    }
    Ok(())
}

/// Writes the archive of a platform, which needs no package manager, and its checksum. Returns both.
pub(super) fn write_release(
    built: &Built<'_>,
    stage: &Path,
    out: &Path,
) -> Result<Vec<PathBuf>, String> {
    let platform = built.platform;
    let name = format!("portway-{VERSION}-{}", platform.target);
    let dir = stage.join("archive").join(&name);
    copy(&built.binary, &dir.join(&platform.binary), 0o755)?;
    for document in ["README.md", "CHANGELOG.md"] {
        copy(&root().join(document), &dir.join(document), 0o644)?;
    }
    copy_licenses(&dir)?;
    let parent = stage.join("archive");
    let archive = match platform.archive {
        ArchiveFormat::TarGz => {
            let file = out.join(format!("{name}.tar.gz"));
            tar_gz(&parent, &name, &file)?;
            file
        }
        ArchiveFormat::Zip => {
            let file = out.join(format!("{name}.zip"));
            zip(&parent, &name, &file)?;
            file
        }
    };
    let sum = write_checksum(&archive)?;
    Ok(vec![archive, sum])
}

/// Writes the script that installs Portway from an archive, and returns its file.
pub(super) fn write_installer(out: &Path) -> Result<PathBuf, String> {
    let template = root().join("packaging/install/install.sh");
    let text = fs::read_to_string(&template).map_err(|error| cannot("read", &template, &error))?;
    let file = out.join("install.sh");
    write(&file, text.replace("@VERSION@", VERSION).as_bytes(), 0o755)?;
    Ok(file)
}

/// Packs a directory into a zip file.
fn zip(parent: &Path, name: &str, file: &Path) -> Result<(), String> {
    let script = root().join("packaging/zip_directory.py");
    let status = Command::new("python3")
        .arg(script)
        .args([parent, Path::new(name), file])
        .status()
        .map_err(|error| format!("cannot run `python3`: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`packaging/zip_directory.py` failed ({status})")),
    }
}

/// Writes `FILE.sha256`, which `sha256sum --check` reads.
fn write_checksum(file: &Path) -> Result<PathBuf, String> {
    let name = file.file_name().unwrap_or_default();
    let output = Command::new("sha256sum")
        .arg(name)
        .current_dir(file.parent().unwrap_or(Path::new(".")))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run `sha256sum`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`sha256sum` failed ({})", output.status));
    }
    let mut sum = file.as_os_str().to_owned();
    sum.push(".sha256");
    let sum = PathBuf::from(sum);
    fs::write(&sum, output.stdout).map_err(|error| cannot("write", &sum, &error))?;
    Ok(sum)
}
