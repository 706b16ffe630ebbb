//! Ports, the processes that use them, and leases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port and the processes that use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortReport {
    /// The port.
    pub port: u16,
    /// Its number in the network of the instance, if the service is in a network of its own. The holders are
    /// then the processes that listen there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<u16>,
    /// The port's state.
    pub state: PortState,
    /// The processes that listen on the port. When none does, the processes that have bound it.
    pub holders: Vec<PortHolder>,
    /// The lease on the port, whether or not its instance is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<PortLease>,
    /// Why Portway assigns the port only when it is requested by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// What to do next, or how to find out more; one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// The state of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// A process listens on the port.
    Listening,
    /// A running instance holds the port for a service that does not listen.
    Held,
    /// A process has bound the port and does not listen.
    Bound,
    /// No process uses the port. It is leased to a service of a stopped instance.
    Kept,
    /// No process uses the port.
    Free,
}

/// A process that uses a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortHolder {
    /// The local addresses, such as `127.0.0.1`, `::1`, `0.0.0.0` (all IPv4 addresses) or `::` (all
    /// addresses).
    pub addresses: Vec<String>,
    /// The user who opened the socket: the name, or the numeric id when the user has no name.
    pub user: String,
    /// The process; missing when the system does not reveal it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessInfo>,
    /// Other processes with the same open socket, such as workers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<ProcessInfo>,
    /// The ancestors of the process, from its parent up to the first process of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<ProcessInfo>,
    /// The topmost ancestor that exists only for this server. Stopping it stops the server's whole
    /// process tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<u32>,
    /// The container in which the process runs, or to which it forwards connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The Portway service to which the process belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessInfo {
    /// The process id.
    pub pid: u32,
    /// The short name.
    pub name: String,
    /// The command line, as far as this user may read it.
    pub command: String,
    /// The working directory; missing when this user may not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The start time, in milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// A reference to a service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRef {
    /// The instance's id.
    pub id: String,
    /// The instance's name.
    pub instance: String,
    /// The instance's directory.
    pub directory: String,
    /// The service.
    pub service: String,
}

/// A lease on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortLease {
    /// The service that owns the lease.
    #[serde(flatten)]
    pub owner: ServiceRef,
    /// The port's name within the service; missing for the only or main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The state of the owner.
    pub state: LeaseState,
    /// When the lease was last used, in milliseconds since 1970-01-01 UTC.
    pub last_used: u64,
}

/// The state of a lease's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// The instance is running.
    Live,
    /// The instance is stopped, and its directory exists.
    Kept,
    /// The instance's directory no longer exists.
    Gone,
}

/// An entry of `portway leases`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseEntry {
    /// The port.
    pub port: u16,
    /// The lease.
    #[serde(flatten)]
    pub lease: PortLease,
    /// The port that a person forced for the service; missing when it is the leased port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<u16>,
}

/// The result of `portway free`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreeReport {
    /// The port.
    pub port: u16,
    /// What was done.
    pub action: FreeAction,
    /// The processes that were stopped, or would be stopped in a dry run; the root process first.
    pub processes: Vec<ProcessInfo>,
    /// The Portway service that was stopped, or would be stopped in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// Whether the port is free now.
    pub free: bool,
}

/// How a port was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FreeAction {
    /// The processes exited after they were asked to.
    #[serde(rename = "ended")]
    Terminated,
    /// Some processes had to be killed.
    Killed,
    /// The supervisor stopped the service and released the port.
    Stopped,
    /// Nothing, because it was a dry run.
    DryRun,
}

/// The result of `portway prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruneReport {
    /// The removed leases, whose directories no longer exist.
    pub leases: Vec<LeaseEntry>,
    /// The stale processes of instances that are not running.
    pub processes: Vec<StaleProcess>,
    /// The stale containers of instances that are not running.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<StaleContainer>,
    /// The directories that no longer exist and whose instances are still running.
    pub running: Vec<String>,
    /// Whether the processes and instances were stopped.
    pub ended: bool,
    /// The databases that were created for checkouts that no longer exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<StaleDatabase>,
}

/// A database that Portway created for a checkout that no longer exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleDatabase {
    /// Its name; for SQLite, its file.
    pub name: String,
    /// Its server, such as `PostgreSQL at localhost:5432`.
    pub server: String,
    /// The database from which it was made.
    pub template: String,
    /// The directory of the checkout.
    pub directory: String,
    /// Whether it was dropped.
    pub dropped: bool,
    /// Why it cannot be dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A container that remains of an instance that is not running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleContainer {
    /// The container's name.
    pub container: String,
    /// The instance's id.
    pub id: String,
    /// The service that ran the container.
    pub service: String,
}

/// A process that remains of an instance that is not running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleProcess {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessInfo,
    /// The instance's id.
    pub id: String,
    /// The instance's name, if the registry knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The service for which the process was started.
    pub service: String,
}
