//! Choosing ports: a function from what is wanted and what is leased to what is given.
//!
//! For each port in turn:
//!
//! 1. the port that a person forced, if any;
//! 2. in a main checkout, the preferred port;
//! 3. the port that the service had last (*sticky*), so that bookmarks and redirects go on working;
//! 4. the range from below, without what anybody leases and without the preferred ports of the
//!    same plan's other services; in a worktree the preferred port comes last, for it is the main
//!    checkout's;
//! 5. kept leases of others, the oldest first.
//!
//! Every candidate must be *held* to count as free. Excluded ports are passed over unless a person
//! asked for that very number; a range's first port is no such number.

use std::collections::{HashMap, HashSet};

use portway_ports::PortRange;

use crate::{Lease, Liveness};

/// What an instance wants.
pub struct Request<'a> {
    /// The instance's id.
    pub instance: &'a str,
    /// Whether it is a main checkout, which takes the preferred ports.
    pub main: bool,
    /// The ports, in order.
    pub wanted: Vec<Wanted>,
    /// Ports that are not given out unless asked for by number.
    pub excluded: &'a dyn Fn(u16) -> bool,
    /// Whether `wanted` is all that the instance wants: its other leases are then dropped.
    pub whole: bool,
    /// Whether the instance's own supervisor asks. Nobody else may change the leases of an
    /// instance that runs.
    pub supervises: bool,
}

/// One port that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The service.
    pub service: String,
    /// The port's name within the service, empty for the only one.
    pub name: String,
    /// The preferred port.
    pub prefer: u16,
    /// Whether a person asked for the preferred port by its number.
    pub named: bool,
    /// Where to look otherwise.
    pub range: PortRange,
    /// The port that a person forced.
    pub wish: Option<u16>,
    /// Whether a forced port may give way.
    pub fallback: bool,
}

/// One port that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allotted {
    /// The service.
    pub service: String,
    /// The port's name within the service.
    pub name: String,
    /// The port.
    pub port: u16,
    /// Set when it is not the one that was wanted most.
    pub displaced: Option<Displacement>,
}

/// Why a service did not get the port that it wanted most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displacement {
    /// That port.
    pub wanted: u16,
    /// Whether a person forced it.
    pub forced: bool,
    /// The lease that it belongs to; `None` when a stranger has it, or when it is left to the main
    /// checkout.
    pub lease: Option<Lease>,
    /// Whether it was left alone because it is the main checkout's.
    pub left_to_main: bool,
    /// Whether the service had it last, and nobody has it: it is not given out any more.
    pub excluded: bool,
}

/// Why no choice satisfies a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// A forced port belongs to somebody else, and the service may not take another.
    #[error("port {port}, which `{service}` insists on, is taken")]
    ForcedTaken {
        /// The service.
        service: String,
        /// The port.
        port: u16,
        /// The lease that it belongs to, or `None` for a stranger.
        lease: Option<Lease>,
    },
    /// A range has no free port.
    #[error("every port of {range}, the range of `{service}`, is taken")]
    RangeFull {
        /// The service.
        service: String,
        /// The range.
        range: PortRange,
        /// The leases in it; every other port belongs to a stranger or is excluded.
        leases: Vec<Lease>,
        /// How many of its ports are never given out.
        excluded: usize,
    },
    /// The system failed while a port was tried.
    #[error("{0}")]
    System(String),
}

/// Chooses. `liveness` is asked only about instances whose leases stand in the way.
pub(crate) fn choose(
    request: &Request<'_>,
    leases: &[Lease],
    liveness: &mut dyn FnMut(&str) -> Liveness,
    hold: &mut dyn FnMut(u16, bool) -> Result<bool, String>,
) -> Result<Vec<Allotted>, ChooseError> {
    let mut chooser = Chooser {
        request,
        by_port: leases.iter().map(|lease| (lease.port, lease)).collect(),
        given: HashSet::new(),
        liveness,
        hold,
    };
    request
        .wanted
        .iter()
        .map(|wanted| chooser.one(wanted))
        .collect()
}

struct Chooser<'a> {
    request: &'a Request<'a>,
    by_port: HashMap<u16, &'a Lease>,
    given: HashSet<u16>,
    liveness: &'a mut dyn FnMut(&str) -> Liveness,
    hold: &'a mut dyn FnMut(u16, bool) -> Result<bool, String>,
}

impl Chooser<'_> {
    fn one(&mut self, wanted: &Wanted) -> Result<Allotted, ChooseError> {
        let mut given = self.give_one(wanted)?;
        // That a port was lost to an exclusion is told once, when it happens.
        let forced = given.displaced.as_ref().is_some_and(|why| why.forced);
        if let Some(port) = self.given_up(wanted, given.port).filter(|_| !forced) {
            given.displaced = Some(Displacement {
                wanted: port,
                forced: false,
                lease: None,
                left_to_main: false,
                excluded: true,
            });
        }
        Ok(given)
    }

    /// The port that the service had last, and has not got again because it is excluded now.
    fn given_up(&self, wanted: &Wanted, port: u16) -> Option<u16> {
        let last = self
            .by_port
            .values()
            .find(|lease| self.is_own(lease, wanted))?;
        let asked_for = |port: u16| wanted.named && port == wanted.prefer;
        let by_range = last.wish != Some(last.port) && !asked_for(last.port);
        (by_range
            && last.port != port
            && !asked_for(port)
            && wanted.range.contains(last.port)
            && (self.request.excluded)(last.port))
        .then_some(last.port)
    }

    fn may_prefer(&self, wanted: &Wanted) -> bool {
        wanted.named || !(self.request.excluded)(wanted.prefer)
    }

    fn give_one(&mut self, wanted: &Wanted) -> Result<Allotted, ChooseError> {
        let mut displaced = None;
        if let Some(port) = wanted.wish {
            // A person's word outweighs the kept lease of an instance that does not run.
            let lease = self.foreign(port);
            let free = match &lease {
                Some(lease) => (self.liveness)(&lease.instance) != Liveness::Live,
                None => true,
            };
            if free && self.try_hold(port)? {
                return Ok(give(wanted, port, None));
            }
            if !wanted.fallback {
                return Err(ChooseError::ForcedTaken {
                    service: wanted.service.clone(),
                    port,
                    lease,
                });
            }
            displaced = Some(Displacement {
                wanted: port,
                forced: true,
                lease,
                left_to_main: false,
                excluded: false,
            });
        }
        if self.request.main && wanted.wish != Some(wanted.prefer) && self.may_prefer(wanted) {
            let lease = self.standing(wanted.prefer);
            if lease.is_none() && self.try_hold(wanted.prefer)? {
                return Ok(give(wanted, wanted.prefer, displaced));
            }
            displaced.get_or_insert(Displacement {
                wanted: wanted.prefer,
                forced: false,
                lease,
                left_to_main: false,
                excluded: false,
            });
        }
        if let Some(port) = self.first_free(wanted)? {
            let displaced = displaced.or_else(|| {
                (port != wanted.prefer && !self.request.main).then(|| Displacement {
                    wanted: wanted.prefer,
                    forced: false,
                    lease: self.foreign(wanted.prefer),
                    left_to_main: true,
                    excluded: false,
                })
            });
            return Ok(give(wanted, port, displaced));
        }
        let in_range = |port: &u16| wanted.range.contains(*port);
        let mut leases: Vec<Lease> = self
            .by_port
            .iter()
            .filter(|(port, _)| in_range(port))
            .map(|(_, lease)| (*lease).clone())
            .collect();
        leases.sort_by_key(|lease| lease.port);
        Err(ChooseError::RangeFull {
            service: wanted.service.clone(),
            range: wanted.range,
            excluded: wanted
                .range
                .ports()
                .filter(|&p| (self.request.excluded)(p))
                .count(),
            leases,
        })
    }

    /// The candidates after the wish and a main checkout's preferred port.
    fn first_free(&mut self, wanted: &Wanted) -> Result<Option<u16>, ChooseError> {
        let last = self
            .by_port
            .values()
            .find(|lease| self.is_own(lease, wanted))
            .map(|lease| lease.port)
            .filter(|&port| wanted.range.contains(port) && !(self.request.excluded)(port));
        if let Some(port) = last.filter(|port| !self.given.contains(port))
            && self.try_hold(port)?
        {
            return Ok(Some(port));
        }
        let others: HashSet<u16> = self
            .request
            .wanted
            .iter()
            .filter(|other| *other != wanted)
            .flat_map(|other| [Some(other.prefer), other.wish])
            .flatten()
            .collect();
        let may_prefer = self.may_prefer(wanted);
        let allowed: Vec<u16> = wanted
            .range
            .ports()
            .filter(|&port| (port == wanted.prefer && may_prefer) || !(self.request.excluded)(port))
            .filter(|&port| Some(port) != last)
            .collect();
        // In a main checkout the preferred port has been tried; in a worktree it comes last.
        let (avoided, plain): (Vec<u16>, Vec<u16>) = allowed
            .iter()
            .filter(|&&port| !(self.request.main && port == wanted.prefer))
            .partition(|&&port| port == wanted.prefer || others.contains(&port));
        for port in plain.into_iter().chain(avoided) {
            let leased =
                self.standing(port).is_some() || self.own_for_other(port, wanted).is_some();
            if !leased && self.try_hold(port)? {
                return Ok(Some(port));
            }
        }
        let mut kept: Vec<Lease> = allowed
            .iter()
            .filter_map(|&port| self.standing(port))
            .collect();
        kept.sort_by_key(|lease| lease.last_used);
        for lease in kept {
            if (self.liveness)(&lease.instance) != Liveness::Live && self.try_hold(lease.port)? {
                return Ok(Some(lease.port));
            }
        }
        Ok(None)
    }

    fn is_own(&self, lease: &Lease, wanted: &Wanted) -> bool {
        lease.instance == self.request.instance
            && lease.service == wanted.service
            && lease.name == wanted.name
    }

    /// A lease of another instance.
    fn foreign(&self, port: u16) -> Option<Lease> {
        let lease = self.by_port.get(&port).copied()?;
        (lease.instance != self.request.instance).then(|| lease.clone())
    }

    /// A lease of another instance that stands in the way: not one whose directory is gone.
    fn standing(&mut self, port: u16) -> Option<Lease> {
        let lease = self.foreign(port)?;
        ((self.liveness)(&lease.instance) != Liveness::Gone).then_some(lease)
    }

    /// A lease of this instance for something else that it wants as well.
    fn own_for_other(&self, port: u16, wanted: &Wanted) -> Option<&Lease> {
        let lease = self.by_port.get(&port).copied()?;
        let mut others = self.request.wanted.iter().filter(|other| *other != wanted);
        others
            .any(|other| self.is_own(lease, other))
            .then_some(lease)
    }

    fn try_hold(&mut self, port: u16) -> Result<bool, ChooseError> {
        if self.given.contains(&port) {
            return Ok(false);
        }
        let lease = self.by_port.get(&port);
        let own = lease.filter(|lease| lease.instance == self.request.instance);
        // Of a service that keeps its port while another's is replaced. It may not be held: a
        // service that does not bind beside a hold has it alone, and may just have ended.
        let is_wanted = |lease: &Lease| {
            let mut wanted = self.request.wanted.iter();
            wanted.any(|wanted| self.is_own(lease, wanted))
        };
        if !self.request.whole && own.is_some_and(|lease| !is_wanted(lease)) {
            return Ok(false);
        }
        let own = own.is_some();
        let held = (self.hold)(port, own).map_err(ChooseError::System)?;
        if held {
            self.given.insert(port);
        }
        Ok(held)
    }
}

fn give(wanted: &Wanted, port: u16, displaced: Option<Displacement>) -> Allotted {
    Allotted {
        service: wanted.service.clone(),
        name: wanted.name.clone(),
        port,
        displaced,
    }
}

#[cfg(test)]
mod tests;
