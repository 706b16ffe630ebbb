//! The keeper on Linux and macOS: a loop that waits for children, signals and commands.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::{KeeperCommand, Report, Task};
use crate::platform;
use crate::state::ExitStatus;

/// How often SIGKILL is repeated while processes are left. The next round catches a process that was
/// forked during the previous one.
const KILL_INTERVAL: Duration = Duration::from_millis(5);

/// How often the keeper checks for remaining processes after the leader has exited, on systems that
/// do not report their exit.
const TREE_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Whether the process tree is being stopped.
#[derive(Clone, Copy, Debug)]
enum StopState {
    Running,
    /// The stop signal was sent. SIGKILL follows at this time.
    Stopping(Instant),
    Killing,
}

struct Tree<'a> {
    task: &'a Task,
    supervisor: UnixStream,
    /// The process that runs the command, until it has exited.
    leader: Option<Pid>,
    stop_state: StopState,
}

/// Starts the command and waits until no process of the tree is left.
pub(super) fn run(task: &Task) -> io::Result<()> {
    // In a separate session, signals from the terminal reach only the supervisor, which stops
    // services in order. The call fails only if the process already leads a session.
    let _ = rustix::process::setsid();
    platform::become_reaper()?;
    let supervisor = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    supervisor.set_nonblocking(true)?;
    let (children, on_child) = UnixStream::pair()?;
    let (signals, on_signal) = UnixStream::pair()?;
    children.set_nonblocking(true)?;
    signals.set_nonblocking(true)?;
    pipe::register(SIGCHLD, on_child)?;
    // A handler also resets a signal that was inherited as ignored, so that the service starts with
    // the default behavior.
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        pipe::register(signal, on_signal.try_clone()?)?;
    }
    let mut tree = Tree {
        task,
        supervisor,
        leader: None,
        stop_state: StopState::Running,
    };
    match tree.start() {
        Ok(pid) => {
            tree.leader = Some(pid);
            tree.report(&Report::Started(pid.as_raw_nonzero().get().unsigned_abs()));
        }
        Err(error) => {
            tree.report(&Report::StartFailed(error.to_string()));
            tree.report(&Report::TreeGone);
            return Ok(());
        }
    }
    let mut is_connected = true;
    loop {
        if !tree.reap() {
            tree.report(&Report::TreeGone);
            return Ok(());
        }
        tree.kill_if_due();
        let mut waits = vec![
            PollFd::new(&children, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
        ];
        if is_connected {
            waits.push(PollFd::from_borrowed_fd(
                tree.supervisor.as_fd(),
                PollFlags::IN,
            ));
        }
        match poll(&mut waits, tree.wait_timeout().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        drop(waits);
        drain(&children);
        if drain(&signals) {
            tree.request_stop();
        }
        if is_connected {
            is_connected = tree.receive_commands();
        }
    }
}

/// Starts the leader. [`Tree::reap`] waits for it, as for all other children.
fn spawn(mut command: Command) -> io::Result<Pid> {
    command.stdin(Stdio::null());
    platform::tie_to_keeper(&mut command);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn()?;
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a process without a pid"))
}

/// Returns the value of `PWD` for the command, if the variable is set. As in a shell, a path with
/// symbolic links is kept if it refers to the current directory.
fn working_dir() -> Option<PathBuf> {
    let inherited = PathBuf::from(env::var_os("PWD")?);
    let inode = |path: &Path| fs::metadata(path).ok().map(|at| (at.dev(), at.ino()));
    if inherited.is_absolute() && inode(&inherited) == inode(Path::new(".")) {
        Some(inherited)
    } else {
        env::current_dir().ok()
    }
}

impl Tree<'_> {
    fn start(&self) -> io::Result<Pid> {
        let command = &self.task.command;
        if self.task.has_socket {
            let mut shell = Command::new("/bin/sh");
            // `LISTEN_PID` must be the pid of the program itself, which is the pid of the shell that
            // it replaces.
            shell.args(["-c", &format!("export LISTEN_PID=$$; exec {command}")]);
            shell.env("LISTEN_FDS", "1");
            return spawn(shell);
        }
        if let Some([program, arguments @ ..]) = super::shell::split_plain(command).as_deref() {
            let mut direct = Command::new(program);
            direct.args(arguments);
            direct.envs(working_dir().map(|dir| ("PWD", dir)));
            // If this fails, the shell prints the usual error message.
            if let Ok(pid) = spawn(direct) {
                return Ok(pid);
            }
        }
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", super::shell::with_exec(command).as_ref()]);
        spawn(shell)
    }

    /// Waits for processes that have exited, without blocking. Returns false when none is left.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, wait_status))) if Some(pid) == self.leader => {
                    self.leader = None;
                    self.report(&Report::LeaderExited(exit_status(wait_status)));
                    if matches!(self.stop_state, StopState::Stopping(_)) {
                        self.signal_tree();
                    }
                }
                Ok(Some((_, wait_status))) => {
                    let status = exit_status(wait_status);
                    if self.leader.is_none()
                        && matches!(self.stop_state, StopState::Running)
                        && !status.is_success()
                    {
                        self.report(&Report::DaemonFailed(status));
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return true,
                // There are no children. On systems without subreapers, other processes of the
                // tree may be left.
                Err(_) => return !platform::REAPS_ALL && !platform::tree().is_empty(),
            }
        }
    }

    /// Carries out the supervisor's commands. Returns false when the supervisor is gone.
    fn receive_commands(&mut self) -> bool {
        let mut commands = [0; 16];
        match (&self.supervisor).read(&mut commands) {
            Ok(0) => {
                self.request_stop();
                false
            }
            Ok(count) => {
                for command in &commands[..count] {
                    if *command == KeeperCommand::Stop as u8 {
                        self.request_stop();
                    } else if *command == KeeperCommand::Kill as u8 {
                        self.stop_state = StopState::Killing;
                    }
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => {
                self.request_stop();
                false
            }
        }
    }

    fn request_stop(&mut self) {
        if !matches!(self.stop_state, StopState::Running) {
            return;
        }
        self.stop_state = StopState::Stopping(Instant::now() + self.task.grace);
        match self.leader {
            Some(leader) => {
                // Both calls fail only if the group has already exited. A suspended process handles
                // the signal when it continues.
                let _ = kill_process_group(leader, platform::signal(self.task.stop_signal));
                let _ = kill_process_group(leader, Signal::CONT);
            }
            None => self.signal_tree(),
        }
    }

    fn signal_tree(&self) {
        platform::signal_tree(platform::signal(self.task.stop_signal));
    }

    /// Kills the process tree once the grace period is over.
    fn kill_if_due(&mut self) {
        if let StopState::Stopping(deadline) = self.stop_state
            && Instant::now() >= deadline
        {
            self.stop_state = StopState::Killing;
        }
        if let StopState::Killing = self.stop_state {
            platform::signal_tree(Signal::KILL);
        }
    }

    /// Returns how long to wait for an event. `None` means no limit.
    fn wait_timeout(&self) -> Option<Timespec> {
        let timeout = match self.stop_state {
            StopState::Running if !platform::REAPS_ALL && self.leader.is_none() => {
                TREE_POLL_INTERVAL
            }
            StopState::Running => return None,
            StopState::Stopping(deadline) => deadline.saturating_duration_since(Instant::now()),
            StopState::Killing => KILL_INTERVAL,
        };
        Timespec::try_from(timeout + Duration::from_millis(1)).ok()
    }

    fn report(&self, report: &Report) {
        let mut line = serde_json::to_vec(report).unwrap_or_default();
        line.push(b'\n');
        // A write fails only if the supervisor is gone.
        let _ = (&self.supervisor).write_all(&line);
    }
}

fn exit_status(status: WaitStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, signal) => ExitStatus::Signal(signal.unwrap_or(0)),
    }
}

/// Empties a wake-up pipe. Returns whether it contained anything.
fn drain(mut pipe: &UnixStream) -> bool {
    let mut bytes = [0; 64];
    matches!(pipe.read(&mut bytes), Ok(count) if count > 0)
}
