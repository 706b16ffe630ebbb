//! Looking for what other machines announce.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mdns_sd::{Error, ServiceDaemon, ServiceEvent};
use portway_api::Discovered;

use crate::announcement::read;
use crate::{TYPE, addresses};

/// The services that Portway serves on other machines of the local network, as far as they answer
/// within `time`, in the order of their instances. What this machine itself announces is left out.
/// `found` is called each time the number of them changes.
///
/// # Errors
/// When the system does not let this process speak mDNS, in words.
pub fn browse(time: Duration, mut found: impl FnMut(usize)) -> Result<Vec<Discovered>, String> {
    let words = |error: Error| error.to_string();
    let own = addresses();
    let daemon = ServiceDaemon::new().map_err(words)?;
    let events = daemon.browse(TYPE).map_err(words)?;
    let deadline = Instant::now() + time;
    let mut services: BTreeMap<String, Discovered> = BTreeMap::new();
    while let Ok(event) = events.recv_deadline(deadline) {
        let before = services.len();
        match event {
            ServiceEvent::ServiceResolved(resolved) => {
                let service = read(&resolved);
                let elsewhere = |one: &Discovered| !one.addresses.iter().any(|a| own.contains(a));
                if let Some(service) = service.filter(elsewhere) {
                    services.insert(resolved.fullname.clone(), service);
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => {
                services.remove(&name);
            }
            _ => {}
        }
        if services.len() != before {
            found(services.len());
        }
    }
    let _ = daemon.shutdown();
    let mut services: Vec<Discovered> = services.into_values().collect();
    services.sort_by(|a, b| {
        (&a.host, &a.instance, &a.service).cmp(&(&b.host, &b.instance, &b.service))
    });
    Ok(services)
}
