//! The values of placeholders and of the parts of mapped variables.

use indexmap::{IndexMap, IndexSet};

use super::{AssignedPorts, HOST, url};
use crate::checkout::host_label;
use crate::database::DatabaseSetup;
use crate::kind::Kind;
use crate::mapping::Part;
use crate::plan::{Plan, PlannedPort};
use crate::template::{self, Property};

/// What placeholders and mapped variables stand for.
pub(super) struct Values<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ports: &'a AssignedPorts,
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
        let expanded = template::expand(text, own, &names, |name, property| {
            let port = |wanted| self.port(name, wanted);
            Some(match property {
                Property::Name => name.to_owned(),
                Property::Instance => self.instance.to_owned(),
                // These may contain any characters, and a command is a shell script.
                Property::Project => host_label(&self.plan.project),
                Property::Branch => self.branch.map(host_label).unwrap_or_default(),
                Property::Origins => self.origins.join(","),
                Property::Host => HOST.to_owned(),
                Property::Port(name) => port(name).map(|(_, n)| n.to_string()).unwrap_or_default(),
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

    /// Returns a part of a mapped value.
    pub(super) fn part(&self, part: &Part) -> String {
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

    /// Returns the kind and the number of a port of a service: the main port, or the one named `wanted`.
    fn port(&self, service: &str, wanted: Option<&str>) -> Option<(Kind, u16)> {
        let planned = self.plan.services.get(service)?;
        let index = wanted.map_or(Some(0), |wanted| {
            let is_wanted = |port: &PlannedPort| port.name.as_deref() == Some(wanted);
            planned.ports.iter().position(is_wanted)
        })?;
        let number = *self.ports.of(service).get(index)?;
        Some((planned.kind_of_port(index), number))
    }
}
