//! The guard: a process that outlives the supervisor and all keepers when they are killed at the same
//! moment (`killall -9 portway`), and then stops what they left.
//!
//! The same binary under another name, with one thread and no runtime. It waits for the end of its
//! standard input, which the supervisor holds open.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::record;
use crate::{containers, control, mark, orphans, platform, remnants};

/// The hidden command that runs a guard.
pub const COMMAND: &str = "__guard";

/// The variable with the directory of the instance. An argument with a path could contain the name of
/// Portway, by which `pkill -f` finds processes.
const DIR_VARIABLE: &str = "PORTWAY_GUARDED";

/// The name of the process.
const NAME: &str = "instance-guard";

/// How often a guard checks whether keepers have exited.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Tells the guard to exit.
const QUIT: u8 = b'q';

/// The guard of this process's instance.
pub(crate) struct Guard(Child);

impl Guard {
    /// Starts a guard for the instance with this directory.
    pub(crate) fn start(dir: &Path) -> io::Result<Self> {
        let child = Command::new(platform::own_binary()?)
            .arg0(NAME)
            .arg(COMMAND)
            .env(DIR_VARIABLE, dir)
            // A supervisor that a service started has the marks of that service's instance.
            .env_remove(mark::NAME)
            .env_remove(mark::KEEPER_NAME)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        orphans::spare(child.id());
        Ok(Self(child))
    }

    /// Stops the guard, because nothing is left.
    pub(crate) fn finish(mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            // The guard may have been killed.
            let _ = input.write_all(&[QUIT]);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a guard in this process. Returns the exit code.
pub fn run() -> u8 {
    // Signals of the terminal are for the supervisor.
    let _ = rustix::process::setsid();
    // Fails only without `/proc`; the guard works under any name.
    let _ = fs::write("/proc/self/comm", NAME);
    let Some(dir) = env::var_os(DIR_VARIABLE).map(PathBuf::from) else {
        return 2;
    };
    let mut byte = [0];
    if io::stdin().read_exact(&mut byte).is_err() {
        stop_remnants(&dir);
        containers::finish(&dir, containers::QUERY_TIMEOUT, || {
            control::is_served(&dir.join(control::SOCKET))
        });
    }
    0
}

/// Stops what a killed supervisor left: waits for the keepers that live, and kills the processes of those
/// that were killed, too. A new supervisor may start as soon as the keepers are gone, so others than
/// the present ones do not count.
fn stop_remnants(dir: &Path) {
    let names = || -> BTreeSet<PathBuf> {
        let all = record::read_all(dir).into_iter();
        all.map(|found| found.path().to_owned()).collect()
    };
    let first = names();
    loop {
        let left = record::read_all(dir);
        let mut left = left.iter().filter(|found| first.contains(found.path()));
        let Some(found) = left.next() else {
            return;
        };
        let is_dead = !found.is_locked || left.any(|found| !found.is_locked);
        if is_dead && !remnants::kill_leftovers(dir).is_empty() {
            return;
        }
        thread::sleep(POLL_INTERVAL);
    }
}
