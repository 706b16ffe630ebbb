//! Where the gateway listens: HTTP's own port where this user may bind it, else one fixed port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use portway_api::ErrorCode;

use crate::error::CommandError;

/// HTTP's own port; names need no number then.
const HTTP: u16 = 80;

/// The port of the gateway of a user who may not bind HTTP's own: PORT on a telephone's keys. No
/// browser blocks it, and no kernel gives it out by itself.
pub(crate) const DEFAULT: u16 = 7678;

/// Listens on loopback, on `wanted` or on the best port that can be had.
pub(crate) fn listen(wanted: Option<u16>) -> Result<Vec<TcpListener>, CommandError> {
    if let Some(port) = wanted {
        return on(port).map_err(|error| refused(port, &error));
    }
    match on(HTTP) {
        Ok(listeners) => Ok(listeners),
        Err(_) => on(DEFAULT).map_err(|error| refused(DEFAULT, &error)),
    }
}

/// Both loopback addresses, so that `localhost` is the gateway however it is resolved. IPv6 may be
/// missing on a machine.
fn on(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))?;
    let port = v4.local_addr()?.port();
    match TcpListener::bind(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok(vec![v4]),
    }
}

fn refused(port: u16, error: &io::Error) -> CommandError {
    let code = match error.kind() {
        io::ErrorKind::AddrInUse => ErrorCode::PortTaken,
        _ => ErrorCode::Failed,
    };
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "somebody else has it".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not bind it".to_owned(),
        _ => error.to_string(),
    };
    CommandError::new(
        code,
        format!("the gateway cannot listen on port {port}: {why}"),
    )
    .hint(format!(
        "`portway who {port}` shows who has it; `portway gateway --port N` takes another"
    ))
}
