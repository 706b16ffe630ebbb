//! The supervisor's side of a keeper.

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

use super::{COMMAND, Order, Report, Task};
use crate::platform;
use crate::state::ExitStatus;

/// The keepers that this process has started and not yet seen the end of, its herald among them:
/// every other child of it is an orphan. One set for the process, as the children are the process's own.
static KEEPERS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// The keepers of this process that may still keep something.
pub(crate) fn keepers() -> MutexGuard<'static, BTreeSet<u32>> {
    KEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What to start under a keeper.
#[derive(Debug)]
pub struct Start {
    /// The shell command.
    pub command: String,
    /// The directory to run in.
    pub dir: PathBuf,
    /// Variables on top of the supervisor's own.
    pub env: IndexMap<String, String>,
    /// What asks it to end.
    pub signal: StopSignal,
    /// How long it may take.
    pub grace: Duration,
    /// A listening socket to pass on as descriptor 3.
    pub socket: Option<std::net::TcpListener>,
}

/// What a keeper reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperEvent {
    /// The command runs as this process.
    Started(u32),
    /// It could not be started.
    Failed(String),
    /// The process that the command became has ended.
    Exited(ExitStatus),
    /// The keeper itself has exited.
    KeeperExited(KeeperExit),
}

/// How a keeper went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperExit {
    /// Nothing of the tree is left.
    Clean,
    /// It vanished: what it kept has fallen to the supervisor.
    Lost,
}

/// A running keeper. Dropping it closes its control socket, and it ends its tree.
#[derive(Debug)]
pub struct Keeper {
    pid: u32,
    orders: platform::OrderWriter,
}

/// What comes from a new keeper.
pub struct Streams {
    /// The tree's standard output.
    pub out: ChildStdout,
    /// The tree's standard error.
    pub err: ChildStderr,
    pid: u32,
    child: Child,
    reports: BufReader<platform::ReportReader>,
}

impl Keeper {
    /// Starts a keeper with a service under it.
    ///
    /// # Errors
    /// When the directory does not exist or the system has no more processes.
    pub fn start(start: Start) -> io::Result<(Self, Streams)> {
        let task = Task {
            command: start.command,
            signal: start.signal,
            grace: start.grace,
            socket: start.socket.is_some(),
        };
        let mut command = Command::new(platform::own_binary()?);
        command
            .arg(COMMAND)
            .args(task.to_arguments())
            .current_dir(&start.dir)
            .envs(&start.env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(socket) = start.socket {
            platform::pass_socket(&mut command, socket)?;
        }
        // The keeper's ends are closed here with the command, once the keeper has them.
        let (reports, orders, _theirs) = platform::link(&mut command)?;
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a keeper without its pipes");
        let pid = child.id().ok_or_else(missing)?;
        keepers().insert(pid);
        let streams = Streams {
            out: child.stdout.take().ok_or_else(missing)?,
            err: child.stderr.take().ok_or_else(missing)?,
            pid,
            reports: BufReader::new(reports),
            child,
        };
        Ok((Self { pid, orders }, streams))
    }

    /// The keeper's own process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks the tree to end, and has it ended when the grace is over.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Has the tree ended now.
    pub fn kill(&self) {
        self.order(Order::Kill);
    }

    fn order(&self, order: Order) {
        platform::send_order(&self.orders, order as u8);
    }
}

impl Streams {
    /// Takes the tree's standard output and error out.
    pub fn split(self) -> (ChildStdout, ChildStderr, Reports) {
        let reports = Reports {
            pid: self.pid,
            child: self.child,
            reports: self.reports,
            gone: false,
        };
        (self.out, self.err, reports)
    }
}

/// What a keeper reports, to its end.
pub struct Reports {
    pid: u32,
    child: Child,
    reports: BufReader<platform::ReportReader>,
    gone: bool,
}

impl Reports {
    /// The next report. After [`KeeperEvent::KeeperExited`] there is none.
    pub async fn next(&mut self) -> KeeperEvent {
        loop {
            let mut line = String::new();
            match self.reports.read_line(&mut line).await {
                Ok(count) if count > 0 => match serde_json::from_str(&line) {
                    Ok(Report::Started(pid)) => return KeeperEvent::Started(pid),
                    Ok(Report::Failed(why)) => return KeeperEvent::Failed(why),
                    Ok(Report::Exited(status)) => return KeeperEvent::Exited(status),
                    Ok(Report::Gone) => self.gone = true,
                    Err(_) => {}
                },
                _ => {
                    let _ = self.child.wait().await;
                    keepers().remove(&self.pid);
                    return KeeperEvent::KeeperExited(if self.gone {
                        KeeperExit::Clean
                    } else {
                        KeeperExit::Lost
                    });
                }
            }
        }
    }
}
