//! macOS: signals by pid, and no containers.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::process::ProcessId;

/// Containers run in a virtual machine, whose processes are not visible.
pub(in crate::process) fn container(_pid: u32) -> Option<String> {
    None
}

/// Sends `signal` to a process. The system has no handle for signals, so the pid could be reused in
/// the microseconds between the check of the identity and the signal.
pub(in crate::process) fn send_signal(process: ProcessId, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::from(Errno::SRCH);
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(gone)?;
    if !process.is_alive() {
        return Err(gone());
    }
    Ok(kill_process(pid, signal)?)
}
