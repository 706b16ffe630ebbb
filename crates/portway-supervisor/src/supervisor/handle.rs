//! What a supervisor is given, what it may be asked, and how others speak with it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use portway_api::{Event, FailureReason, InstanceStatus, PortDisplacement};
use portway_ports::Hold;
use portway_project::{AssignedPorts, Plan, Wiring};
use tokio::sync::{broadcast, mpsc, watch};

use crate::host::SupervisorHost;
use crate::keeper::KeeperEvent;
use crate::lan::LanConfig;

/// Everything a supervisor needs to run one instance.
pub struct Config {
    /// The instance's id on this machine.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its directory, in words.
    pub directory: String,
    /// The branch that is checked out at the start.
    pub branch: Option<String>,
    /// What there is to run.
    pub plan: Plan,
    /// The ports of all its services.
    pub ports: AssignedPorts,
    /// What they are told.
    pub wiring: Wiring,
    /// The ports that are not the ones that were wanted, and why.
    pub displaced: HashMap<u16, PortDisplacement>,
    /// What is to be said about ports that were asked for by number.
    pub warnings: HashMap<u16, String>,
    /// The holds of all ports, hard.
    pub holds: Vec<Arc<Hold>>,
    /// The services to start, in order.
    pub run: Vec<String>,
    /// Where logs are kept.
    pub logs: PathBuf,
    /// How many bytes of each service's log are kept.
    pub log_size: u64,
    /// Where others find the supervisor.
    pub socket: PathBuf,
    /// What is served on the local network, if anything is.
    pub lan: Option<LanConfig>,
    /// Whether the instance ends with its terminal.
    pub foreground: bool,
    /// Whether services should print in colour.
    pub colour: bool,
    /// Who replaces lost ports.
    pub host: Box<dyn SupervisorHost>,
}

/// What others may ask of a supervisor. An empty list of services means all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start services, with those they come after.
    Start(Vec<String>),
    /// Start services anew.
    Restart(Vec<String>),
    /// Stop services; all of them: end the instance.
    Stop(Vec<String>),
    /// Stop services, and leave their ports to others until they are started again.
    Release(Vec<String>),
    /// End the instance at once, without grace.
    Kill,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody asked for it.
    Stopped,
    /// A signal asked for it.
    Signal(i32),
    /// These services failed before everything was ready once, with the reasons.
    Failed(Vec<(String, FailureReason)>),
}

/// What a supervisor finds in its mailbox.
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
    },
    Signal(i32),
    /// Another branch has been checked out.
    Branch(Option<String>),
}

/// What happened to a service's process.
pub(crate) enum Report {
    Keeper(KeeperEvent),
    OrphansGone,
    LogMatched,
    ProbeSucceeded,
    Alive(bool),
}

/// A way to speak with a supervisor from within its process.
#[derive(Clone)]
pub struct Handle {
    pub(super) mailbox: mpsc::UnboundedSender<Message>,
    pub(super) status: watch::Receiver<InstanceStatus>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) known: Arc<Vec<String>>,
}

impl Handle {
    /// Asks for something. Whether it came about shows in the status.
    pub fn send(&self, request: Request) {
        let _ = self.mailbox.send(Message::Request(request));
    }

    /// The status now.
    pub fn status(&self) -> InstanceStatus {
        self.status.borrow().clone()
    }

    /// All events from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Whether the instance has a service of this name.
    pub fn has_service(&self, service: &str) -> bool {
        self.known.iter().any(|known| known == service)
    }
}
