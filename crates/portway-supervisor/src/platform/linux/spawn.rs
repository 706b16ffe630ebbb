//! Starts a process directly in a control group. Moving one there after its start takes the kernel
//! up to 20 ms.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, WaitOptions, waitpid};

use super::ControlGroup;

/// The flag of `clone3` that starts the process in a group.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Starts `command` in `group` and returns its pid. This process must have one thread.
///
/// # Errors
/// When the process cannot be created in the group, or the command cannot be executed.
pub(crate) fn spawn_in(command: &mut Command, group: &ControlGroup) -> io::Result<u32> {
    let dir = group.open_dir()?;
    let (mut reader, writer) = io::pipe()?;
    match clone_into(&dir)? {
        0 => exec(command, writer),
        pid => {
            drop(writer);
            let mut error = [0; 4];
            // The child closes the pipe without a word when it executes the command.
            match reader.read_exact(&mut error) {
                Ok(()) => {
                    let _ = waitpid(Pid::from_raw(pid), WaitOptions::empty());
                    Err(io::Error::from_raw_os_error(i32::from_ne_bytes(error)))
                }
                Err(_) => Ok(pid.unsigned_abs()),
            }
        }
    }
}

/// Forks into a group. Returns the pid of the child, or 0 in the child.
fn clone_into(group: &File) -> io::Result<i32> {
    // SAFETY: every field of the structure may be zero.
    #[allow(unsafe_code)]
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.cgroup = group.as_raw_fd() as u64;
    // SAFETY: the structure is initialized and its size is given. Without `CLONE_VM` the child has its
    // own copy of the memory, as after `fork`. This process has one thread, so the copy holds no lock
    // of another one.
    #[allow(unsafe_code)]
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of_val(&arguments),
        )
    };
    match i32::try_from(pid) {
        Ok(pid) if pid >= 0 => Ok(pid),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Executes the command in the child. If that fails, sends the error to the parent and exits.
fn exec(command: &mut Command, mut errors: io::PipeWriter) -> ! {
    let error = command.exec();
    let number = error.raw_os_error().unwrap_or(libc::EINVAL);
    // Without a reader there is no one to report to.
    let _ = errors.write_all(&number.to_ne_bytes());
    // SAFETY: the call ends the process without running handlers, which belong to the parent.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(127)
    }
}
