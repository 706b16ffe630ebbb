//! Serving on an address of the local network what listens on loopback.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
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

/// Carries bytes from addresses of the local network to ports on loopback, in a thread of its own.
/// Dropping it ends every connection.
#[derive(Debug)]
pub struct Forwarder {
    runtime: Handle,
    connections: Arc<Semaphore>,
    _lives: oneshot::Sender<()>,
}

/// One address that is served. Dropping it closes the socket; connections go on until either side
/// ends them.
#[derive(Debug)]
pub struct Forward(JoinHandle<()>);

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
        let accepting = accept(listener, port, self.connections.clone());
        Ok(Forward(self.runtime.spawn(accepting)))
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, connections: Arc<Semaphore>) {
    loop {
        let Ok(room) = connections.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(async move {
                    let _ = carry(client, port).await;
                    drop(room);
                });
            }
            Err(_) => sleep(AFTER_FAILURE).await,
        }
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
