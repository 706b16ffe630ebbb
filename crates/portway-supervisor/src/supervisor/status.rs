//! The status of the instance and the notices to users.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use indexmap::IndexMap;
use portway_api::{
    Event, InstanceEnvironment, InstanceStatus, LogStream, Notice, NoticeLevel, PortStatus,
    ServiceStatus, UsualPort,
};
use portway_project::wiring;

use super::service::Service;
use super::{Supervisor, order, output};
use crate::state::Transition;

impl Supervisor {
    pub(super) fn notify_transition(&mut self, name: &str, transition: &Transition) {
        if let Transition::Failed(_) | Transition::TimedOut(_) | Transition::Stopped(_) = transition
        {
            let lines = self.sink.lock().tail(name);
            if let Some(service) = self.services.get_mut(name) {
                service.last_output = lines.iter().map(|line| output::plain(line)).collect();
            }
        }
        let (level, text) = match transition {
            Transition::Ready(duration) => {
                let url = self
                    .url(name)
                    .map(|url| format!(" at {url}"))
                    .unwrap_or_default();
                let text = format!("ready{url} after {:.1} s", duration.as_secs_f64());
                (NoticeLevel::Info, text)
            }
            Transition::Restarting { reason, delay } => {
                let text = format!("{reason}; restarting in {:.1} s", delay.as_secs_f64());
                (NoticeLevel::Warning, text)
            }
            Transition::RestartingWithoutHold => (
                NoticeLevel::Warning,
                "exited before it listened; it may be unable to bind a port that Portway holds, so it \
                 restarts once without the hold"
                    .to_owned(),
            ),
            Transition::RestartingWithoutHostPorts => {
                let ports = self.inner_conflict(name).unwrap_or_default();
                (NoticeLevel::Warning, without_host_ports(&ports))
            }
            // The log has the line.
            Transition::Failed(reason) => {
                let text = reason.clone().without_line().to_string();
                (NoticeLevel::Error, text)
            }
            Transition::TimedOut(reason) => {
                (NoticeLevel::Error, format!("{reason}; it keeps running"))
            }
            Transition::Blocked(reason) | Transition::Stopped(reason) => {
                (NoticeLevel::Error, reason.to_string())
            }
            Transition::Unhealthy(reason) => (NoticeLevel::Warning, reason.to_string()),
            Transition::Completed => (NoticeLevel::Info, "completed".to_owned()),
        };
        self.notify(name, level, &text);
    }

    /// Sends a notice about a service to all subscribers and writes it to the service's log.
    pub(super) fn notify(&self, name: &str, level: NoticeLevel, text: &str) {
        match level {
            NoticeLevel::Info => tracing::info!(service = name, "{text}"),
            NoticeLevel::Warning => tracing::warn!(service = name, "{text}"),
            NoticeLevel::Error => tracing::error!(service = name, "{text}"),
        }
        self.sink.write(name, LogStream::Portway, text.to_owned());
        self.sink.send(Event::Notice(Notice {
            level,
            service: Some(name.to_owned()),
            text: text.to_owned(),
        }));
    }

    fn url(&self, name: &str) -> Option<String> {
        let port = *self.config.ports.of(name).first()?;
        let kind = self.services.get(name)?.plan.kind_of_port(0);
        Some(wiring::url(kind, port))
    }

    /// Sends the status to all subscribers if it has changed.
    pub(super) fn publish_status(&mut self) {
        let status = self.current_status();
        let has_changed = self.status.send_if_modified(|current| {
            let has_changed = *current != status;
            *current = status.clone();
            has_changed
        });
        if has_changed {
            self.sink.send(Event::Status(Box::new(status)));
        }
        let write_error = self.sink.lock().take_write_error();
        if let Some(error) = write_error {
            self.sink.send(Event::Notice(Notice {
                level: NoticeLevel::Warning,
                service: None,
                text: format!("cannot write logs: {error}"),
            }));
        }
    }

    fn current_status(&self) -> InstanceStatus {
        let services: Vec<ServiceStatus> = self
            .services
            .values()
            .map(|service| self.service_status(service))
            .collect();
        InstanceStatus {
            id: self.config.id.clone(),
            name: self.config.name.clone(),
            project: self.config.plan.project.clone(),
            directory: self.config.directory.clone(),
            branch: self.config.branch.clone(),
            state: order::instance_state(&services, self.is_starting, self.stopping.is_some()),
            pid: Some(std::process::id()),
            since: Some(self.since),
            main: self.config.plan.main.clone(),
            routes: self.config.plan.routes.clone(),
            usual_ports: self.usual_ports(&services),
            lan: self.lan.is_some(),
            network: self.network_status(),
            changed_files: self.changed_files.clone(),
            services,
        }
    }

    /// Returns the ports that pages may contain as numbers, with those of this instance. In a network of the
    /// instance, these are exactly the ports inside.
    fn usual_ports(&self, services: &[ServiceStatus]) -> Vec<UsualPort> {
        let known = wiring::usual_ports(&self.config.plan, &self.config.ports);
        let is_http = |name: &str| {
            let service = self.services.get(name);
            service.is_some_and(|service| service.plan.kind.is_http())
        };
        let services = services.iter().filter(|service| is_http(&service.name));
        let inner = services.flat_map(|service| {
            service.ports.iter().filter_map(|port| {
                Some(UsualPort {
                    port: port.inner?,
                    service: service.name.clone(),
                    actual: port.port,
                })
            })
        });
        exact_first(inner.collect(), known)
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
            rewriting: service.plan.rewriting,
            ports: service
                .plan
                .ports
                .iter()
                .enumerate()
                .zip(ports)
                .map(|((index, planned), &port)| PortStatus {
                    name: planned.name.clone(),
                    port,
                    inner: self.inner_port(name, index),
                    observed: false,
                    url: wiring::url(service.plan.kind_of_port(index), port),
                    displaced: self.config.displaced.get(&port).cloned(),
                    warning: self.config.warnings.get(&port).cloned(),
                })
                .chain(self.observed_ports(name))
                .collect(),
            pid: service.machine.pid(),
            since: Some(service.since),
            restarts: service.machine.restarts(),
            only_if_empty: service
                .plan
                .only_if_empty
                .as_ref()
                .map(|it| it.name().to_owned()),
            reason: service.machine.reason().cloned(),
            message: service.machine.reason().map(ToString::to_string),
            last_output: match service.machine.reason() {
                Some(_) => service.last_output.clone(),
                None => Vec::new(),
            },
        }
    }

    /// Returns the variables that the services receive.
    pub(super) fn environment(&self) -> InstanceEnvironment {
        let variables = |all: &IndexMap<String, String>| {
            let all = all.iter();
            all.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let wiring = &self.config.wiring;
        InstanceEnvironment {
            shared: variables(&wiring.shared),
            services: wiring
                .services
                .iter()
                .map(|(name, launch)| (name.clone(), variables(&launch.env)))
                .collect(),
        }
    }

    /// Shares the names of the services with the handles.
    pub(super) fn publish_service_names(&self) {
        let names = self.services.keys().cloned().collect();
        let shared = self.service_names.lock();
        *shared.unwrap_or_else(PoisonError::into_inner) = names;
    }
}

/// Says that a service restarts without these ports of the host, or without those of all other programs.
fn without_host_ports(ports: &BTreeSet<u16>) -> String {
    let numbers: Vec<String> = ports.iter().map(u16::to_string).collect();
    match &numbers[..] {
        [] => "reports an address in use, which may be a port of this machine; it restarts once, and ports of \
               this machine are not reachable inside until it listens"
            .to_owned(),
        [port] => format!(
            "needs port {port}, on which a program of this machine was reachable inside; that program is not \
             reachable there any more, and the service restarts"
        ),
        _ => format!(
            "needs ports {}, on which programs of this machine were reachable inside; these programs are not \
             reachable there any more, and the service restarts",
            numbers.join(", ")
        ),
    }
}

/// Adds the ports inside to those that the plan knows, and replaces what the plan says about the same numbers.
/// They come first, because the first number of a port is the one that the origins of its pages contain.
fn exact_first(inner: Vec<UsualPort>, known: Vec<UsualPort>) -> Vec<UsualPort> {
    let is_inner = |port: u16| inner.iter().any(|one| one.port == port);
    let others: Vec<UsualPort> = known
        .into_iter()
        .filter(|one| !is_inner(one.port))
        .collect();
    inner.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_inside_come_before_those_of_the_plan() {
        let usual = |port, service: &str, actual| UsualPort {
            port,
            service: service.to_owned(),
            actual,
        };
        // The range of `web` starts at 9000, and its program listens on 5173.
        let known = vec![
            usual(5173, "api", 9101),
            usual(9000, "web", 9001),
            usual(9100, "api", 9101),
        ];
        let inner = vec![usual(5173, "web", 9001)];
        let expected = [
            usual(5173, "web", 9001),
            usual(9000, "web", 9001),
            usual(9100, "api", 9101),
        ];
        assert_eq!(exact_first(inner, known), expected);
    }
}
