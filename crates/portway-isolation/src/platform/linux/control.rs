//! The messages between a helper and its creator, over a local socket that keeps their boundaries.
//!
//! A request is [`Request`], with the descriptors that it needs. The response is the number of an
//! error (0 for success) and the step that failed, with the descriptors that were requested.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, Protocol, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use crate::capability::{Attempt, Step};

/// The most sockets that one response contains.
pub(super) const MAX_SOCKETS: u8 = 64;

/// The length of every message in bytes.
const LENGTH: usize = 8;

/// The space for the descriptors of a message.
const SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_SOCKETS as usize));

/// A socket to create inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketKind {
    /// The address family.
    pub(super) family: u8,
    /// The type.
    pub(super) kind: u8,
    /// The protocol, 0 for the usual one.
    pub(super) protocol: u8,
}

/// A request to a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Create namespaces. The response has the network namespace and the user namespace, if any.
    Create,
    /// Enter the namespaces of this request: the network namespace and the user namespace, if any.
    Join,
    /// Create this many sockets.
    Sockets(SocketKind, u8),
    /// Open another connection for requests.
    Connect,
}

impl Request {
    fn encode(self) -> [u8; LENGTH] {
        match self {
            Self::Create => [1, 0, 0, 0, 0, 0, 0, 0],
            Self::Join => [2, 0, 0, 0, 0, 0, 0, 0],
            Self::Sockets(socket, count) => {
                let SocketKind {
                    family,
                    kind,
                    protocol,
                } = socket;
                [3, family, kind, protocol, count, 0, 0, 0]
            }
            Self::Connect => [4, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    fn decode(bytes: [u8; LENGTH]) -> Option<Self> {
        match bytes {
            [1, ..] => Some(Self::Create),
            [2, ..] => Some(Self::Join),
            [3, family, kind, protocol, count, ..] => Some(Self::Sockets(
                SocketKind {
                    family,
                    kind,
                    protocol,
                },
                count,
            )),
            [4, ..] => Some(Self::Connect),
            _ => None,
        }
    }
}

impl SocketKind {
    /// Returns the kind of a socket of an address family.
    pub(super) fn new(family: AddressFamily, kind: SocketType) -> Self {
        Self {
            family: u8::try_from(family.as_raw()).unwrap_or(0),
            kind: u8::try_from(kind.as_raw()).unwrap_or(0),
            protocol: 0,
        }
    }

    /// Creates the socket, which does not block.
    pub(super) fn create(self) -> rustix::io::Result<OwnedFd> {
        rustix::net::socket_with(
            AddressFamily::from_raw(self.family.into()),
            SocketType::from_raw(self.kind.into()),
            SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            rustix::net::RawProtocol::new(self.protocol.into()).map(Protocol::from_raw),
        )
    }
}

/// Returns the kind of a socket for an address.
pub(super) fn socket_kind(address: SocketAddr, kind: SocketType) -> SocketKind {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    SocketKind::new(family, kind)
}

/// Creates a connection: two sockets that keep the boundaries of messages.
pub(super) fn connection() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Sends a request.
pub(super) fn send_request(
    connection: &OwnedFd,
    request: Request,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send(connection, request.encode(), descriptors)
}

/// Receives a request. `None` at the end of the connection, and after an invalid message.
pub(super) fn receive_request(connection: &OwnedFd) -> Option<(Request, Vec<OwnedFd>)> {
    let (bytes, descriptors) = receive(connection, RecvFlags::empty()).ok()??;
    Some((Request::decode(bytes)?, descriptors))
}

/// Sends a response.
pub(super) fn respond(
    connection: &OwnedFd,
    result: &Result<Vec<OwnedFd>, Attempt>,
) -> io::Result<()> {
    let mut bytes = [0; LENGTH];
    match result {
        Ok(descriptors) => {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            send(connection, bytes, &descriptors)
        }
        Err(Attempt { step, error }) => {
            bytes[..4].copy_from_slice(&error.to_le_bytes());
            bytes[4] = *step as u8;
            send(connection, bytes, &[])
        }
    }
}

/// A response, as [`receive_response`] returns it.
pub(super) type Response = Result<Vec<OwnedFd>, Attempt>;

/// Receives a response.
///
/// # Errors
/// If the helper is gone, and with `WouldBlock` if `flags` say so and there is no response.
pub(super) fn receive_response(connection: &OwnedFd, flags: RecvFlags) -> io::Result<Response> {
    let (bytes, descriptors) =
        receive(connection, flags)?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    let [a, b, c, d, step, ..] = bytes;
    let error = i32::from_le_bytes([a, b, c, d]);
    if error == 0 {
        return Ok(Ok(descriptors));
    }
    let step = match step {
        2 => Step::Map,
        3 => Step::Loopback,
        4 => Step::Tun,
        _ => Step::Create,
    };
    Ok(Err(Attempt { step, error }))
}

fn send(
    connection: &OwnedFd,
    bytes: [u8; LENGTH],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL;
    retry(|| sendmsg(connection, &[IoSlice::new(&bytes)], &mut control, flags))?;
    Ok(())
}

/// Receives a message. `None` at the end of the connection.
fn receive(
    connection: &OwnedFd,
    flags: RecvFlags,
) -> io::Result<Option<([u8; LENGTH], Vec<OwnedFd>)>> {
    let mut bytes = [0; LENGTH];
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = retry(|| {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        recvmsg(connection, &mut parts, &mut control, flags)
    })?;
    let descriptors = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    match received.bytes {
        0 => Ok(None),
        LENGTH => Ok(Some((bytes, descriptors))),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_way_through_a_connection() {
        let (one, other) = connection().unwrap();
        let kind = SocketKind::new(AddressFamily::INET6, SocketType::DGRAM);
        for request in [
            Request::Create,
            Request::Join,
            Request::Sockets(kind, 17),
            Request::Connect,
        ] {
            send_request(&one, request, &[one.as_fd()]).unwrap();
            let (received, descriptors) = receive_request(&other).unwrap();
            assert_eq!(received, request);
            assert_eq!(descriptors.len(), 1);
        }
        drop(one);
        assert!(receive_request(&other).is_none());
    }

    #[test]
    fn a_response_has_descriptors_or_the_cause() {
        let (one, other) = connection().unwrap();
        let kind = SocketKind::new(AddressFamily::INET, SocketType::STREAM);
        let sockets = (0..MAX_SOCKETS).map(|_| kind.create().unwrap()).collect();
        respond(&one, &Ok(sockets)).unwrap();
        let received = receive_response(&other, RecvFlags::empty()).unwrap();
        assert_eq!(received.unwrap().len(), usize::from(MAX_SOCKETS));
        let failed = Attempt {
            step: Step::Loopback,
            error: 13,
        };
        respond(&one, &Err(failed)).unwrap();
        let received = receive_response(&other, RecvFlags::empty()).unwrap();
        assert_eq!(received.unwrap_err(), failed);
        let error = receive_response(&other, RecvFlags::DONTWAIT).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(one);
        let error = receive_response(&other, RecvFlags::empty()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_unknown_request_ends_the_connection() {
        let (one, other) = connection().unwrap();
        send(&one, [9; LENGTH], &[]).unwrap();
        assert!(receive_request(&other).is_none());
    }
}
