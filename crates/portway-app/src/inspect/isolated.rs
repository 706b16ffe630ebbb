//! Finds the service behind a port of an instance with a network of its own. On the machine, its supervisor
//! listens there.

use std::collections::HashMap;
use std::time::Duration;

use portway_api::{InstanceStatus, LeaseState, PortLease};
use portway_ports::{PortOwner, Process, find_owner};
use portway_supervisor::control::{self, Client};
use portway_supervisor::process;

use crate::dirs;

/// How long a supervisor may take to respond. Without a response, the supervisor is reported.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// The status of each instance with a network of its own, by its id.
#[derive(Default)]
pub(super) struct Networks(HashMap<String, Option<InstanceStatus>>);

/// A port of an instance with a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InnerPort {
    /// The number inside.
    pub(crate) number: u16,
    /// Whether a process listens inside.
    pub(crate) is_open: bool,
}

impl Networks {
    /// Reads the status of the instance that leases a port, if it may pass connections into a network.
    pub(super) async fn read(&mut self, lease: Option<&PortLease>, listeners: &[PortOwner]) {
        let Some(lease) = lease.filter(|lease| lease.state == LeaseState::Live) else {
            return;
        };
        // A supervisor that only listens on the local network passes nothing into a network.
        let passes_on = |owner: &PortOwner| owner.listener.address.to_canonical().is_loopback();
        let id = &lease.owner.id;
        if listeners.iter().any(passes_on) && !self.0.contains_key(id) {
            let status = status(id).await;
            self.0.insert(id.clone(), status);
        }
    }

    /// Replaces the supervisor by the processes that listen inside. Returns the port inside. The status was
    /// read before.
    pub(super) fn resolve(
        &self,
        listeners: &mut [PortOwner],
        lease: Option<&PortLease>,
        port: u16,
    ) -> Option<InnerPort> {
        let lease = lease.filter(|lease| lease.state == LeaseState::Live)?;
        let status = self.0.get(&lease.owner.id)?.as_ref()?;
        let service = status.service(&lease.owner.service)?;
        let number = service.ports.iter().find(|one| one.port == port)?.inner?;
        let is_open = replace(listeners, status, number).is_some();
        Some(InnerPort { number, is_open })
    }
}

/// Replaces the supervisor by the processes that listen on a port inside. `None` if there is none.
fn replace(listeners: &mut [PortOwner], status: &InstanceStatus, inner: u16) -> Option<()> {
    let (network, supervisor) = (status.network.as_ref()?, status.pid?);
    let sockets = portway_isolation::listening_sockets(network.pid, inner).ok()?;
    let tree = process::tree_pids(supervisor);
    let has_any = |pid: &u32| {
        let owner = |socket: &u64| matches!(find_owner([*pid], *socket), Ok(Some(_)));
        sockets.iter().any(owner)
    };
    let mut pids: Vec<u32> = tree.into_iter().filter(has_any).collect();
    pids.retain(|pid| *pid != supervisor);
    pids.sort_unstable();
    let (first, others) = pids.split_first()?;
    let process = Process::read(*first);
    let is_supervisor = |owner: &&mut PortOwner| {
        let process = owner.process.as_ref();
        process.is_some_and(|process| process.id.pid == supervisor)
    };
    for owner in listeners.iter_mut().filter(is_supervisor) {
        owner.process.clone_from(&process);
        owner.other_pids = others.to_vec();
    }
    Some(())
}

async fn status(id: &str) -> Option<InstanceStatus> {
    let dir = portway_registry::instance_dir(&dirs::state_dir().ok()?, id);
    let client = Client::new(&dir.join(control::SOCKET));
    let status = tokio::time::timeout(STATUS_TIMEOUT, client.status()).await;
    let status = status.ok()?.ok()?;
    status.network.is_some().then_some(status)
}
