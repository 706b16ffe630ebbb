//! Checks that each service, and no other process, is listening on its port.

use portway_api::{Check, Finding, InstanceStatus, ServiceState, ServiceStatus};
use portway_ports::Families;
use portway_project::{PlannedService, ports_file};

use super::context::{DoctorContext, ValueOrigin};
use super::finding_builder::{FindingExt, error, fine, warning};
use super::port_check::{Expected, PortCheck, is_nothing_running};
use crate::inspect::{Holders, InnerPort, Known, OccupantKind};

const FILE: &str = ports_file::FILE_NAME;

/// Reads which processes listen, also inside networks.
pub(super) async fn holders(context: &DoctorContext) -> Holders {
    let ports = context
        .services()
        .flat_map(|service| context.ports.of(&service.name));
    Holders::read(&known(context), ports.copied()).await
}

fn known(context: &DoctorContext) -> Known {
    let entries = context.records.as_ref().map(|it| it.entries.clone());
    Known::of(entries.unwrap_or_default())
}

/// Collects the ports of all services and the processes that listen there.
pub(super) fn collect(context: &DoctorContext, holders: &Holders) -> Vec<PortCheck> {
    let known = known(context);
    let mut port_checks = Vec::new();
    for service in context.services() {
        let expected = expected(context.status.as_ref(), &service.name);
        for (index, port) in context.ports.of(&service.name).iter().enumerate() {
            let here = holders.on(*port);
            port_checks.push(PortCheck {
                service: service.name.clone(),
                port: *port,
                expected: expected.clone(),
                forced: forced(context, service, index, *port),
                inner: holders.inner(*port),
                occupants: known.occupants(holders, *port, service, &context.checkout),
                families: Families::of(here.iter().map(|holder| &holder.listener).filter(|one| {
                    // Addresses of the local network do not serve `localhost`.
                    one.address.is_loopback() || one.address.is_unspecified()
                })),
            });
        }
    }
    // If nothing is running, one finding says so; if only some services are, each other gets one.
    if !is_nothing_running(&port_checks) {
        let down = |port_check: &&mut PortCheck| {
            port_check.expected == Expected::NotRunning && port_check.occupants.is_empty()
        };
        for port_check in port_checks.iter_mut().filter(down) {
            port_check.expected = Expected::Stopped;
        }
    }
    port_checks
}

fn forced(
    context: &DoctorContext,
    service: &PlannedService,
    index: usize,
    port: u16,
) -> Option<String> {
    let key = service.port_key(index);
    let value = context.file.as_ref().ok()?.as_ref()?.content.get(&key)?;
    let records = context.records.as_ref().ok()?;
    if service.fallback || value.as_u64() != Some(port.into()) {
        return None;
    }
    let by_user = records.origin(&key, value) == ValueOrigin::User;
    let remembered = context
        .entry()
        .is_some_and(|(_, leases, _)| leases.iter().any(|lease| lease.forced_port == Some(port)));
    (by_user || remembered).then_some(key)
}

fn expected(status: Option<&InstanceStatus>, service: &str) -> Expected {
    let Some(status) = status else {
        return Expected::NotRunning;
    };
    let own = |one: &&ServiceStatus| one.name == service;
    let Some(status) = status.services.iter().find(own) else {
        return Expected::Stopped;
    };
    match status.state {
        ServiceState::Ready | ServiceState::Unhealthy => Expected::Listening,
        ServiceState::Unknown => Expected::NotRunning,
        ServiceState::Waiting | ServiceState::Preparing | ServiceState::Starting => {
            Expected::Starting
        }
        ServiceState::Stopped | ServiceState::Stopping | ServiceState::Completed => {
            Expected::Stopped
        }
        ServiceState::Backoff | ServiceState::Failed => {
            let why = status.message.as_deref().unwrap_or("has failed");
            Expected::Failed(why.to_owned())
        }
    }
}

/// Evaluates one port.
pub(super) fn evaluate(port_check: &PortCheck) -> Option<Finding> {
    let PortCheck { service, port, .. } = port_check;
    let other = port_check.occupants.iter().find(|one| !one.kind.is_own());
    if let Some(other) = other {
        let message = format!(
            "cannot use its port {port}: it is in use by {}",
            other.description
        );
        let stop = format!("portway free {port}");
        let (repair, command) = match (other.kind, &port_check.expected, &port_check.forced) {
            (OccupantKind::OtherInstance, Expected::NotRunning, Some(key)) => (
                format!("remove `{key}` from `{FILE}`, then allocate another port"),
                "portway detect".to_owned(),
            ),
            (OccupantKind::OtherInstance, ..) => (
                "allocate another port for this checkout".to_owned(),
                "portway detect".to_owned(),
            ),
            (_, Expected::NotRunning, Some(key)) => (
                format!("remove `{key}` from `{FILE}`, or stop the other process"),
                stop,
            ),
            (_, Expected::NotRunning, None) => (
                "start the services, which then get other ports, or stop the other process"
                    .to_owned(),
                stop,
            ),
            _ => (
                "clients of this service reach that process instead; stop it".to_owned(),
                stop,
            ),
        };
        return Some(error(Check::Listening, service, message, repair).command(command));
    }
    // For a service that does not listen inside, Portway accepts connections nevertheless.
    let is_silent = port_check.inner.is_some_and(|inner| !inner.is_open);
    if let Some(first) = port_check.occupants.first().filter(|_| !is_silent) {
        let mut addresses: Vec<&str> = port_check
            .occupants
            .iter()
            .flat_map(|one| one.addresses.iter().map(String::as_str))
            .collect();
        addresses.dedup();
        let addresses = addresses.join(", ");
        let mut message = format!("is listening on port {port} ({addresses})");
        if let Some(InnerPort { number, .. }) = port_check.inner {
            message += &format!(", which is {number} in its network");
        }
        if first.kind == OccupantKind::StartedByHand {
            return Some(
                warning(
                    Check::Listening,
                    service,
                    format!(
                        "{message}, but Portway did not start it: {}",
                        first.description
                    ),
                    "stop it and start it with `portway up`, unless this is intended",
                )
                .command(format!("portway free {port}")),
            );
        }
        return Some(fine(Check::Listening, service, message));
    }
    match &port_check.expected {
        // A separate finding says that nothing is running.
        Expected::NotRunning => None,
        Expected::Listening => Some(
            error(
                Check::Listening,
                service,
                match port_check.inner {
                    Some(InnerPort { number, .. }) => format!(
                        "is running, but not listening on its port {port}, which is {number} in its network"
                    ),
                    None => format!("is running, but not listening on its port {port}"),
                },
                "read its output, and check that its command uses `{port}`",
            )
            .command(format!("portway logs {service}")),
        ),
        Expected::Starting => Some(
            warning(
                Check::Listening,
                service,
                format!("is starting and not listening on port {port} yet"),
                "wait for it, then run `portway doctor` again",
            )
            .command(format!("portway wait {service}")),
        ),
        Expected::Stopped => Some(
            warning(
                Check::Listening,
                service,
                format!("is stopped while other services are running; port {port} is not in use"),
                "start it",
            )
            .command(format!("portway up --detach {service}")),
        ),
        Expected::Failed(why) => Some(
            error(
                Check::Listening,
                service,
                format!("{why}; port {port} is not in use"),
                "read its output",
            )
            .command(format!("portway logs {service}")),
        ),
    }
}

#[cfg(test)]
mod tests;
