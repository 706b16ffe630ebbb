//! Connections to services, used again.
//!
//! The last one given back is taken first, so that those that are not needed grow old and are
//! closed: none outlives [`IDLE`]. A dev server closes idle connections too (Node after 5 s, uvicorn
//! after 5 s), and a request that goes out in that instant is lost; so what cannot simply be asked
//! again takes only a connection that was used a moment ago.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::Upload;
use super::line::Line;

/// How long an unused connection is kept: less than servers keep theirs.
const IDLE: Duration = Duration::from_secs(4);

/// How long ago a connection may have been used for a request that must not be sent twice.
const FRESH: Duration = Duration::from_millis(500);

/// How many unused connections are kept for one port. Browsers and load generators come with
/// hundreds at once at most.
const MOST_IDLE: usize = 256;

/// Services listen on one of these; which, is remembered.
const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// The connections of one thread of the gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    ports: Arc<Mutex<HashMap<u16, Port>>>,
}

#[derive(Debug, Default)]
struct Port {
    /// The last one used is the last.
    idle: Vec<(SendRequest<Upload>, Instant)>,
    /// Which of [`LOOPBACK`] answered last.
    family: usize,
    /// Whether somebody is there to close what grows old.
    swept: bool,
}

/// A connection in use. It is closed when it is dropped and not given back.
#[derive(Debug)]
pub(crate) struct Borrowed {
    /// What sends requests.
    pub(crate) sender: SendRequest<Upload>,
    pool: Pool,
    port: u16,
}

impl Borrowed {
    /// Lets others have it, when it can still be used.
    pub(crate) fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let Self { sender, pool, port } = self;
        let sweep = {
            let mut ports = pool.ports();
            let entry = ports.entry(port).or_default();
            if entry.idle.len() >= MOST_IDLE {
                return;
            }
            entry.idle.push((sender, Instant::now()));
            !std::mem::replace(&mut entry.swept, true)
        };
        if sweep {
            tokio::spawn(async move { pool.sweep(port).await });
        }
    }
}

impl Pool {
    fn ports(&self) -> std::sync::MutexGuard<'_, HashMap<u16, Port>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to the service on `port`; `again` tells whether what is to be sent may be sent
    /// twice.
    ///
    /// # Errors
    /// When nobody listens on either loopback address.
    pub(crate) async fn take(&self, port: u16, again: bool) -> io::Result<Borrowed> {
        let limit = if again { IDLE } else { FRESH };
        loop {
            let idle = self.ports().get_mut(&port).and_then(|port| port.idle.pop());
            let Some((mut sender, used)) = idle else {
                return Box::pin(self.connect(port)).await;
            };
            // Older ones below it are older still.
            if used.elapsed() > limit {
                return Box::pin(self.connect(port)).await;
            }
            if sender.ready().await.is_ok() {
                let pool = self.clone();
                return Ok(Borrowed { sender, pool, port });
            }
        }
    }

    async fn connect(&self, port: u16) -> io::Result<Borrowed> {
        let first = self.ports().get(&port).map_or(0, |port| port.family);
        let mut failure = None;
        for family in [first, 1 - first] {
            match TcpStream::connect(SocketAddr::new(LOOPBACK[family], port)).await {
                Ok(stream) => {
                    if family != first {
                        self.ports().entry(port).or_default().family = family;
                    }
                    stream.set_nodelay(true)?;
                    let (sender, connection) = http1::handshake(TokioIo::new(Line::new(stream)))
                        .await
                        .map_err(io::Error::other)?;
                    tokio::spawn(async move {
                        // Its end is told to whoever waits for an answer.
                        let _ = connection.with_upgrades().await;
                    });
                    let pool = self.clone();
                    return Ok(Borrowed { sender, pool, port });
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    /// Closes what grows old, until nothing is left.
    async fn sweep(self, port: u16) {
        loop {
            tokio::time::sleep(IDLE / 2).await;
            let mut ports = self.ports();
            let Some(entry) = ports.get_mut(&port) else {
                return;
            };
            entry
                .idle
                .retain(|(sender, used)| !sender.is_closed() && used.elapsed() < IDLE);
            if entry.idle.is_empty() {
                entry.idle.shrink_to_fit();
                entry.swept = false;
                return;
            }
        }
    }
}
