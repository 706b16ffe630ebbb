//! The bodies that pass through, as they come: nothing is gathered.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::{Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::pool::Borrowed;

/// What a service is sent.
#[derive(Debug)]
pub(crate) enum Upload {
    /// Nothing.
    Empty,
    /// What the client sends, as far as the service takes it.
    Client(Limited<Incoming>),
}

impl Upload {
    /// What a client sends; an error where it says itself that this is more than `most` bytes. What
    /// says nothing fails when it has come to be more.
    pub(crate) fn of(body: Incoming, most: u64) -> Result<Self, TooLarge> {
        if body.is_end_stream() {
            return Ok(Self::Empty);
        }
        if body.size_hint().lower() > most {
            return Err(TooLarge);
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(Self::Client(Limited::new(body, most)))
    }
}

/// A body has more bytes than its service takes.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl TooLarge {
    /// Whether it is why a request could not be sent.
    pub(crate) fn is_in(error: &hyper::Error) -> bool {
        error
            .source()
            .is_some_and(|source| source.is::<LengthLimitError>())
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(body) => body.size_hint(),
        }
    }
}

/// What a client is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The gateway's own words.
    Own(Full<Bytes>),
    /// Those of its own name: dashboard and API.
    Site(axum::body::Body),
    /// A service's.
    Service(Relay),
}

/// The body of a service's answer. When it has been read to its end, the connection that it came
/// by is free for the next request; when the client goes before that, the connection is closed.
#[derive(Debug)]
pub(crate) struct Relay {
    body: Incoming,
    connection: Option<Borrowed>,
}

impl Relay {
    pub(crate) fn new(body: Incoming, connection: Borrowed) -> Self {
        Self {
            body,
            connection: Some(connection),
        }
    }

    fn give_back(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Nobody asks for the end of a body that is known to be empty.
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Self::Site(body) => match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Self::Service(relay) => {
                let polled = Pin::new(&mut relay.body).poll_frame(context);
                match &polled {
                    Poll::Ready(None) => relay.give_back(),
                    Poll::Ready(Some(Err(_))) => drop(relay.connection.take()),
                    _ => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Site(body) => body.is_end_stream(),
            Self::Service(relay) => relay.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Site(body) => body.size_hint(),
            Self::Service(relay) => relay.body.size_hint(),
        }
    }
}
