//! The body types of all responses to clients.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::connections::ActiveRequest;
use crate::rewrite::RewrittenBody;
use crate::upstream::UpstreamBody;

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a response, whose request is active until the body has been sent or dropped.
#[derive(Debug)]
pub(crate) struct ActiveBody {
    body: ResponseBody,
    _active: ActiveRequest,
}

impl ActiveBody {
    pub(crate) fn new(body: ResponseBody, active: ActiveRequest) -> Self {
        Self {
            body,
            _active: active,
        }
    }
}

impl Body for ActiveBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response to a client.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// A page or an error that the gateway generated.
    Generated(Full<Bytes>),
    /// The dashboard or the API.
    Site(axum::body::Body),
    /// The response of a service.
    Upstream(UpstreamBody),
    /// The response of a service with other URLs.
    Rewritten(Box<RewrittenBody<UpstreamBody>>),
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Generated(body) => match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Self::Site(body) => match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Self::Upstream(body) => {
                let polled = Pin::new(body).poll_frame(context);
                polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Rewritten(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Generated(body) => body.is_end_stream(),
            Self::Site(body) => body.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Rewritten(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Generated(body) => body.size_hint(),
            Self::Site(body) => body.size_hint(),
            Self::Upstream(body) => body.size_hint(),
            Self::Rewritten(body) => body.size_hint(),
        }
    }
}
