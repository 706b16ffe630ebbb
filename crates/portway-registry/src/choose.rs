//! Chooses ports: a function from a request and the existing leases to allocated ports.
//!
//! Tries the forced port, then a main checkout's preferred port (after the port that it keeps because another
//! user had the preferred one), the port that the service had last (*sticky*), the range in ascending order,
//! and the leases of stopped instances. See "Choice of a
//! port" in `docs/architecture.md`. Services that can use only one port are first (`order`), so that no
//! other service of the request takes it.
//!
//! A candidate counts as free only if it could be *held*. Excluded ports are skipped unless the
//! manifest or the user names them by number.

mod order;

use std::collections::{HashMap, HashSet};

use crate::request::{
    AllocatedPort, AllocationRequest, ChooseError, Displacement, DisplacementReason, HoldFn,
    PortRequest,
};
use crate::{CheckoutState, Lease};

/// Chooses ports for `request`. `state` is called only for instances whose leases are candidates. `siblings`
/// are the instances of the same project.
pub(crate) fn choose(
    request: &AllocationRequest<'_>,
    leases: &[Lease],
    siblings: &HashSet<String>,
    state: &mut dyn FnMut(&str) -> CheckoutState,
    hold: &mut HoldFn<'_>,
) -> Result<Vec<AllocatedPort>, ChooseError> {
    let order = order::order(&request.ports, request.is_excluded)?;
    let needed = order.iter().filter_map(|(_, only)| *only).collect();
    let mut chooser = Chooser {
        request,
        siblings,
        by_port: leases.iter().map(|lease| (lease.port, lease)).collect(),
        allocated: request.ports.iter().filter_map(|one| one.keep).collect(),
        needed,
        state,
        hold,
    };
    let mut chosen: Vec<(usize, AllocatedPort)> = Vec::with_capacity(order.len());
    for (index, _) in order {
        chosen.push((index, chooser.choose(&request.ports[index])?));
    }
    chosen.sort_unstable_by_key(|(index, _)| *index);
    Ok(chosen.into_iter().map(|(_, allocated)| allocated).collect())
}

struct Chooser<'a> {
    request: &'a AllocationRequest<'a>,
    siblings: &'a HashSet<String>,
    by_port: HashMap<u16, &'a Lease>,
    allocated: HashSet<u16>,
    /// The ports that are the only possible one of a request. They are chosen first.
    needed: HashSet<u16>,
    state: &'a mut dyn FnMut(&str) -> CheckoutState,
    hold: &'a mut HoldFn<'a>,
}

impl Chooser<'_> {
    fn choose(&mut self, wanted: &PortRequest) -> Result<AllocatedPort, ChooseError> {
        if let Some(port) = wanted.keep {
            let yielded = self.last_lease(wanted).and_then(|lease| lease.yielded_port);
            return Ok(AllocatedPort {
                yielded: yielded.filter(|yielded| *yielded == wanted.preferred),
                ..allocated(wanted, port, None)
            });
        }
        let mut allocated = self.allocate(wanted)?;
        // A port that was lost to an exclusion is reported once, when it happens.
        let displacement = allocated.displacement.as_ref();
        let is_forced = displacement.is_some_and(|displacement| displacement.is_forced);
        if let Some(port) = self
            .lost_to_exclusion(wanted, allocated.port)
            .filter(|_| !is_forced)
        {
            allocated.displacement = Some(Displacement {
                wanted: port,
                is_forced: false,
                reason: DisplacementReason::Excluded,
            });
        }
        Ok(allocated)
    }

    /// Returns the port that the service had last and did not get again because it is excluded now.
    fn lost_to_exclusion(&self, wanted: &PortRequest, port: u16) -> Option<u16> {
        let last = self.last_lease(wanted)?;
        let is_requested = |port: u16| wanted.is_explicit && port == wanted.preferred;
        let was_from_range = last.forced_port != Some(last.port) && !is_requested(last.port);
        (was_from_range
            && last.port != port
            && !is_requested(port)
            && wanted.range.contains(last.port)
            && (self.request.is_excluded)(last.port))
        .then_some(last.port)
    }

    fn may_use_preferred(&self, wanted: &PortRequest) -> bool {
        wanted.is_explicit || !(self.request.is_excluded)(wanted.preferred)
    }

    fn allocate(&mut self, wanted: &PortRequest) -> Result<AllocatedPort, ChooseError> {
        let mut displacement = None;
        if let Some(port) = wanted.forced {
            // A forced port takes precedence over the lease of a stopped instance.
            let lease = self.foreign_lease(port);
            let is_free = match &lease {
                Some(lease) => (self.state)(&lease.instance) != CheckoutState::Running,
                None => true,
            };
            if is_free && self.try_hold(wanted, port)? {
                return Ok(allocated(wanted, port, None));
            }
            if !wanted.fallback {
                return Err(ChooseError::ForcedInUse {
                    service: wanted.service.clone(),
                    port,
                    lease,
                });
            }
            displacement = Some(Displacement {
                wanted: port,
                is_forced: true,
                reason: leased_or_in_use(lease),
            });
        }
        let preferred = wanted.preferred;
        if let Some(port) = self.kept(wanted)? {
            let displacement = displacement.unwrap_or(Displacement {
                wanted: preferred,
                is_forced: false,
                reason: DisplacementReason::LeftToUser,
            });
            return Ok(AllocatedPort {
                yielded: Some(preferred),
                ..allocated(wanted, port, Some(displacement))
            });
        }
        let mut yielded = None;
        if self.request.is_main
            && wanted.forced != Some(preferred)
            && self.may_use_preferred(wanted)
        {
            let lease = self.blocking_lease(preferred);
            let yields = lease
                .as_ref()
                .is_none_or(|lease| wanted.is_called && self.yields_called_port(lease));
            if yields && self.try_hold(wanted, preferred)? {
                return Ok(allocated(wanted, preferred, displacement));
            }
            if lease.is_none() && (self.request.is_of_other_user)(preferred, wanted.protocol) {
                yielded = Some(preferred);
            }
            displacement.get_or_insert(Displacement {
                wanted: preferred,
                is_forced: false,
                reason: leased_or_in_use(lease),
            });
        }
        if let Some(port) = self.first_free(wanted)? {
            let displacement = displacement.or_else(|| {
                (port != preferred && !self.request.is_main).then(|| Displacement {
                    wanted: preferred,
                    is_forced: false,
                    reason: DisplacementReason::LeftToMain(self.foreign_lease(preferred)),
                })
            });
            return Ok(AllocatedPort {
                yielded,
                ..allocated(wanted, port, displacement)
            });
        }
        Err(self.range_full(wanted))
    }

    fn range_full(&self, wanted: &PortRequest) -> ChooseError {
        let leases = self.by_port.values().copied();
        let mut leases: Vec<Lease> = leases
            .filter(|lease| wanted.range.contains(lease.port))
            .cloned()
            .collect();
        leases.sort_by_key(|lease| lease.port);
        ChooseError::RangeFull {
            service: wanted.service.clone(),
            range: wanted.range.clone(),
            excluded: wanted
                .range
                .ports()
                .filter(|&port| (self.request.is_excluded)(port))
                .count(),
            leases,
        }
    }

    /// Returns the first free candidate after the forced port and a main checkout's preferred port.
    fn first_free(&mut self, wanted: &PortRequest) -> Result<Option<u16>, ChooseError> {
        let last = self.last_port(wanted);
        if let Some(port) = last.filter(|port| !self.allocated.contains(port))
            && self.try_hold(wanted, port)?
        {
            return Ok(Some(port));
        }
        let wanted_by_others: HashSet<u16> = self
            .request
            .ports
            .iter()
            .filter(|other| *other != wanted)
            .flat_map(|other| [Some(other.preferred), other.forced])
            .flatten()
            .collect();
        let may_use_preferred = self.may_use_preferred(wanted);
        let is_allowed = |port: u16| {
            (port == wanted.preferred && may_use_preferred) || !(self.request.is_excluded)(port)
        };
        let allowed: Vec<u16> = wanted
            .range
            .ports()
            .filter(|&port| is_allowed(port) && Some(port) != last)
            .collect();
        // In a main checkout the preferred port was tried already; in a worktree it comes last.
        let (avoided, plain): (Vec<u16>, Vec<u16>) = allowed
            .iter()
            .filter(|&&port| !(self.request.is_main && port == wanted.preferred))
            .partition(|&&port| port == wanted.preferred || wanted_by_others.contains(&port));
        for port in plain.into_iter().chain(avoided) {
            let is_leased =
                self.blocking_lease(port).is_some() || self.is_for_other_port(port, wanted);
            if !is_leased && self.try_hold(wanted, port)? {
                return Ok(Some(port));
            }
        }
        let mut leased: Vec<Lease> = allowed
            .iter()
            .filter_map(|&port| self.blocking_lease(port))
            .collect();
        leased.sort_by_key(|lease| lease.last_used);
        for lease in leased {
            if (self.state)(&lease.instance) != CheckoutState::Running
                && self.try_hold(wanted, lease.port)?
            {
                return Ok(Some(lease.port));
            }
        }
        Ok(None)
    }

    /// Returns the port that a main checkout has in place of a preferred one that another user had.
    fn kept(&mut self, wanted: &PortRequest) -> Result<Option<u16>, ChooseError> {
        let lease = self.last_lease(wanted);
        let has_yielded = lease.and_then(|lease| lease.yielded_port) == Some(wanted.preferred);
        let Some(port) = self
            .last_port(wanted)
            .filter(|_| has_yielded && self.request.is_main)
        else {
            return Ok(None);
        };
        Ok(self.try_hold(wanted, port)?.then_some(port))
    }

    /// Returns the lease that the service had last.
    fn last_lease(&self, wanted: &PortRequest) -> Option<&Lease> {
        let mut leases = self.by_port.values().copied();
        leases.find(|lease| self.is_lease_of(lease, wanted))
    }

    /// Returns the port that the service had last, if it may have it again.
    fn last_port(&self, wanted: &PortRequest) -> Option<u16> {
        let port = self.last_lease(wanted)?.port;
        (wanted.range.contains(port) && !(self.request.is_excluded)(port)).then_some(port)
    }

    /// Returns whether the lease is this instance's for exactly this port.
    fn is_lease_of(&self, lease: &Lease, wanted: &PortRequest) -> bool {
        lease.instance == self.request.instance
            && lease.service == wanted.service
            && lease.name == wanted.name
    }

    /// Returns the lease of another instance.
    fn foreign_lease(&self, port: u16) -> Option<Lease> {
        let lease = self.by_port.get(&port).copied()?;
        (lease.instance != self.request.instance).then(|| lease.clone())
    }

    /// Returns the lease of another instance, unless its directory is gone.
    fn blocking_lease(&mut self, port: u16) -> Option<Lease> {
        let lease = self.foreign_lease(port)?;
        ((self.state)(&lease.instance) != CheckoutState::Missing).then_some(lease)
    }

    /// Returns whether an instance gives up a port that files of this project call: it is stopped, and
    /// belongs to another project.
    fn yields_called_port(&mut self, lease: &Lease) -> bool {
        !self.siblings.contains(&lease.instance)
            && (self.state)(&lease.instance) == CheckoutState::Stopped
    }

    /// Returns whether this instance leases `port` for another port of the same request, and no request
    /// needs exactly this port.
    fn is_for_other_port(&self, port: u16, wanted: &PortRequest) -> bool {
        !self.needed.contains(&port)
            && self.by_port.get(&port).is_some_and(|lease| {
                let mut others = self.request.ports.iter().filter(|other| *other != wanted);
                others.any(|other| self.is_lease_of(lease, other))
            })
    }

    fn try_hold(&mut self, wanted: &PortRequest, port: u16) -> Result<bool, ChooseError> {
        if self.allocated.contains(&port) {
            return Ok(false);
        }
        let lease = self.by_port.get(&port);
        let own = lease.filter(|lease| lease.instance == self.request.instance);
        // A port of a service that is not part of an incomplete request stays with that service.
        // Holding proves nothing: the service may bind without a hold and may just have stopped.
        let is_requested = |lease: &Lease| {
            let mut ports = self.request.ports.iter();
            ports.any(|wanted| self.is_lease_of(lease, wanted))
        };
        if !self.request.is_complete && own.is_some_and(|lease| !is_requested(lease)) {
            return Ok(false);
        }
        let was_own = own.is_some();
        let is_held =
            (self.hold)(port, wanted.protocol, was_own).map_err(|source| ChooseError::System {
                service: wanted.service.clone(),
                source,
            })?;
        if is_held {
            self.allocated.insert(port);
        }
        Ok(is_held)
    }
}

fn leased_or_in_use(lease: Option<Lease>) -> DisplacementReason {
    lease.map_or(DisplacementReason::InUse, DisplacementReason::Leased)
}

fn allocated(wanted: &PortRequest, port: u16, displacement: Option<Displacement>) -> AllocatedPort {
    AllocatedPort {
        service: wanted.service.clone(),
        name: wanted.name.clone(),
        port,
        // The last resort, a lease of a stopped instance, can be the port that was wanted first.
        displacement: displacement.filter(|displacement| displacement.wanted != port),
        yielded: None,
    }
}

#[cfg(test)]
mod tests;
