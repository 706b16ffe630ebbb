//! Systems without network namespaces: a network cannot be created, so its methods are never called.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use portway_ports::PortOwner;

use crate::capability::Facts;
use crate::network::{NetworkConfig, NetworkError};
use crate::outbound::{Outbound, OutboundKind};

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

    pub(crate) fn wait_for_outbound(&self, _: Duration) -> io::Result<bool> {
        match self.0 {}
    }
}
