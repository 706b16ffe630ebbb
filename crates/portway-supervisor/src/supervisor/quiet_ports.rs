//! The ports of services that are ready, and whether the same sockets still get their connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_ports::LocalhostSockets;

/// A port whose connections to `localhost` go to sockets that passed the ownership check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QuietPort {
    port: u16,
    /// Whether a socket gets connections to 127.0.0.1 and to ::1.
    families: [bool; 2],
    verified: Vec<u64>,
}

impl QuietPort {
    /// Returns the port if only `verified` sockets get its connections. `found` are the sockets that do.
    pub(super) fn new(port: u16, verified: &[u64], found: [Option<u64>; 2]) -> Option<Self> {
        let families = found.map(|socket| socket.is_some());
        let quiet = Self {
            port,
            families,
            verified: verified.to_vec(),
        };
        (families.contains(&true) && quiet.is_same(found)).then_some(quiet)
    }

    fn is_same(&self, found: [Option<u64>; 2]) -> bool {
        found.map(|socket| socket.is_some()) == self.families
            && found
                .iter()
                .flatten()
                .all(|socket| self.verified.contains(socket))
    }
}

/// The quiet ports of an instance, which the supervisor sets and the watching thread checks.
#[derive(Clone, Default)]
pub(super) struct QuietPorts(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// `None` if some port is not quiet.
    ports: Option<Vec<QuietPort>>,
    /// Opened when it is needed first.
    sockets: Option<LocalhostSockets>,
}

impl QuietPorts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the ports by these, each with its verified sockets. `None` if some port is not quiet.
    pub(super) fn set(&self, ports: Option<&[(u16, Vec<u64>)]>) {
        let mut state = self.state();
        state.ports = None;
        let Some(ports) = ports else {
            return;
        };
        if state.sockets.is_none() {
            state.sockets = LocalhostSockets::open().ok();
        }
        let Some(sockets) = &mut state.sockets else {
            return;
        };
        state.ports = ports
            .iter()
            .map(|(port, verified)| QuietPort::new(*port, verified, sockets.find(*port).ok()?))
            .collect();
    }

    /// Returns whether all ports are quiet.
    pub(super) fn are_quiet(&self) -> bool {
        self.state().ports.is_some()
    }

    /// Returns whether another socket, or none, gets the connections of one of the ports. What cannot be read
    /// counts as changed.
    pub(super) fn have_changed(&self) -> bool {
        let state = &mut *self.state();
        let (Some(sockets), Some(ports)) = (&mut state.sockets, &state.ports) else {
            return false;
        };
        ports.iter().any(|port| {
            let found = sockets.find(port.port);
            !found.is_ok_and(|found| port.is_same(found))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_quiet_while_verified_sockets_get_its_connections() {
        for (found, is_quiet) in [
            ([Some(1), None], true),
            ([Some(1), Some(2)], true),
            ([Some(1), Some(1)], true),
            ([Some(3), None], false),
            ([Some(1), Some(3)], false),
            // It listens on another address, which this does not show.
            ([None, None], false),
        ] {
            let quiet = QuietPort::new(80, &[1, 2], found);
            assert_eq!(quiet.is_some(), is_quiet, "{found:?}");
        }
        let quiet = QuietPort::new(80, &[1, 2], [Some(1), None]).unwrap();
        for (found, is_same) in [
            ([Some(1), None], true),
            // Another worker of the service.
            ([Some(2), None], true),
            ([Some(3), None], false),
            // Another process gets the other family.
            ([Some(1), Some(3)], false),
            ([Some(1), Some(2)], false),
            ([None, None], false),
        ] {
            assert_eq!(quiet.is_same(found), is_same, "{found:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_port_changes_when_its_socket_is_closed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = portway_ports::listeners(port).unwrap();
        let ports = QuietPorts::default();
        let verified = [(port, vec![found[0].socket])];
        ports.set(Some(&verified));
        assert!(ports.are_quiet() && !ports.have_changed());
        drop(listener);
        assert!(ports.are_quiet() && ports.have_changed());
        ports.set(Some(&verified));
        assert!(!ports.are_quiet() && !ports.have_changed());
    }
}
