//! Rejects ambiguous HTTP/1.1 requests that hyper accepts, and clients that send nothing.
//!
//! hyper accepts a bare line feed as the end of a line, and ignores `Content-Length` in a request
//! with `Transfer-Encoding`. RFC 9112 (2.2, 6.3) permits both, but both are used for request
//! smuggling. hyper writes forwarded requests in an unambiguous form, so this module is a second
//! layer of defense.

mod gate;
mod inspector;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

pub(crate) use gate::UpgradeGate;
use inspector::{Inspector, Stop};

/// The start of an HTTP/2 connection. Until a client has sent it, or something else, hyper does not
/// know the protocol and applies no limit to the time.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What hyper reads after a violation. hyper parses a head only when it is complete.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// How many bytes to read ahead while a request that asks for another protocol awaits its response.
const MAX_HELD: usize = 16 << 10;

/// A stream that makes hyper reject ambiguous requests.
///
/// It replaces the first violating byte by NUL, which hyper does not accept, and reads nothing more
/// from the client.
///
/// A request that asks for another protocol may switch the connection to it. Bytes after such a
/// request are read when its response decides that.
#[derive(Debug)]
pub(crate) struct StrictStream<S> {
    stream: S,
    inspector: Inspector,
    /// `None` once the protocol is known.
    detection: Option<Detection>,
    /// After a violation: how much of [`END_OF_HEAD`] was read.
    end_read: Option<usize>,
    gate: Arc<UpgradeGate>,
    /// The number of requests so far that ask for another protocol.
    upgrades: u64,
    /// Whether the last of them awaits its response.
    is_undecided: bool,
    /// What the client sent after it. It is inspected only if the connection does not switch.
    held: Vec<u8>,
}

/// The time in which a client must send enough for the protocol to be known.
#[derive(Debug)]
struct Detection {
    deadline: Pin<Box<Sleep>>,
    /// How much of [`PREFACE`] was read.
    matched: usize,
}

impl Detection {
    /// Whether the protocol is still unknown after these bytes.
    fn is_unknown_after(&mut self, bytes: &[u8]) -> bool {
        let is_preface = PREFACE[self.matched..].starts_with(bytes);
        self.matched += bytes.len();
        is_preface && self.matched < PREFACE.len()
    }
}

impl<S> StrictStream<S> {
    /// Wraps the stream of a client, who may take up to `detection_timeout` to send enough for the
    /// protocol to be known. `gate` says which requests switch to another protocol.
    pub(crate) fn new(stream: S, detection_timeout: Duration, gate: Arc<UpgradeGate>) -> Self {
        Self {
            stream,
            inspector: Inspector::default(),
            detection: Some(Detection {
                deadline: Box::pin(sleep(detection_timeout)),
                matched: 0,
            }),
            end_read: None,
            gate,
            upgrades: 0,
            is_undecided: false,
            held: Vec::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> StrictStream<S> {
    /// Inspects the bytes of `buffer` from `start` on, and removes those that must not be read yet.
    fn inspect(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        match self.inspector.inspect(&buffer.filled()[start..]) {
            None => {}
            Some(Stop::Violation(at)) => {
                self.end_read = Some(0);
                buffer.filled_mut()[start + at] = 0;
                buffer.set_filled(start + at + 1);
            }
            Some(Stop::Upgrade(at)) => {
                self.upgrades += 1;
                self.is_undecided = true;
                self.held
                    .splice(..0, buffer.filled()[start + at..].iter().copied());
                buffer.set_filled(start + at);
            }
        }
    }

    /// Waits for the decision about an upgrade. Reads ahead to notice a client that closes the
    /// connection; returns ready then, too.
    fn poll_decision(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(has_switched) = self.gate.poll_decided(self.upgrades, context) {
            self.is_undecided = false;
            if has_switched {
                self.inspector.stop();
            }
            return Poll::Ready(Ok(()));
        }
        while self.held.len() < MAX_HELD {
            let mut bytes = [0; 1024];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.held.extend_from_slice(buffer.filled());
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StrictStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(read) = &mut this.end_read {
            let rest = &END_OF_HEAD[*read..];
            let step = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..step]);
            *read += step;
            return Poll::Ready(Ok(()));
        }
        if this.is_undecided {
            ready!(this.poll_decision(context))?;
            if this.is_undecided {
                return Poll::Ready(Ok(()));
            }
        }
        if let Some(detection) = &mut this.detection
            && detection.deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        if this.held.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        } else {
            let step = this.held.len().min(buffer.remaining());
            buffer.put_slice(&this.held[..step]);
            this.held.drain(..step);
        }
        let bytes = &buffer.filled()[before..];
        this.detection = this
            .detection
            .take_if(|detection| detection.is_unknown_after(bytes));
        this.inspect(buffer, before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StrictStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::runtime::Builder;

    use super::*;

    /// Reads twice from a client that sends `first`, and nothing more. Returns whether the second
    /// read fails.
    fn times_out_after(first: &[u8]) -> bool {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(64);
            let mut stream = StrictStream::new(server, Duration::from_millis(50), Arc::default());
            if !first.is_empty() {
                client.write_all(first).await.unwrap();
                stream.read_exact(&mut vec![0; first.len()]).await.unwrap();
            }
            let second = async { stream.read_u8().await };
            match tokio::time::timeout(Duration::from_secs(1), second).await {
                Ok(read) => read.unwrap_err().kind() == io::ErrorKind::TimedOut,
                Err(_) => false,
            }
        })
    }

    #[test]
    fn limits_the_time_until_the_protocol_is_known() {
        assert!(times_out_after(b""));
        assert!(times_out_after(&PREFACE[..1]));
        assert!(times_out_after(&PREFACE[..PREFACE.len() - 1]));
        // From here on, hyper limits the time.
        assert!(!times_out_after(PREFACE));
        assert!(!times_out_after(b"G"));
        assert!(!times_out_after(b"PRI * HTTP/1.1\r\n"));
    }

    /// Reads a request that asks for another protocol, and `length` bytes of what follows after the
    /// decision.
    fn read_after_upgrade(switches: bool, following: &[u8], length: usize) -> Vec<u8> {
        let request = b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n";
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(4096);
            let gate = Arc::new(UpgradeGate::default());
            let mut stream = StrictStream::new(server, Duration::from_secs(9), gate.clone());
            client.write_all(request).await.unwrap();
            client.write_all(following).await.unwrap();
            let mut read = [0; 4096];
            assert_eq!(stream.read(&mut read).await.unwrap(), request.len());
            let mut next = [0];
            let next = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut next));
            assert!(next.await.is_err(), "read before the decision");
            gate.decide(switches);
            let mut rest = vec![0; length];
            stream.read_exact(&mut rest).await.unwrap();
            rest
        })
    }

    #[test]
    fn only_a_connection_that_switched_is_not_inspected() {
        let following = b"GET / HTTP/1.1\nHost: x\r\n\r\n";
        let rest = read_after_upgrade(true, following, following.len());
        assert_eq!(rest, following);
        let rejected = b"GET / HTTP/1.1\0\r\n\r\n";
        assert_eq!(
            read_after_upgrade(false, following, rejected.len()),
            rejected
        );
    }

    #[test]
    fn notices_that_a_client_leaves_before_the_decision() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(4096);
            let mut stream = StrictStream::new(server, Duration::from_secs(9), Arc::default());
            let request = b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n";
            client.write_all(request).await.unwrap();
            stream
                .read_exact(&mut vec![0; request.len()])
                .await
                .unwrap();
            drop(client);
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        });
    }
}
