//! Windows.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::IntoRawHandle;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};
use windows_sys::Win32::Foundation::{CloseHandle, ERROR_BAD_EXE_FORMAT};
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows_sys::Win32::System::Console::{GetStdHandle, STD_OUTPUT_HANDLE, SetStdHandle};
use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use super::{DiskSpace, StopRequest};

/// Runs `command` on a separate, invisible console. It inherits only the streams that it is given.
pub(crate) fn in_background(command: &mut Command) {
    portway_supervisor::disable_stream_inheritance();
    command.creation_flags(CREATE_NO_WINDOW);
}

/// Returns the shell that runs a command of a service.
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd.exe");
    // As keepers start services.
    shell.raw_arg(format!("/d /s /c \"{command}\""));
    shell
}

/// Disables the inheritance of streams. [`in_background`] has already given the process a separate
/// console.
pub(crate) fn leave_terminal() {
    portway_supervisor::disable_stream_inheritance();
}

/// Replaces standard output with the null device, which closes the pipe to the parent.
pub(crate) fn close_stdout() {
    let Ok(null) = OpenOptions::new().write(true).open("NUL") else {
        return;
    };
    // SAFETY: `into_raw_handle` transfers the ownership of the open new handle. The old handle is
    // closed only after it has been replaced, so no code can obtain it.
    #[allow(unsafe_code)]
    unsafe {
        let old = GetStdHandle(STD_OUTPUT_HANDLE);
        if SetStdHandle(STD_OUTPUT_HANDLE, null.into_raw_handle()) != 0 {
            CloseHandle(old);
        }
    }
}

/// Returns whether a program was not started because its file is not a program.
pub(crate) fn is_not_a_program(error: &io::Error) -> bool {
    let code = error
        .raw_os_error()
        .and_then(|code| u32::try_from(code).ok());
    code == Some(ERROR_BAD_EXE_FORMAT)
}

/// Does nothing: Windows has no permission for this.
#[expect(clippy::unnecessary_wraps, reason = "other systems can fail")]
pub(crate) fn make_executable(_file: &Path) -> io::Result<()> {
    Ok(())
}

/// Returns the free space of the file system that contains `dir`.
pub(crate) fn disk_space(dir: &Path) -> Option<DiskSpace> {
    let name: Vec<u16> = dir.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    // SAFETY: `name` ends with a zero, and `free` is a live local variable.
    #[allow(unsafe_code)]
    let succeeded = unsafe {
        GetDiskFreeSpaceExW(
            name.as_ptr(),
            &raw mut free,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    (succeeded != 0).then_some(DiskSpace { free, files: None })
}

/// Returns `None`: Windows has no such limit.
pub(crate) fn open_files() -> Option<u64> {
    None
}

/// Returns false: no command needs elevated rights on Windows.
pub(crate) fn is_root() -> bool {
    false
}

/// The console events that stop a command.
pub(crate) struct Signals {
    ctrl_c: CtrlC,
    ctrl_break: CtrlBreak,
    close: CtrlClose,
}

impl Signals {
    /// Registers handlers, so that the events no longer stop this process.
    pub(crate) fn register() -> io::Result<Self> {
        Ok(Self {
            ctrl_c: ctrl_c()?,
            ctrl_break: ctrl_break()?,
            close: ctrl_close()?,
        })
    }

    /// Waits for the next event.
    pub(crate) async fn next(&mut self) -> StopRequest {
        tokio::select! {
            _ = self.ctrl_c.recv() => StopRequest::Interrupt,
            _ = self.ctrl_break.recv() => StopRequest::Terminate,
            _ = self.close.recv() => StopRequest::HangUp,
        }
    }
}
