//! Telling others: notices, the status, the log.

use portway_api::{
    Event, InstanceStatus, LogStream, Notice, NoticeLevel, PortStatus, ServiceStatus,
};
use portway_project::wiring;

use super::Supervisor;
use super::order;
use super::service::{Reporter, Service};
use crate::state::Say;

impl Supervisor {
    pub(super) fn reporter(&self, name: &str) -> Reporter {
        Reporter {
            service: name.to_owned(),
            generation: self.services.get(name).map_or(0, |s| s.generation),
            mailbox: self.mailbox.clone(),
        }
    }

    pub(super) fn announce(&mut self, name: &str, say: Say) {
        let (level, text) = match say {
            Say::Ready(took) => {
                let url = self
                    .url(name)
                    .map(|url| format!(" at {url}"))
                    .unwrap_or_default();
                let text = format!("is ready{url} after {:.1} s", took.as_secs_f64());
                (NoticeLevel::Info, text)
            }
            Say::Again { why, after } => {
                let text = format!("{why}; it is started again in {:.1} s", after.as_secs_f64());
                (NoticeLevel::Warning, text)
            }
            Say::WithoutHold => (
                NoticeLevel::Warning,
                "could not bind beside the hold of its port (it does not set SO_REUSEADDR); \
                 the hold is let go and it is started once more"
                    .to_owned(),
            ),
            Say::Failed(why) => (NoticeLevel::Error, why.to_string()),
            Say::Completed => (NoticeLevel::Info, "is done".to_owned()),
        };
        self.say(name, level, &text);
    }

    /// Tells everyone who listens, and writes it into the service's log.
    pub(super) fn say(&self, name: &str, level: NoticeLevel, text: &str) {
        let notice = Notice {
            level,
            service: Some(name.to_owned()),
            text: text.to_owned(),
        };
        let record = self
            .sink
            .lock()
            .append(name, LogStream::Portway, text.to_owned());
        let _ = self.sink.events.send(Event::Log(record));
        let _ = self.sink.events.send(Event::Notice(notice));
    }

    pub(super) fn url(&self, name: &str) -> Option<String> {
        let port = *self.config.ports.of(name).first()?;
        let kind = self.services.get(name)?.plan.kind;
        Some(wiring::url(kind, port))
    }

    /// Makes the status from the present state, and tells it when it has changed.
    pub(super) fn publish(&mut self) {
        let status = self.make_status();
        let changed = self.status.send_if_modified(|current| {
            let changed = *current != status;
            *current = status.clone();
            changed
        });
        if changed {
            let _ = self.sink.events.send(Event::Status(status));
        }
        let failure = self.sink.lock().take_failure();
        if let Some(error) = failure {
            let notice = Notice {
                level: NoticeLevel::Warning,
                service: None,
                text: format!("logs cannot be written: {error}"),
            };
            let _ = self.sink.events.send(Event::Notice(notice));
        }
    }

    pub(super) fn make_status(&self) -> InstanceStatus {
        let services: Vec<ServiceStatus> = self
            .services
            .values()
            .map(|service| self.service_status(service))
            .collect();
        let states = services.iter().map(|service| service.state);
        InstanceStatus {
            id: self.config.id.clone(),
            name: self.config.name.clone(),
            project: self.config.plan.project.clone(),
            directory: self.config.directory.clone(),
            branch: self.config.branch.clone(),
            state: order::instance_state(states, self.initial, self.ending.is_some()),
            pid: Some(std::process::id()),
            since: Some(self.began),
            main: self.config.plan.main.clone(),
            routes: self.config.plan.routes.clone(),
            lan: self.lan.is_some(),
            services,
        }
    }

    pub(super) fn service_status(&self, service: &Service) -> ServiceStatus {
        let name = &service.plan.name;
        let ports = self.config.ports.of(name);
        ServiceStatus {
            name: name.clone(),
            state: service.machine.state(),
            url: self.url(name),
            named_url: None,
            forwards: Vec::new(),
            lan_urls: self.lan_urls(name),
            max_body: service.plan.max_body,
            ports: service
                .plan
                .ports
                .iter()
                .zip(ports)
                .map(|(planned, &port)| PortStatus {
                    name: planned.name.clone(),
                    port,
                    url: wiring::url(service.plan.kind, port),
                    displaced: self.config.displaced.get(&port).cloned(),
                    warning: self.config.warnings.get(&port).cloned(),
                })
                .collect(),
            pid: service.machine.pid(),
            since: Some(service.since),
            restarts: service.machine.restarts(),
            reason: service.machine.reason().cloned(),
            message: service.machine.reason().map(ToString::to_string),
        }
    }
}
