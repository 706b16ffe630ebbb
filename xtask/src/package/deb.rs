//! The packages for Debian and its relatives, written by `dpkg-deb`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::archive::gzip;
use super::{Built, Output, TIME, VERSION, cannot, copy, files, template, write};
use crate::command::{root, run};

/// Directories of completions, each with the name of the file there, and the name in [`super::Documents`].
/// PowerShell has no such directory.
const COMPLETIONS: [(&str, &str); 3] = [
    (
        "usr/share/bash-completion/completions/portway",
        "portway.bash",
    ),
    ("usr/share/zsh/vendor-completions/_portway", "_portway"),
    (
        "usr/share/fish/vendor_completions.d/portway.fish",
        "portway.fish",
    ),
];

/// Writes the package of a platform of Debian, and returns its file.
pub(super) fn write_package(
    built: &Built<'_>,
    output: &Output<'_>,
) -> Result<Option<PathBuf>, String> {
    let Some(architecture) = &built.platform.deb else {
        return Ok(None);
    };
    let dir = output.stage.join("deb").join(architecture);
    write_files(built, output, &dir)?;
    write_control(architecture, &dir)?;
    set_modes(&dir)?;
    let file = output
        .out
        .join(format!("portway_{VERSION}-1_{architecture}.deb"));
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zxz"])
        .arg(format!("-z{}", output.level.number()))
        .arg("--build")
        .args([&dir, &file])
        // With several threads, the bytes depend on their number.
        .env("DPKG_DEB_THREADS_MAX", "1")
        .env("SOURCE_DATE_EPOCH", TIME)
        .stdout(Stdio::null()))?;
    Ok(Some(file))
}

fn write_files(built: &Built<'_>, output: &Output<'_>, dir: &Path) -> Result<(), String> {
    let documentation = dir.join("usr/share/doc/portway");
    copy(&built.binary, &dir.join("usr/bin/portway"), 0o755)?;
    copy(
        &root().join("README.md"),
        &documentation.join("README.md"),
        0o644,
    )?;
    let license = files::read(&root().join("LICENSE-MIT"))?;
    let license = indented(&String::from_utf8_lossy(&license));
    let copyright = template::fill("deb/copyright", &[("MIT", &license)])?;
    write(
        &documentation.join("copyright"),
        copyright.as_bytes(),
        0o644,
    )?;
    let changelog = files::read(&root().join("CHANGELOG.md"))?;
    write_gz(&changelog, &documentation.join("changelog.gz"), output)?;
    let own = template::fill("deb/changelog", &[])?;
    write_gz(
        own.as_bytes(),
        &documentation.join("changelog.Debian.gz"),
        output,
    )?;
    for page in &output.documents.man {
        let file = dir
            .join("usr/share/man/man1")
            .join(format!("{}.gz", page.name));
        write_gz(&page.text, &file, output)?;
    }
    for (path, name) in COMPLETIONS {
        let mut all = output.documents.completions.iter();
        if let Some(completion) = all.find(|one| one.name == name) {
            write(&dir.join(path), &completion.text, 0o644)?;
        }
    }
    Ok(())
}

/// A text as the value of a field: each line is indented, and a dot is an empty line.
fn indented(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| match line {
        "" => " .".to_owned(),
        _ => format!(" {line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn write_gz(bytes: &[u8], file: &Path, output: &Output<'_>) -> Result<(), String> {
    let plain = output.stage.join("plain");
    write(&plain, bytes, 0o644)?;
    let input = File::open(&plain).map_err(|error| cannot("read", &plain, &error))?;
    // Creates the directory, and sets the mode.
    write(file, b"", 0o644)?;
    gzip(input.into(), file, output.level)
}

/// Writes the description of the package, its size, and the checksums that `dpkg --verify` compares.
fn write_control(architecture: &str, dir: &Path) -> Result<(), String> {
    let mut paths = Vec::new();
    list(dir, &mut paths)?;
    paths.sort();
    let mut size = 0;
    for path in &paths {
        let metadata = path
            .metadata()
            .map_err(|error| cannot("read", path, &error))?;
        size += metadata.len().div_ceil(1024);
    }
    let relative = paths.iter().filter_map(|path| path.strip_prefix(dir).ok());
    let sums = Command::new("md5sum")
        .arg("--")
        .args(relative)
        .current_dir(dir)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run `md5sum`: {error}"))?;
    if !sums.status.success() {
        return Err(format!("`md5sum` failed ({})", sums.status));
    }
    let values = [("ARCHITECTURE", architecture), ("SIZE", &size.to_string())];
    let control = template::fill("deb/control", &values)?;
    write(&dir.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
    write(&dir.join("DEBIAN/md5sums"), &sums.stdout, 0o644)
}

/// Adds all files below a directory.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in dir
        .read_dir()
        .map_err(|error| cannot("read", dir, &error))?
    {
        let path = entry.map_err(|error| cannot("read", dir, &error))?.path();
        match path.is_dir() {
            true => list(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// Gives all directories the same mode, whatever the umask is.
fn set_modes(dir: &Path) -> Result<(), String> {
    run(Command::new("find")
        .arg(dir)
        .args(["-type", "d", "-exec", "chmod", "0755", "{}", "+"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents_the_value_of_a_field() {
        assert_eq!(indented("One\n\ntwo\n"), " One\n .\n two");
    }
}
