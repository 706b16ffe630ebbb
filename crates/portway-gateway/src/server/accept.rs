//! Accepts connections, within the limits of the gateway and of the process.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portway_ports::ConnectionUsers;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::{Connection, Protocol};
use crate::connections::{Client, Connections};
use crate::error_pages::OVERLOADED;
use crate::peer::{ClientUser, Peer};
use crate::platform;

/// How long to wait after accepting a connection failed. Connections that are being closed need
/// about this long to release their descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(10);

/// How many idle connections to close when no descriptor is free.
const CLOSED_PER_FAILURE: usize = 16;

/// How long a rejected client may take to read the response.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How many rejected clients are waited for at the same time.
const MAX_REJECTING: usize = 64;

/// How long to wait for the request of a client that is rejected without a free descriptor. No
/// other connection is accepted meanwhile.
const LAST_REJECT_TIMEOUT: Duration = Duration::from_millis(50);

/// Distributes the connections of listeners to the workers.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) workers: Vec<mpsc::UnboundedSender<Connection>>,
    pub(super) connections: Connections,
    pub(super) users: Arc<ConnectionUsers>,
    rejecting: Arc<Semaphore>,
}

impl Acceptor {
    pub(super) fn new(
        workers: Vec<mpsc::UnboundedSender<Connection>>,
        connections: Connections,
    ) -> io::Result<Self> {
        Ok(Self {
            workers,
            connections,
            users: Arc::new(ConnectionUsers::open()?),
            rejecting: Arc::new(Semaphore::new(MAX_REJECTING)),
        })
    }

    /// Accepts connections and distributes them to the workers in turn.
    pub(super) async fn run(
        self,
        listener: std::net::TcpListener,
        protocol: Protocol,
    ) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let mut spare = Spare::new(&listener);
        let listener = TcpListener::from_std(listener)?;
        let port = listener.local_addr()?.port();
        let mut workers = self.workers.iter().cycle();
        loop {
            spare.refill();
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    let accepted = if platform::is_out_of_descriptors(&error) {
                        self.accept_with(&mut spare, &protocol)
                    } else {
                        None
                    };
                    let Some(accepted) = accepted else {
                        sleep(ACCEPT_RETRY_DELAY).await;
                        continue;
                    };
                    accepted
                }
            };
            // A failure here affects this connection only.
            let Ok(peer) = self.identify(&stream, address, port, &protocol) else {
                continue;
            };
            let Some(open) = self.connections.admit(Client::from(peer)) else {
                self.reject(stream, &protocol);
                continue;
            };
            let Ok(stream) = stream.into_std() else {
                continue;
            };
            let connection = Connection {
                stream,
                peer,
                protocol: protocol.clone(),
                open,
            };
            let Some(worker) = workers.next() else {
                return Ok(());
            };
            if worker.send(connection).is_err() {
                return Ok(());
            }
        }
    }

    /// Accepts a connection when no descriptor is free. Returns it if idle connections can be closed
    /// for it, otherwise tells its client that the gateway is overloaded.
    fn accept_with(
        &self,
        spare: &mut Spare,
        protocol: &Protocol,
    ) -> Option<(TcpStream, SocketAddr)> {
        if spare.descriptor.is_none() {
            self.connections.close_idle(CLOSED_PER_FAILURE);
            return None;
        }
        let (stream, address) = spare.accept()?;
        if self.connections.close_idle(CLOSED_PER_FAILURE) == 0 {
            tracing::warn!("rejected a connection: no file descriptor is free");
            reject_last(stream, protocol);
            return None;
        }
        Some((TcpStream::from_std(stream).ok()?, address))
    }

    /// Determines who opened a connection.
    fn identify(
        &self,
        stream: &TcpStream,
        address: SocketAddr,
        port: u16,
        protocol: &Protocol,
    ) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        Ok(Peer {
            address: address.ip(),
            port,
            listener: protocol.kind(),
            user: ClientUser::of_connection(&self.users, address, stream.local_addr()?),
        })
    }

    /// Tells a client that the gateway has too many connections.
    fn reject(&self, mut stream: TcpStream, protocol: &Protocol) {
        tracing::warn!("rejected a connection: too many are open and none is idle");
        // Without TLS, a client that expects it could not read the response.
        if matches!(protocol, Protocol::Https(_)) {
            return;
        }
        let Ok(permit) = self.rejecting.clone().try_acquire_owned() else {
            let _ = stream.try_write(OVERLOADED);
            return;
        };
        tokio::spawn(async move {
            let _ = timeout(REJECT_TIMEOUT, async {
                stream.write_all(OVERLOADED).await?;
                stream.shutdown().await?;
                // With unread data the system would reset the connection, and the client could lose
                // the response.
                let mut unread = [0; 4096];
                while stream.read(&mut unread).await? > 0 {}
                io::Result::Ok(())
            })
            .await;
            drop(permit);
        });
    }
}

/// A descriptor that is closed to accept a connection when no other is free.
struct Spare {
    listener: Option<std::net::TcpListener>,
    descriptor: Option<std::net::TcpListener>,
}

impl Spare {
    fn new(listener: &std::net::TcpListener) -> Self {
        Self {
            listener: listener.try_clone().ok(),
            descriptor: listener.try_clone().ok(),
        }
    }

    /// Gives up the descriptor for a connection. Returns `None` if no client is waiting.
    fn accept(&mut self) -> Option<(std::net::TcpStream, SocketAddr)> {
        drop(self.descriptor.take());
        let (stream, address) = self.listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((stream, address))
    }

    /// Takes a descriptor if there is none.
    fn refill(&mut self) {
        if self.descriptor.is_none() {
            let listener = self.listener.as_ref();
            self.descriptor = listener.and_then(|listener| listener.try_clone().ok());
        }
    }
}

/// Tells a client that the gateway is overloaded, without a descriptor for further connections.
fn reject_last(mut stream: std::net::TcpStream, protocol: &Protocol) {
    if matches!(protocol, Protocol::Https(_)) {
        return;
    }
    // With unread data the system would reset the connection. The client may have closed it.
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(LAST_REJECT_TIMEOUT));
    let _ = stream.read(&mut [0; 16 << 10]);
    let _ = stream.set_nonblocking(true);
    let _ = stream.write(OVERLOADED);
}
