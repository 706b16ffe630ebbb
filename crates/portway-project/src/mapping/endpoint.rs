//! The ports of a plan, as applications refer to them.

use crate::kind::Kind;
use crate::plan::{Plan, ServicePort};

/// One port of a service, and how applications refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The service.
    pub service: String,
    /// The port's name; `None` for the main port.
    pub name: Option<String>,
    /// The kind of the port.
    pub kind: Kind,
    /// The ports under which applications know it: see [`Plan::usual_ports`].
    pub usual: Vec<u16>,
    /// Host names of the service in a container network.
    pub hosts: Vec<String>,
}

impl Endpoint {
    /// How messages name it: the service, or the service and the port's name.
    pub(super) fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("`{}` ({name})", self.service),
            None => format!("`{}`", self.service),
        }
    }
}

/// Returns the ports of all services of a plan.
pub fn endpoints(plan: &Plan) -> Vec<Endpoint> {
    let candidates = plan.usual_candidates();
    let mut endpoints = Vec::new();
    for service in plan.services.values() {
        let compose = service
            .compose
            .iter()
            .map(|compose| compose.service.clone());
        let hosts: Vec<String> = compose.chain([service.name.clone()]).collect();
        for (index, port) in service.ports.iter().enumerate() {
            let is_own = |of: &ServicePort<'_>| of.service == service.name && of.index == index;
            let usual = candidates
                .iter()
                .filter(|(_, candidates)| candidates.iter().any(is_own))
                .map(|(number, _)| *number)
                .collect();
            endpoints.push(Endpoint {
                service: service.name.clone(),
                name: port.name.clone().filter(|_| index > 0),
                kind: service.kind_of_port(index),
                usual,
                hosts: hosts.clone(),
            });
        }
    }
    endpoints
}
