//! Where the gateway listens: the protocols' own ports where this user may bind them, else one
//! fixed port each.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use portway_api::ErrorCode;

use crate::error::CommandError;

/// HTTP's own port; names need no number then.
const HTTP: u16 = 80;

/// The port of the gateway of a user who may not bind HTTP's own: PORT on a telephone's keys. No
/// browser blocks it, and no kernel gives it out by itself.
pub(crate) const DEFAULT: u16 = 7678;

/// HTTPS's own port.
const HTTPS: u16 = 443;

/// The port for HTTPS of a user who may not bind its own: the next one.
const TLS_DEFAULT: u16 = 7679;

/// Listens on loopback, on `wanted` or on the best port that can be had.
pub(crate) fn listen(wanted: Option<u16>) -> Result<Vec<TcpListener>, CommandError> {
    best(wanted, HTTP, DEFAULT, "--port")
}

/// The same for HTTPS.
pub(crate) fn listen_for_tls(wanted: Option<u16>) -> Result<Vec<TcpListener>, CommandError> {
    best(wanted, HTTPS, TLS_DEFAULT, "--tls-port")
}

/// The port of sockets that listen on the same one; 0 where there is none.
pub(crate) fn port_of(listeners: &[TcpListener]) -> u16 {
    let address = listeners.first().and_then(|one| one.local_addr().ok());
    address.map_or(0, |address| address.port())
}

/// The same on this very port.
pub(super) fn fixed(port: u16) -> Result<Vec<TcpListener>, CommandError> {
    on(port).map_err(|error| {
        let who = format!("`portway who {port}` shows who has it");
        refused(port, &error).hint(who)
    })
}

/// Listens on `wanted`; without it on `own`, or on `default` where that cannot be had.
fn best(
    wanted: Option<u16>,
    own: u16,
    default: u16,
    flag: &str,
) -> Result<Vec<TcpListener>, CommandError> {
    if wanted.is_none()
        && let Ok(listeners) = on(own)
    {
        return Ok(listeners);
    }
    let port = wanted.unwrap_or(default);
    on(port).map_err(|error| {
        refused(port, &error).hint(format!(
            "`portway who {port}` shows who has it; `portway gateway {flag} N` takes another"
        ))
    })
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
}
