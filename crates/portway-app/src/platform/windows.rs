//! Windows.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::IntoRawHandle;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};
use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows_sys::Win32::System::Console::{GetStdHandle, STD_OUTPUT_HANDLE, SetStdHandle};
use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use super::DiskRoom;

/// On a console of its own that nobody sees, and with no stream of this process but those that it
/// is given.
pub(crate) fn in_background(command: &mut Command) {
    portway_supervisor::disable_stream_inheritance();
    command.creation_flags(CREATE_NO_WINDOW);
}

/// It was started on a console of its own ([`in_background`]).
pub(crate) fn leave_terminal() {
    portway_supervisor::disable_stream_inheritance();
}

/// Lets go of the pipe that is this process's standard output.
pub(crate) fn let_go_of_stdout() {
    let Ok(null) = OpenOptions::new().write(true).open("NUL") else {
        return;
    };
    // SAFETY: the new handle is open and given away for good; the old one is closed only once
    // nobody can get it any more.
    #[allow(unsafe_code)]
    unsafe {
        let old = GetStdHandle(STD_OUTPUT_HANDLE);
        if SetStdHandle(STD_OUTPUT_HANDLE, null.into_raw_handle()) != 0 {
            CloseHandle(old);
        }
    }
}

pub(crate) fn disk_room(dir: &Path) -> Option<DiskRoom> {
    let name: Vec<u16> = dir.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    // SAFETY: the name ends with a zero, and the number is a live local.
    #[allow(unsafe_code)]
    let told = unsafe {
        GetDiskFreeSpaceExW(
            name.as_ptr(),
            &raw mut free,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    (told != 0).then_some(DiskRoom { free, files: None })
}

/// There is no such limit.
pub(crate) fn open_files() -> Option<u64> {
    None
}

/// Nothing that is done here takes more than a user's own rights.
pub(crate) fn is_root() -> bool {
    false
}

/// Whether `name` in `dir` is a program, with one of the endings that programs have.
pub(crate) fn is_program(dir: &Path, name: &str) -> bool {
    let endings = std::env::var("PATHEXT").unwrap_or_else(|_| ".COM;.EXE;.BAT;.CMD".to_owned());
    let mut names = endings.split(';').map(|ending| format!("{name}{ending}"));
    (Path::new(name).extension().is_some() && dir.join(name).is_file())
        || names.any(|name| dir.join(name).is_file())
}

/// The events of the console that would end a command which waits for another.
pub(crate) struct Signals {
    c: CtrlC,
    pause: CtrlBreak,
    close: CtrlClose,
}

impl Signals {
    /// From now on none of them ends this process.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            c: ctrl_c()?,
            pause: ctrl_break()?,
            close: ctrl_close()?,
        })
    }

    /// Waits for the next. The console has sent it to the command as well.
    pub(crate) async fn pass_on(&mut self, _child: Option<u32>) {
        tokio::select! {
            _ = self.c.recv() => {}
            _ = self.pause.recv() => {}
            _ = self.close.recv() => {}
        }
    }
}

/// A command's own code; one that does not fit is 1.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    status
        .code()
        .map_or(1, |code| u8::try_from(code).unwrap_or(1))
}
