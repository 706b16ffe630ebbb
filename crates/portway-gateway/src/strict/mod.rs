//! Rejects ambiguous HTTP/1.1 requests that hyper accepts, and clients that send nothing.
//!
//! hyper accepts a bare line feed as the end of a line, and ignores `Content-Length` in a request
//! with `Transfer-Encoding`. RFC 9112 (2.2, 6.3) permits both, but both are used for request
//! smuggling. hyper writes forwarded requests in an unambiguous form, so this module is a second
//! layer of defense.

mod inspector;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use inspector::Inspector;

/// The start of an HTTP/2 connection. Until a client has sent it, or something else, hyper does not
/// know the protocol and applies no limit to the time.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What hyper reads after a violation. hyper parses a head only when it is complete.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A stream that makes hyper reject ambiguous requests.
///
/// It replaces the first violating byte by NUL, which hyper does not accept, and reads nothing more
/// from the client.
#[derive(Debug)]
pub(crate) struct StrictStream<S> {
    stream: S,
    inspector: Inspector,
    /// `None` once the protocol is known.
    detection: Option<Detection>,
    /// After a violation: how much of [`END_OF_HEAD`] was read.
    end_read: Option<usize>,
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
    /// protocol to be known.
    pub(crate) fn new(stream: S, detection_timeout: Duration) -> Self {
        Self {
            stream,
            inspector: Inspector::default(),
            detection: Some(Detection {
                deadline: Box::pin(sleep(detection_timeout)),
                matched: 0,
            }),
            end_read: None,
        }
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
        if let Some(detection) = &mut this.detection
            && detection.deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let bytes = &buffer.filled()[before..];
        this.detection = this
            .detection
            .take_if(|detection| detection.is_unknown_after(bytes));
        if let Some(at) = this.inspector.inspect(&buffer.filled()[before..]) {
            this.end_read = Some(0);
            buffer.filled_mut()[before + at] = 0;
            buffer.set_filled(before + at + 1);
        }
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
            let mut stream = StrictStream::new(server, Duration::from_millis(50));
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
}
