//! Serving on an address of the local network what listens on loopback.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// At most so many connections at a time: each takes two descriptors of the process, and whoever
/// is on the network must not be able to take them all.
const CONNECTIONS: usize = 256;

/// The pause after a connection could not be accepted, for want of descriptors for example.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How long a socket may take to be closed, which is done within the thread that serves it.
const CLOSING: Duration = Duration::from_millis(100);

/// Carries bytes from addresses of the local network to ports on loopback, in a thread of its own.
/// Dropping it ends every connection.
#[derive(Debug)]
pub struct Forwarder {
    runtime: Handle,
    connections: Arc<Semaphore>,
    _lives: oneshot::Sender<()>,
}

/// One address that is served. Dropping it closes the socket, so that the port can be bound again
/// at once; connections go on until either side ends them.
#[derive(Debug)]
pub struct Forward {
    accepting: JoinHandle<()>,
    closed: mpsc::Receiver<()>,
}

/// A socket that tells when it has been closed: the fields are dropped in this order.
struct Listening {
    listener: TcpListener,
    _closed: mpsc::Sender<()>,
}

impl Forwarder {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no more threads or descriptors.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (lives, gone) = oneshot::channel::<()>();
        thread::Builder::new().name("lan".into()).spawn(move || {
            let _ = runtime.block_on(gone);
        })?;
        Ok(Self {
            runtime: handle,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            _lives: lives,
        })
    }

    /// Serves on `listener`, which does not block, what listens on the same port of loopback, of
    /// either family.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn serve(&self, listener: std::net::TcpListener) -> io::Result<Forward> {
        let _context = self.runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        let port = listener.local_addr()?.port();
        let (sender, closed) = mpsc::channel();
        let listening = Listening {
            listener,
            _closed: sender,
        };
        let accepting = accept(listening, port, self.connections.clone());
        Ok(Forward {
            accepting: self.runtime.spawn(accepting),
            closed,
        })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accepting.abort();
        // Nothing is ever sent: it ends when the other half is gone, and with it the socket.
        let _ = self.closed.recv_timeout(CLOSING);
    }
}

async fn accept(listening: Listening, port: u16, connections: Arc<Semaphore>) {
    loop {
        let Ok((client, _)) = listening.listener.accept().await else {
            sleep(AFTER_FAILURE).await;
            continue;
        };
        let Ok(room) = connections.clone().acquire_owned().await else {
            return;
        };
        tokio::spawn(async move {
            let _ = carry(client, port).await;
            drop(room);
        });
    }
}

/// Carries one connection to its end. A client for whom nobody is there is hung up on.
async fn carry(mut client: TcpStream, port: u16) -> io::Result<()> {
    let loopback = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    let mut service = TcpStream::connect(&loopback[..]).await?;
    let _ = client.set_nodelay(true);
    let _ = service.set_nodelay(true);
    copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener as Listener, TcpStream as Stream};

    use super::*;

    /// A server on loopback that sends everything back, and a forward to it from another address.
    fn echo(forwarder: &Forwarder) -> (SocketAddr, Forward) {
        let echo = Listener::bind("127.0.0.1:0").unwrap();
        let port = echo.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in echo.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        let address = SocketAddr::from(([127, 0, 0, 7], port));
        let listener = Listener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        (address, forwarder.serve(listener).unwrap())
    }

    #[test]
    fn bytes_go_both_ways_to_the_end_of_each() {
        let forwarder = Forwarder::new().unwrap();
        let (address, _forward) = echo(&forwarder);
        let mut stream = Stream::connect(address).unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let mut writer = stream.try_clone().unwrap();
        let bytes = sent.clone();
        thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert!(received == sent);
    }

    #[test]
    fn what_is_dropped_is_closed_at_once_and_connections_go_on() {
        let forwarder = Forwarder::new().unwrap();
        let (address, forward) = echo(&forwarder);
        let mut stream = Stream::connect(address).unwrap();
        stream.write_all(b"a").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        drop(forward);
        assert!(Stream::connect(address).is_err());
        stream.write_all(b"b").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        drop(forwarder);
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
}
