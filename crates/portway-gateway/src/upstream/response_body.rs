//! The body of a service's response.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::pool::PooledConnection;
use crate::fields;

/// Streams the body of a service's response.
///
/// Reading the body to its end returns the connection to the pool. Dropping it earlier closes the
/// connection.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    body: Incoming,
    connection: Option<PooledConnection>,
}

impl UpstreamBody {
    pub(crate) fn new(body: Incoming, connection: PooledConnection) -> Self {
        Self {
            body,
            connection: Some(connection),
        }
    }

    fn release_connection(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.release();
        }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        // hyper does not poll a body that is known to be empty.
        if self.body.is_end_stream() {
            self.release_connection();
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.release_connection(),
            Poll::Ready(Some(Err(_))) => drop(self.connection.take()),
            _ => {}
        }
        polled.map(|frame| frame.map(|frame| frame.map(fields::clean_frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
