//! Windows.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::{Command, ExitStatus};

use portway_ports::Process;

/// Sets the variables that locate Portway's state and preferences, and those that every program on
/// Windows needs.
pub(super) fn set_home(command: &mut Command, home: &Path, state: &Path) {
    for name in ["SystemRoot", "ComSpec", "PATHEXT", "TEMP"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("USERPROFILE", home)
        .env("APPDATA", home)
        .env("LOCALAPPDATA", state);
}

/// The command line of every process with this state directory by pid.
pub(super) fn processes(state: &Path) -> BTreeMap<u32, String> {
    let state = state.to_str();
    portway_supervisor::process::pids()
        .into_iter()
        .filter(|&pid| {
            portway_supervisor::process::env_var(pid, "LOCALAPPDATA").as_deref() == state
        })
        .filter_map(|pid| Some((pid, Process::read(pid)?.command)))
        .collect()
}

/// Kills a process. Does nothing when it is already gone.
pub fn kill(pid: u32) {
    if let Some(process) = Process::read(pid) {
        let _ = process.id.kill();
    }
}

/// A process's exit code.
pub(super) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap()
}
