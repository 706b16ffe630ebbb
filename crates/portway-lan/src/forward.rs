//! Forwards connections from addresses of the local network to ports on loopback.

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

/// Maximum number of concurrent connections. Each uses two file descriptors, and other machines
/// must not be able to use up all of them.
const MAX_CONNECTIONS: usize = 256;

/// The pause after a connection could not be accepted, for example because no file descriptors are
/// left.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// How long to wait until the forwarder's thread has closed a socket.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// Forwards connections in a separate thread. Dropping it closes every connection.
#[derive(Debug)]
pub struct Forwarder {
    runtime: Handle,
    connections: Arc<Semaphore>,
    /// The thread ends when this is dropped.
    _running: oneshot::Sender<()>,
}

/// One address that is forwarded. Dropping it closes the socket, so that the port can be bound again
/// immediately; open connections continue.
#[derive(Debug)]
#[must_use = "forwarding stops as soon as this is dropped"]
pub struct Forward {
    accepting: JoinHandle<()>,
    closed: mpsc::Receiver<()>,
}

/// A socket that signals when it has been closed. The fields are dropped in this order.
struct Listening {
    listener: TcpListener,
    _closed: mpsc::Sender<()>,
}

impl Forwarder {
    /// Starts the thread.
    ///
    /// # Errors
    /// Fails if the system has no more threads or file descriptors.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, stopped) = oneshot::channel::<()>();
        thread::Builder::new().name("lan".into()).spawn(move || {
            // Nothing is sent: this returns when the sender is dropped.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self {
            runtime: handle,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            _running: running,
        })
    }

    /// Forwards connections to `listener`, a non-blocking socket, to the same port on loopback of
    /// either family.
    ///
    /// # Errors
    /// Fails if the socket cannot be used.
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
        // Nothing is sent: this returns when the sender is dropped, right after the socket.
        let _ = self.closed.recv_timeout(CLOSE_TIMEOUT);
    }
}

async fn accept(listening: Listening, port: u16, connections: Arc<Semaphore>) {
    loop {
        let Ok((client, _)) = listening.listener.accept().await else {
            sleep(RETRY_DELAY).await;
            continue;
        };
        let Ok(permit) = connections.clone().acquire_owned().await else {
            return;
        };
        tokio::spawn(async move {
            // A failure closes both connections. The client cannot receive an error in another way.
            let _ = forward(client, port).await;
            drop(permit);
        });
    }
}

/// Forwards one connection until both sides have closed it. If no service listens, the client's
/// connection is closed.
async fn forward(mut client: TcpStream, port: u16) -> io::Result<()> {
    let loopback = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    let mut service = TcpStream::connect(&loopback[..]).await?;
    // Without the option the connection works too, only slower.
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

    /// Starts an echo server on loopback and a forward to it from another address.
    fn forward_to_echo(forwarder: &Forwarder) -> (SocketAddr, Forward) {
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
    fn forwards_both_directions_until_each_is_closed() {
        let forwarder = Forwarder::new().unwrap();
        let (address, _forward) = forward_to_echo(&forwarder);
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
    fn dropping_a_forward_closes_the_socket_and_keeps_connections() {
        let forwarder = Forwarder::new().unwrap();
        let (address, forward) = forward_to_echo(&forwarder);
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
