//! The services of the instance on the local network.

use portway_api::{NoticeLevel, ServiceState};
use portway_ports::Listener;

use super::Supervisor;
use crate::lan::{Availability, LanService};
use crate::ownership::Listeners;

impl Supervisor {
    /// Makes ready services available on the local network, and closes the sockets of others.
    pub(super) fn update_lan(&mut self) {
        if self.stopping.is_some() {
            // The announcements are withdrawn while the services are being stopped.
            self.lan = None;
        }
        let Some(lan) = &mut self.lan else {
            return;
        };
        let services: Vec<LanService> = self
            .services
            .values()
            .filter_map(|service| {
                let port = *self.config.ports.of(&service.plan.name).first()?;
                Some(LanService {
                    name: service.plan.name.clone(),
                    hold: self.holds.get(&port)?.clone(),
                    availability: availability(service.machine.state()),
                })
            })
            .collect();
        for (service, text) in lan.update(&services) {
            self.notify(&service, NoticeLevel::Warning, &text);
        }
    }

    /// Returns the URLs of a service on the local network.
    pub(super) fn lan_urls(&self, name: &str) -> Vec<String> {
        let lan = self.lan.as_ref();
        lan.map_or_else(Vec::new, |lan| lan.urls(name))
    }

    /// Removes the supervisor's own sockets on the local network, which are not foreign listeners.
    pub(super) fn exclude_own_listeners(&self, all: &mut Listeners) {
        let Some(lan) = &self.lan else {
            return;
        };
        let is_foreign = |listener: &Listener| !lan.owns(listener);
        all.retain(is_foreign);
    }
}

/// Returns the availability of a service in a state. A service that restarts stays announced, so
/// that it does not disappear from lists for a moment.
fn availability(state: ServiceState) -> Availability {
    match state {
        ServiceState::Ready | ServiceState::Unhealthy => Availability::Available,
        ServiceState::Stopped | ServiceState::Failed | ServiceState::Completed => {
            Availability::Unavailable
        }
        _ => Availability::Interrupted,
    }
}
