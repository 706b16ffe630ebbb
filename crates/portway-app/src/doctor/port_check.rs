//! What is known about one port of a service.

use portway_ports::Families;

use crate::inspect::Sitter;

/// A port of a service, and the processes that listen there.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// The service.
    pub(super) service: String,
    /// The port.
    pub(super) port: u16,
    /// What is to be expected of the service.
    pub(super) expected: Expected,
    /// The key of `.ports.json` with which a person asks for this port and no other.
    pub(super) forced: Option<String>,
    /// Who listens.
    pub(super) sitters: Vec<Sitter>,
    /// Where a connection arrives.
    pub(super) families: Families,
}

/// What is to be expected of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It runs.
    Listening,
    /// It is on its way.
    Soon,
    /// It was not started, or has been stopped, while others run.
    Resting,
    /// It has failed or is about to be started again: why.
    Failed(String),
    /// Nothing runs here.
    Nothing,
}

impl Seat {
    /// Whether the service that the port is named for is what answers there.
    pub(super) fn is_own(&self) -> bool {
        !self.sitters.is_empty() && self.sitters.iter().all(|one| one.of.is_own())
    }
}

/// Whether no service is where it is looked for, and none is expected.
pub(super) fn nothing(seats: &[Seat]) -> bool {
    let rests = |seat: &Seat| {
        seat.expected == Expected::Nothing && !seat.sitters.iter().any(|one| one.of.is_own())
    };
    seats.iter().all(rests)
}
