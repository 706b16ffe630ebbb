//! Checks the machine: free disk space and the limit of open files.

use std::path::{Path, PathBuf};

use portway_api::{Check, Finding};

use super::finding_builder::{error, fine, warning};
use crate::dirs;
use crate::platform::{self, DiskRoom};

const MIB: u64 = 1 << 20;

/// Builds and installations are likely to fail with less free space, in bytes.
const LOW_SPACE: u64 = 500 * MIB;

/// The registry cannot be written reliably with less free space, in bytes.
const NO_SPACE: u64 = 20 * MIB;

/// Development servers that watch their sources need at least this many open files.
const MIN_OPEN_FILES: u64 = 1024;

/// Free space of the file system that contains a directory.
pub(super) struct FreeSpace {
    /// What the directory is for, as text.
    purpose: &'static str,
    dir: PathBuf,
    room: DiskRoom,
}

/// Returns the free space for the project and for Portway's state, if the system reports it.
pub(super) fn disk_space(root: &Path) -> Vec<FreeSpace> {
    let state = dirs::state_dir().ok();
    let places = [
        ("the project", Some(root.to_owned())),
        ("Portway's state", state),
    ];
    places
        .into_iter()
        .filter_map(|(purpose, dir)| {
            let dir = dir?;
            // The directory may not exist yet.
            let there = dir.ancestors().find(|dir| dir.exists())?;
            let room = platform::disk_room(there)?;
            Some(FreeSpace { purpose, dir, room })
        })
        .collect()
}

/// Evaluates the free space for one directory.
pub(super) fn evaluate_space(room: &FreeSpace) -> Finding {
    let FreeSpace { purpose, dir, room } = room;
    let free = format!(
        "{} MiB free for {purpose} in {}",
        room.free / MIB,
        dir.display()
    );
    let repair = "free some disk space";
    if room.files == Some(0) {
        let message = format!("no file can be created for {purpose} in {}", dir.display());
        return error(Check::Disk, "disk", message, repair);
    }
    if room.free < NO_SPACE {
        error(Check::Disk, "disk", format!("only {free}"), repair)
    } else if room.free < LOW_SPACE {
        warning(Check::Disk, "disk", format!("only {free}"), repair)
    } else {
        fine(Check::Disk, "disk", free)
    }
}

/// Evaluates the limit of open files.
pub(super) fn evaluate_open_files(limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit < MIN_OPEN_FILES => warning(
            Check::Limits,
            "limits",
            format!("a process can open only {limit} files"),
            format!(
                "raise the limit in the shell that starts the services: `ulimit -n {}`",
                4 * MIN_OPEN_FILES
            ),
        ),
        Some(limit) => fine(
            Check::Limits,
            "limits",
            format!("a process can open {limit} files"),
        ),
        None => fine(
            Check::Limits,
            "limits",
            "a process can open any number of files",
        ),
    }
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;

    use super::*;

    #[test]
    fn evaluates_free_space() {
        let evaluated = |free, files| {
            let room = FreeSpace {
                purpose: "the project",
                dir: "/p".into(),
                room: DiskRoom { free, files },
            };
            evaluate_space(&room).severity
        };
        assert_eq!(evaluated(10_000 * MIB, Some(1)), Severity::Fine);
        assert_eq!(evaluated(10_000 * MIB, None), Severity::Fine);
        assert_eq!(evaluated(100 * MIB, None), Severity::Warning);
        assert_eq!(evaluated(MIB, None), Severity::Error);
        assert_eq!(evaluated(10_000 * MIB, Some(0)), Severity::Error);
        // Works for a directory that does not exist yet.
        let dir = tempfile::tempdir().unwrap();
        assert!(!disk_space(&dir.path().join("not/yet")).is_empty());
    }

    #[test]
    fn warns_about_a_low_limit_of_open_files() {
        assert_eq!(evaluate_open_files(Some(256)).severity, Severity::Warning);
        assert_eq!(evaluate_open_files(Some(1024)).severity, Severity::Fine);
        assert_eq!(evaluate_open_files(None).severity, Severity::Fine);
    }
}
