//! The relay: a thread that passes connections and datagrams between the namespace and the outside.
//!
//! It waits with epoll for everything at once: new clients, data, sockets from the helper, the end of
//! the helper and of the program for the way out. It does nothing while nothing happens.

mod connection;
mod engine;
mod flow;
mod pool;
mod processes;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};

use super::namespace::Namespace;
use super::start::{Helper, duplicate};
use crate::network::NetworkConfig;
use engine::Engine;

/// How long to wait until the thread has closed a socket. It is shorter unless the machine is busy.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// On which side of the namespace a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Inside,
    Outside,
}

/// Where connections and datagrams go.
#[derive(Debug)]
pub(super) struct Route {
    /// The side of the targets.
    pub(super) side: Side,
    /// The addresses to try, in this order.
    pub(super) targets: Vec<SocketAddr>,
    /// The position of the target that accepted last, which is tried first.
    preferred: AtomicUsize,
}

impl Route {
    pub(super) fn new(side: Side, targets: Vec<SocketAddr>) -> Self {
        Self {
            side,
            targets,
            preferred: AtomicUsize::new(0),
        }
    }

    /// Returns the order in which a new client tries the targets.
    fn attempts(&self) -> Attempts {
        Attempts {
            first: self.preferred.load(Ordering::Relaxed),
            refused: 0,
        }
    }

    /// Returns the target of the present attempt. `None` if all have refused.
    fn target(&self, attempts: Attempts) -> Option<SocketAddr> {
        let at = attempts.position(self.targets.len())?;
        self.targets.get(at).copied()
    }

    /// Makes new clients try the target of the present attempt first.
    fn prefer(&self, attempts: Attempts) {
        if let Some(at) = attempts.position(self.targets.len()) {
            self.preferred.store(at, Ordering::Relaxed);
        }
    }
}

/// The targets that a client has tried. Another client may change the preferred one meanwhile.
#[derive(Clone, Copy, Debug)]
struct Attempts {
    /// The position of the first target.
    first: usize,
    /// How many targets have refused.
    refused: usize,
}

impl Attempts {
    fn position(self, count: usize) -> Option<usize> {
        (self.refused < count).then(|| (self.first + self.refused) % count)
    }
}

/// A socket whose clients are relayed.
#[derive(Debug)]
pub(super) enum Source {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

enum Command {
    Add(u32, Source, Route),
    /// Closes the socket, and then the sender.
    Remove(u32, mpsc::Sender<()>),
    Stop,
}

/// What the thread shares with the handle.
pub(super) struct Shared {
    requests: Mutex<Option<Arc<OwnedFd>>>,
    serial: Mutex<()>,
    changed: Condvar,
    helper: AtomicU32,
}

/// The handle of the thread.
pub(super) struct Relay {
    sender: Arc<Sender>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    next: AtomicU32,
}

struct Sender {
    commands: mpsc::Sender<Command>,
    wake: OwnedFd,
}

/// A relayed socket.
pub(crate) struct Forward {
    id: u32,
    sender: Arc<Sender>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<OwnedFd>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the connection for requests to the helper. Waits while the helper is being restarted.
    pub(super) fn requests(&self, timeout: Duration) -> io::Result<Arc<OwnedFd>> {
        let requests = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(requests, timeout, |requests| requests.is_none());
        let (requests, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the network helper is gone");
        requests.clone().ok_or_else(gone)
    }

    /// Keeps other threads from sending requests.
    pub(super) fn serialize(&self) -> MutexGuard<'_, ()> {
        self.serial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the pid of the helper.
    pub(super) fn helper(&self) -> u32 {
        self.helper.load(Ordering::Relaxed)
    }

    fn set(&self, helper: u32, requests: Option<OwnedFd>) {
        self.helper.store(helper, Ordering::Relaxed);
        *self.lock() = requests.map(Arc::new);
        self.changed.notify_all();
    }
}

impl Relay {
    /// Starts the thread, which takes over the helper and starts the program for the way out.
    pub(super) fn start(
        config: NetworkConfig,
        helper: Helper,
        namespace: Namespace,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            requests: Mutex::new(None),
            serial: Mutex::new(()),
            changed: Condvar::new(),
            helper: AtomicU32::new(0),
        });
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (commands, receiver) = mpsc::channel();
        let sender = Arc::new(Sender {
            commands,
            wake: duplicate(&wake)?,
        });
        let mut engine = Engine::new(config, namespace, receiver, wake, shared.clone())?;
        engine.adopt(helper)?;
        let thread = thread::Builder::new()
            .name("network".into())
            .spawn(move || engine.run())?;
        Ok(Self {
            sender,
            shared,
            thread: Some(thread),
            next: AtomicU32::new(1),
        })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Relays the clients of a socket.
    pub(super) fn add(&self, source: Source, route: Route) -> io::Result<Forward> {
        match &source {
            Source::Tcp(listener) => listener.set_nonblocking(true)?,
            Source::Udp(socket) => socket.set_nonblocking(true)?,
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.sender.send(Command::Add(id, source, route))?;
        Ok(Forward {
            id,
            sender: self.sender.clone(),
        })
    }
}

impl Sender {
    fn send(&self, command: Command) -> io::Result<()> {
        let gone = |_| io::Error::other("the thread of the relay is gone");
        self.commands.send(command).map_err(gone)?;
        // Fails only if the thread is already due to wake up.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.sender.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let (sender, closed) = mpsc::channel();
        if self.sender.send(Command::Remove(self.id, sender)).is_ok() {
            // Nothing is sent: this returns when the thread drops the sender.
            let _ = closed.recv_timeout(CLOSE_TIMEOUT);
        }
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forward")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
