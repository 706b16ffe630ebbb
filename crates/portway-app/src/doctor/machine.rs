//! What the machine gives: room on the disks, and open files.

use std::path::{Path, PathBuf};

use portway_api::{Check, Finding};

use super::note::{error, fine, warning};
use crate::dirs;
use crate::platform::{self, DiskRoom};

const MIB: u64 = 1 << 20;

/// With less than this, a build or an installation is about to fail.
const LITTLE: u64 = 500 * MIB;

/// With less than this, not even the registry can be relied on.
const NOTHING: u64 = 20 * MIB;

/// Fewer open files than this, and a development server that watches its sources fails.
const FILES: u64 = 1024;

/// Room on the disk below a directory.
pub(super) struct Room {
    /// What the directory is, in words.
    what: &'static str,
    dir: PathBuf,
    room: DiskRoom,
}

/// The room of the project and of Portway's own state, as far as the system tells.
pub(super) fn rooms(root: &Path) -> Vec<Room> {
    let state = dirs::state_dir().ok();
    let places = [
        ("the project", Some(root.to_owned())),
        ("Portway's state", state),
    ];
    places
        .into_iter()
        .filter_map(|(what, dir)| {
            let dir = dir?;
            // Where it would be made, when it is not there yet.
            let there = dir.ancestors().find(|dir| dir.exists())?;
            let room = platform::disk_room(there)?;
            Some(Room { what, dir, room })
        })
        .collect()
}

/// Judges the room of one directory.
pub(super) fn judge_room(room: &Room) -> Finding {
    let Room { what, dir, room } = room;
    let free = format!(
        "{} MiB are free for {what} in {}",
        room.free / MIB,
        dir.display()
    );
    let repair = "make room there";
    if room.files == Some(0) {
        let message = format!("no file can be made for {what} in {}", dir.display());
        return error(Check::Disk, "disk", message, repair);
    }
    if room.free < NOTHING {
        error(Check::Disk, "disk", format!("only {free}"), repair)
    } else if room.free < LITTLE {
        warning(Check::Disk, "disk", format!("only {free}"), repair)
    } else {
        fine(Check::Disk, "disk", free)
    }
}

/// Judges the limit of open files.
pub(super) fn judge_files(limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit < FILES => warning(
            Check::Limits,
            "limits",
            format!("a process may have no more than {limit} files open"),
            format!(
                "raise it in the shell that starts the services: `ulimit -n {}`",
                4 * FILES
            ),
        ),
        Some(limit) => fine(
            Check::Limits,
            "limits",
            format!("a process may have {limit} files open"),
        ),
        None => fine(
            Check::Limits,
            "limits",
            "a process may have any number of files open",
        ),
    }
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;

    use super::*;

    #[test]
    fn room_is_judged_by_what_is_free() {
        let judged = |free, files| {
            let room = Room {
                what: "the project",
                dir: "/p".into(),
                room: DiskRoom { free, files },
            };
            judge_room(&room).severity
        };
        assert_eq!(judged(10_000 * MIB, Some(1)), Severity::Fine);
        assert_eq!(judged(10_000 * MIB, None), Severity::Fine);
        assert_eq!(judged(100 * MIB, None), Severity::Warning);
        assert_eq!(judged(MIB, None), Severity::Error);
        assert_eq!(judged(10_000 * MIB, Some(0)), Severity::Error);
        // The system answers for a directory that is not there yet.
        let dir = tempfile::tempdir().unwrap();
        assert!(!rooms(&dir.path().join("not/yet")).is_empty());
    }

    #[test]
    fn few_open_files_are_told() {
        assert_eq!(judge_files(Some(256)).severity, Severity::Warning);
        assert_eq!(judge_files(Some(1024)).severity, Severity::Fine);
        assert_eq!(judge_files(None).severity, Severity::Fine);
    }
}
