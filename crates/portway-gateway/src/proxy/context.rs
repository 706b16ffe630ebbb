//! The properties of a request that are known before its service is contacted.

use std::sync::Arc;

use hyper::header::{self, HeaderName};
use hyper::{Method, Request};

use super::grpc;
use crate::error_pages::{Audience, Format};
use crate::host;
use crate::names::Target;
use crate::peer::Peer;

/// States what a browser requests, for example a page (`navigate`) or a script.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// A request whose target is known.
pub(super) struct RequestContext {
    pub(super) target: Arc<Target>,
    /// The format in which the client expects a generated response.
    pub(super) format: Format,
    peer: Peer,
    /// Whether the requested host name always resolves to this machine.
    is_local_name: bool,
}

impl RequestContext {
    pub(super) fn new<B>(
        request: &Request<B>,
        host: &str,
        peer: Peer,
        target: Arc<Target>,
    ) -> Self {
        Self {
            target,
            format: if is_page_request(request) {
                Format::Html
            } else if grpc::is_grpc(request) {
                Format::Grpc
            } else {
                Format::Json
            },
            peer,
            is_local_name: host::is_this_machine(host),
        }
    }

    /// Determines the recipient of a generated response.
    ///
    /// Only this user is trusted, and only under a host name that always resolves to this machine.
    /// Any other name may belong to a website (DNS rebinding).
    pub(super) fn audience(&self) -> Audience {
        Audience {
            format: self.format,
            is_trusted: self.is_local_name && self.peer.is_trusted(),
        }
    }
}

/// Whether a browser requests a page to show, rather than a part of one.
fn is_page_request<B>(request: &Request<B>) -> bool {
    let field = |name: HeaderName| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    request.method() == Method::GET
        && field(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
        && field(FETCH_MODE).is_none_or(|mode| mode == "navigate")
}
