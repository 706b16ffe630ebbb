//! A clock that jumps. The machine's own cannot be set by a test; Debian's libfaketime moves
//! CLOCK_REALTIME of the processes that load it, which every program that is linked to the system's
//! libc does when told so. The monotonic clock stays as it is, for it does not jump on real machines
//! either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Where Debian has it, by architecture.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

/// A clock for some of the checkouts.
#[derive(Debug)]
pub(crate) struct Clock {
    library: PathBuf,
    offset: PathBuf,
    began: SystemTime,
}

impl Clock {
    /// `None` where libfaketime is not installed.
    pub(crate) fn find(root: &Path) -> Option<Self> {
        let library = LIBRARIES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file())?;
        let clock = Self {
            library,
            offset: root.join("clock"),
            began: SystemTime::now(),
        };
        clock.jump(0);
        Some(clock)
    }

    /// Sets all these clocks off by so many seconds, in processes that run as well. The file is
    /// replaced whole, for it is read all the time.
    pub(crate) fn jump(&self, seconds: i64) {
        let new = self.offset.with_extension("new");
        let written = fs::write(&new, format!("{seconds:+}\n"));
        let _ = written.and_then(|()| fs::rename(&new, &self.offset));
    }

    /// Has a command and everything below it use this clock.
    pub(crate) fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}

/// The library leaves two files in shared memory for every process that is killed. Those of the
/// dead go, if they were made since this run began; whoever misses them makes new ones.
impl Drop for Clock {
    fn drop(&mut self) {
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let maker = ["faketime_shm_", "sem.faketime_sem_"]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix)?.parse::<u32>().ok());
            let made = entry.metadata().and_then(|metadata| metadata.modified());
            let is_new = made.is_ok_and(|made| made >= self.began);
            let is_dead = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
            if is_new && maker.is_some_and(is_dead) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
