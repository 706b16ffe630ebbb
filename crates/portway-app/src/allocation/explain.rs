//! Explains why a port differs from the preferred one, and why no port is available.

mod fixed;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use portway_api::{ErrorCode, ExclusionKind, PortConflict, PortDisplacement};
use portway_ports::{Exclusion, PortOwner, PortPolicy, PortRange, PortRanges};
use portway_project::manifest::FILE_NAME;
use portway_project::plan::identifier;
use portway_project::ports_file;
use portway_project::shell::quote;
use portway_registry::{
    CheckoutState, ChooseError, Displacement, DisplacementReason, Lease, Registry,
};

use self::fixed::{requirement, stop_holder};
use super::{Chosen, exclusions, same_port};
use crate::error::CommandError;
use crate::inspect;
use crate::project::RegisteredProject;

/// Returns why ports differ from the preferred ones, by allocated port.
pub(super) fn displaced(
    registered: &mut RegisteredProject,
    chosen: &Chosen,
) -> Result<HashMap<u16, PortDisplacement>, CommandError> {
    let displacements = chosen
        .given
        .iter()
        .filter_map(|one| one.displacement.as_ref());
    let in_use: Vec<u16> = displacements
        .filter(|displacement| displacement.reason == DisplacementReason::InUse)
        .map(|displacement| displacement.wanted)
        .collect();
    let owners = portway_ports::owners_of(&in_use).unwrap_or_default();
    let mut reasons = HashMap::new();
    for one in &chosen.given {
        if let Some(displacement) = &one.displacement {
            let wanted = displacement.wanted;
            let reason = match chosen.policy.exclusion(wanted) {
                Some(why) if displacement.reason == DisplacementReason::Excluded => {
                    PortConflict::Excluded {
                        exclusion: exclusion_kind(why),
                        message: why.to_string(),
                    }
                }
                why if chosen.denied.contains(&wanted) => PortConflict::Excluded {
                    exclusion: match why {
                        Some(Exclusion::Privileged(_)) => ExclusionKind::Privileged,
                        _ => ExclusionKind::PermissionDenied,
                    },
                    message: exclusions::denied(wanted, &chosen.policy),
                },
                _ => reason(registered, chosen, displacement, &owners)?,
            };
            let mut displaced = PortDisplacement::new(wanted, displacement.is_forced, reason);
            displaced.left_to_main =
                matches!(displacement.reason, DisplacementReason::LeftToMain(_));
            reasons.insert(one.port, displaced);
        }
    }
    Ok(reasons)
}

/// Describes why a port is not the preferred one.
pub fn describe(displacement: &PortDisplacement) -> String {
    if displacement.excluded {
        let PortDisplacement { wanted, holder, .. } = displacement;
        return format!("port {wanted} is excluded: {holder}");
    }
    let wanted = if displacement.forced {
        "forced"
    } else {
        "preferred"
    };
    let verb = match displacement.reason {
        PortConflict::MainCheckout
        | PortConflict::OtherUser
        | PortConflict::OtherInstance { running: false, .. } => "is reserved for",
        _ => "is in use by",
    };
    format!(
        "{wanted} port {} {verb} {}",
        displacement.wanted, displacement.holder
    )
}

fn exclusion_kind(exclusion: Exclusion) -> ExclusionKind {
    match exclusion {
        Exclusion::BlockedByBrowsers => ExclusionKind::BlockedByBrowsers,
        Exclusion::Ephemeral(_) => ExclusionKind::Ephemeral,
        Exclusion::Privileged(_) => ExclusionKind::Privileged,
        Exclusion::SystemService(_) => ExclusionKind::SystemService,
        Exclusion::Excluded(_) => ExclusionKind::UserPreference,
        // `Exclusion` is non-exhaustive: a new kind counts as reserved.
        _ => ExclusionKind::Reserved,
    }
}

fn reason(
    registered: &mut RegisteredProject,
    chosen: &Chosen,
    displacement: &Displacement,
    owners: &[PortOwner],
) -> Result<PortConflict, CommandError> {
    let mut siblings = chosen.given.iter();
    if let Some(sibling) = siblings.find(|one| one.port == displacement.wanted) {
        return Ok(PortConflict::SameInstance {
            service: sibling.service.clone(),
        });
    }
    match &displacement.reason {
        DisplacementReason::Leased(lease) | DisplacementReason::LeftToMain(Some(lease)) => {
            leaseholder(registered, lease)
        }
        DisplacementReason::LeftToMain(None) => Ok(PortConflict::MainCheckout),
        DisplacementReason::LeftToUser => Ok(PortConflict::OtherUser),
        DisplacementReason::InUse | DisplacementReason::Excluded => {
            Ok(occupant(displacement.wanted, owners))
        }
    }
}

/// Returns the instance that owns a lease.
fn leaseholder(
    registered: &mut RegisteredProject,
    lease: &Lease,
) -> Result<PortConflict, CommandError> {
    let instances = registered.registry.instances()?;
    let owner = instances.iter().find(|(one, ..)| one.id == lease.instance);
    Ok(PortConflict::OtherInstance {
        id: lease.instance.clone(),
        instance: owner.map(|(one, ..)| one.name.clone()),
        directory: owner.map(|(one, ..)| one.dir.display().to_string()),
        service: lease.service.clone(),
        running: owner.is_some_and(|(.., state)| *state == CheckoutState::Running),
    })
}

/// Looks up the process that is using a port.
fn find_occupant(port: u16) -> PortConflict {
    occupant(port, &portway_ports::owners(port).unwrap_or_default())
}

/// Returns the process that is using a port, from known listeners.
fn occupant(port: u16, holders: &[PortOwner]) -> PortConflict {
    let here = || holders.iter().filter(|one| one.listener.port == port);
    let named = here().find(|holder| holder.process.is_some());
    match named.or(here().next()) {
        Some(holder) => inspect::occupant(holder),
        None => PortConflict::BoundSocket,
    }
}

/// Builds the error of a request that cannot be satisfied.
pub(super) fn refused(
    registered: &mut RegisteredProject,
    error: &ChooseError,
    policy: &PortPolicy,
    denied: &HashSet<u16>,
) -> CommandError {
    match error {
        ChooseError::ForcedInUse { service, port, .. } if denied.contains(port) => {
            let why = exclusions::denied(*port, policy);
            let message = format!("cannot bind the forced port {port} of `{service}`: {why}");
            exclusions::permit(CommandError::new(ErrorCode::PortTaken, message), *port)
        }
        ChooseError::RangeFull {
            service,
            range,
            excluded,
            ..
        } if *excluded == range.size() => all_excluded(service, range, policy, denied),
        ChooseError::ForcedInUse {
            service,
            port,
            lease,
        } => {
            let by = match lease {
                Some(lease) => leaseholder(registered, lease).ok(),
                None => Some(find_occupant(*port)),
            };
            let stop = match &by {
                Some(PortConflict::OtherInstance {
                    directory: Some(directory),
                    ..
                }) => format!(
                    "run `portway -C {} down` to stop that instance",
                    quote(directory)
                ),
                _ => format!("run `portway free {port}` to stop that process"),
            };
            let by = by.map_or_else(|| "another instance".to_owned(), |by| by.to_string());
            let key = format!("{}_port", identifier(service));
            let file = registered.project.ports_file().ok().flatten();
            let written = file.and_then(|file| file.content.get(&key)?.as_u64());
            let choose = if written == Some(u64::from(*port)) {
                format!("remove `{key}` from `{}`", ports_file::FILE_NAME)
            } else {
                format!("omit `--port {service}={port}`")
            };
            CommandError::new(
                ErrorCode::PortTaken,
                format!("the forced port {port} of `{service}` is in use by {by}"),
            )
            .hint(stop)
            .hint(format!("{choose} to let Portway choose a port"))
            .hint(format!(
                "set `fallback = true` in `[services.{service}]` to allow another port"
            ))
        }
        ChooseError::RangeFull {
            service,
            range,
            leases,
            excluded,
        } => {
            let holders = summarize_occupants(registered, range, leases, *excluded);
            let error = CommandError::new(ErrorCode::RangeFull, error.to_string())
                .hint(format!("in use by {holders}"));
            let found = registered.project.found.as_ref();
            if let Some(why) = found.and_then(|found| requirement(found, service)) {
                return error.hint(why).hint(stop_holder(registered, leases));
            }
            let larger = format!("`port = {}` in `[services.{service}]`", larger(range));
            let error = match found {
                None => error.hint(format!("use a larger range: set {larger} of `{FILE_NAME}`")),
                Some(_) => error.hint(format!(
                    "use a larger range: run `portway init` to write `{FILE_NAME}`, and set {larger} there"
                )),
            };
            error.hint("run `portway ps` to list the instances, and stop one that you do not need")
        }
        ChooseError::SamePort {
            port,
            services,
            is_kept,
        } => same_port::error(&registered.project, *port, services, *is_kept),
        ChooseError::System { source, .. } => {
            let causes = std::iter::successors(source.source(), |error| error.source());
            let message = std::iter::once(source.to_string())
                .chain(causes.map(ToString::to_string))
                .collect::<Vec<_>>()
                .join(": ");
            CommandError::new(ErrorCode::Failed, message)
        }
    }
}

/// Returns these ranges with 100 more ports, as TOML.
fn larger(ranges: &PortRanges) -> String {
    let quoted = |first: u16, last: u16| format!("\"{first}-{last}\"");
    // The highest range has no other one above it.
    let highest = ranges.ranges().map(PortRange::last).max();
    let words: Vec<String> = ranges
        .ranges()
        .map(|range| match range.last() {
            last if Some(last) == highest => quoted(range.first(), last.saturating_add(100)),
            last => quoted(range.first(), last),
        })
        .collect();
    match &words[..] {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// The error of a range whose ports are all excluded.
fn all_excluded(
    service: &str,
    range: &PortRanges,
    policy: &PortPolicy,
    denied: &HashSet<u16>,
) -> CommandError {
    let message = match range.size() {
        1 => format!("port {range} of `{service}` is not available"),
        _ => format!("all ports in {range}, the range of `{service}`, are excluded"),
    };
    let mut error = CommandError::new(ErrorCode::RangeFull, message);
    for (why, ports) in policy.exclusions(range.ports()) {
        error = error.hint(format!("{}: {why}", runs(&ports)));
    }
    if let Some(port) = range.ports().find(|port| denied.contains(port)) {
        return exclusions::permit(error, port);
    }
    if range.size() == 1 {
        return error.hint(format!("it is in use by {}", find_occupant(range.first())));
    }
    error
        .hint(format!(
            "use other ports: set `port = \"9100-9199\"` in `[services.{service}]` of `{FILE_NAME}`"
        ))
        .hint("or require a port by number with `port = { prefer = …, range = … }` or `--port`")
}

/// Summarizes who is using a range: "`python3`: 9000-9090; `jobi`: 9091".
fn summarize_occupants(
    registered: &mut RegisteredProject,
    range: &PortRanges,
    leases: &[Lease],
    excluded: usize,
) -> String {
    let instances = registered.registry.instances().unwrap_or_default();
    let mut by_holder: IndexMap<String, Vec<u16>> = IndexMap::new();
    for port in range.ports() {
        let lease = leases.iter().find(|lease| lease.port == port);
        let name = match lease {
            Some(lease) => instances
                .iter()
                .find(|(one, ..)| one.id == lease.instance)
                .map_or_else(
                    || "another instance".into(),
                    |(one, ..)| format!("`{}`", one.name),
                ),
            None => find_occupant(port).to_string(),
        };
        by_holder.entry(name).or_default().push(port);
    }
    const MAX_SHOWN: usize = 6;
    let mut words: Vec<String> = by_holder
        .iter()
        .take(MAX_SHOWN)
        .map(|(name, ports)| format!("{name}: {}", runs(ports)))
        .collect();
    if by_holder.len() > MAX_SHOWN {
        words.push(format!("{} more", by_holder.len() - MAX_SHOWN));
    }
    if excluded > 0 {
        words.push(format!("{excluded} ports are excluded"));
    }
    words.join("; ")
}

/// Formats `[1, 2, 3, 5]` as `1-3, 5`.
fn runs(ports: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == port => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let words: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_a_larger_range_without_overlaps() {
        for (ranges, suggestion) in [
            ("9000-9099", "\"9000-9199\""),
            ("9100-9199, 9000-9099", "[\"9100-9299\", \"9000-9099\"]"),
            ("65000-65500", "\"65000-65535\""),
        ] {
            assert_eq!(larger(&ranges.parse().unwrap()), suggestion);
        }
    }

    #[test]
    fn ports_are_told_in_runs() {
        assert_eq!(runs(&[9000, 9001, 9002, 9005]), "9000-9002, 9005");
        assert_eq!(runs(&[9000]), "9000");
    }
}
