//! The gateway's own name: the dashboard and the API, behind a guard.
//!
//! Every page that a browser shows, and every program of this machine, can send requests here. So
//! the API answers those alone that come from the dashboard itself or from no page at all:
//!
//! - whoever names an origin names exactly the one that was asked; pages of other ports, of services
//!   behind the gateway and of the web do not;
//! - what a browser says came from another site, or from another origin of this one
//!   (`web.portway.localhost` may be a service), is refused even without an origin;
//! - what changes something carries the token, which stands in the dashboard's page, and the page
//!   has it only for this machine; other origins cannot read the page;
//! - and it is JSON, which no form sends (the extractors see to that);
//! - what services print is for this machine alone;
//! - and where the system tells (Linux), another user of this machine has neither page nor API.
//!
//! The name itself is checked before: with another one nobody comes here (DNS rebinding).

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::Service;
use hyper::{Method, Request, Response, Uri};
use hyper_util::service::TowerToHyperService;
use portway_api::ErrorCode;
use std::sync::Arc;

use crate::api::{Api, Problem};
use crate::dashboard;
use portway_project::hostnames;

use crate::names::{DOMAIN, GATEWAY_LABEL};
use crate::proxy::{Answer, Peer};

/// The field that carries the token.
pub(crate) const TOKEN: &str = "portway-token";

/// What every answer of this name says: nothing but its own files is loaded, nobody frames it,
/// nobody reads it from elsewhere, nothing of it is kept.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Serves the gateway's own name.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// With the token in the page, and without.
    trusting: TowerToHyperService<Router>,
    plain: TowerToHyperService<Router>,
    token: Arc<str>,
}

/// Whether a host is the gateway's own.
pub(crate) fn is_own(host: &str) -> bool {
    host.strip_suffix(DOMAIN)
        .and_then(|rest| rest.strip_suffix('.'))
        == Some(GATEWAY_LABEL)
}

/// The origin of the dashboard for who came like `peer`.
pub(crate) fn origin(peer: Peer) -> String {
    hostnames::origin(
        peer.tls,
        &hostnames::instance_host(GATEWAY_LABEL),
        peer.port,
    )
}

impl Site {
    pub(crate) fn new(api: &Api) -> Self {
        let router = |token| api.router().merge(dashboard::router(token));
        Self {
            trusting: TowerToHyperService::new(router(api.token())),
            plain: TowerToHyperService::new(router("")),
            token: api.token().into(),
        }
    }

    /// Answers a request for this name.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Answer> {
        let mut response = match self.judge(&request, peer) {
            Ok(()) => {
                let router = if peer.is_local() {
                    &self.trusting
                } else {
                    &self.plain
                };
                // A router has an answer to everything.
                router
                    .call(request)
                    .await
                    .unwrap_or_else(|never| match never {})
            }
            Err(problem) => problem.into_response(),
        };
        for (name, value) in HEADERS {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response.map(|body: Body| Answer::Site(body))
    }

    /// Whether a request may be answered.
    fn judge<B>(&self, request: &Request<B>, peer: Peer) -> Result<(), Problem> {
        if peer.is_local() && peer.is_another_user() {
            let why = "this gateway belongs to another user of this machine";
            return Err(Problem::new(ErrorCode::Refused, why));
        }
        let path = request.uri().path();
        if !path.starts_with("/v1/") {
            return Ok(());
        }
        let headers = request.headers();
        let refused = |why| Err(Problem::new(ErrorCode::Refused, why));
        if let Some(origin) = headers.get(header::ORIGIN)
            && !is_own_origin(origin, request.uri(), headers, peer)
        {
            return refused("pages of other origins are not answered");
        }
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !matches!(site, None | Some(b"same-origin" | b"none")) {
            return refused("pages of other origins are not answered");
        }
        if path.contains("/logs") && !peer.is_local() {
            return refused("what services print is shown on their own machine alone");
        }
        if request.method().is_safe() && request.method() != Method::OPTIONS {
            return Ok(());
        }
        let token = headers.get(TOKEN).map(HeaderValue::as_bytes);
        if !token.is_some_and(|token| is_same(token, self.token.as_bytes())) {
            return refused("a request that changes something carries the dashboard's token");
        }
        Ok(())
    }
}

/// Whether `origin` is exactly the one that was asked.
fn is_own_origin(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap, peer: Peer) -> bool {
    let scheme = if peer.tls { "https://" } else { "http://" };
    let asked = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok()),
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|one| one.strip_prefix(scheme));
    origin.is_some() && origin == asked && headers.get_all(header::ORIGIN).iter().count() == 1
}

/// Compares without telling by its time how much is right.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_its_own() {
        assert!(is_own("portway.localhost"));
        for other in [
            "localhost",
            "portway",
            "xportway.localhost",
            "web.portway.localhost",
            "portway.localhost.evil.example",
            "portwaylocalhost",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }

    #[test]
    fn a_token_is_the_same_or_not() {
        assert!(is_same(b"abc", b"abc"));
        for other in ["abd", "ab", "abcd", ""] {
            assert!(!is_same(other.as_bytes(), b"abc"), "{other}");
        }
    }
}
