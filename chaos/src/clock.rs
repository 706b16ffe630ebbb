//! A fake clock that jumps. Debian's libfaketime changes CLOCK_REALTIME in the processes that load
//! it. The monotonic clock stays, because it does not jump on real machines either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Debian's paths of the library, by architecture.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

/// A clock with an adjustable offset.
#[derive(Debug)]
pub(crate) struct FakeClock {
    library: PathBuf,
    /// The file with the offset, read by every process that uses the clock.
    offset: PathBuf,
    created: SystemTime,
}

impl FakeClock {
    /// `None` if libfaketime is not installed.
    pub(crate) fn find(root: &Path) -> Option<Self> {
        let library = LIBRARIES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file())?;
        let clock = Self {
            library,
            offset: root.join("clock"),
            created: SystemTime::now(),
        };
        clock.set_offset(0);
        Some(clock)
    }

    /// Set the offset in seconds, also for running processes. Replaces the file atomically, because
    /// they read it all the time.
    pub(crate) fn set_offset(&self, seconds: i64) {
        let new = self.offset.with_extension("new");
        let written = fs::write(&new, format!("{seconds:+}\n"));
        // After an error the clock keeps its offset, and the run tests less.
        let _ = written.and_then(|()| fs::rename(&new, &self.offset));
    }

    /// Let a command and its children use this clock.
    pub(crate) fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}

/// Removes two files in shared memory that the library leaves for every killed process, if the
/// process is dead and the file is newer than this clock.
impl Drop for FakeClock {
    fn drop(&mut self) {
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let creator = ["faketime_shm_", "sem.faketime_sem_"]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix)?.parse::<u32>().ok());
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let is_new = modified.is_ok_and(|modified| modified >= self.created);
            let is_dead = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
            if is_new && creator.is_some_and(is_dead) {
                // Another run may have removed it.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
