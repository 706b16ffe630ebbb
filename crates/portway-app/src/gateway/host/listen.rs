//! Binds the gateway's ports: 80 and 443 if this user may bind them, otherwise the fixed default
//! ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use portway_api::ErrorCode;

use crate::error::CommandError;

/// The standard port of HTTP. URLs need no port number then.
const HTTP_PORT: u16 = 80;

/// The default port if port 80 cannot be bound: PORT on a telephone keypad. Browsers do not block
/// it, and it is outside the default ephemeral ranges.
pub(crate) const DEFAULT_PORT: u16 = 7678;

/// The standard port of HTTPS.
const HTTPS_PORT: u16 = 443;

/// The default HTTPS port if port 443 cannot be bound.
const DEFAULT_TLS_PORT: u16 = 7679;

/// Listens for HTTP on loopback: on `requested`, or on port 80 or the default port.
pub(crate) fn listen(requested: Option<u16>) -> Result<Vec<TcpListener>, CommandError> {
    listen_or_default(requested, HTTP_PORT, DEFAULT_PORT, "--port")
}

/// Listens for HTTPS on loopback: on `requested`, or on port 443 or the default port.
pub(crate) fn listen_for_tls(requested: Option<u16>) -> Result<Vec<TcpListener>, CommandError> {
    listen_or_default(requested, HTTPS_PORT, DEFAULT_TLS_PORT, "--tls-port")
}

/// Returns the common port of `listeners`; 0 if there are none.
pub(crate) fn port_of(listeners: &[TcpListener]) -> u16 {
    let address = listeners.first().and_then(|one| one.local_addr().ok());
    address.map_or(0, |address| address.port())
}

/// Listens on a fixed port on loopback.
pub(super) fn listen_on(port: u16) -> Result<Vec<TcpListener>, CommandError> {
    bind_loopback(port).map_err(|error| {
        let help = format!("run `portway who {port}` to see which process is using the port");
        listen_error(port, &error).hint(help)
    })
}

/// Listens on `requested`. Without it, listens on `standard`, or on `default` if that fails.
fn listen_or_default(
    requested: Option<u16>,
    standard: u16,
    default: u16,
    flag: &str,
) -> Result<Vec<TcpListener>, CommandError> {
    if requested.is_none()
        && let Ok(listeners) = bind_loopback(standard)
    {
        return Ok(listeners);
    }
    let port = requested.unwrap_or(default);
    bind_loopback(port).map_err(|error| {
        listen_error(port, &error)
            .hint(format!(
                "run `portway who {port}` to see which process is using the port"
            ))
            .hint(format!("or use another port: `portway gateway {flag} N`"))
    })
}

/// Binds both loopback addresses, because `localhost` may resolve to either. A machine without IPv6
/// gets only the IPv4 listener.
fn bind_loopback(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))?;
    let port = v4.local_addr()?.port();
    match TcpListener::bind(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok(vec![v4]),
    }
}

fn listen_error(port: u16, error: &io::Error) -> CommandError {
    let code = match error.kind() {
        io::ErrorKind::AddrInUse => ErrorCode::PortTaken,
        _ => ErrorCode::Failed,
    };
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use by another process".to_owned(),
        io::ErrorKind::PermissionDenied => "this user is not permitted to bind it".to_owned(),
        _ => error.to_string(),
    };
    CommandError::new(
        code,
        format!("the gateway cannot listen on port {port}: {reason}"),
    )
}
