//! The end of the process that started this one.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Signal, getpid, kill_process};

/// Removes a variable of this process. Only before the first thread starts.
pub(crate) fn remove_variable(name: &str) {
    // SAFETY: `launcher::watch`, the only caller, runs before any thread exists.
    #[allow(unsafe_code)]
    unsafe {
        std::env::remove_var(name);
    }
}

/// Sends SIGHUP to this process when a pipe is closed or a process has exited.
pub(crate) fn hang_up_with(pipe: Option<i32>, process: Option<i32>) {
    let pipe = pipe.and_then(adopt);
    let process = process.and_then(open_process);
    if pipe.is_none() && process.is_none() {
        return;
    }
    std::thread::spawn(move || {
        let ends: Vec<BorrowedFd<'_>> = [pipe, process.as_ref().map(AsFd::as_fd)]
            .into_iter()
            .flatten()
            .collect();
        loop {
            let mut fds: Vec<PollFd<'_>> = ends
                .iter()
                .map(|end| PollFd::from_borrowed_fd(*end, PollFlags::IN))
                .collect();
            match poll(&mut fds, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
        // Nothing is left to report it to.
        let _ = kill_process(getpid(), Signal::HUP);
    });
}

/// Takes a descriptor that this process inherited. Returns `None` if it is not a pipe or a socket, because
/// then the variable is not from a launcher.
fn adopt(number: i32) -> Option<BorrowedFd<'static>> {
    // The standard streams belong to the user.
    if number <= 2 {
        return None;
    }
    // SAFETY: nothing in this process closes the number. If it is not open, `fstat` fails.
    #[allow(unsafe_code)]
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(descriptor).ok()?.st_mode);
    if !matches!(kind, FileType::Fifo | FileType::Socket) {
        return None;
    }
    fcntl_setfd(descriptor, FdFlags::CLOEXEC).ok()?;
    Some(descriptor)
}

#[cfg(target_os = "linux")]
fn open_process(pid: i32) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// macOS has no descriptors of processes. The pipe covers the launcher itself.
#[cfg(not(target_os = "linux"))]
fn open_process(_pid: i32) -> Option<OwnedFd> {
    None
}
