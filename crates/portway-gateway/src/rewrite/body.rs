//! The rewritten body of a service's response.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame};
use hyper::header::HeaderMap;

use super::decoder::Decoder;
use super::rewriter::Rewriter;

/// Decodes and rewrites a body frame by frame.
pub(crate) struct RewrittenBody<B> {
    body: B,
    decoder: Option<Box<Decoder>>,
    rewriter: Rewriter,
    state: State,
}

#[derive(Debug)]
enum State {
    Streaming,
    /// The body has ended with these trailers.
    Trailers(HeaderMap),
    Ended,
}

impl<B> fmt::Debug for RewrittenBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rewriter, state, ..
        } = self;
        f.debug_struct("RewrittenBody")
            .field("rewriter", rewriter)
            .field("state", state)
            .finish_non_exhaustive()
    }
}

impl<B> RewrittenBody<B> {
    pub(super) fn new(body: B, decoder: Option<Box<Decoder>>, rewriter: Rewriter) -> Self {
        Self {
            body,
            decoder,
            rewriter,
            state: State::Streaming,
        }
    }

    fn push(&mut self, piece: Bytes) -> std::io::Result<Bytes> {
        let piece = match &mut self.decoder {
            Some(decoder) => decoder.push(&piece)?,
            None => piece,
        };
        Ok(self.rewriter.push(piece))
    }

    /// Returns the rest of the text.
    fn finish(&mut self) -> std::io::Result<Bytes> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(self.rewriter.finish());
        };
        let last = decoder.finish()?;
        let rest = [self.rewriter.push(last), self.rewriter.finish()];
        Ok(rest.concat().into())
    }
}

impl<B> Body for RewrittenBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            match std::mem::replace(&mut this.state, State::Ended) {
                State::Streaming => this.state = State::Streaming,
                State::Trailers(trailers) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                State::Ended => return Poll::Ready(None),
            }
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(error)) => {
                    this.state = State::Ended;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => Err(Frame::trailers(HeaderMap::new())),
            };
            let text = match frame {
                Ok(piece) => this.push(piece),
                Err(end) => {
                    let trailers = end.into_trailers().unwrap_or_default();
                    this.state = if trailers.is_empty() {
                        State::Ended
                    } else {
                        State::Trailers(trailers)
                    };
                    this.finish()
                }
            };
            match text {
                Ok(text) if text.is_empty() => {}
                Ok(text) => return Poll::Ready(Some(Ok(Frame::data(text)))),
                Err(error) => {
                    this.state = State::Ended;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }
}
