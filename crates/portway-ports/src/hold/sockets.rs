//! The bound sockets of a hold: one for each address family, never listening.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use super::HoldError;
use crate::families::Families;
use crate::platform;
use crate::protocol::Protocol;

/// The address on which two processes decide which of them takes a port that only TIME_WAIT keeps
/// from being bound. Any address of 127.0.0.0/8 that no server uses would do.
const TIE_BREAK_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 13, 37));

/// Maximum number of connections that wait to be accepted on a listening socket of a hold.
const BACKLOG: i32 = 1024;

/// The sockets on `0.0.0.0:P` and `[::]:P`. A family that the machine does not support is `None`.
#[derive(Debug)]
pub(super) struct Sockets {
    port: u16,
    v4: Option<Socket>,
    v6: Option<Socket>,
    /// Whether a server uses one of the families, which is therefore not held.
    pub(super) is_partial: bool,
}

impl Sockets {
    /// Binds the sockets of the families that a server does not use, hard.
    pub(super) fn beside(port: u16, protocol: Protocol, used: Families) -> Result<Self, HoldError> {
        let bind = |is_used: bool, address: IpAddr| match is_used {
            true => Ok(None),
            false => bind_socket(SocketAddr::new(address, port), protocol, false),
        };
        Ok(Self {
            port,
            v4: bind(used.v4, Ipv4Addr::UNSPECIFIED.into())?,
            v6: bind(used.v6, Ipv6Addr::UNSPECIFIED.into())?,
            is_partial: true,
        })
    }

    /// Binds both sockets hard, also over connections in TIME_WAIT.
    pub(super) fn acquire(port: u16, protocol: Protocol) -> Result<Self, HoldError> {
        match Self::bind(port, protocol, false) {
            Err(HoldError::InUse(_))
                if platform::REUSE_PASSES_TIME_WAIT && protocol == Protocol::Tcp =>
            {
                Self::bind_over_time_wait(port)
            }
            other => other,
        }
    }

    /// Binds both sockets, soft with `reuse` and hard without.
    pub(super) fn bind(port: u16, protocol: Protocol, reuse: bool) -> Result<Self, HoldError> {
        let at = |address: IpAddr| SocketAddr::new(address, port);
        // IPv4 first, and IPv6 only if that succeeds: otherwise two processes that try at the same
        // time could each get one family, and both would fail.
        let v4 = bind_socket(at(Ipv4Addr::UNSPECIFIED.into()), protocol, reuse)?;
        let v6 = bind_socket(at(Ipv6Addr::UNSPECIFIED.into()), protocol, reuse)?;
        if v4.is_none() && v6.is_none() {
            let source = io::Error::from(io::ErrorKind::AddrNotAvailable);
            return Err(HoldError::System { port, source });
        }
        Ok(Self {
            port,
            v4,
            v6,
            is_partial: false,
        })
    }

    /// Binds a port that only connections in TIME_WAIT keep from being bound plainly: with
    /// `SO_REUSEADDR`, then hard at once.
    ///
    /// Where a soft socket admits others, two processes that do this at the same time would both
    /// succeed. They first bind the tie-break address without the option; only one of them can, and
    /// connections in TIME_WAIT never have that address.
    fn bind_over_time_wait(port: u16) -> Result<Self, HoldError> {
        let system = |source| HoldError::System { port, source };
        let tie_break = if platform::SOFT_HOLD_KEEPS_SOCKETS {
            let address = SocketAddr::new(TIE_BREAK_ADDRESS, port);
            let socket = bind_socket(address, Protocol::Tcp, false)?;
            Some(socket.ok_or(HoldError::InUse(port))?)
        } else {
            None
        };
        if platform::has_active_sockets(port).map_err(system)? {
            return Err(HoldError::InUse(port));
        }
        if let Some(socket) = &tie_break {
            socket.set_reuse_address(true).map_err(system)?;
        }
        let sockets = Self::bind(port, Protocol::Tcp, true)?;
        sockets.set_soft(Families::default())?;
        Ok(sockets)
    }

    /// Returns the families in which the sockets are soft.
    pub(super) fn soft_families(&self) -> Families {
        let is_soft = |socket: &Option<Socket>| {
            let socket = socket.as_ref();
            socket.is_some_and(|socket| socket.reuse_address().unwrap_or(false))
        };
        Families {
            v4: is_soft(&self.v4),
            v6: is_soft(&self.v6),
        }
    }

    /// Makes the sockets soft in `families` and hard in the others.
    pub(super) fn set_soft(&self, families: Families) -> Result<(), HoldError> {
        for (socket, soft) in [(&self.v4, families.v4), (&self.v6, families.v6)] {
            if let Some(socket) = socket {
                socket
                    .set_reuse_address(soft)
                    .map_err(|source| HoldError::System {
                        port: self.port,
                        source,
                    })?;
            }
        }
        Ok(())
    }
}

/// Opens a listening socket as a server does.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, HoldError> {
    let open = || {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(socket2::Protocol::TCP))?;
        platform::prepare_server_socket(&socket)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|error| HoldError::from_bind(address.port(), error))
}

/// Binds one socket; `None` if the machine does not support the address family.
fn bind_socket(
    address: SocketAddr,
    protocol: Protocol,
    reuse: bool,
) -> Result<Option<Socket>, HoldError> {
    let (kind, number) = match protocol {
        Protocol::Tcp => (Type::STREAM, socket2::Protocol::TCP),
        Protocol::Udp => (Type::DGRAM, socket2::Protocol::UDP),
    };
    let bind = || -> io::Result<Socket> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, kind, Some(number))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if reuse {
            socket.set_reuse_address(true)?;
        } else {
            platform::set_exclusive(&socket)?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    };
    match bind() {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if platform::is_unsupported_family(&error) => Ok(None),
        Err(error) => Err(HoldError::from_bind(address.port(), error)),
    }
}
