//! Who has which port.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port and everyone who has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortReport {
    /// The port.
    pub port: u16,
    /// How it is used.
    pub state: PortState,
    /// Who listens there, or, where nobody does, who has bound it.
    pub holders: Vec<PortHolder>,
    /// The service that it belongs to, whether or not that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<PortLease>,
    /// Why Portway would not give this port to anyone who does not ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// What would tell more, or what to do, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// How a port is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// Somebody listens there.
    Listening,
    /// An instance that runs holds it for its service, which does not listen.
    Held,
    /// Somebody has bound it and does not listen.
    Bound,
    /// Nobody uses it; it is kept for the service of an instance that does not run.
    Kept,
    /// Nobody uses it.
    Free,
}

/// Somebody who has a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortHolder {
    /// The local addresses, such as `127.0.0.1`, `::1`, `0.0.0.0` (all of IPv4), `::` (all).
    pub addresses: Vec<String>,
    /// The name of the user that opened it, or the number where it has no name.
    pub user: String,
    /// The process; `None` where the system does not tell this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessInfo>,
    /// Other processes that have the same socket open, such as workers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<ProcessInfo>,
    /// The parents, the nearest first, up to the first process of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<ProcessInfo>,
    /// The topmost process that is there for this server alone: with it, all of it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<u32>,
    /// The container that it runs in, or for which it passes connections on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The Portway service that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessInfo {
    /// Its number.
    pub pid: u32,
    /// The short name.
    pub name: String,
    /// The command line, as far as this user may see it.
    pub command: String,
    /// The working directory, as far as this user may see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// A service of an instance.
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

/// What the registry knows of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortLease {
    /// The service that has the lease.
    #[serde(flatten)]
    pub owner: ServiceRef,
    /// The port's name within the service; `None` for the only or main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the instance is there.
    pub state: LeaseState,
    /// When it was last used, in milliseconds since 1970-01-01 UTC.
    pub last_used: u64,
}

/// Whether the owner of a lease is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// Its instance runs.
    Live,
    /// Its instance does not run; its directory is there.
    Kept,
    /// Its directory is gone.
    Gone,
}

/// One lease, as `portway leases` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseEntry {
    /// The port.
    pub port: u16,
    /// Whose it is.
    #[serde(flatten)]
    pub lease: PortLease,
    /// The port that a person forced for it, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<u16>,
}

/// What `portway free` did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Freed {
    /// The port.
    pub port: u16,
    /// What was done.
    pub action: FreeAction,
    /// The processes that were ended, or would be, the root first.
    pub processes: Vec<ProcessInfo>,
    /// The Portway service that was stopped, or would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// Whether nobody has the port now.
    pub free: bool,
}

/// A way to free a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FreeAction {
    /// The processes were asked to end, and did.
    Ended,
    /// Some had to be killed.
    Killed,
    /// The service was stopped by its supervisor, which let go of the port.
    Stopped,
    /// Nothing: it was only asked what would be done.
    DryRun,
}

/// What `portway prune` found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// The leases of vanished directories that were dropped.
    pub leases: Vec<LeaseEntry>,
    /// The processes of instances that do not run any more.
    pub processes: Vec<Leftover>,
    /// The directories that are gone and whose instances run all the same.
    pub running: Vec<String>,
    /// Whether the processes were ended, and the instances stopped.
    pub ended: bool,
}

/// A process that an instance left behind that does not run any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leftover {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessInfo,
    /// The instance's id.
    pub id: String,
    /// The instance's name, where the registry still knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The service that it was started for.
    pub service: String,
}
