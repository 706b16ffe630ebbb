//! Pools connections to services.
//!
//! The most recently released connection is used first, so surplus connections stay unused and are
//! closed after [`MAX_IDLE_TIME`]. Development servers close idle connections as well (Node and
//! uvicorn after 5 s), and a request sent at that moment is lost. A request that cannot be repeated
//! therefore uses only connections that are younger than [`MAX_IDLE_TIME_UNREPEATABLE`].

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
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

/// The protocol of a connection to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamProtocol {
    /// HTTP/1.1, which every service supports.
    Http1,
    /// HTTP/2 without TLS (h2c), without a request in HTTP/1.1 first. gRPC requires it.
    Http2,
}

/// The connections of one thread of the gateway. Clones share the same connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct UpstreamPool {
    ports: Arc<Mutex<HashMap<u16, PortPool>>>,
}

#[derive(Debug, Default)]
struct PortPool {
    /// Idle connections with the time of their release, oldest first.
    idle: Vec<(http1::SendRequest<RequestBody>, Instant)>,
    /// The connection for HTTP/2, which all requests share, with the time of its last use.
    http2: Option<(SharedSender, Instant)>,
    /// Index of the [`LOOPBACK`] address that accepted the last connection.
    address_index: usize,
    /// Whether a task is running that closes idle connections.
    has_sweeper: bool,
}

/// A connection in use. Dropping it without [`release`](Self::release) closes it, unless it is for
/// HTTP/2.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    sender: Sender,
    pool: UpstreamPool,
    port: u16,
}

/// Sends requests on a connection.
#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(SharedSender),
}

/// Sends requests on a connection for HTTP/2.
#[derive(Clone, Debug)]
struct SharedSender {
    requests: http2::SendRequest<RequestBody>,
    /// Whether the service has shown that it does not support HTTP/2.
    lacks_http2: Arc<AtomicBool>,
}

impl PooledConnection {
    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    /// If no response arrives. The error contains the request if it was not sent.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.requests.try_send_request(request).await,
        }
    }

    /// Whether the service does not support HTTP/2, although the request needs it.
    pub(crate) fn lacks_http2(&self) -> bool {
        match &self.sender {
            Sender::Http1(_) => false,
            Sender::Http2(sender) => sender.lacks_http2.load(Ordering::Acquire),
        }
    }

    /// Returns the connection to the pool if it can be reused.
    pub(crate) fn release(self) {
        let Self { sender, pool, port } = self;
        // The pool has kept the connection for HTTP/2.
        let Sender::Http1(sender) = sender else {
            return;
        };
        if sender.is_closed() {
            return;
        }
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
            pool.start_sweeper(port);
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
        protocol: UpstreamProtocol,
        is_repeatable: bool,
    ) -> io::Result<PooledConnection> {
        let sender = match protocol {
            UpstreamProtocol::Http1 => self.acquire_http1(port, is_repeatable).await?,
            UpstreamProtocol::Http2 => Box::pin(self.acquire_http2(port)).await?,
        };
        let pool = self.clone();
        Ok(PooledConnection { sender, pool, port })
    }

    async fn acquire_http1(&self, port: u16, is_repeatable: bool) -> io::Result<Sender> {
        let max_idle_time = if is_repeatable {
            MAX_IDLE_TIME
        } else {
            MAX_IDLE_TIME_UNREPEATABLE
        };
        loop {
            let idle = self.ports().get_mut(&port).and_then(|port| port.idle.pop());
            let Some((mut sender, released)) = idle else {
                return Box::pin(self.connect_http1(port)).await;
            };
            // All remaining connections have been idle even longer.
            if released.elapsed() > max_idle_time {
                return Box::pin(self.connect_http1(port)).await;
            }
            if sender.ready().await.is_ok() {
                return Ok(Sender::Http1(sender));
            }
        }
    }

    async fn acquire_http2(&self, port: u16) -> io::Result<Sender> {
        let shared = self.ports().get_mut(&port).and_then(|port| {
            let (sender, last_used) = port.http2.as_mut()?;
            *last_used = Instant::now();
            Some(sender.clone())
        });
        if let Some(mut sender) = shared
            && sender.requests.ready().await.is_ok()
        {
            return Ok(Sender::Http2(sender));
        }
        let lacks_http2 = Arc::new(AtomicBool::new(false));
        let stream = UpstreamStream::for_http2(self.connect(port).await?, lacks_http2.clone());
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(async move {
            // The pending requests receive the same error.
            let _ = connection.await;
        });
        let sender = SharedSender {
            requests,
            lacks_http2,
        };
        let needs_sweeper = {
            let mut ports = self.ports();
            let entry = ports.entry(port).or_default();
            entry.http2 = Some((sender.clone(), Instant::now()));
            !std::mem::replace(&mut entry.has_sweeper, true)
        };
        if needs_sweeper {
            self.clone().start_sweeper(port);
        }
        Ok(Sender::Http2(sender))
    }

    /// Closes all idle connections.
    pub(crate) fn close_idle(&self) {
        for port in self.ports().values_mut() {
            port.idle.clear();
            port.http2 = None;
        }
    }

    async fn connect_http1(&self, port: u16) -> io::Result<Sender> {
        let stream = TokioIo::new(UpstreamStream::new(self.connect(port).await?));
        let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            // The pending request receives the same error.
            let _ = connection.with_upgrades().await;
        });
        Ok(Sender::Http1(sender))
    }

    async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let first = self.ports().get(&port).map_or(0, |port| port.address_index);
        let mut first_error = None;
        for index in [first, 1 - first] {
            match TcpStream::connect(SocketAddr::new(LOOPBACK[index], port)).await {
                Ok(stream) => {
                    if index != first {
                        self.ports().entry(port).or_default().address_index = index;
                    }
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let error = first_error.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        tracing::debug!(port, %error, "cannot connect to the service");
        Err(error)
    }

    fn start_sweeper(self, port: u16) {
        tokio::spawn(async move { self.sweep(port).await });
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
            // Requests in progress keep their connection open.
            entry.http2 = entry.http2.take_if(|(sender, last_used)| {
                !sender.requests.is_closed() && last_used.elapsed() < MAX_IDLE_TIME
            });
            if entry.idle.is_empty() && entry.http2.is_none() {
                entry.idle.shrink_to_fit();
                entry.has_sweeper = false;
                return;
            }
        }
    }
}
