//! The public types for a network, the same on every system.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use portway_ports::{Listener, PortOwner};

use crate::capability::Attempt;
use crate::platform::Namespace;
use crate::{outbound::Outbound, platform};

/// The hidden command that runs a helper.
pub const COMMAND: &str = "__network-helper";

/// Starts a process of a network. It is called when the network is created and, in the thread of the
/// relay, whenever a process is started again. The caller can record the child while it keeps other
/// threads from treating it as an unknown one. The network itself waits for the child.
pub type Spawn = Arc<dyn Fn(&mut Command) -> io::Result<Child> + Send + Sync>;

/// How to create a [`Network`].
#[derive(Clone)]
pub struct NetworkConfig {
    /// The program that calls [`run_helper`] when its first argument is [`COMMAND`].
    pub program: PathBuf,
    /// Arguments before [`COMMAND`], usually none.
    pub arguments: Vec<OsString>,
    /// The program for the way out. `None` leaves only loopback inside.
    pub outbound: Option<Outbound>,
    /// Starts the helper and the program for the way out.
    pub spawn: Spawn,
}

impl NetworkConfig {
    /// Returns a configuration that starts processes with [`Command::spawn`].
    #[must_use]
    pub fn new(program: PathBuf, outbound: Option<Outbound>) -> Self {
        Self {
            program,
            arguments: Vec::new(),
            outbound,
            spawn: Arc::new(Command::spawn),
        }
    }
}

impl fmt::Debug for NetworkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkConfig")
            .field("program", &self.program)
            .field("outbound", &self.outbound)
            .finish_non_exhaustive()
    }
}

/// Why a network could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The system refused a step. [`capability`](crate::capability()) names the cause.
    #[error("cannot create a network namespace: {}", io::Error::from_raw_os_error(.0.error))]
    Refused(Attempt),
    /// The helper could not be started, or did not respond.
    #[error("cannot start the network helper")]
    Helper(#[source] io::Error),
    /// A thread or descriptor could not be created.
    #[error("cannot relay connections")]
    Relay(#[source] io::Error),
}

/// A network namespace with a helper inside, a way out, and a relay.
///
/// Dropping it ends the relay, the helper and the program for the way out. The namespace remains
/// until the last process inside has exited.
#[derive(Debug)]
pub struct Network(platform::Network);

/// A port that is relayed. Dropping it closes the listening socket that it was given, so that the
/// port can be bound again at once; open connections continue.
#[derive(Debug)]
#[must_use = "the port is closed as soon as this is dropped"]
pub struct Forward {
    _inner: platform::Forward,
}

impl Network {
    /// Creates a namespace and returns as soon as loopback works inside, which takes some
    /// milliseconds. The way out follows in the background; see [`Self::wait_for_outbound`].
    ///
    /// # Errors
    /// If the system does not permit it or a process cannot be started.
    pub fn create(config: NetworkConfig) -> Result<Self, NetworkError> {
        platform::Network::create(config).map(Self)
    }

    /// Enters a namespace that another network has created, with a helper and a relay of its own and without
    /// another way out. The namespace remains as long as any of both is there.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn join(config: NetworkConfig, namespace: &Namespace) -> Result<Self, NetworkError> {
        platform::Network::join(config, namespace).map(Self)
    }

    /// Returns the namespace, to let processes enter it.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        self.0.namespace()
    }

    /// Passes the connections of a listening socket outside to a port inside: to 127.0.0.1, or to ::1
    /// if 127.0.0.1 refuses. If both refuse, the client's connection is reset.
    ///
    /// Both sides can close their halves independently. A client never waits for a program that does
    /// not listen.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub fn forward_tcp(&self, listener: TcpListener, port: u16) -> io::Result<Forward> {
        self.0.forward_tcp(listener, port).map(Forward::new)
    }

    /// Passes the datagrams of a bound socket outside to a port inside, as [`Self::forward_tcp`] does.
    /// Each client gets a socket of its own inside, until it has been silent for a minute.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub fn forward_udp(&self, socket: UdpSocket, port: u16) -> io::Result<Forward> {
        self.0.forward_udp(socket, port).map(Forward::new)
    }

    /// Passes the connections of a listening socket inside ([`Self::listen`]) to the first of
    /// `targets` outside that accepts.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub fn publish_tcp(
        &self,
        listener: TcpListener,
        targets: Vec<SocketAddr>,
    ) -> io::Result<Forward> {
        self.0.publish_tcp(listener, targets).map(Forward::new)
    }

    /// Passes the datagrams of a socket inside ([`Self::bind_udp`]) to the first of `targets` outside
    /// that receives.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub fn publish_udp(&self, socket: UdpSocket, targets: Vec<SocketAddr>) -> io::Result<Forward> {
        self.0.publish_udp(socket, targets).map(Forward::new)
    }

    /// Listens inside.
    ///
    /// # Errors
    /// If the address is in use inside or the helper does not respond.
    pub fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.0.listen(address)
    }

    /// Binds a UDP socket inside.
    ///
    /// # Errors
    /// If the address is in use inside or the helper does not respond.
    pub fn bind_udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.0.bind_udp(address)
    }

    /// Connects to an address inside.
    ///
    /// # Errors
    /// If no program listens inside, or the helper does not respond.
    pub fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.0.connect(address)
    }

    /// Returns the listening TCP sockets and the unconnected UDP sockets inside, with the processes
    /// that have them open. Processes `likely` are searched first. A socket that Portway itself has
    /// open inside is not included.
    ///
    /// # Errors
    /// If the system does not report its sockets, or the helper does not respond.
    pub fn listeners(&self, likely: &[u32]) -> io::Result<Vec<PortOwner>> {
        self.0.listeners(likely)
    }

    /// Returns the listening TCP sockets and the unconnected UDP sockets inside without their owners,
    /// and also those of Portway itself. Costs less than [`Self::listeners`].
    ///
    /// # Errors
    /// As [`Self::listeners`].
    pub fn sockets(&self) -> io::Result<Vec<Listener>> {
        self.0.sockets()
    }

    /// Returns the pid of the helper, a process inside.
    #[must_use]
    pub fn helper(&self) -> u32 {
        self.0.helper()
    }

    /// Returns the number of the network namespace, the inode in `/proc/PID/ns/net`.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        self.0.id()
    }

    /// Waits until there is a way out to other machines. Returns false after `timeout`, and at once if
    /// the network has no program for it.
    ///
    /// # Errors
    /// If the helper does not respond.
    pub fn wait_for_outbound(&self, timeout: Duration) -> io::Result<bool> {
        self.0.wait_for_outbound(timeout)
    }
}

impl Forward {
    fn new(inner: platform::Forward) -> Self {
        Self { _inner: inner }
    }
}

/// Returns the numbers of the TCP sockets that listen on `port` in the network of the process `pid`, as
/// `portway_ports::find_owner` expects them. It works from outside, for a process of the same user.
///
/// # Errors
/// If the process is gone or its network cannot be read.
pub fn listening_sockets(pid: u32, port: u16) -> io::Result<Vec<u64>> {
    platform::listening_sockets(pid, port)
}

/// Runs a helper in this process until its creator is gone. Returns the exit code. The process must
/// have one thread only.
pub fn run_helper() -> u8 {
    platform::run_helper()
}
