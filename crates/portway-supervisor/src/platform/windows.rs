//! Windows: job objects, Ctrl-C, pipes.

mod job;
mod pipe;

use std::collections::BTreeSet;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, IntoRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use portway_ports::Process;
use tokio::process::{ChildStdout, Command};
use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Console::{
    CTRL_C_EVENT, GenerateConsoleCtrlEvent, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE,
    STD_OUTPUT_HANDLE, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use job::Job;
pub(crate) use pipe::{ControlListener, connect};

/// What a keeper's reports are read from.
pub(crate) type ReportReader = ChildStdout;

/// What a keeper gets its orders through.
pub(crate) type OrderWriter = io::PipeWriter;

/// The binary that runs now; the system does not let anyone replace its file meanwhile.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Not asked: a listening socket names its owner here, and nobody has to look for it.
pub(crate) fn serves(_path: &Path) -> Option<u32> {
    None
}

/// A keeper's tree ends with its job object, and nothing falls to the supervisor.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn become_reaper() -> io::Result<()> {
    Ok(())
}

/// The job of this process and all that it starts, if it has made one. Its handle is closed by the
/// end of the process and not before: that would end the process itself in the midst of its work.
/// (Wine's server crashes with it.)
static OWN: OnceLock<Job> = OnceLock::new();

/// The job of this process, which is put into it: all that it starts is known and ends with it.
pub(crate) fn own_job() -> io::Result<&'static Job> {
    match OWN.get() {
        Some(job) => Ok(job),
        None => {
            let job = Job::around_this_process()?;
            Ok(OWN.get_or_init(|| job))
        }
    }
}

/// Puts this process into a job.
pub(crate) fn reap_descendants() -> io::Result<()> {
    own_job().map(drop)
}

/// Ends everything of this process's job that is none of `keepers`. Answers true when nothing of it
/// is left. Without force it waits: there is nothing with which it could ask.
pub(crate) fn stop_orphans(keepers: &BTreeSet<u32>, by_force: bool) -> bool {
    let Some(job) = OWN.get() else {
        return true;
    };
    let mut orphans = job.others();
    orphans.retain(|pid| !keepers.contains(pid));
    if by_force {
        kill_all(&orphans);
    }
    orphans.is_empty()
}

/// Ends processes at once.
pub(crate) fn kill_all(pids: &[u32]) {
    for process in pids.iter().copied().filter_map(Process::read) {
        let _ = process.id.kill();
    }
}

/// Has `tell` called with the number of the signal that each of the console's events stands for.
pub(crate) fn on_signals(tell: impl Fn(i32) + Clone + Send + 'static) -> io::Result<()> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
    const INTERRUPT: i32 = 2;
    const TERMINATE: i32 = 15;
    macro_rules! on {
        ($event:expr, $number:expr) => {
            let (mut stream, tell) = ($event?, tell.clone());
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    tell($number);
                }
            });
        };
    }
    on!(ctrl_c(), INTERRUPT);
    on!(ctrl_break(), INTERRUPT);
    on!(ctrl_close(), super::HANGUP);
    on!(ctrl_logoff(), TERMINATE);
    on!(ctrl_shutdown(), TERMINATE);
    Ok(())
}

/// The event of a console that closes comes through [`on_signals`].
pub(crate) async fn terminal_closed() {
    std::future::pending().await
}

/// A service cannot be given a socket: there are no numbered descriptors.
pub(crate) fn pass_socket(
    _command: &mut Command,
    _socket: std::net::TcpListener,
) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "`socket = \"fd\"` does not exist on Windows; leave it out there",
    ))
}

/// Two pipes: the keeper's standard input for orders, and one for its reports, whose handle it is
/// told as its last argument. The keeper gets a console of its own that nobody sees, so that a
/// Ctrl-C for the supervisor is not its, and one for its service is nobody else's.
pub(crate) fn link(command: &mut Command) -> io::Result<(ReportReader, OrderWriter, OwnedHandle)> {
    let (theirs, orders) = io::pipe()?;
    let (reports, writer) = io::pipe()?;
    let writer = OwnedHandle::from(writer);
    set_inherited(&writer, true)?;
    command
        .arg((writer.as_raw_handle() as usize).to_string())
        .stdin(Stdio::from(theirs))
        .creation_flags(CREATE_NO_WINDOW);
    let reports = std::process::ChildStdout::from(OwnedHandle::from(reports));
    Ok((ChildStdout::from_std(reports)?, orders, writer))
}

/// A process of Portway's own that no Ctrl-C is for: it gets a console that nobody sees.
pub(crate) fn aside(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW);
}

/// A pipe has room for one byte; a keeper that is gone needs no order.
pub(crate) fn send_order(mut orders: &OrderWriter, order: u8) {
    let _ = io::Write::write(&mut orders, &[order]);
}

/// The pipe for a keeper's reports, from the argument that [`link`] made.
pub(crate) fn report_writer(argument: &str) -> io::Result<std::fs::File> {
    let number: usize = argument.parse().map_err(io::Error::other)?;
    // SAFETY: the supervisor made the handle for this process and named it to nobody else; what is
    // no handle fails in the next call, and is then not closed.
    #[allow(unsafe_code)]
    let handle = unsafe { OwnedHandle::from_raw_handle(number as *mut _) };
    if let Err(error) = set_inherited(&handle, false) {
        let _ = handle.into_raw_handle();
        return Err(error);
    }
    Ok(handle.into())
}

fn set_inherited(handle: &OwnedHandle, on: bool) -> io::Result<()> {
    let value = if on { HANDLE_FLAG_INHERIT } else { 0 };
    // SAFETY: the handle is open while it is borrowed, or not a handle, which the call refuses.
    #[allow(unsafe_code)]
    let done = unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, value) };
    if done == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Keeps this process's own streams from passing on to all that it starts, whatever streams those
/// are given: a reader of a pipe would otherwise wait for them too.
pub(crate) fn disable_stream_inheritance() {
    for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: both calls take values alone; where there is no stream, the second refuses.
        #[allow(unsafe_code)]
        unsafe {
            SetHandleInformation(GetStdHandle(stream), HANDLE_FLAG_INHERIT, 0);
        }
    }
}

/// Sends Ctrl-C to everything on this process's console but itself. What this process starts after
/// that ignores it.
pub(crate) fn interrupt_console() {
    // SAFETY: the calls take no pointer but a null one, which means: ignore it.
    #[allow(unsafe_code)]
    unsafe {
        SetConsoleCtrlHandler(None, 1);
        GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
    }
}
