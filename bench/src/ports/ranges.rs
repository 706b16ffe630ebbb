//! Two ranges of 100 ports that no other run of the harness uses at the same time.

use std::net::{Ipv4Addr, TcpListener};

use portway_testing::PortBlock;

use crate::Result;
use crate::env::BenchEnv;

/// The number of ports in a range.
pub(crate) const SIZE: u16 = 100;

/// The claimed ports.
#[derive(Debug)]
pub(crate) struct Ranges(PortBlock);

impl Ranges {
    pub(crate) fn claim(env: &BenchEnv) -> Self {
        let dir = env.cache.join("ports");
        Self(PortBlock::claim(&dir.display().to_string(), 5))
    }

    /// First and last port of the backend's range.
    pub(crate) fn backend(&self) -> (u16, u16) {
        (self.0.port(0), self.0.port(SIZE - 1))
    }

    /// First and last port of the frontend's range.
    pub(crate) fn frontend(&self) -> (u16, u16) {
        (self.0.port(SIZE), self.0.port(2 * SIZE - 1))
    }

    /// `LOW HIGH LOW HIGH`, the arguments of the drivers.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let (backend, frontend) = (self.backend(), self.frontend());
        [backend.0, backend.1, frontend.0, frontend.1]
            .map(|port| port.to_string())
            .to_vec()
    }

    /// Listen on all ports of both ranges, except the last port of each.
    pub(crate) fn occupy_all_but_last(&self) -> Result<Vec<TcpListener>> {
        let (backend, frontend) = (self.backend(), self.frontend());
        (backend.0..backend.1)
            .chain(frontend.0..frontend.1)
            .map(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
            .collect::<std::io::Result<_>>()
            .map_err(|error| format!("a port of the harness is in use: {error}"))
    }

    /// The manifest of a project with a backend and a frontend in these ranges.
    pub(crate) fn manifest(&self) -> String {
        let service = |name, (low, high)| {
            format!("[services.{name}]\ncommand = \"x {{port}}\"\nport = \"{low}-{high}\"\n")
        };
        service("backend", self.backend()) + &service("frontend", self.frontend())
    }
}
