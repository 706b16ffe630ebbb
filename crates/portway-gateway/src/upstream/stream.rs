//! The TCP stream to a service. It keeps the response readable after a failed write.
//!
//! A service may respond to a large upload before it has read all of it, for example with 401 or
//! 413, and close the connection. The next write fails then, but the response is still in the
//! receive buffer. Windows discards it there.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that discards writes after the service has closed its end. Reading reports the
/// closed connection.
#[derive(Debug)]
pub(super) struct UpstreamStream {
    stream: TcpStream,
    discards_writes: bool,
    /// Set if the first bytes that are read are not those of HTTP/2. `None` after they were read,
    /// and for HTTP/1.1.
    lacks_http2: Option<Arc<AtomicBool>>,
}

impl UpstreamStream {
    /// Wraps a stream for HTTP/2. Sets `lacks_http2` if the service closes the connection, or
    /// responds in HTTP/1.1. The HTTP library does not pass on such a cause.
    pub(super) fn for_http2(stream: TcpStream, lacks_http2: Arc<AtomicBool>) -> Self {
        Self {
            lacks_http2: Some(lacks_http2),
            ..Self::new(stream)
        }
    }

    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            discards_writes: false,
            lacks_http2: None,
        }
    }

    /// Calls `write`, unless writes are discarded. `size` is the number of bytes to write.
    fn write(
        &mut self,
        size: usize,
        write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        if self.discards_writes {
            return Poll::Ready(Ok(size));
        }
        match write(Pin::new(&mut self.stream)) {
            Poll::Ready(Err(error))
                if matches!(
                    error.kind(),
                    BrokenPipe | ConnectionAborted | ConnectionReset
                ) =>
            {
                self.discards_writes = true;
                Poll::Ready(Ok(size))
            }
            result => result,
        }
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if let Some(lacks_http2) = self.lacks_http2.take() {
            let bytes = &buffer.filled()[before..];
            if read.is_err() || bytes.is_empty() || bytes.starts_with(b"HTTP") {
                lacks_http2.store(true, Ordering::Release);
            }
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(bytes.len(), |stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size = parts.iter().map(|part| part.len()).sum();
        self.write(size, |stream| stream.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
