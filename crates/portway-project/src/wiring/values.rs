//! The values of placeholders and of the parts of mapped variables.

use indexmap::{IndexMap, IndexSet};

use super::{AssignedPorts, HOST, url};
use crate::checkout::host_label;
use crate::database::DatabaseSetup;
use crate::kind::Kind;
use crate::mapping::{MappedValue, Part};
use crate::plan::{Plan, PlannedPort};
use crate::template::{self, Property};

/// What placeholders and mapped variables stand for.
pub(super) struct Values<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ports: &'a AssignedPorts,
    /// The ports inside the instance's own network, if it has one.
    pub(super) inner: Option<&'a AssignedPorts>,
    /// The name of the instance.
    pub(super) instance: &'a str,
    pub(super) branch: Option<&'a str>,
    /// The origins that may call a backend.
    pub(super) origins: &'a [String],
}

impl Values<'_> {
    /// Expands the placeholders of a text of the plan for the service `own`. A placeholder of a service
    /// that is not enabled becomes empty; the plan has checked all others.
    pub(super) fn expand(&self, own: &str, text: &str) -> String {
        let enabled = self.plan.services.keys();
        let names: Vec<&str> = enabled
            .chain(&self.plan.disabled)
            .map(String::as_str)
            .collect();
        let expanded = template::expand(text, own, &names, |name, property, word| {
            let port = |wanted| self.port(name, wanted);
            let bound = |wanted| self.bound_port(own, name, wanted, word);
            Some(match property {
                Property::Name => name.to_owned(),
                Property::Instance => self.instance.to_owned(),
                // These may contain any characters, and a command is a shell script.
                Property::Project => host_label(&self.plan.project),
                Property::Branch => self.branch.map(host_label).unwrap_or_default(),
                Property::Origins => self.origins.join(","),
                Property::Host => HOST.to_owned(),
                Property::Port(name) => bound(name).map(|n| n.to_string()).unwrap_or_default(),
                Property::Url(name) => port(name).map(|(k, n)| url(k, n)).unwrap_or_default(),
            })
        });
        expanded.unwrap_or_else(|_| text.to_owned())
    }

    /// Returns the databases that services declare.
    pub(super) fn databases(&self) -> IndexMap<String, DatabaseSetup> {
        let declared = self.plan.services.values().filter_map(|service| {
            let mut setup = service.database.clone()?;
            setup.url = setup.url.map(|url| self.expand(&service.name, &url));
            Some((service.name.clone(), setup))
        });
        declared.collect()
    }

    /// Returns the value of a variable of the application for the service `own`.
    pub(super) fn mapped(&self, own: &str, value: &MappedValue) -> String {
        let literals = value.parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            _ => None,
        });
        let literals: String = literals.collect();
        value.expand(|part| match part {
            Part::Port { service, name } => {
                let port = self.bound_port(own, service, name.as_deref(), &literals);
                port.map(|port| port.to_string()).unwrap_or_default()
            }
            part => self.part(part),
        })
    }

    fn part(&self, part: &Part) -> String {
        match part {
            Part::Literal(text) => text.clone(),
            Part::Host { .. } => HOST.to_owned(),
            Part::Port { service, name } => {
                let port = self.port(service, name.as_deref());
                port.map(|(_, port)| port.to_string()).unwrap_or_default()
            }
            Part::Url { service, name } => {
                let port = self.port(service, name.as_deref());
                port.map(|(kind, port)| url(kind, port)).unwrap_or_default()
            }
            Part::Origins { separator, own } => {
                let own = own.iter().map(|one| one.expand(|part| self.part(part)));
                // This instance's come last and together, as in `publish_on_lan`.
                let mut all: IndexSet<String> = own.collect();
                all.retain(|origin| !self.origins.contains(origin));
                all.extend(self.origins.iter().cloned());
                let all: Vec<String> = all.into_iter().collect();
                all.join(separator)
            }
        }
    }

    /// Returns a port of a service as `own` sees it in a text. In a network of the instance's own, a
    /// service binds the inner port, but a URL may be for a browser, which is outside.
    fn bound_port(
        &self,
        own: &str,
        service: &str,
        wanted: Option<&str>,
        text: &str,
    ) -> Option<u16> {
        let binds = own == service && !self.plan.services.get(own)?.on_host;
        let inner = self.inner.filter(|_| binds && !text.contains("://"));
        let ports = inner.unwrap_or(self.ports);
        self.port_of(ports, service, wanted).map(|(_, port)| port)
    }

    /// Returns the kind and the number of a port of a service: the main port, or the one named `wanted`.
    fn port(&self, service: &str, wanted: Option<&str>) -> Option<(Kind, u16)> {
        self.port_of(self.ports, service, wanted)
    }

    fn port_of(
        &self,
        ports: &AssignedPorts,
        service: &str,
        wanted: Option<&str>,
    ) -> Option<(Kind, u16)> {
        let planned = self.plan.services.get(service)?;
        let index = wanted.map_or(Some(0), |wanted| {
            let is_wanted = |port: &PlannedPort| port.name.as_deref() == Some(wanted);
            planned.ports.iter().position(is_wanted)
        })?;
        let number = *ports.of(service).get(index)?;
        Some((planned.kind_of_port(index), number))
    }
}
