//! Users and signals on Linux and macOS.

use std::io;

use rustix::process::Signal;

use super::send_signal;
use crate::process::ProcessId;

pub(in crate::process) fn current_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(in crate::process) fn user_name(user: u32) -> Option<String> {
    let user = uzers::get_user_by_uid(user)?;
    Some(user.name().to_string_lossy().into_owned())
}

pub(in crate::process) fn terminate(process: ProcessId) -> io::Result<()> {
    send_signal(process, Signal::TERM)
}

pub(in crate::process) fn kill(process: ProcessId) -> io::Result<()> {
    send_signal(process, Signal::KILL)
}
