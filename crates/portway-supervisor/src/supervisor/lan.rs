//! What the local network gets to see of the services.

use portway_api::{NoticeLevel, ServiceState};
use portway_ports::Listener;

use super::Supervisor;
use crate::lan::{Candidate, Presence};
use crate::watch::Listening;

impl Supervisor {
    /// Serves on the local network what is ready, and no longer what is not.
    pub(super) fn serve_on_lan(&mut self) {
        if self.ending.is_some() {
            // The herald withdraws while the services are still being stopped.
            self.lan = None;
        }
        let Some(lan) = &mut self.lan else {
            return;
        };
        let candidates: Vec<Candidate> = self
            .services
            .values()
            .filter_map(|service| {
                let port = *self.config.ports.of(&service.plan.name).first()?;
                Some(Candidate {
                    service: service.plan.name.clone(),
                    hold: self.holds.get(&port)?.clone(),
                    presence: presence(service.machine.state()),
                })
            })
            .collect();
        for (service, text) in lan.serve(&candidates) {
            self.say(&service, NoticeLevel::Warning, &text);
        }
    }

    /// Where a service is reached from the local network.
    pub(super) fn lan_urls(&self, name: &str) -> Vec<String> {
        let lan = self.lan.as_ref();
        lan.map_or_else(Vec::new, |lan| lan.urls(name))
    }

    /// The supervisor's own sockets on the local network are no stranger's.
    pub(super) fn leave_out_own(&self, listening: &mut Listening) {
        let Some(lan) = &self.lan else {
            return;
        };
        let is_anothers = |listener: &Listener| !lan.has(listener);
        for listeners in listening.values_mut() {
            listeners.retain(is_anothers);
        }
        listening.retain(|_, listeners| !listeners.is_empty());
    }
}

/// What a service's state means to the network. While it is only started again it stays announced:
/// nobody who looks at a list wants it to flicker.
fn presence(state: ServiceState) -> Presence {
    match state {
        ServiceState::Ready | ServiceState::Unhealthy => Presence::Serves,
        ServiceState::Stopped | ServiceState::Failed | ServiceState::Completed => Presence::Gone,
        _ => Presence::Pauses,
    }
}
