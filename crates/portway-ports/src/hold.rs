//! A port that is kept with bound sockets that never listen.
//!
//! [`Hold`] changes between hard and soft; `sockets` binds and configures the sockets themselves.
//! What each state guarantees on each system is in the crate documentation.

mod sockets;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::families::Families;
use crate::platform;
use crate::policy::{Exclusion, PortPolicy};
use crate::protocol::Protocol;
use crate::range::PortRange;
use sockets::Sockets;

/// The reason why a port could not be held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// Another socket uses the port.
    #[error("port {0} is in use")]
    InUse(u16),
    /// The system does not permit this user to bind the port.
    #[error("this user is not permitted to bind port {0}")]
    Denied(u16),
    /// Every port of a range is in use or excluded.
    #[error("no port in {0} is free")]
    RangeFull(PortRange),
    /// A system call failed, for example because no file descriptors are left.
    #[error("cannot hold port {port}")]
    System {
        /// The port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
}

impl HoldError {
    /// Classifies the error of a `bind` or `listen`.
    fn from_bind(port: u16, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(port),
            io::ErrorKind::PermissionDenied => Self::Denied(port),
            _ => Self::System { port, source },
        }
    }
}

impl From<HoldError> for io::Error {
    /// Keeps the kind of the error, and the system's error if there is one.
    fn from(error: HoldError) -> Self {
        let kind = match error {
            HoldError::InUse(_) | HoldError::RangeFull(_) => io::ErrorKind::AddrInUse,
            HoldError::Denied(_) => io::ErrorKind::PermissionDenied,
            HoldError::System { source, .. } => return source,
        };
        Self::new(kind, error)
    }
}

/// A held port. Dropping the hold releases the port.
///
/// All methods take `&self`, so a hold can be shared between threads.
#[derive(Debug)]
#[must_use = "the port is released as soon as the hold is dropped"]
pub struct Hold {
    protocol: Protocol,
    port: u16,
    /// `None` while the port is released.
    sockets: Mutex<Option<Sockets>>,
}

impl Hold {
    /// Holds `port` hard. A successful call proves that the port was free on every address.
    ///
    /// Connections in TIME_WAIT do not count as use, so a port can be held again as soon as its
    /// server has stopped.
    ///
    /// # Errors
    /// Fails with [`HoldError::InUse`] if another socket uses the port on any address of either
    /// family.
    pub fn acquire(port: u16) -> Result<Self, HoldError> {
        Self::acquire_for(port, Protocol::Tcp)
    }

    /// Holds a port of either protocol hard.
    ///
    /// # Errors
    /// As [`Hold::acquire`].
    pub fn acquire_for(port: u16, protocol: Protocol) -> Result<Self, HoldError> {
        Ok(Self {
            protocol,
            port,
            sockets: Mutex::new(Some(Sockets::acquire(port, protocol)?)),
        })
    }

    /// Holds a free port hard, chosen at random from 24000-32767.
    ///
    /// Ports that this machine's [`PortPolicy`] excludes are skipped, except ephemeral ones on a
    /// machine where no others are left.
    ///
    /// # Errors
    /// Fails with [`HoldError::RangeFull`] if no port is free.
    pub fn any() -> Result<Self, HoldError> {
        // Holding a port proves that it is usable, so an unreadable policy is no obstacle.
        let policy = PortPolicy::read().unwrap_or_default();
        let range = PortRange::ANY;
        // Starting at a random port keeps processes that run at the same time apart.
        let start = fastrand::u16(range.first()..=range.last());
        let ports = || (start..=range.last()).chain(range.first()..start);
        let allowed = ports().filter(|&port| policy.exclusion(port).is_none());
        let ephemeral =
            ports().filter(|&port| matches!(policy.exclusion(port), Some(Exclusion::Ephemeral(_))));
        Self::first_of(allowed.chain(ephemeral))?.ok_or(HoldError::RangeFull(range))
    }

    /// Holds the lowest port of `range` that is free and that `policy` does not exclude.
    ///
    /// # Errors
    /// Fails with [`HoldError::RangeFull`] if there is none. A port outside `range` is never held.
    pub fn in_range(range: PortRange, policy: &PortPolicy) -> Result<Self, HoldError> {
        let allowed = range
            .ports()
            .filter(|&port| policy.exclusion(port).is_none());
        Self::first_of(allowed)?.ok_or(HoldError::RangeFull(range))
    }

    /// Holds the first of `ports` that is free; `None` if none is.
    fn first_of(ports: impl Iterator<Item = u16>) -> Result<Option<Self>, HoldError> {
        for port in ports {
            match Self::acquire(port) {
                Err(HoldError::InUse(_) | HoldError::Denied(_)) => {}
                other => return other.map(Some),
            }
        }
        Ok(None)
    }

    /// Joins a TCP port that another process already holds softly, and holds it softly too.
    ///
    /// # Errors
    /// Fails with [`HoldError::InUse`] if a process listens on the port or holds it hard.
    pub fn join(port: u16) -> Result<Self, HoldError> {
        let sockets = if platform::SOFT_HOLD_KEEPS_SOCKETS {
            Some(Sockets::bind(port, Protocol::Tcp, true)?)
        } else {
            // A soft hold has no sockets here, so only a listener can be detected.
            let listeners = platform::listeners(Some(port));
            let listeners = listeners.map_err(|source| HoldError::System { port, source })?;
            if !listeners.is_empty() {
                return Err(HoldError::InUse(port));
            }
            None
        };
        Ok(Self {
            protocol: Protocol::Tcp,
            port,
            sockets: Mutex::new(sockets),
        })
    }

    /// Returns the protocol of the held port.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns the held port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes the hold soft: a server that sets `SO_REUSEADDR` can bind the port, and each server a
    /// UDP port.
    ///
    /// # Errors
    /// Fails if the system refuses to change the sockets.
    pub fn soften(&self) -> Result<(), HoldError> {
        self.set_soft(Families { v4: true, v6: true })
    }

    /// Makes the hold hard: no process can bind the port, including this process's own server.
    ///
    /// On Linux a released port stays released. On macOS and Windows, where a soft hold has no
    /// sockets, the port is bound again.
    ///
    /// # Errors
    /// Fails if the system refuses to change the sockets or, on macOS and Windows, if another
    /// socket uses the port.
    pub fn harden(&self) -> Result<(), HoldError> {
        self.set_soft(Families {
            v4: false,
            v6: false,
        })
    }

    /// Sets the state for as long as a server listens in `families`: soft in these, so that the
    /// server can bind again, and hard in the others, so that no other process can listen on
    /// `localhost` there. On Linux, a released port is held again in the others.
    ///
    /// # Errors
    /// Fails if the system refuses to change the sockets, or if another socket uses a released port
    /// in one of the other families.
    pub fn settle(&self, families: Families) -> Result<(), HoldError> {
        if platform::SOFT_HOLD_KEEPS_SOCKETS {
            let mut sockets = self.lock();
            if sockets.as_ref().is_none_or(|sockets| sockets.is_partial) {
                // The families may have changed, so the sockets are bound again.
                *sockets = None;
                *sockets = Some(Sockets::beside(self.port, self.protocol, families)?);
                return Ok(());
            }
        }
        self.set_soft(families)
    }

    /// Closes the sockets and keeps the port number, for a server that does not set `SO_REUSEADDR`.
    /// Until [`Hold::retake`] every process can bind the port.
    pub fn release(&self) {
        *self.lock() = None;
    }

    /// Returns whether the sockets are bound: `false` after [`Hold::release`], and on macOS and
    /// Windows also while the hold is soft.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.lock().is_some()
    }

    /// Holds a released port again, in both families. Does nothing if the sockets are bound.
    ///
    /// # Errors
    /// As [`Hold::acquire`].
    pub fn retake(&self) -> Result<(), HoldError> {
        let mut sockets = self.lock();
        if sockets.as_ref().is_none_or(|sockets| sockets.is_partial) {
            // Its own sockets would refuse the new ones.
            *sockets = None;
            *sockets = Some(Sockets::acquire(self.port, self.protocol)?);
        }
        Ok(())
    }

    /// Opens a listening socket on 127.0.0.1 for a server that accepts one (`LISTEN_FDS`). No other
    /// process can bind the port in between.
    ///
    /// # Errors
    /// Fails if the system refuses the socket.
    pub fn listening_socket(&self) -> Result<TcpListener, HoldError> {
        self.soften()?;
        let socket = sockets::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        self.settle(Families {
            v4: true,
            v6: false,
        })?;
        Ok(socket)
    }

    /// Opens a listening socket on `address` while a server listens on another address. The hold
    /// is soft during the call and then in the same state as before.
    ///
    /// # Errors
    /// Fails with [`HoldError::InUse`] if a process listens on `address` or on all addresses, and
    /// if the system refuses the socket.
    pub fn listen_beside(&self, address: IpAddr) -> Result<TcpListener, HoldError> {
        let sockets = self.lock();
        let before = sockets
            .as_ref()
            .filter(|_| platform::SOFT_HOLD_KEEPS_SOCKETS)
            .map(|sockets| (sockets, sockets.soft_families()));
        if let Some((sockets, _)) = before {
            sockets.set_soft(Families { v4: true, v6: true })?;
        }
        let listener = sockets::listen(SocketAddr::new(address, self.port));
        if let Some((sockets, families)) = before {
            sockets.set_soft(families)?;
        }
        listener
    }

    fn set_soft(&self, families: Families) -> Result<(), HoldError> {
        let mut sockets = self.lock();
        if platform::SOFT_HOLD_KEEPS_SOCKETS && self.protocol == Protocol::Tcp {
            sockets
                .as_ref()
                .map_or(Ok(()), |sockets| sockets.set_soft(families))
        } else if families.v4 || families.v6 {
            *sockets = None;
            Ok(())
        } else if sockets.is_none() {
            *sockets = Some(Sockets::acquire(self.port, self.protocol)?);
            Ok(())
        } else {
            Ok(())
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sockets>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
