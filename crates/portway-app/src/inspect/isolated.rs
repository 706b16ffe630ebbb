//! Finds the service behind a port of an instance with a network of its own. On the machine, its supervisor
//! listens there.

use std::collections::HashMap;
use std::time::Duration;

use portway_api::{InstanceStatus, LeaseState, PortLease};
use portway_ports::{PortOwner, Process, find_owner};
use portway_supervisor::control::{self, Client};
use portway_supervisor::process;

use crate::dirs;
use crate::runtime::runtime;

/// How long a supervisor may take to respond. Without a response, the supervisor is reported.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// The status of each instance that was read, by its id.
#[derive(Default)]
pub(super) struct Networks(HashMap<String, Option<InstanceStatus>>);

impl Networks {
    /// Replaces the supervisor by the processes that listen inside. Returns the number of the port inside.
    pub(super) fn resolve(
        &mut self,
        listeners: &mut [PortOwner],
        lease: Option<&PortLease>,
        port: u16,
    ) -> Option<u16> {
        let lease = lease.filter(|lease| lease.state == LeaseState::Live)?;
        // A supervisor that only listens on the local network passes nothing into a network.
        let passes_on = |owner: &PortOwner| owner.listener.address.to_canonical().is_loopback();
        if !listeners.iter().any(passes_on) {
            return None;
        }
        let status = self.status(&lease.owner.id)?;
        let (network, supervisor) = (status.network.as_ref()?, status.pid?);
        let service = status.service(&lease.owner.service)?;
        let inner = service.ports.iter().find(|one| one.port == port)?.inner?;
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
        Some(inner)
    }

    fn status(&mut self, id: &str) -> Option<&InstanceStatus> {
        let read = || {
            let dir = portway_registry::instance_dir(&dirs::state_dir().ok()?, id);
            let client = Client::new(&dir.join(control::SOCKET));
            let status = runtime().ok()?.block_on(async {
                let status = tokio::time::timeout(STATUS_TIMEOUT, client.status());
                status.await.ok()?.ok()
            });
            status.filter(|status| status.network.is_some())
        };
        let status = self.0.entry(id.to_owned()).or_insert_with(read);
        status.as_ref()
    }
}
