//! Pools connections to services.
//!
//! The most recently released connection is used first, so surplus connections stay unused and are
//! closed after [`MAX_IDLE_TIME`]. Development servers close idle connections as well (Node and
//! uvicorn after 5 s), and a request sent at that moment is lost. A request that cannot be repeated
//! therefore uses only connections that are younger than [`MAX_IDLE_TIME_UNREPEATABLE`].

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::request_body::RequestBody;
use super::stream::UpstreamStream;

/// How long a connection may be idle. Shorter than the keep-alive timeout of common servers.
const MAX_IDLE_TIME: Duration = Duration::from_secs(4);

/// How long a connection may have been idle to serve a request that must not be sent twice.
const MAX_IDLE_TIME_UNREPEATABLE: Duration = Duration::from_millis(500);

/// Interval between two scans for connections that have been idle too long.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// The maximum number of idle connections per port. Browsers and load generators open at most a few
/// hundred connections at once.
const MAX_IDLE_CONNECTIONS: usize = 256;

/// The addresses on which services listen. The pool stores which one accepted a connection.
const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// The connections of one thread of the gateway. Clones share the same connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct UpstreamPool {
    ports: Arc<Mutex<HashMap<u16, PortPool>>>,
}

#[derive(Debug, Default)]
struct PortPool {
    /// Idle connections with the time of their release, oldest first.
    idle: Vec<(SendRequest<RequestBody>, Instant)>,
    /// Index of the [`LOOPBACK`] address that accepted the last connection.
    address_index: usize,
    /// Whether a task is running that closes idle connections.
    has_sweeper: bool,
}

/// A connection in use. Dropping it without [`release`](Self::release) closes it.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    /// Sends requests on this connection.
    pub(crate) sender: SendRequest<RequestBody>,
    pool: UpstreamPool,
    port: u16,
}

impl PooledConnection {
    /// Returns the connection to the pool if it can be reused.
    pub(crate) fn release(self) {
        if self.sender.is_closed() {
            return;
        }
        let Self { sender, pool, port } = self;
        let needs_sweeper = {
            let mut ports = pool.ports();
            let entry = ports.entry(port).or_default();
            if entry.idle.len() >= MAX_IDLE_CONNECTIONS {
                return;
            }
            entry.idle.push((sender, Instant::now()));
            !std::mem::replace(&mut entry.has_sweeper, true)
        };
        if needs_sweeper {
            tokio::spawn(async move { pool.sweep(port).await });
        }
    }
}

impl UpstreamPool {
    fn ports(&self) -> std::sync::MutexGuard<'_, HashMap<u16, PortPool>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a connection to the service on `port`. `is_repeatable` says whether the request may
    /// be sent twice.
    ///
    /// # Errors
    /// If no loopback address accepts a connection.
    pub(crate) async fn acquire(
        &self,
        port: u16,
        is_repeatable: bool,
    ) -> io::Result<PooledConnection> {
        let max_idle_time = if is_repeatable {
            MAX_IDLE_TIME
        } else {
            MAX_IDLE_TIME_UNREPEATABLE
        };
        loop {
            let idle = self.ports().get_mut(&port).and_then(|port| port.idle.pop());
            let Some((mut sender, released)) = idle else {
                return Box::pin(self.connect(port)).await;
            };
            // All remaining connections have been idle even longer.
            if released.elapsed() > max_idle_time {
                return Box::pin(self.connect(port)).await;
            }
            if sender.ready().await.is_ok() {
                let pool = self.clone();
                return Ok(PooledConnection { sender, pool, port });
            }
        }
    }

    /// Closes all idle connections.
    pub(crate) fn close_idle(&self) {
        for port in self.ports().values_mut() {
            port.idle.clear();
        }
    }

    async fn connect(&self, port: u16) -> io::Result<PooledConnection> {
        let first = self.ports().get(&port).map_or(0, |port| port.address_index);
        let mut first_error = None;
        for index in [first, 1 - first] {
            match TcpStream::connect(SocketAddr::new(LOOPBACK[index], port)).await {
                Ok(stream) => {
                    if index != first {
                        self.ports().entry(port).or_default().address_index = index;
                    }
                    stream.set_nodelay(true)?;
                    let stream = TokioIo::new(UpstreamStream::new(stream));
                    let (sender, connection) =
                        http1::handshake(stream).await.map_err(io::Error::other)?;
                    tokio::spawn(async move {
                        // The pending request receives the same error.
                        let _ = connection.with_upgrades().await;
                    });
                    let pool = self.clone();
                    return Ok(PooledConnection { sender, pool, port });
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let error = first_error.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        tracing::debug!(port, %error, "cannot connect to the service");
        Err(error)
    }

    /// Closes connections that have been idle too long, until no idle connection is left.
    async fn sweep(self, port: u16) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let mut ports = self.ports();
            let Some(entry) = ports.get_mut(&port) else {
                return;
            };
            entry.idle.retain(|(sender, released)| {
                !sender.is_closed() && released.elapsed() < MAX_IDLE_TIME
            });
            if entry.idle.is_empty() {
                entry.idle.shrink_to_fit();
                entry.has_sweeper = false;
                return;
            }
        }
    }
}
