//! The sockets of the machine, by port.

use std::collections::HashMap;
use std::io;

use portway_ports::{Listener, Protocol};

/// All listening TCP sockets of the machine and, on request, its UDP sockets.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    tcp: HashMap<u16, Vec<Listener>>,
    /// `None` if they were not requested, or if the system does not report them.
    udp: Option<HashMap<u16, Vec<Listener>>>,
}

impl Listeners {
    /// Reads the sockets.
    ///
    /// # Errors
    /// When the system does not report them at this moment.
    pub(crate) fn read(with_udp: bool) -> io::Result<Self> {
        let udp = match with_udp {
            true => match portway_ports::udp_sockets() {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => None,
                other => Some(by_port(other?)),
            },
            false => None,
        };
        Ok(Self {
            tcp: by_port(portway_ports::all_listeners()?),
            udp,
        })
    }

    /// Sorts sockets of both protocols.
    pub(crate) fn from_sockets(sockets: Vec<Listener>) -> Self {
        let (tcp, udp) = sockets
            .into_iter()
            .partition(|socket| socket.protocol == Protocol::Tcp);
        Self {
            tcp: by_port(tcp),
            udp: Some(by_port(udp)),
        }
    }

    /// Removes the TCP sockets for which `is_foreign` returns false.
    pub(crate) fn retain(&mut self, is_foreign: impl Fn(&Listener) -> bool) {
        for listeners in self.tcp.values_mut() {
            listeners.retain(&is_foreign);
        }
    }

    /// Returns the TCP sockets by port.
    pub(crate) fn tcp(&self) -> impl Iterator<Item = (&u16, &Vec<Listener>)> {
        self.tcp.iter()
    }

    /// Returns the sockets on a port.
    pub(crate) fn on(&self, (protocol, port): (Protocol, u16)) -> &[Listener] {
        let by_port = match protocol {
            Protocol::Tcp => Some(&self.tcp),
            Protocol::Udp => self.udp.as_ref(),
        };
        by_port
            .and_then(|by_port| by_port.get(&port))
            .map_or(&[], Vec::as_slice)
    }

    /// Returns whether the sockets of a protocol are known.
    pub(crate) fn is_reported(&self, protocol: Protocol) -> bool {
        protocol == Protocol::Tcp || self.udp.is_some()
    }
}

fn by_port(sockets: Vec<Listener>) -> HashMap<u16, Vec<Listener>> {
    let mut by_port: HashMap<u16, Vec<Listener>> = HashMap::new();
    for socket in sockets {
        by_port.entry(socket.port).or_default().push(socket);
    }
    by_port
}
