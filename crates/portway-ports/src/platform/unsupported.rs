//! Stands in on macOS and Windows for values that only Linux reports.

use std::io;
use std::net::SocketAddr;

/// Reports no user.
#[derive(Debug)]
pub(crate) struct ConnectionUsers;

#[allow(clippy::unnecessary_wraps, reason = "can fail on Linux")]
impl ConnectionUsers {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self, reason = "Linux needs it")]
    pub(crate) fn find(&self, _client: SocketAddr, _server: SocketAddr) -> io::Result<Option<u32>> {
        Ok(None)
    }
}

/// Cannot be opened.
#[derive(Debug)]
pub(crate) enum LocalhostSockets {}

impl LocalhostSockets {
    pub(crate) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn find(&mut self, _port: u16) -> io::Result<[Option<u64>; 2]> {
        match *self {}
    }
}

pub(crate) fn hides_sockets(_pid: u32) -> bool {
    false
}
