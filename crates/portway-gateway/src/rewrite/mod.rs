//! Rewrites local URLs in the responses of frontends, so that a page with a hard-coded
//! `http://localhost:8000` calls the service of its own instance.
//!
//! Input: the status of the instance, a request under one of its names, and the response of the
//! service. Output: the response with other URLs. If every service has its usual port, no body is
//! read, and only the origins of pages are mapped.

mod body;
mod decoder;
mod head;
mod literal;
mod origin;
mod rewriter;
mod targets;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use portway_api::{InstanceStatus, UrlRewriting};

pub(crate) use body::RewrittenBody;
use decoder::Coding;
use origin::MappedOrigin;
use rewriter::Rewriter;
use targets::Targets;

use crate::names::Names;

/// The rewriting of one response.
#[derive(Debug)]
pub(crate) struct Rewriting {
    /// `None` if every service has its usual port.
    targets: Option<Targets>,
    extent: UrlRewriting,
    origin: Option<MappedOrigin>,
    /// Whether the response has no body because of the request's method.
    is_head: bool,
    /// Whether the requested file is a source map.
    is_source_map: bool,
}

/// A response body that is rewritten or not.
pub(crate) enum Rewritten<B> {
    Unchanged(B),
    Changed(Box<RewrittenBody<B>>),
}

impl Rewriting {
    /// Decides whether the response to a request is rewritten, and prepares the request.
    ///
    /// `is_tls` says whether the client uses TLS.
    pub(crate) fn start<B>(
        instance: &InstanceStatus,
        names: &Names,
        service: &str,
        is_tls: bool,
        request: &mut Request<B>,
    ) -> Option<Self> {
        let extent = instance.service(service)?.rewriting;
        if extent == UrlRewriting::None || instance.usual_ports.is_empty() {
            return None;
        }
        let port = request.headers().get(header::HOST).and_then(port);
        let targets = Targets::new(instance, names, port.as_deref(), is_tls);
        let headers = request.headers_mut();
        if let (Some(targets), UrlRewriting::Pages) = (&targets, extent) {
            head::prepare_request(headers, targets);
        }
        let origin = MappedOrigin::map(instance, names, service, is_tls, headers);
        if targets.is_none() && origin.is_none() {
            return None;
        }
        Some(Self {
            targets,
            extent,
            origin,
            is_head: request.method() == Method::HEAD,
            is_source_map: request.uri().path().ends_with(".map"),
        })
    }

    /// Rewrites a response.
    pub(crate) fn apply<B>(self, response: Response<B>) -> Response<Rewritten<B>> {
        let (mut parts, body) = response.into_parts();
        if let Some(origin) = &self.origin {
            origin.restore(&mut parts.headers);
        }
        let Some(targets) = &self.targets else {
            return Response::from_parts(parts, Rewritten::Unchanged(body));
        };
        head::rewrite_urls(&mut parts.headers, targets);
        if self.extent == UrlRewriting::Pages {
            head::mark_tag(&mut parts.headers, targets);
        }
        let body = match self.coding(parts.status, &parts.headers) {
            None | Some(Coding::Unknown) => Rewritten::Unchanged(body),
            Some(coding) => {
                head::forget_body(&mut parts.headers);
                let decoder = match coding {
                    Coding::Known(decoder) => Some(decoder),
                    _ => None,
                };
                if self.is_head {
                    Rewritten::Unchanged(body)
                } else {
                    let rewriter = Rewriter::new(targets.clone());
                    Rewritten::Changed(Box::new(RewrittenBody::new(body, decoder, rewriter)))
                }
            }
        };
        Response::from_parts(parts, body)
    }

    /// The coding of the body to rewrite; `None` if the body stays as it is.
    fn coding(&self, status: StatusCode, headers: &HeaderMap) -> Option<Coding> {
        let has_whole_body = !status.is_informational()
            && ![
                StatusCode::NO_CONTENT,
                StatusCode::RESET_CONTENT,
                StatusCode::PARTIAL_CONTENT,
                StatusCode::NOT_MODIFIED,
            ]
            .contains(&status);
        let is_text = || headers.get(header::CONTENT_TYPE).is_some_and(is_rewritable);
        let is_rewritten = self.extent == UrlRewriting::Pages
            && has_whole_body
            && !self.is_source_map
            && !headers.contains_key(header::CONTENT_RANGE)
            && is_text();
        is_rewritten.then(|| Coding::of(headers))
    }
}

/// Returns the port in the value of a `Host` header.
fn port(host: &HeaderValue) -> Option<String> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    authority.port_u16().map(|port| port.to_string())
}

/// Whether a media type is HTML, CSS, JavaScript or JSON.
fn is_rewritable(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else {
        return false;
    };
    let essence = text.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    match kind {
        "text" => [
            "html",
            "css",
            "javascript",
            "ecmascript",
            "jsx",
            "typescript",
        ]
        .contains(&subtype),
        "application" => {
            [
                "javascript",
                "x-javascript",
                "ecmascript",
                "json",
                "xhtml+xml",
            ]
            .contains(&subtype)
                || subtype.ends_with("+json")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_html_css_javascript_and_json() {
        for (content_type, expected) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/HTML", true),
            ("text/css", true),
            ("text/javascript", true),
            ("application/javascript", true),
            ("application/json", true),
            ("application/manifest+json", true),
            ("text/event-stream", false),
            ("text/plain", false),
            ("text/x-component", false),
            ("image/svg+xml", false),
            ("application/wasm", false),
            ("application/octet-stream", false),
            ("json", false),
        ] {
            let value = HeaderValue::from_static(content_type);
            assert_eq!(is_rewritable(&value), expected, "{content_type}");
        }
    }
}
