//! Checks whether the pages of a checkout call the services of another one: the proxies of
//! development servers, and literal URLs in source files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use portway_api::{Finding, InstanceStatus, Severity, UrlRewriting};
use portway_project::PlannedService;
use portway_project::kind::Kind;

use super::context::{DoctorContext, PortOwner};
use super::literals::{self, Moved, Remedy};
use super::{main_port, of_kind, proxy};
use crate::gateway::client;

/// Checks the services that serve pages. `only_own` leaves out the ports of which nothing is known, such as that of a
/// server outside of Portway.
pub(super) async fn examine(
    context: &DoctorContext,
    owners: &BTreeMap<u16, PortOwner>,
    only_own: bool,
) -> Vec<Finding> {
    let owner = |port: u16| owners.get(&port).cloned().unwrap_or(PortOwner::None);
    let usual = context.plan.as_ref().map(|plan| plan.usual_ports());
    let usual = usual.unwrap_or_default();
    let moved = |port: u16| {
        let of = usual.get(&port)?;
        let actual = *context.ports.of(of.service).get(of.index)?;
        let service = of.service.to_owned();
        (actual != port).then_some(Moved { service, actual })
    };
    let backends: Vec<(String, u16)> = of_kind(context, Kind::Http)
        .filter_map(|service| main_port(context, service))
        .collect();
    let is_isolated = context.status.as_ref().is_some_and(has_network);
    let mut findings = Vec::new();
    for frontend in context.services().filter(|one| one.serves_pages()) {
        let dir = context.dir(frontend);
        // In the network of the instance, a proxy reaches its services on their usual ports.
        let reached = |port: u16| match usual.get(&port) {
            Some(of) if is_isolated && !frontend.on_host => PortOwner::Own(of.service.to_owned()),
            _ => owner(port),
        };
        if let Some(mut config) = proxy::collect(&dir) {
            if only_own {
                config.targets.retain(|target| {
                    moved(target.port).is_some()
                        || matches!(reached(target.port), PortOwner::Other(_))
                });
            }
            findings.extend(proxy::evaluate(
                &frontend.name,
                &config,
                &reached,
                &backends,
            ));
        }
        let files = match frontend.kind {
            Kind::Frontend => literals::Sources::All,
            // The others of its files belong to its server.
            _ => literals::Sources::Pages,
        };
        let literals = literals::collect(&dir, &other_dirs(context, &dir), files);
        let literals = literals::evaluate(
            &frontend.name,
            &literals,
            files,
            &moved,
            &owner,
            &remedy(context, frontend).await,
        );
        findings.extend(literals);
    }
    findings
}

/// Returns whether a running instance has a network of its own.
fn has_network(status: &InstanceStatus) -> bool {
    let mut ports = status.services.iter().flat_map(|service| &service.ports);
    ports.any(|port| port.inner.is_some())
}

/// The directories of services below a directory.
fn other_dirs(context: &DoctorContext, dir: &Path) -> BTreeSet<PathBuf> {
    let dirs = context.services().map(|service| context.dir(service));
    dirs.filter(|other| other != dir).collect()
}

/// Returns how the pages of a frontend work although their URLs are literal.
async fn remedy(context: &DoctorContext, frontend: &PlannedService) -> Remedy {
    if frontend.rewriting != UrlRewriting::Pages {
        return Remedy::None;
    }
    let Some(mut status) = context.status.clone() else {
        return Remedy::StartGateway;
    };
    client::add_urls(&mut status).await;
    let service = status.service(&frontend.name);
    match service.and_then(|service| service.named_url.clone()) {
        Some(url) => Remedy::Gateway(url),
        None => Remedy::StartGateway,
    }
}

/// Returns the problems of the pages of a running instance, which `up` reports.
pub(super) async fn problems(directory: &Path) -> Vec<Finding> {
    let Ok(context) = DoctorContext::collect(Some(directory)).await else {
        return Vec::new();
    };
    let mut findings = examine(&context, &context.owners(), true).await;
    findings.retain(|finding| finding.severity > Severity::Fine);
    findings
}
