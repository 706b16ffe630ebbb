//! Two ranges of a hundred ports that nobody else uses meanwhile.

use std::net::{Ipv4Addr, TcpListener};

use portway_testing::PortBlock;

use crate::Result;
use crate::world::World;

/// How many ports a range has.
pub(crate) const SIZE: u16 = 100;

/// The ports of a table.
#[derive(Debug)]
pub(crate) struct Ranges(PortBlock);

impl Ranges {
    pub(crate) fn claim(world: &World) -> Self {
        let dir = world.cache.join("ports");
        Self(PortBlock::claim(&dir.display().to_string(), 5))
    }

    /// First and last port of the range of backends.
    pub(crate) fn first(&self) -> (u16, u16) {
        (self.0.port(0), self.0.port(SIZE - 1))
    }

    /// First and last port of the range of frontends.
    pub(crate) fn second(&self) -> (u16, u16) {
        (self.0.port(SIZE), self.0.port(2 * SIZE - 1))
    }

    /// `LOW HIGH LOW HIGH`, as the drivers take them.
    pub(crate) fn words(&self) -> Vec<String> {
        let (one, two) = (self.first(), self.second());
        [one.0, one.1, two.0, two.1]
            .map(|port| port.to_string())
            .to_vec()
    }

    /// Listeners on all of both ranges but the last port of each.
    pub(crate) fn crowd_out(&self) -> Result<Vec<TcpListener>> {
        let (one, two) = (self.first(), self.second());
        (one.0..one.1)
            .chain(two.0..two.1)
            .map(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
            .collect::<std::io::Result<_>>()
            .map_err(|error| format!("a port of the harness is taken: {error}"))
    }

    /// The manifest of a project with a backend and a frontend there.
    pub(crate) fn manifest(&self) -> String {
        let service = |name, (low, high)| {
            format!("[services.{name}]\ncommand = \"x {{port}}\"\nport = \"{low}-{high}\"\n")
        };
        service("backend", self.first()) + &service("frontend", self.second())
    }
}
