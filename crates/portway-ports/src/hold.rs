//! Keeping a port: bound sockets that never listen.
//!
//! A *hard* hold is a pair of sockets on `0.0.0.0:P` and `[::]:P`, bound without `SO_REUSEADDR`.
//! Every other bind to P then fails, on any address and with any option; the kernel never picks P
//! for itself; a client that connects is refused at once, so that readiness stays honest. (A holder
//! that listens would accept connections that nobody answers.)
//!
//! A *soft* hold is the same pair after `SO_REUSEADDR` has been set on it. The port is not free for
//! an instant, yet a server that sets the option, as servers do, binds and listens on top. A
//! program that does not set it is still refused, and so is the kernel's own choice.
//!
//! While a server listens, the hold is soft only in the families that the server uses
//! ([`Hold::settle`]): it may close its socket and bind again whenever it likes, as Vite does when
//! its configuration changes, and nobody else can put himself before it on the other family's
//! `localhost`.
//!
//! Where the system has no such flip (macOS, Windows), softening lets go of the port, and hardening
//! takes it back: there the ownership check after the start carries the promise.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;

use socket2::{Domain, Protocol, Socket, Type};

use crate::exclude::Facts;
use crate::listen::Listener;
use crate::platform;
use crate::range::PortRange;

/// The address on which two holders decide between themselves which one takes a port that only
/// TIME_WAIT keeps from being bound plainly. Any address of 127/8 that no server uses would do.
const KEY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 13, 37));

/// Why a port could not be held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Somebody has it, or something of it still lives.
    #[error("port {0} is taken")]
    Taken(u16),
    /// The system does not let this user bind it.
    #[error("this user may not bind port {0}")]
    Denied(u16),
    /// Every port of a range was taken or excluded.
    #[error("no port in {0} is free")]
    RangeFull(PortRange),
    /// The system failed in another way, for example for want of descriptors.
    #[error("cannot hold port {port}: {source}")]
    System {
        /// The port that was asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

impl HoldError {
    fn from_bind(port: u16, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken(port),
            io::ErrorKind::PermissionDenied => Self::Denied(port),
            _ => Self::System { port, source },
        }
    }
}

/// The address families in which a server listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Families {
    /// Listens where a connection to 127.0.0.1 arrives.
    pub v4: bool,
    /// Listens where a connection to ::1 arrives.
    pub v6: bool,
}

impl Families {
    /// The families that `listeners` serve. `[::]` counts for both: it usually is dual-stack.
    pub fn of<'a>(listeners: impl IntoIterator<Item = &'a Listener>) -> Self {
        let mut families = Self::default();
        for listener in listeners {
            match listener.address {
                IpAddr::V4(_) => families.v4 = true,
                IpAddr::V6(address) => {
                    families.v6 = true;
                    families.v4 |= address.is_unspecified() || address.to_ipv4_mapped().is_some();
                }
            }
        }
        families
    }
}

/// One port, kept. Dropping it lets the port go.
#[derive(Debug)]
pub struct Hold {
    port: u16,
    sockets: Mutex<Option<Sockets>>,
}

/// The bound sockets; a family that the machine does not have is `None`.
#[derive(Debug)]
struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

impl Hold {
    /// Holds `port` hard. Holding is the probe: what can be held was free on every address.
    ///
    /// A port that only TIME_WAIT keeps from being bound is held all the same, so that stopping
    /// and starting at once does not move anyone.
    ///
    /// # Errors
    /// [`HoldError::Taken`] when anyone has the port, on any address of either family.
    pub fn acquire(port: u16) -> Result<Self, HoldError> {
        let sockets = match Sockets::bind(port, false) {
            Err(HoldError::Taken(_)) if platform::PASSES_TIME_WAIT => take_over_time_wait(port)?,
            other => other?,
        };
        Ok(Self {
            port,
            sockets: Mutex::new(Some(sockets)),
        })
    }

    /// Holds `port` softly beside a soft hold that another process of the same owner keeps.
    ///
    /// # Errors
    /// [`HoldError::Taken`] when somebody listens there or holds it hard.
    pub fn join(port: u16) -> Result<Self, HoldError> {
        let sockets = if platform::HOLD_FLIPS {
            Some(Sockets::bind(port, true)?)
        } else {
            // What is soft has no sockets here: nobody may listen, and that is all.
            let lives = platform::listeners(Some(port));
            let lives = lives.map_err(|source| HoldError::System { port, source })?;
            if !lives.is_empty() {
                return Err(HoldError::Taken(port));
            }
            None
        };
        Ok(Self {
            port,
            sockets: Mutex::new(sockets),
        })
    }

    /// The port that is held.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Opens the hold for a server that sets `SO_REUSEADDR`; everybody else stays out.
    pub fn soften(&self) {
        self.set_soft(true, true);
    }

    /// Keeps everybody out, a server of our own that wants to bind included.
    pub fn harden(&self) {
        self.set_soft(false, false);
    }

    /// The state for the time in which a server listens in `families`: soft there, so that it may
    /// bind again, hard in the other family, so that nobody else answers to `localhost`.
    pub fn settle(&self, families: Families) {
        self.set_soft(families.v4, families.v6);
    }

    /// Lets the port go while remembering it, for a server that does not set `SO_REUSEADDR`.
    pub fn release(&self) {
        *self.lock() = None;
    }

    /// Whether the sockets are there: false after [`Hold::release`] until [`Hold::retake`].
    pub fn is_kept(&self) -> bool {
        self.lock().is_some()
    }

    /// Takes a released port again; does nothing while it is kept.
    ///
    /// # Errors
    /// As [`Hold::acquire`].
    pub fn retake(&self) -> Result<(), HoldError> {
        let mut sockets = self.lock();
        if sockets.is_none() {
            *sockets = Self::acquire(self.port)?
                .sockets
                .into_inner()
                .unwrap_or_default();
        }
        Ok(())
    }

    /// A listening socket on 127.0.0.1 for a service that takes one (`LISTEN_FDS`): the port passes
    /// from the hold to the service without a window.
    ///
    /// # Errors
    /// When the system refuses the socket.
    pub fn listening_socket(&self) -> io::Result<std::net::TcpListener> {
        self.soften();
        let socket = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        self.settle(Families {
            v4: true,
            v6: false,
        });
        Ok(socket)
    }

    /// A listening socket on `address`, beside a service that listens on another. The hold is soft
    /// for the instant that it takes, and then what it was.
    ///
    /// # Errors
    /// When the system refuses the socket, above all because somebody listens there already, be it
    /// on that address or on all.
    pub fn listen_beside(&self, address: IpAddr) -> io::Result<std::net::TcpListener> {
        let sockets = self.lock();
        let were_soft = sockets.as_ref().filter(|_| platform::HOLD_FLIPS);
        let were_soft = were_soft.map(|sockets| (sockets, sockets.are_soft()));
        if let Some((sockets, _)) = were_soft {
            sockets.set_soft(true, true);
        }
        let listening = listen(SocketAddr::new(address, self.port));
        if let Some((sockets, (v4, v6))) = were_soft {
            sockets.set_soft(v4, v6);
        }
        listening
    }

    fn set_soft(&self, v4: bool, v6: bool) {
        let mut sockets = self.lock();
        if platform::HOLD_FLIPS {
            if let Some(sockets) = sockets.as_ref() {
                sockets.set_soft(v4, v6);
            }
        } else if v4 || v6 {
            *sockets = None;
        } else if sockets.is_none() {
            *sockets = Sockets::bind(self.port, false).ok();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Sockets>> {
        self.sockets
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Sockets {
    fn bind(port: u16, reuse: bool) -> Result<Self, HoldError> {
        let at = |address: IpAddr| SocketAddr::new(address, port);
        // One after the other, and not the second where the first fails: of two who try together
        // neither may stand in the other's way.
        let v4 = bind_one(at(Ipv4Addr::UNSPECIFIED.into()), reuse)?;
        let v6 = bind_one(at(Ipv6Addr::UNSPECIFIED.into()), reuse)?;
        let sockets = Self { v4, v6 };
        if sockets.v4.is_none() && sockets.v6.is_none() {
            let source = io::Error::from(io::ErrorKind::AddrNotAvailable);
            return Err(HoldError::System { port, source });
        }
        Ok(sockets)
    }

    /// In which families the sockets are soft.
    fn are_soft(&self) -> (bool, bool) {
        let is_soft = |socket: &Option<Socket>| {
            let socket = socket.as_ref();
            socket.is_some_and(|socket| socket.reuse_address().unwrap_or(false))
        };
        (is_soft(&self.v4), is_soft(&self.v6))
    }

    fn set_soft(&self, v4: bool, v6: bool) {
        for (socket, soft) in [(&self.v4, v4), (&self.v6, v6)] {
            if let Some(socket) = socket {
                // The option is always known to the kernel for a TCP socket; nothing can fail here
                // that a caller could mend.
                let _ = socket.set_reuse_address(soft);
            }
        }
    }
}

/// A server's socket.
fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    platform::bind_beside(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// Binds one socket, or `None` where the machine has no such family.
fn bind_one(address: SocketAddr, reuse: bool) -> Result<Option<Socket>, HoldError> {
    let port = address.port();
    let attempt = || -> io::Result<Socket> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if reuse {
            socket.set_reuse_address(true)?;
        } else {
            platform::bind_exclusively(&socket)?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    };
    match attempt() {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if platform::no_such_family(&error) => Ok(None),
        Err(error) => Err(HoldError::from_bind(port, error)),
    }
}

/// The way past TIME_WAIT: when nothing of the port lives but its closed connections, bind with
/// `SO_REUSEADDR` and flip to hard at once. Two holders that come here together are told apart by
/// the key address, which both bind without the option: connections in TIME_WAIT never have it.
/// Where a hold does not flip, the option puts nobody beside another on the same address either.
fn take_over_time_wait(port: u16) -> Result<Sockets, HoldError> {
    let key = if platform::HOLD_FLIPS {
        let key = bind_one(SocketAddr::new(KEY, port), false)?;
        Some(key.ok_or(HoldError::Taken(port))?)
    } else {
        None
    };
    let lives = platform::anything_lives(port).map_err(|source| HoldError::System { port, source });
    if lives? {
        return Err(HoldError::Taken(port));
    }
    if let Some(key) = &key {
        let _ = key.set_reuse_address(true);
    }
    let sockets = Sockets::bind(port, true)?;
    sockets.set_soft(false, false);
    Ok(sockets)
}

/// Holds the lowest port of `range` that is free and not excluded.
///
/// # Errors
/// [`HoldError::RangeFull`] when there is none; never a port from elsewhere.
pub fn hold_first_free(range: PortRange, facts: &Facts) -> Result<Hold, HoldError> {
    for port in range.ports().filter(|&p| facts.exclusion(p).is_none()) {
        match Hold::acquire(port) {
            Err(HoldError::Taken(_) | HoldError::Denied(_)) => {}
            other => return other,
        }
    }
    Err(HoldError::RangeFull(range))
}
