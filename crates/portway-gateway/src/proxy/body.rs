//! The bodies that pass through, as they come: nothing is gathered.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::http::request::Parts;
use hyper::{Request, header};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::pool::Borrowed;

/// How long a body is read on whose end nobody wants any more, as nginx lingers.
const LINGER: Duration = Duration::from_secs(30);

/// What a service is sent: what a client sends, as far as the service takes it, or nothing.
///
/// An answer may come before its end. Few clients look for one while they send, and one that is cut
/// off does not find it afterwards; so what remains is read, and thrown away, for a while.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// What has not come to its end.
    body: Option<Incoming>,
    /// How many bytes the service still takes.
    left: u64,
    /// Whether the client sends nothing before it is told to (`Expect: 100-continue`), which it is
    /// when it is first read.
    holds_back: bool,
}

impl Upload {
    /// What the client of `request` sends, however much.
    pub(crate) fn of(request: Request<Incoming>) -> (Parts, Self) {
        let (head, body) = request.into_parts();
        let upload = Self {
            body: Some(body).filter(|body| !body.is_end_stream()),
            left: u64::MAX,
            holds_back: head.headers.contains_key(header::EXPECT),
        };
        (head, upload)
    }

    /// Has it fail as soon as there are more than `most` bytes; false where the client says itself
    /// that there will be.
    pub(crate) fn limit(&mut self, most: u64) -> bool {
        self.left = most;
        self.size_hint().lower() <= most
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.holds_back = false;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            end => {
                self.body = None;
                return Poll::Ready(end.map(|frame| frame.map_err(Into::into)));
            }
        };
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = self.left.checked_sub(size) else {
            return Poll::Ready(Some(Err(TooLarge.into())));
        };
        self.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut rest) = self.body.take() else {
            return;
        };
        if self.holds_back || rest.is_end_stream() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(LINGER, async move {
                while let Some(Ok(_)) = rest.frame().await {}
            }));
        }
    }
}

/// A body has more bytes than its service takes.
#[derive(Debug, thiserror::Error)]
#[error("the body is larger than its service takes")]
pub(crate) struct TooLarge;

impl TooLarge {
    /// Whether it is why a request could not be sent.
    pub(crate) fn is_in(error: &hyper::Error) -> bool {
        let source = error.source();
        source.is_some_and(|source| source.is::<Self>())
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
