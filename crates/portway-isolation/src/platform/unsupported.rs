//! Systems without network namespaces: a network cannot be created, so its methods are never called.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use portway_ports::{Listener, PortOwner};

use crate::capability::Facts;
use crate::network::{NetworkConfig, NetworkError};
use crate::outbound::{Outbound, OutboundKind};

/// A namespace that processes can enter. There are none on this system.
#[derive(Debug)]
pub struct Namespace(Infallible);

impl Namespace {
    /// Returns `None`: every process is in the only network.
    ///
    /// # Errors
    /// Never.
    pub fn of_process(_: u32) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// Opens the same namespace a second time.
    ///
    /// # Errors
    /// Never.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self.0 {}
    }

    /// Makes a process start inside.
    ///
    /// # Errors
    /// Never.
    pub fn enter(&self, _: &mut Command) -> io::Result<()> {
        match self.0 {}
    }
}

pub(crate) fn listening_sockets(_: u32, _: u16) -> io::Result<Vec<u64>> {
    Ok(Vec::new())
}

#[derive(Debug)]
pub(crate) struct Network(Infallible);

#[derive(Debug)]
pub(crate) struct Forward(#[allow(dead_code, reason = "there is no value")] Infallible);

pub(crate) fn facts() -> Facts {
    Facts::default()
}

pub(crate) fn find_outbound(_kind: OutboundKind) -> Option<Outbound> {
    None
}

pub(crate) fn run_helper() -> u8 {
    2
}

impl Network {
    pub(crate) fn create(_config: NetworkConfig) -> Result<Self, NetworkError> {
        Err(NetworkError::Helper(io::ErrorKind::Unsupported.into()))
    }

    pub(crate) fn join(_: NetworkConfig, namespace: &Namespace) -> Result<Self, NetworkError> {
        match namespace.0 {}
    }

    pub(crate) fn forward_tcp(&self, _: TcpListener, _: u16) -> io::Result<Forward> {
        match self.0 {}
    }

    pub(crate) fn forward_udp(&self, _: UdpSocket, _: u16) -> io::Result<Forward> {
        match self.0 {}
    }

    pub(crate) fn publish_tcp(&self, _: TcpListener, _: Vec<SocketAddr>) -> io::Result<Forward> {
        match self.0 {}
    }

    pub(crate) fn publish_udp(&self, _: UdpSocket, _: Vec<SocketAddr>) -> io::Result<Forward> {
        match self.0 {}
    }

    pub(crate) fn listen(&self, _: SocketAddr) -> io::Result<TcpListener> {
        match self.0 {}
    }

    pub(crate) fn bind_udp(&self, _: SocketAddr) -> io::Result<UdpSocket> {
        match self.0 {}
    }

    pub(crate) fn connect(&self, _: SocketAddr) -> io::Result<TcpStream> {
        match self.0 {}
    }

    pub(crate) fn listeners(&self, _: &[u32]) -> io::Result<Vec<PortOwner>> {
        match self.0 {}
    }

    pub(crate) fn sockets(&self) -> io::Result<Vec<Listener>> {
        match self.0 {}
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        match self.0 {}
    }

    pub(crate) fn helper(&self) -> u32 {
        match self.0 {}
    }

    pub(crate) fn id(&self) -> Option<u64> {
        match self.0 {}
    }

    pub(crate) fn wait_for_outbound(&self, _: Duration) -> io::Result<bool> {
        match self.0 {}
    }
}
