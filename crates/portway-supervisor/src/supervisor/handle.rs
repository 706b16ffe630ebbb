//! The configuration of a supervisor, its messages, and the handle through which others use it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portway_api::{
    ApplyRequest, ChangePlan, ErrorInfo, Event, InstanceEnvironment, InstanceStatus,
    PortDisplacement, ServiceStatus,
};
use portway_ports::Hold;
use portway_project::{AssignedPorts, Plan, Wiring};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::console::Attachment;
use super::isolation::InstanceNetwork;
use crate::host::{Change, SupervisorHost};
use crate::keeper::KeeperEvent;
use crate::lan::LanConfig;
use crate::stuck::StuckProcess;

/// How long the check of the project's files may delay a status.
const FILES_TIMEOUT: Duration = Duration::from_millis(500);

/// Returns the project's files that have changed since they were last applied. May block for as long as
/// the disk does.
pub type ChangedFiles = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Restores what shows other processes that the instance runs, such as its lock and its leases, if it was deleted.
/// Called again and again with a function that returns the status. May block for as long as the disk does.
pub type Upkeep = Box<dyn FnMut(&dyn Fn() -> InstanceStatus) + Send>;

/// Receives the plan of the changes, or the reason why they cannot be applied.
pub(crate) type ApplyReply = oneshot::Sender<Result<ChangePlan, ErrorInfo>>;

/// The configuration of a supervisor.
pub struct Config {
    /// The instance's id.
    pub id: String,
    /// The instance's name.
    pub name: String,
    /// The instance's directory, as text.
    pub directory: String,
    /// The branch that is checked out at the start.
    pub branch: Option<String>,
    /// The services of the project.
    pub plan: Plan,
    /// The ports of all services.
    pub ports: AssignedPorts,
    /// The environment and commands of all services.
    pub wiring: Wiring,
    /// Why ports differ from the wanted ones, by the assigned port.
    pub displaced: HashMap<u16, PortDisplacement>,
    /// Why ports are normally excluded, by port. They were requested by number.
    pub warnings: HashMap<u16, String>,
    /// The holds of all ports. They are hard.
    pub holds: Vec<Arc<Hold>>,
    /// The services to start, in order.
    pub services: Vec<String>,
    /// The log directory.
    pub logs: PathBuf,
    /// The maximum size of each service's log in bytes.
    pub log_size: u64,
    /// The path of the control socket. Its directory identifies the instance.
    pub socket: PathBuf,
    /// Whether the instance stops when a service fails.
    pub abort_on_failure: bool,
    /// The services on the local network, if there are any.
    pub lan: Option<LanConfig>,
    /// The network of the instance, if it has one of its own.
    pub network: Option<InstanceNetwork>,
    /// Whether the instance stops when its terminal is closed.
    pub is_foreground: bool,
    /// Whether services should print in color.
    pub color: bool,
    /// The application that replaces lost ports and plans changes.
    pub host: Box<dyn SupervisorHost>,
    /// Checks the project's files.
    pub changed_files: ChangedFiles,
    /// Restores what shows other processes that the instance runs.
    pub upkeep: Upkeep,
    /// The text of the manifest that is in effect. The host replaces it when all changes are applied.
    pub manifest: Arc<Mutex<String>>,
}

/// A request to a supervisor. An empty list of services means all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start services and those that they depend on.
    Start(Vec<String>),
    /// Restart services.
    Restart(Vec<String>),
    /// Stop services. An empty list stops the instance.
    Stop(Vec<String>),
    /// Stop services and release their ports until they are started again.
    Release(Vec<String>),
    /// Kill all processes of the instance without a grace period.
    Kill,
}

/// Why an instance stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A user requested it.
    Stopped,
    /// The supervisor received this signal.
    Signal(i32),
    /// These services failed, and either no other was left during the start or the instance stops
    /// when one fails.
    Failed(Vec<ServiceStatus>),
}

/// A message to the supervisor's task.
pub(crate) enum Message {
    Request(Request),
    Report {
        service: String,
        generation: u64,
        report: Report,
    },
    Timer {
        service: String,
        epoch: u64,
        /// When the timer was due.
        due: Instant,
    },
    Signal(i32),
    /// Another branch was checked out.
    Branch(Option<String>),
    /// A request to apply the changes of the project.
    Apply(ApplyRequest, ApplyReply),
    /// The host has planned a change.
    ChangePlanned {
        result: Result<Box<Change>, ErrorInfo>,
        is_dry_run: bool,
        reply: ApplyReply,
    },
    /// A request for the variables of the services.
    Environment(oneshot::Sender<InstanceEnvironment>),
    /// A request to connect a terminal to a service.
    Attach(String, oneshot::Sender<Result<Attachment, ErrorInfo>>),
    /// Other files of the project have changed.
    ChangedFiles(Vec<String>),
    /// Other sockets than before get the connections of a port.
    CheckPorts,
}

/// A report about a process of a service.
pub(crate) enum Report {
    Keeper(KeeperEvent),
    /// The orphans of a lost keeper are gone, except these, which cannot be stopped.
    OrphansStopped(Vec<StuckProcess>),
    /// A keeper had enough time to stop its processes.
    StopOverdue,
    LogMatched,
    ReadinessProbeSucceeded,
    LivenessChecked(bool),
}

/// A handle to a supervisor within its process.
#[derive(Clone)]
pub struct Handle {
    pub(super) mailbox: mpsc::UnboundedSender<Message>,
    pub(super) status: watch::Receiver<InstanceStatus>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) service_names: Arc<Mutex<Vec<String>>>,
    pub(super) changed_files: ChangedFiles,
    pub(super) manifest: Arc<Mutex<String>>,
}

impl Handle {
    /// Sends a request. The status shows its effect.
    pub fn send(&self, request: Request) {
        // Sending fails only when the supervisor has stopped.
        let _ = self.mailbox.send(Message::Request(request));
    }

    /// Returns the current status.
    pub fn status(&self) -> InstanceStatus {
        self.status.borrow().clone()
    }

    /// Returns the current status and its changes. Unlike a handle, it does not keep the events open.
    pub fn status_changes(&self) -> watch::Receiver<InstanceStatus> {
        self.status.clone()
    }

    /// Subscribes to all events from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Returns whether the instance has a service of this name.
    pub fn has_service(&self, service: &str) -> bool {
        let names = self.service_names.lock();
        let names = names.unwrap_or_else(PoisonError::into_inner);
        names.iter().any(|name| name == service)
    }

    /// Applies the changes of the project. Returns what happens as soon as it is decided. `None` if the
    /// supervisor has stopped.
    pub(crate) async fn apply(
        &self,
        request: ApplyRequest,
    ) -> Option<Result<ChangePlan, ErrorInfo>> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(Message::Apply(request, reply)).ok()?;
        answer.await.ok()
    }

    /// Returns the variables of the services. `None` if the supervisor has stopped.
    pub(crate) async fn environment(&self) -> Option<InstanceEnvironment> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(Message::Environment(reply)).ok()?;
        answer.await.ok()
    }

    /// Returns the text of the manifest that is in effect.
    pub(crate) fn manifest(&self) -> String {
        let text = self.manifest.lock();
        text.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects a terminal to a service. `None` if the supervisor has stopped.
    pub(crate) async fn attach(&self, service: &str) -> Option<Result<Attachment, ErrorInfo>> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Attach(service.to_owned(), reply);
        self.mailbox.send(message).ok()?;
        answer.await.ok()
    }

    /// Returns the status after the project's files have been checked.
    pub(crate) async fn checked_status(&self) -> InstanceStatus {
        let check = self.changed_files.clone();
        // A disk that does not respond must not delay the status.
        let files = timeout(FILES_TIMEOUT, spawn_blocking(move || check())).await;
        let mut status = self.status();
        if let Ok(Ok(files)) = files
            && files != status.changed_files
        {
            status.changed_files.clone_from(&files);
            // Sending fails only when the supervisor has stopped.
            let _ = self.mailbox.send(Message::ChangedFiles(files));
        }
        status
    }
}
