//! The body of a request on its way to a service. It is streamed, not buffered.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::http::request::Parts;
use hyper::{Request, header};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::fields;

/// How long the rest of a body is read after the response was sent. The value of nginx's
/// `lingering_time`.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The body of a client's request, limited to the size that the service accepts.
///
/// A service may respond before it has read the whole body. Most clients read the response only
/// after they have sent everything, and lose it if the connection is closed earlier. Therefore
/// dropping this value reads and discards the rest, for at most [`DRAIN_TIMEOUT`].
#[derive(Debug, Default)]
pub(crate) struct RequestBody {
    /// `None` once the body has ended.
    body: Option<Incoming>,
    /// How many more bytes the service accepts.
    remaining: u64,
    /// Whether the client waits for `100 Continue` before it sends the body. hyper sends that
    /// response on the first read.
    awaits_continue: bool,
}

impl RequestBody {
    /// Splits a request into its head and its body. The size of the body is not limited yet.
    pub(crate) fn split(request: Request<Incoming>) -> (Parts, Self) {
        let (head, body) = request.into_parts();
        let body = Self {
            body: Some(body).filter(|body| !body.is_end_stream()),
            remaining: u64::MAX,
            awaits_continue: head.headers.contains_key(header::EXPECT),
        };
        (head, body)
    }

    /// Makes the body fail with [`BodyTooLarge`] after `max` bytes. Returns false if the declared
    /// length exceeds `max`.
    pub(crate) fn limit(&mut self, max: u64) -> bool {
        self.remaining = max;
        self.size_hint().lower() <= max
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.awaits_continue = false;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(body).poll_frame(context)) {
            Some(Ok(frame)) => fields::clean_frame(frame),
            end => {
                self.body = None;
                return Poll::Ready(end.map(|frame| frame.map_err(Into::into)));
            }
        };
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(remaining) = self.remaining.checked_sub(size) else {
            return Poll::Ready(Some(Err(BodyTooLarge.into())));
        };
        self.remaining = remaining;
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

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(mut rest) = self.body.take() else {
            return;
        };
        if self.awaits_continue || rest.is_end_stream() {
            return;
        }
        // Outside a runtime the gateway is shutting down and closes the connection anyway.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(DRAIN_TIMEOUT, async move {
                while let Some(Ok(_)) = rest.frame().await {}
            }));
        }
    }
}

/// The body exceeds the size that the service accepts.
#[derive(Debug, thiserror::Error)]
#[error("the body is larger than the service accepts")]
pub(crate) struct BodyTooLarge;

impl BodyTooLarge {
    /// Whether this error made a request fail.
    pub(crate) fn caused(error: &hyper::Error) -> bool {
        let source = error.source();
        source.is_some_and(|source| source.is::<Self>())
    }
}
