//! Linux and macOS.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

/// Sets the variables that locate Portway's state and preferences.
pub(super) fn set_home(command: &mut Command, home: &Path, state: &Path) {
    command.env("HOME", home).env("XDG_STATE_HOME", state);
}

/// The command line of every process with this state directory by pid. Zombies have no environment
/// and so are left out.
pub(super) fn processes(state: &Path) -> BTreeMap<u32, String> {
    // While processes are created, one that forks and exits again and again can be missing in a list.
    const MAX_EMPTY_LISTS: u32 = 20;
    let latest = || {
        let load = fs::read_to_string("/proc/loadavg").unwrap();
        load.split_whitespace().nth(4).map(str::to_owned)
    };
    let mut empty = 0;
    loop {
        let before = latest();
        let found = list(state);
        empty += 1;
        if !found.is_empty() || empty == MAX_EMPTY_LISTS || before == latest() {
            return found;
        }
    }
}

fn list(state: &Path) -> BTreeMap<u32, String> {
    let mark = format!("XDG_STATE_HOME={}", state.display());
    let has_mark = |environ: &[u8]| environ.split(|&b| b == 0).any(|v| v == mark.as_bytes());
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| has_mark(&environ))
        })
        .map(|pid| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            (pid, command)
        })
        .collect()
}

/// Kills a process. Does nothing when it is already gone.
pub fn kill(pid: u32) {
    let _ = kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL);
}

/// A process's exit code, or 128 plus the number of the signal that terminated it.
pub(super) fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap())
}

impl super::RunningCommand {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid() as i32).unwrap(), signal).unwrap();
    }
}
