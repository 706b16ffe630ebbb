//! Which services start and stop next, and when a start is complete or has failed.

use indexmap::IndexMap;
use portway_api::{Event, Notice, NoticeLevel, ServiceState, ServiceStatus};

use super::order::{self, Dependencies, Dependency};
use super::service::Service;
use super::{Outcome, Supervisor};
use crate::state::Input;

impl Supervisor {
    /// Returns the inputs for services that can be stopped, because no active service depends on
    /// them.
    pub(super) fn next_stops(&self) -> Vec<(String, Input)> {
        let active: Vec<&str> = self
            .services
            .values()
            .filter(|service| !service.machine.is_idle())
            .map(|service| service.plan.name.as_str())
            .collect();
        let after = |name: &str| -> Vec<String> {
            let after = &self.services[name].plan.after;
            after.iter().map(|(other, _)| other.clone()).collect()
        };
        order::stoppable(&active, after)
            .into_iter()
            .filter(|name| !self.services[*name].machine.is_stopping_for_good())
            .map(|name| (name.to_owned(), Input::Stop))
            .collect()
    }

    /// Returns the inputs for waiting services whose dependencies are met, have failed, or have not
    /// failed any more.
    pub(super) fn next_starts(&self) -> Vec<(String, Input)> {
        let dependencies: IndexMap<String, Dependency> = self
            .services
            .iter()
            .map(|(name, service)| {
                let dependency = Dependency {
                    state: service.machine.state(),
                    is_prepared: service.machine.is_prepared(),
                    is_late: service.machine.is_late(),
                    blocked_by: service
                        .machine
                        .is_blocked()
                        .then(|| service.machine.reason().cloned())
                        .flatten(),
                };
                (name.clone(), dependency)
            })
            .collect();
        self.services
            .values()
            .filter(|service| service.machine.is_waiting())
            .filter_map(|service| {
                let machine = &service.machine;
                let input = match order::dependencies(&service.plan.after, &dependencies) {
                    Dependencies::Met => Input::DependenciesMet,
                    Dependencies::Failed(reason) if machine.reason() == Some(&reason) => {
                        return None;
                    }
                    // It may start again when the change takes effect.
                    Dependencies::Failed(_) if self.is_applying() => return None,
                    Dependencies::Failed(reason) => Input::DependencyFailed(reason),
                    Dependencies::Pending if machine.is_blocked() => Input::DependenciesPending,
                    Dependencies::Pending => return None,
                };
                Some((service.plan.name.clone(), input))
            })
            .collect()
    }

    /// Checks whether the start of the instance is complete, and whether the instance stops because
    /// of a failure: when it is configured to, or when nothing is left of its start.
    pub(super) fn evaluate_failures(&mut self) {
        let requested: Vec<&Service> = self
            .config
            .services
            .iter()
            .filter_map(|name| self.services.get(name))
            .collect();
        let is_settled = requested.iter().all(|service| {
            service.machine.is_blocked()
                || matches!(
                    service.machine.state(),
                    ServiceState::Ready
                        | ServiceState::Unhealthy
                        | ServiceState::Completed
                        | ServiceState::Stopped
                        | ServiceState::Failed
                )
        });
        let mut services = self.services.values().map(|service| &service.machine);
        let is_running = services.any(|machine| !machine.is_idle() && !machine.is_blocked());
        if self.config.abort_on_failure || (is_settled && !is_running) {
            let failed: Vec<ServiceStatus> = requested
                .iter()
                .map(|service| self.service_status(service))
                .filter(ServiceStatus::has_failed)
                .collect();
            // A service that only waits has not failed itself.
            if failed.iter().any(|one| one.state != ServiceState::Waiting) {
                if is_running {
                    self.sink.send(Event::Notice(Notice {
                        level: NoticeLevel::Info,
                        service: None,
                        text: "stopping all services because one failed".to_owned(),
                    }));
                }
                // The status does not contain the failures of services that are being stopped.
                self.publish_status();
                self.stop(Outcome::Failed(failed));
                return self.advance();
            }
        }
        if is_settled {
            self.is_starting = false;
        }
    }
}
