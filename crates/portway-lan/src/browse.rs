//! Finds the services that other machines announce.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mdns_sd::{ServiceDaemon, ServiceEvent};
use portway_api::DiscoveredService;

use crate::announcement::discovered;
use crate::{SERVICE_TYPE, local_addresses};

/// A failure of mDNS.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct MdnsError(#[from] mdns_sd::Error);

/// Returns the services that Portway serves on other machines of the local network, ordered by
/// host, instance and service. Only machines that respond within `time` are found, and services of
/// this machine are left out. `progress` receives the number of services whenever it changes.
///
/// # Errors
/// Fails if the system does not permit mDNS.
pub fn browse(
    time: Duration,
    mut progress: impl FnMut(usize),
) -> Result<Vec<DiscoveredService>, MdnsError> {
    let own = local_addresses();
    let daemon = ServiceDaemon::new()?;
    let events = daemon.browse(SERVICE_TYPE)?;
    let deadline = Instant::now() + time;
    let mut services: BTreeMap<String, DiscoveredService> = BTreeMap::new();
    while let Ok(event) = events.recv_deadline(deadline) {
        let before = services.len();
        match event {
            ServiceEvent::ServiceResolved(resolved) => {
                let is_remote = |service: &DiscoveredService| {
                    !service
                        .addresses
                        .iter()
                        .any(|address| own.contains(address))
                };
                if let Some(service) = discovered(&resolved).filter(is_remote) {
                    services.insert(resolved.fullname.clone(), service);
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => {
                services.remove(&name);
            }
            _ => {}
        }
        if services.len() != before {
            progress(services.len());
        }
    }
    // The result is complete; a daemon that does not stop exits with the process.
    let _ = daemon.shutdown();
    let mut services: Vec<DiscoveredService> = services.into_values().collect();
    services.sort_by(|a, b| {
        (&a.host, &a.instance, &a.service).cmp(&(&b.host, &b.instance, &b.service))
    });
    Ok(services)
}
