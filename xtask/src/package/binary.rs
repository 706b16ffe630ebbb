//! The binary: how it is built, and that it needs nothing of the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cannot;
use super::platforms::Platform;
use crate::command::{cargo, root, run};

/// Builds the binary of a platform with the profile `dist`, and returns its path.
pub(super) fn build(platform: &Platform) -> Result<PathBuf, String> {
    let target = &platform.target;
    println!("== building Portway for {target}; this takes minutes");
    let mut build = cargo("build --locked --package portway --profile dist --target");
    build.arg(target);
    if platform.is_static {
        // For this target only: procedural macros and build scripts cannot be static. The general
        // variables would take precedence.
        let name = target.to_uppercase().replace('-', "_");
        build
            .env(
                format!("CARGO_TARGET_{name}_RUSTFLAGS"),
                "-C target-feature=+crt-static",
            )
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
    }
    run(&mut build)?;
    let dist = super::target_dir().join(target).join("dist");
    Ok(dist.join(&platform.binary))
}

/// Checks that a binary that is to be static is, and, if it is for this machine, that it runs in an empty
/// file system.
pub(super) fn check(platform: &Platform, binary: &Path) -> Result<(), String> {
    if !platform.is_static {
        return Ok(());
    }
    let bytes = fs::read(binary).map_err(|error| cannot("read", binary, &error))?;
    if needs_loader(&bytes).ok_or_else(|| format!("`{}` is no ELF file", binary.display()))? {
        return Err(format!(
            "`{}` is not static: it needs the loader of the machine",
            binary.display()
        ));
    }
    if platform.is_native() {
        run_in_empty_root(binary)?;
    }
    Ok(())
}

/// Whether a 64-bit little-endian ELF file names a program that loads its libraries (`PT_INTERP`). Returns
/// `None` for another file.
fn needs_loader(bytes: &[u8]) -> Option<bool> {
    const INTERPRETER: u64 = 3;
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        Some(
            field
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let at = usize::try_from(start.checked_add(index * size)?).ok()?;
        if number(at, 4)? == INTERPRETER {
            return Some(true);
        }
    }
    Some(false)
}

/// Runs the binary with a root directory that contains nothing else.
fn run_in_empty_root(binary: &Path) -> Result<(), String> {
    let directory = root().join(format!("target/tmp/empty-root-{}", std::process::id()));
    super::copy(binary, &directory.join("portway"), 0o755)?;
    // In a user namespace, this needs no root.
    let result = run(Command::new("unshare")
        .args(["--map-root-user", "--root"])
        .arg(&directory)
        .args(["/portway", "--version"]));
    fs::remove_dir_all(&directory).map_err(|error| cannot("remove", &directory, &error))?;
    result.map_err(|error| format!("the binary does not run in an empty file system: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with these types of segments.
    fn elf(segments: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        (bytes[32], bytes[54], bytes[56]) = (64, 56, segments.len() as u8);
        for segment in segments {
            let mut header = vec![0; 56];
            header[0] = *segment;
            bytes.extend(header);
        }
        bytes
    }

    #[test]
    fn recognizes_a_static_binary() {
        assert_eq!(needs_loader(&elf(&[6, 1, 2])), Some(false));
        assert_eq!(needs_loader(&elf(&[6, 3, 1])), Some(true));
        assert_eq!(needs_loader(b"#!/bin/sh\n"), None);
        let whole = elf(&[1, 3]);
        assert_eq!(needs_loader(&whole[..100]), None);
        // This test is a dynamic program.
        #[cfg(all(target_os = "linux", not(target_feature = "crt-static")))]
        {
            let own = fs::read(std::env::current_exe().unwrap()).unwrap();
            assert_eq!(needs_loader(&own), Some(true));
        }
    }
}
