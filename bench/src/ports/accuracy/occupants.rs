//! Ports with listeners and holds.

use std::net::SocketAddr;

use portway_ports::{Families, Hold};
use socket2::{Domain, Socket, Type};

use crate::Result;

/// A port, what is using it, and the correct answer.
pub(super) struct Occupant {
    pub(super) name: &'static str,
    pub(super) port: u16,
    /// Whether it is free. `None` if that depends on the caller: a server that sets `SO_REUSEADDR`
    /// can bind.
    pub(super) is_free: Option<bool>,
    /// The open sockets.
    _sockets: Vec<Box<dyn Send>>,
}

/// Occupy ports from `first` on, one in each way.
pub(super) fn occupy(first: u16) -> Result<Vec<Occupant>> {
    let mut ports = first..;
    let mut all = Vec::new();
    let mut add = |name, is_free, open: &dyn Fn(u16) -> Result<Vec<Box<dyn Send>>>| -> Result<()> {
        let port = ports.next().ok_or("no port is left")?;
        all.push(Occupant {
            name,
            port,
            is_free,
            _sockets: open(port)?,
        });
        Ok(())
    };
    add("nothing", Some(true), &|_| Ok(Vec::new()))?;
    for (name, host, only_v6) in [
        ("listener on 127.0.0.1", "127.0.0.1", false),
        ("listener on ::1", "::1", true),
        ("listener on 0.0.0.0", "0.0.0.0", false),
        ("listener on [::], both families", "::", false),
        ("listener on [::], IPv6 only", "::", true),
        ("listener on 127.0.0.2", "127.0.0.2", false),
    ] {
        add(name, Some(false), &|port| {
            Ok(vec![Box::new(listener(host, port, only_v6)?)])
        })?;
    }
    add("held by Portway", Some(false), &|port| {
        Ok(vec![Box::new(hold(port)?)])
    })?;
    add(
        "held, its service listens on 127.0.0.1",
        Some(false),
        &|port| {
            let hold = hold(port)?;
            hold.soften().map_err(|error| error.to_string())?;
            let service = listener("127.0.0.1", port, false)?;
            let families = Families {
                v4: true,
                v6: false,
            };
            hold.settle(families).map_err(|error| error.to_string())?;
            Ok(vec![Box::new(hold), Box::new(service)])
        },
    )?;
    add("held softly, while its service starts", None, &|port| {
        let hold = hold(port)?;
        hold.soften().map_err(|error| error.to_string())?;
        Ok(vec![Box::new(hold)])
    })?;
    Ok(all)
}

fn hold(port: u16) -> Result<Hold> {
    Hold::acquire(port).map_err(|error| error.to_string())
}

fn listener(host: &str, port: u16, only_v6: bool) -> Result<Socket> {
    let listen = || {
        let address = SocketAddr::new(host.parse().map_err(std::io::Error::other)?, port);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(only_v6)?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(16)?;
        Ok::<_, std::io::Error>(socket)
    };
    listen().map_err(|error| format!("{host}, port {port}: {error}"))
}
