//! Windows: job objects, Ctrl-C and pipes.

mod job;
mod pipe;

use std::collections::BTreeSet;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, IntoRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use tokio::process::{ChildStdout, Command};
use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Console::{
    CTRL_C_EVENT, GenerateConsoleCtrlEvent, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE,
    STD_OUTPUT_HANDLE, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use crate::process::{self, Process, ProcessId};
use job::Job;
pub(crate) use pipe::{ControlListener, connect, is_served};

/// Reads a keeper's reports.
pub(crate) type ReportReader = ChildStdout;

/// Sends commands to a keeper.
pub(crate) type CommandWriter = io::PipeWriter;

/// Returns the path of the running binary. Windows prevents its replacement.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Returns `None`: the owner of a listening socket is known without a connection to its supervisor.
pub(crate) fn server_pid(_path: &Path) -> Option<u32> {
    None
}

/// Does nothing: job objects replace subreapers.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn become_reaper() -> io::Result<()> {
    Ok(())
}

/// The job object of this process and its descendants. Its handle must stay open until the process
/// exits, because closing it kills the whole job, including this process.
static OWN_JOB: OnceLock<Job> = OnceLock::new();

/// Returns the job object of this process, and creates it if necessary. Processes that this process
/// starts belong to the job and are killed when this process exits.
pub(crate) fn own_job() -> io::Result<&'static Job> {
    match OWN_JOB.get() {
        Some(job) => Ok(job),
        None => {
            let job = Job::around_this_process()?;
            Ok(OWN_JOB.get_or_init(|| job))
        }
    }
}

/// Puts this process into a job object.
pub(crate) fn reap_descendants() -> io::Result<()> {
    own_job().map(drop)
}

/// Kills every process of this process's job that `is_orphan`, if `kill` is set. Windows has no request to stop for a
/// single process. Returns the orphans that are left.
pub(crate) fn stop_orphans(kill: bool, is_orphan: &dyn Fn(ProcessId) -> bool) -> Vec<ProcessId> {
    let others = OWN_JOB.get().map(Job::others).unwrap_or_default();
    let all = others.into_iter().filter_map(ProcessId::read);
    let left: Vec<ProcessId> = all.filter(|process| is_orphan(*process)).collect();
    if kill {
        for &process in &left {
            // A process may have exited since its pid was read.
            let _ = process::kill(process);
        }
    }
    left
}

/// Returns `None`: the system does not report it.
pub(crate) fn latest_pid() -> Option<u32> {
    None
}

/// Returns no pids: Windows has no zombies.
pub(crate) fn zombies() -> BTreeSet<u32> {
    BTreeSet::new()
}

/// Does nothing: Windows has no zombies.
pub(crate) fn reap(_child: u32) {}

/// Reports when children of this process have exited, which is never.
pub(crate) struct ChildExits;

impl ChildExits {
    #[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Never returns.
    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}

/// Kills processes.
pub(crate) fn kill_all(pids: &[u32]) {
    for process in pids.iter().copied().filter_map(Process::read) {
        // A process may have exited since its pid was read.
        let _ = process::kill(process.id);
    }
}

/// Does nothing: Windows ends a process some seconds after it was requested to stop.
pub(crate) fn let_signals_end_process() {}

/// Calls `handler` for each console event that requests this process to stop, with the number of the
/// corresponding Unix signal.
pub(crate) fn on_signal(handler: impl Fn(i32) + Clone + Send + 'static) -> io::Result<()> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
    const SIGINT: i32 = 2;
    const SIGTERM: i32 = 15;
    macro_rules! on {
        ($event:expr, $number:expr) => {
            let (mut stream, handler) = ($event?, handler.clone());
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    handler($number);
                }
            });
        };
    }
    on!(ctrl_c(), SIGINT);
    on!(ctrl_break(), SIGINT);
    on!(ctrl_close(), super::SIGHUP);
    on!(ctrl_logoff(), SIGTERM);
    on!(ctrl_shutdown(), SIGTERM);
    Ok(())
}

/// Never returns: [`on_signal`] reports a closed console.
pub(crate) async fn terminal_closed() {
    std::future::pending().await
}

/// Fails: Windows has no numbered file descriptors.
pub(crate) fn pass_socket(
    _command: &mut Command,
    _socket: std::net::TcpListener,
) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "`socket = \"fd\"` is not supported on Windows",
    ))
}

/// Creates two pipes: the keeper's standard input for commands, and one for reports, whose handle is
/// the keeper's last argument. The keeper gets a hidden console, so that a Ctrl-C for the supervisor
/// does not reach it and one for its service reaches no other process.
pub(crate) fn connect_keeper(
    command: &mut Command,
) -> io::Result<(ReportReader, CommandWriter, OwnedHandle)> {
    let (remote, commands) = io::pipe()?;
    let (reports, writer) = io::pipe()?;
    let writer = OwnedHandle::from(writer);
    set_inherited(&writer, true)?;
    command
        .arg((writer.as_raw_handle() as usize).to_string())
        .stdin(Stdio::from(remote))
        .creation_flags(CREATE_NO_WINDOW);
    let reports = std::process::ChildStdout::from(OwnedHandle::from(reports));
    Ok((ChildStdout::from_std(reports)?, commands, writer))
}

/// Does nothing: Windows cannot suspend a keeper.
pub(crate) fn wake(_child: u32) {}

/// Kills a child, with the processes of its job.
pub(crate) fn kill_child(child: u32) {
    kill_all(&[child]);
}

/// Does nothing: Windows cannot suspend a process.
pub(crate) fn suspend(_process: ProcessId) {}

/// Returns `None`: there are no process groups.
pub(crate) fn process_group(_process: u32) -> Option<u32> {
    None
}

/// Does nothing: there are no process groups.
pub(crate) fn signal_group(_group: u32, _is_kill: bool) {}

/// Returns `None`: sessions are those of users.
pub(crate) fn session(_process: u32) -> Option<u32> {
    None
}

/// Does nothing: there are no PID namespaces.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn check_processes() -> io::Result<()> {
    Ok(())
}

/// Gives the process a hidden console, so that Ctrl-C does not reach it.
pub(crate) fn detach_from_console(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW);
}

/// Does nothing: Windows does not limit the number of open files.
pub(crate) fn raise_open_files_limit() {}

/// Does nothing, see [`raise_open_files_limit`].
pub(crate) fn restore_open_files_limit(_command: &mut std::process::Command) {}

/// Sends a command to a keeper.
pub(crate) fn send_command(mut commands: &CommandWriter, command: u8) {
    // The pipe always has space for one byte. The write fails only if the keeper is gone.
    let _ = io::Write::write(&mut commands, &[command]);
}

/// Opens the pipe for reports in the keeper, from the argument that [`connect_keeper`] added.
pub(crate) fn report_writer(argument: &str) -> io::Result<std::fs::File> {
    let number: usize = argument.parse().map_err(io::Error::other)?;
    // SAFETY: the supervisor created the handle for this process only. If the number is not a handle,
    // the next call fails, and the value is not closed.
    #[allow(unsafe_code)]
    let handle = unsafe { OwnedHandle::from_raw_handle(number as *mut _) };
    if let Err(error) = set_inherited(&handle, false) {
        // The number may not be a handle, so it must not be closed.
        let _ = handle.into_raw_handle();
        return Err(error);
    }
    Ok(handle.into())
}

fn set_inherited(handle: &OwnedHandle, on: bool) -> io::Result<()> {
    let value = if on { HANDLE_FLAG_INHERIT } else { 0 };
    // SAFETY: the handle is open while it is borrowed. The call rejects a value that is not a handle.
    #[allow(unsafe_code)]
    let done = unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, value) };
    if done == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Keeps child processes from inheriting this process's standard streams in addition to their own.
/// Otherwise the reader of a pipe also waits for the children.
pub(crate) fn disable_stream_inheritance() {
    for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: both calls take values only. If the stream does not exist, the second call fails.
        #[allow(unsafe_code)]
        unsafe {
            SetHandleInformation(GetStdHandle(stream), HANDLE_FLAG_INHERIT, 0);
        }
    }
}

/// Unix sockets of services are not supported on Windows.
pub(crate) async fn connect_unix(_path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends Ctrl-C to all other processes on this process's console. Processes that this process starts
/// afterwards ignore Ctrl-C.
pub(crate) fn interrupt_console() {
    // SAFETY: the only pointer is null, which makes this process ignore Ctrl-C.
    #[allow(unsafe_code)]
    unsafe {
        SetConsoleCtrlHandler(None, 1);
        GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
    }
}
