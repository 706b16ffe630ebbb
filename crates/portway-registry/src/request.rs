//! The request and the result of an allocation.

use std::error::Error;

use portway_ports::{PortRanges, Protocol};

use crate::Lease;

/// The ports that an instance needs.
pub struct AllocationRequest<'a> {
    /// The instance's id.
    pub instance: &'a str,
    /// Whether it is a main checkout, which uses the preferred ports.
    pub is_main: bool,
    /// The ports. Those that only one port satisfies are chosen first, then in this order.
    pub ports: Vec<PortRequest>,
    /// Whether a port is assigned only if it was requested by number.
    pub is_excluded: &'a dyn Fn(u16) -> bool,
    /// Whether another user of the machine uses a port. A main checkout then keeps the port that it gets
    /// instead, so that users with the same preferred port do not displace each other again and again.
    pub is_of_other_user: &'a dyn Fn(u16, Protocol) -> bool,
    /// Whether `ports` is all that the instance needs: its other leases are then deleted.
    pub is_complete: bool,
    /// Whether the instance's own supervisor sends the request. No other process may change the
    /// leases of a running instance.
    pub by_supervisor: bool,
}

/// One port that a service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRequest {
    /// The service.
    pub service: String,
    /// The port's name within the service, empty for the only one.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The preferred port.
    pub preferred: u16,
    /// Whether the manifest names the preferred port by number, not only as the start of a range.
    pub is_explicit: bool,
    /// Whether files of the project call the preferred port as a number. A stopped instance of another
    /// project then does not keep it.
    pub is_called: bool,
    /// The ranges of the other candidates.
    pub range: PortRanges,
    /// The port that the user forces.
    pub forced: Option<u16>,
    /// Whether the service may get another port if the forced one is in use.
    pub fallback: bool,
    /// The port that the service keeps because it is running on it. The instance holds it.
    pub keep: Option<u16>,
}

/// One port that was allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocatedPort {
    /// The service.
    pub service: String,
    /// The port's name within the service.
    pub name: String,
    /// The port.
    pub port: u16,
    /// Set if it is not the forced or preferred port.
    pub displacement: Option<Displacement>,
    /// The preferred port, if the service keeps another one because another user of the machine had it.
    pub yielded: Option<u16>,
}

/// A port that a service did not get although it takes precedence over the allocated one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displacement {
    /// The port.
    pub wanted: u16,
    /// Whether the user forces it.
    pub is_forced: bool,
    /// Why the service did not get it.
    pub reason: DisplacementReason,
}

/// Why a service did not get a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisplacementReason {
    /// Another instance leases the port.
    Leased(Lease),
    /// Another process uses the port, or another service of the same request got it.
    InUse,
    /// The port is left to the main checkout, which may lease it.
    LeftToMain(Option<Lease>),
    /// Another user of the machine had the port, and the service keeps the one that it got instead.
    LeftToUser,
    /// The service had the port before, and it is excluded now.
    Excluded,
}

/// A failure while a port was tried.
pub type HoldFailure = Box<dyn Error + Send + Sync>;

/// Tries to hold a port and returns whether it could be held. The last argument is whether the
/// instance leased the port before.
pub type HoldFn<'a> = dyn FnMut(u16, Protocol, bool) -> Result<bool, HoldFailure> + 'a;

/// The reason why no choice satisfies a request.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// A forced port is in use, and the service may not get another.
    #[error("port {port}, which is forced for `{service}`, is in use")]
    ForcedInUse {
        /// The service.
        service: String,
        /// The port.
        port: u16,
        /// The lease of the port; `None` if another process uses it.
        lease: Option<Lease>,
    },
    /// A range has no free port.
    #[error("every port of {range}, the range of `{service}`, is in use")]
    RangeFull {
        /// The service.
        service: String,
        /// The ranges.
        range: PortRanges,
        /// The leases in the range. Every other port is in use by another process or excluded.
        leases: Vec<Lease>,
        /// How many ports of the range are excluded.
        excluded: usize,
    },
    /// Two services of the instance need the same port.
    #[error("port {port} is the only port of both `{}` and `{}`", services[0], services[1])]
    SamePort {
        /// The port.
        port: u16,
        /// The services: the one that has it first, or keeps it, and the other one.
        services: [String; 2],
        /// Whether the first service keeps the port because it is running on it.
        is_kept: bool,
    },
    /// The system failed while a port was tried.
    #[error("cannot try a port of `{service}`")]
    System {
        /// The service.
        service: String,
        /// The failure.
        source: HoldFailure,
    },
}
