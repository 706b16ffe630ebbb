//! The supervisor's handle to a keeper.

#[cfg(unix)]
use std::ffi::OsString;
use std::io;
#[cfg(unix)]
use std::os::fd::AsRawFd;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
pub use portway_isolation::Namespace;
use portway_project::policy::StopSignal;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStderr, Command};

#[cfg(unix)]
use super::TaskInput;
use super::input::{self, ServiceInput};
use super::own_program;
use super::{COMMAND, InputKind, KeeperCommand, Report, StartError, Task, TaskCommand};
#[cfg(unix)]
use crate::mark::{self, Mark};
#[cfg(unix)]
use crate::record::{self, Kind, Record};
use crate::state::ExitStatus;
use crate::stuck::StuckProcess;
use crate::{orphans, platform};

/// What to start below a keeper.
#[derive(Debug)]
pub struct KeeperConfig {
    /// The shell command. `portway` in it means this binary.
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
    /// The standard input of the command.
    pub input: InputKind,
    /// The network to run in, if it is not that of the supervisor.
    pub namespace: Option<Namespace>,
}

/// An event that a keeper reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperEvent {
    /// The command was started with this pid.
    Started(u32),
    /// The command could not be started.
    StartFailed(StartError),
    /// The process that runs the command has exited.
    LeaderExited(ExitStatus),
    /// A process that stayed after the leader had exited with code 0 failed. Only Linux reports it.
    DaemonFailed(ExitStatus),
    /// These processes of the tree cannot be stopped; the keeper gave up.
    Stuck(Vec<StuckProcess>),
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
    /// The standard output of the process tree, or its terminal.
    pub out: Box<dyn AsyncRead + Send + Unpin>,
    /// The standard error of the process tree.
    pub err: ChildStderr,
    /// The standard input of the command, if it is open.
    pub(crate) input: Option<Arc<ServiceInput>>,
    /// The keeper's events.
    pub events: KeeperEvents,
}

impl Keeper {
    /// Starts a keeper and the command below it.
    ///
    /// # Errors
    /// When the directory does not exist or the system refuses another process.
    pub fn start(config: KeeperConfig) -> io::Result<(Self, KeeperStreams)> {
        let mut command = Command::new(platform::own_binary()?);
        // The supervisor's copy of the lock is closed when the keeper has its own.
        #[cfg(unix)]
        let record = create_record(command.as_std_mut(), &config.env);
        #[cfg(unix)]
        let input = input::create(command.as_std_mut(), config.input)?;
        let task = Task {
            command: TaskCommand::Shell(own_program::resolve(&config.command).into_owned()),
            stop_signal: config.stop_signal,
            grace: config.grace,
            has_socket: config.socket.is_some(),
            #[cfg(unix)]
            input: input.task,
            #[cfg(windows)]
            input: input::task_input(config.input),
            #[cfg(unix)]
            record: record.as_ref().map(|(_, passed)| passed.clone()),
        };
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
        if let Some(namespace) = &config.namespace {
            // Last, so that what was passed before comes from outside.
            namespace.enter(command.as_std_mut())?;
        }
        let (reports, commands, _remote) = platform::connect_keeper(&mut command)?;
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a keeper without its pipes");
        let pid = child.id().ok_or_else(missing)?;
        orphans::keepers().insert(pid);
        orphans::add_session(pid);
        #[cfg(unix)]
        let input = input.own;
        #[cfg(windows)]
        let input = None;
        let is_terminal = config.input == InputKind::Terminal;
        let out = child.stdout.take().ok_or_else(missing)?;
        let streams = KeeperStreams {
            #[cfg(unix)]
            out: match &input {
                // The keeper itself prints nothing.
                Some(input) if is_terminal => Box::new(input::TerminalOutput(input.clone())),
                _ => Box::new(out),
            },
            #[cfg(windows)]
            out: Box::new(out),
            err: child.stderr.take().ok_or_else(missing)?,
            input,
            events: KeeperEvents {
                pid,
                leads_session: is_terminal,
                child,
                reports: BufReader::new(reports),
                is_tree_gone: false,
            },
        };
        Ok((Self { pid, commands }, streams))
    }

    /// Starts a keeper and a command below it that has the terminal and the streams of this process.
    ///
    /// # Errors
    /// When the system refuses another process.
    #[cfg(unix)]
    pub(crate) fn start_foreground(
        words: &[OsString],
        env: &IndexMap<String, String>,
        grace: Duration,
        instance_dir: &Path,
        namespace: Option<&Namespace>,
    ) -> io::Result<(Self, KeeperEvents)> {
        let mut command = Command::new(platform::own_binary()?);
        let program = words.first().cloned().unwrap_or_default();
        let record = Record::new(Kind::Command, &program.to_string_lossy());
        // Both descriptors are the keeper's alone once it is started.
        let record = record::pass_to(command.as_std_mut(), instance_dir, &record)
            .inspect_err(|error| tracing::warn!(%error, "cannot record a keeper"))
            .ok();
        let (reports, commands, connection) = platform::connect_foreground(command.as_std_mut())?;
        let task = Task {
            command: TaskCommand::Foreground(connection.as_raw_fd(), words.to_vec()),
            stop_signal: StopSignal::Term,
            grace,
            has_socket: false,
            input: TaskInput::Empty,
            record: record.as_ref().map(|(_, passed)| passed.clone()),
        };
        if let Some(namespace) = namespace {
            namespace.enter(command.as_std_mut())?;
        }
        let child = command
            .arg(COMMAND)
            .args(task.to_arguments())
            .envs(env)
            .spawn()?;
        let missing = || io::Error::other("a keeper without a pid");
        let pid = child.id().ok_or_else(missing)?;
        orphans::keepers().insert(pid);
        let events = KeeperEvents {
            pid,
            leads_session: false,
            child,
            reports: BufReader::new(reports),
            is_tree_gone: false,
        };
        Ok((Self { pid, commands }, events))
    }

    /// Sends SIGTERM to the command in the foreground.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.send(KeeperCommand::Terminate);
    }

    /// Sends SIGHUP to the command in the foreground.
    #[cfg(unix)]
    pub(crate) fn hang_up(&self) {
        self.send(KeeperCommand::HangUp);
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
        // A keeper that was suspended continues.
        platform::wake(self.pid);
    }

    /// Kills the keeper itself, which does not respond. Its process tree is left.
    pub(crate) fn abandon(&self) {
        platform::kill_child(self.pid);
    }
}

/// Creates the record of a keeper whose environment has the mark of a service. Without a record, the
/// keeper works, but a later command cannot wait for it.
#[cfg(unix)]
fn create_record(
    command: &mut std::process::Command,
    env: &IndexMap<String, String>,
) -> Option<(std::os::fd::OwnedFd, (i32, PathBuf))> {
    let mark = Mark::parse(env.get(mark::NAME)?)?;
    let record = Record::new(Kind::Service, &mark.service);
    record::pass_to(command, &mark.dir, &record)
        .inspect_err(|error| tracing::warn!(%error, "cannot record a keeper"))
        .ok()
}

/// The events of a keeper.
pub struct KeeperEvents {
    pid: u32,
    /// Whether the command starts a session, for its terminal.
    leads_session: bool,
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
                    Ok(Report::Started(pid)) => {
                        if self.leads_session {
                            orphans::add_session(pid);
                        }
                        return KeeperEvent::Started(pid);
                    }
                    Ok(Report::StartFailed(error)) => return KeeperEvent::StartFailed(error),
                    Ok(Report::LeaderExited(status)) => return KeeperEvent::LeaderExited(status),
                    Ok(Report::DaemonFailed(status)) => return KeeperEvent::DaemonFailed(status),
                    Ok(Report::Stuck(processes)) => return KeeperEvent::Stuck(processes),
                    Ok(Report::TreeGone) => self.is_tree_gone = true,
                    // The end of the connection follows an incomplete line.
                    Err(_) => {}
                },
                _ => {
                    // Only the exit itself is relevant, not its status.
                    let _ = self.child.wait().await;
                    orphans::keepers().remove(&self.pid);
                    return KeeperEvent::KeeperExited(match self.is_tree_gone {
                        true => KeeperExit::Clean,
                        false => KeeperExit::Lost,
                    });
                }
            }
        }
    }
}
