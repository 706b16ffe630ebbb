//! The supervisor's handle to a keeper.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use portway_project::policy::StopSignal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::{COMMAND, KeeperCommand, Report, Task};
use crate::platform;
use crate::state::ExitStatus;

/// The keepers (and the announcer) that this process started and that may still be running. Every
/// other child of this process is an orphan. There is one set because children belong to the
/// process.
static KEEPERS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Returns the pids of the keepers that may still be running.
pub(crate) fn keepers() -> MutexGuard<'static, BTreeSet<u32>> {
    KEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What to start below a keeper.
#[derive(Debug)]
pub struct KeeperConfig {
    /// The shell command.
    pub command: String,
    /// The directory to run in.
    pub dir: PathBuf,
    /// Environment variables in addition to those of the supervisor.
    pub env: IndexMap<String, String>,
    /// The signal that requests the process tree to stop.
    pub stop_signal: StopSignal,
    /// The time between the stop signal and SIGKILL.
    pub grace: Duration,
    /// A listening socket to pass to the command as file descriptor 3.
    pub socket: Option<std::net::TcpListener>,
}

/// An event that a keeper reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperEvent {
    /// The command was started with this pid.
    Started(u32),
    /// The command could not be started, with the system's error message.
    StartFailed(String),
    /// The process that runs the command has exited.
    LeaderExited(ExitStatus),
    /// A process that stayed after the leader had exited with code 0 failed. Only Linux reports it.
    DaemonFailed(ExitStatus),
    /// The keeper itself has exited.
    KeeperExited(KeeperExit),
}

/// How a keeper exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperExit {
    /// No process of the tree is left.
    Clean,
    /// The keeper was lost, for example killed. Its process tree may be left.
    Lost,
}

/// A running keeper. Dropping it closes the connection, and the keeper stops its process tree.
#[derive(Debug)]
pub struct Keeper {
    pid: u32,
    commands: platform::CommandWriter,
}

/// The output and the events of a new keeper.
pub struct KeeperStreams {
    /// The standard output of the process tree.
    pub out: ChildStdout,
    /// The standard error of the process tree.
    pub err: ChildStderr,
    /// The keeper's events.
    pub events: KeeperEvents,
}

impl Keeper {
    /// Starts a keeper and the command below it.
    ///
    /// # Errors
    /// When the directory does not exist or the system refuses another process.
    pub fn start(config: KeeperConfig) -> io::Result<(Self, KeeperStreams)> {
        let task = Task {
            command: config.command,
            stop_signal: config.stop_signal,
            grace: config.grace,
            has_socket: config.socket.is_some(),
        };
        let mut command = Command::new(platform::own_binary()?);
        command
            .arg(COMMAND)
            .args(task.to_arguments())
            .current_dir(&config.dir)
            .envs(&config.env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        platform::restore_open_files_limit(command.as_std_mut());
        if let Some(socket) = config.socket {
            platform::pass_socket(&mut command, socket)?;
        }
        // `_remote` holds the keeper's ends of the connection open until the keeper has them.
        let (reports, commands, _remote) = platform::connect_keeper(&mut command)?;
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a keeper without its pipes");
        let pid = child.id().ok_or_else(missing)?;
        keepers().insert(pid);
        let streams = KeeperStreams {
            out: child.stdout.take().ok_or_else(missing)?,
            err: child.stderr.take().ok_or_else(missing)?,
            events: KeeperEvents {
                pid,
                child,
                reports: BufReader::new(reports),
                is_tree_gone: false,
            },
        };
        Ok((Self { pid, commands }, streams))
    }

    /// Returns the pid of the keeper.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Stops the process tree, and kills it after the grace period.
    pub fn stop(&self) {
        self.send(KeeperCommand::Stop);
    }

    /// Kills the process tree.
    pub fn kill(&self) {
        self.send(KeeperCommand::Kill);
    }

    fn send(&self, command: KeeperCommand) {
        platform::send_command(&self.commands, command as u8);
    }
}

/// The events of a keeper.
pub struct KeeperEvents {
    pid: u32,
    child: Child,
    reports: BufReader<platform::ReportReader>,
    is_tree_gone: bool,
}

impl KeeperEvents {
    /// Waits for the next event. [`KeeperEvent::KeeperExited`] is the last one.
    pub async fn next(&mut self) -> KeeperEvent {
        loop {
            let mut line = String::new();
            match self.reports.read_line(&mut line).await {
                Ok(count) if count > 0 => match serde_json::from_str(&line) {
                    Ok(Report::Started(pid)) => return KeeperEvent::Started(pid),
                    Ok(Report::StartFailed(error)) => return KeeperEvent::StartFailed(error),
                    Ok(Report::LeaderExited(status)) => return KeeperEvent::LeaderExited(status),
                    Ok(Report::DaemonFailed(status)) => return KeeperEvent::DaemonFailed(status),
                    Ok(Report::TreeGone) => self.is_tree_gone = true,
                    // The end of the connection follows an incomplete line.
                    Err(_) => {}
                },
                _ => {
                    // Only the exit itself is relevant, not its status.
                    let _ = self.child.wait().await;
                    keepers().remove(&self.pid);
                    return KeeperEvent::KeeperExited(match self.is_tree_gone {
                        true => KeeperExit::Clean,
                        false => KeeperExit::Lost,
                    });
                }
            }
        }
    }
}
