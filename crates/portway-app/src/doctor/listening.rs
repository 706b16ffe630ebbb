//! Whether each service listens on the port that is named for it, and nobody else does.

use portway_api::{Check, Finding, InstanceStatus, ServiceState, ServiceStatus};
use portway_ports::Families;
use portway_project::{PlannedService, ports_file};

use super::note::{Further, error, fine, warning};
use super::port_check::{Expected, Seat, nothing};
use super::scene::Scene;
use crate::inspect::{Holders, Known, Of};

const FILE: &str = ports_file::FILE_NAME;

/// The ports of all services.
pub(super) fn gather(scene: &Scene, holders: &Holders) -> Vec<Seat> {
    let known = Known::of(
        scene
            .records
            .as_ref()
            .map(|records| records.entries.clone())
            .unwrap_or_default(),
    );
    let mut seats = Vec::new();
    for service in scene.services() {
        let expected = expected(scene.status.as_ref(), &service.name);
        for (index, port) in scene.ports.of(&service.name).iter().enumerate() {
            let here = holders.get(port).map_or(&[][..], Vec::as_slice);
            seats.push(Seat {
                service: service.name.clone(),
                port: *port,
                expected: expected.clone(),
                forced: forced(scene, service, index, *port),
                sitters: here
                    .iter()
                    .map(|holder| known.sitter(holder, service, &scene.checkout))
                    .collect(),
                families: Families::of(here.iter().map(|holder| &holder.listener).filter(|one| {
                    // What is there for the local network is not there for `localhost`.
                    one.address.is_loopback() || one.address.is_unspecified()
                })),
            });
        }
    }
    // That nothing runs is said once; that only some do, of each that does not.
    if !nothing(&seats) {
        let down = |seat: &&mut Seat| seat.expected == Expected::Nothing && seat.sitters.is_empty();
        for seat in seats.iter_mut().filter(down) {
            seat.expected = Expected::Resting;
        }
    }
    seats
}

fn forced(scene: &Scene, service: &PlannedService, index: usize, port: u16) -> Option<String> {
    let key = service.port_key(index);
    let value = scene.file.as_ref().ok()?.as_ref()?.content.get(&key)?;
    let records = scene.records.as_ref().ok()?;
    if service.fallback || value.as_u64() != Some(port.into()) {
        return None;
    }
    let by_hand = !records.copied && records.written.port(&key) != Some(port);
    let remembered = scene
        .entry()
        .is_some_and(|(_, leases, _)| leases.iter().any(|lease| lease.forced_port == Some(port)));
    (by_hand || remembered).then_some(key)
}

fn expected(status: Option<&InstanceStatus>, service: &str) -> Expected {
    let Some(status) = status else {
        return Expected::Nothing;
    };
    let own = |one: &&ServiceStatus| one.name == service;
    let Some(status) = status.services.iter().find(own) else {
        return Expected::Resting;
    };
    match status.state {
        ServiceState::Ready | ServiceState::Unhealthy => Expected::Listening,
        ServiceState::Waiting | ServiceState::Preparing | ServiceState::Starting => Expected::Soon,
        ServiceState::Stopped | ServiceState::Stopping | ServiceState::Completed => {
            Expected::Resting
        }
        ServiceState::Backoff | ServiceState::Failed => {
            let why = status.message.as_deref().unwrap_or("has failed");
            Expected::Failed(why.to_owned())
        }
    }
}

/// Judges one port.
pub(super) fn judge(seat: &Seat) -> Option<Finding> {
    let Seat { service, port, .. } = seat;
    let stranger = seat.sitters.iter().find(|one| !one.of.is_own());
    if let Some(stranger) = stranger {
        let message = format!("its port {port} belongs to {}", stranger.who);
        let end = format!("portway free {port}");
        let (repair, command) = match (stranger.of, &seat.expected, &seat.forced) {
            (Of::Neighbour, Expected::Nothing, Some(key)) => (
                format!("leave that to it: take `{key}` out of `{FILE}`, and have a port chosen"),
                "portway detect".to_owned(),
            ),
            (Of::Neighbour, ..) => (
                "leave that to it, and have a port chosen for this checkout".to_owned(),
                "portway detect".to_owned(),
            ),
            (_, Expected::Nothing, Some(key)) => (
                format!("take `{key}`, which asks for it, out of `{FILE}`; or end that"),
                end,
            ),
            (_, Expected::Nothing, None) => (
                "start the services, which then get other ports, and everybody is told; or end that"
                    .to_owned(),
                end,
            ),
            _ => (
                "whoever calls this service reaches that instead; end it".to_owned(),
                end,
            ),
        };
        return Some(error(Check::Listening, service, message, repair).command(command));
    }
    if let Some(first) = seat.sitters.first() {
        let mut addresses: Vec<&str> = seat
            .sitters
            .iter()
            .flat_map(|one| one.addresses.iter().map(String::as_str))
            .collect();
        addresses.dedup();
        let addresses = addresses.join(", ");
        let message = format!("listens on port {port} ({addresses})");
        if first.of == Of::Hand {
            return Some(
                warning(
                    Check::Listening,
                    service,
                    format!(
                        "{message}, started by hand and not by Portway: {}",
                        first.who
                    ),
                    "where that is not meant, end it, and have Portway start it",
                )
                .command(format!("portway free {port}")),
            );
        }
        return Some(fine(Check::Listening, service, message));
    }
    match &seat.expected {
        // That nothing runs is said once.
        Expected::Nothing => None,
        Expected::Listening => Some(
            error(
                Check::Listening,
                service,
                format!("runs, and nobody listens on its port {port}"),
                "see what it says, and whether it takes `{port}`",
            )
            .command(format!("portway logs {service}")),
        ),
        Expected::Soon => Some(
            warning(
                Check::Listening,
                service,
                format!("is still starting; nobody listens on port {port} yet"),
                "wait for it, then ask again",
            )
            .command(format!("portway wait {service}")),
        ),
        Expected::Resting => Some(
            warning(
                Check::Listening,
                service,
                format!("does not run, and others do; nobody listens on port {port}"),
                "start it",
            )
            .command(format!("portway up --detach {service}")),
        ),
        Expected::Failed(why) => Some(
            error(
                Check::Listening,
                service,
                format!("{why}; nobody listens on port {port}"),
                "see what it said before that",
            )
            .command(format!("portway logs {service}")),
        ),
    }
}

#[cfg(test)]
mod tests;
