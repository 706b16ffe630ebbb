//! Archives with the same bytes for the same files, and their checksums.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::platforms::ArchiveFormat;
use super::{Built, Level, Output, TIME, cannot, copy, copy_licenses, files, sha256, write};
use crate::command::root;

/// Packs a directory or file into a tar file. `name` is the only top entry in the file.
pub(super) fn tar(parent: &Path, name: &str, file: &Path) -> Result<(), String> {
    let status = tar_command(parent, name)
        .stdout(create(file)?)
        .status()
        .map_err(|error| format!("cannot run `tar`: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`tar` failed ({status})")),
    }
}

/// Packs a directory into a compressed tar file. `name` is its only top directory in the file.
pub(super) fn tar_gz(parent: &Path, name: &str, file: &Path, level: Level) -> Result<(), String> {
    let mut tar = tar_command(parent, name)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run `tar`: {error}"))?;
    let pipe = tar.stdout.take().ok_or("`tar` has no output")?;
    let packed = gzip(pipe.into(), file, level);
    let status = tar
        .wait()
        .map_err(|error| format!("cannot wait for `tar`: {error}"))?;
    match status.success() {
        true => packed,
        false => Err(format!("`tar` failed ({status})")),
    }
}

/// The order, times, owners and modes of the files are fixed.
fn tar_command(parent: &Path, name: &str) -> Command {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=ustar", "--sort=name"])
        .arg(format!("--mtime=@{TIME}"))
        .arg("--mode=u=rwX,go=rX")
        .args(["--owner=0", "--group=0", "--numeric-owner", "--directory"])
        .arg(parent)
        .arg(name);
    tar
}

/// Compresses what an input gives. Writes neither a name nor a time into the file.
pub(super) fn gzip(input: Stdio, file: &Path, level: Level) -> Result<(), String> {
    let status = Command::new("gzip")
        .arg("--no-name")
        .arg(format!("-{}", level.number()))
        .stdin(input)
        .stdout(create(file)?)
        .status()
        .map_err(|error| format!("cannot run `gzip`: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`gzip` failed ({status})")),
    }
}

fn create(file: &Path) -> Result<File, String> {
    File::create(file).map_err(|error| cannot("create", file, &error))
}

/// Writes the archive of a platform, which needs no package manager, and its checksum. Returns both.
pub(super) fn write_release(
    built: &Built<'_>,
    output: &Output<'_>,
) -> Result<(PathBuf, PathBuf), String> {
    let platform = built.platform;
    let name = platform.archive_directory();
    let parent = output.stage.join("archive");
    let dir = parent.join(&name);
    copy(&built.binary, &dir.join(&platform.binary), 0o755)?;
    for document in ["README.md", "CHANGELOG.md"] {
        copy(&root().join(document), &dir.join(document), 0o644)?;
    }
    copy_licenses(&dir)?;
    output.documents.write(&dir)?;
    let archive = output.out.join(platform.archive_file());
    match platform.archive {
        ArchiveFormat::TarGz => tar_gz(&parent, &name, &archive, output.level)?,
        ArchiveFormat::Zip => zip(&parent, &name, &archive)?,
    }
    let sum = write_checksum(&archive)?;
    Ok((archive, sum))
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
    let line = format!("{}  {}\n", sha256(&files::read(file)?), name.display());
    let mut sum = file.as_os_str().to_owned();
    sum.push(".sha256");
    let sum = PathBuf::from(sum);
    write(&sum, line.as_bytes(), 0o644)?;
    Ok(sum)
}
