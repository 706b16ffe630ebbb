//! The gateway's own name: the dashboard and the API, with access checks.
//!
//! Any web page and any program on this machine can send requests to the gateway:
//! - A request with another origin is rejected, even of a service (`web.portway.localhost`).
//! - Changes require the token in the dashboard's page, which other origins cannot read, and JSON,
//!   which forms cannot send. Only clients on this machine get the token.
//! - Logs are available on this machine only. On Linux, other users get no access at all, and neither
//!   does a client whose user the system could not determine.
//! - The caller has checked the host name, which prevents DNS rebinding.

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::Service;
use hyper::{Request, Response, Uri};
use hyper_util::service::TowerToHyperService;
use portway_api::ErrorCode;
use portway_project::hostnames;
use subtle::ConstantTimeEq;

use crate::api::{Access, Api, ApiError, TOKEN_HEADER};
use crate::dashboard;
use crate::names::{DOMAIN, GATEWAY_LABEL};
use crate::peer::{ClientUser, Peer};
use crate::response::ResponseBody;

/// Headers of every response on this name. They block foreign content, framing, cross-origin reads
/// and caching.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
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
    /// For clients on this machine: the page contains the token.
    local: TowerToHyperService<Router>,
    /// For other clients: the page contains no token.
    remote: TowerToHyperService<Router>,
}

/// Whether a host is the gateway's own name.
pub(crate) fn is_own_host(host: &str) -> bool {
    host.strip_suffix(DOMAIN)
        .and_then(|rest| rest.strip_suffix('.'))
        == Some(GATEWAY_LABEL)
}

/// Returns the origin of the dashboard, with the scheme and the port that the client uses.
pub(crate) fn origin(peer: Peer) -> String {
    hostnames::origin(
        peer.is_tls(),
        &hostnames::instance_host(GATEWAY_LABEL),
        peer.port,
    )
}

impl Site {
    pub(crate) fn new(api: &Api) -> Self {
        let router = |token| {
            let site = protected_api(api).merge(dashboard::router(token));
            TowerToHyperService::new(site)
        };
        Self {
            local: router(api.token()),
            remote: router(""),
        }
    }

    /// Responds to a request for this name.
    pub(crate) async fn respond(
        &self,
        mut request: Request<Incoming>,
        peer: Peer,
    ) -> Response<ResponseBody> {
        let mut response = match check_user(peer.user) {
            Err(error) => error.into_response(),
            Ok(()) => {
                request.extensions_mut().insert(peer);
                let router = if peer.is_trusted() {
                    &self.local
                } else {
                    &self.remote
                };
                let response = router.call(request).await;
                response.unwrap_or_else(|never| match never {})
            }
        };
        for (name, value) in SECURITY_HEADERS {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response.map(|body: Body| ResponseBody::Site(body))
    }
}

/// The API with an origin check on all requests and an access check on each route.
fn protected_api(api: &Api) -> Router {
    let token: Arc<str> = api.token().into();
    let router = api.router(|handler, access| {
        let guard = Guard {
            access,
            token: token.clone(),
        };
        handler.route_layer(middleware::from_fn_with_state(guard, check_access))
    });
    router.layer(middleware::from_fn(check_origin))
}

/// Rejects other users of this machine, and users that the system could not determine.
fn check_user(user: ClientUser) -> Result<(), ApiError> {
    match user {
        ClientUser::Trusted | ClientUser::NotReported => Ok(()),
        ClientUser::Another(_) => Err(forbidden("this gateway belongs to another user")),
        ClientUser::Unknown => Err(forbidden(
            "the gateway could not determine which user opened the connection",
        )),
    }
}

fn forbidden(message: &str) -> ApiError {
    ApiError::new(ErrorCode::Refused, message)
}

/// Rejects requests that a page of another origin sends.
async fn check_origin(
    Extension(peer): Extension<Peer>,
    request: axum::extract::Request,
    next: Next,
) -> Result<axum::response::Response, ApiError> {
    let headers = request.headers();
    let is_allowed_origin = headers
        .get(header::ORIGIN)
        .is_none_or(|origin| is_own_origin(origin, request.uri(), headers, peer));
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_allowed_site = matches!(site, None | Some(b"same-origin" | b"none"));
    if is_allowed_origin && is_allowed_site {
        Ok(next.run(request).await)
    } else {
        Err(forbidden("cross-origin requests are not allowed"))
    }
}

/// What the access check of a route needs.
#[derive(Clone)]
struct Guard {
    access: Access,
    token: Arc<str>,
}

/// Applies the access rule of a route.
async fn check_access(
    State(guard): State<Guard>,
    Extension(peer): Extension<Peer>,
    request: axum::extract::Request,
    next: Next,
) -> Result<axum::response::Response, ApiError> {
    match guard.access {
        Access::Read => {}
        Access::ReadLocal if peer.is_local() => {}
        Access::ReadLocal => {
            return Err(forbidden(
                "logs are available only on the machine that runs the services",
            ));
        }
        Access::Write if has_token(request.headers(), &guard.token) => {}
        Access::Write => {
            let message = format!("the request requires the token in `{TOKEN_HEADER}`");
            return Err(forbidden(&message));
        }
    }
    Ok(next.run(request).await)
}

/// Whether a request contains the token. The time of the comparison reveals nothing about it.
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let found = headers.get(TOKEN_HEADER);
    found.is_some_and(|found| found.as_bytes().ct_eq(token.as_bytes()).into())
}

/// Whether `origin` is exactly the origin to which the request was sent.
fn is_own_origin(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap, peer: Peer) -> bool {
    let scheme = if peer.is_tls() { "https://" } else { "http://" };
    let requested = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok()),
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|one| one.strip_prefix(scheme));
    let is_only = headers.get_all(header::ORIGIN).iter().count() == 1;
    origin.is_some() && origin == requested && is_only
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_only_its_own_name() {
        assert!(is_own_host("portway.localhost"));
        for other in [
            "localhost",
            "portway",
            "xportway.localhost",
            "web.portway.localhost",
            "portway.localhost.evil.example",
            "portwaylocalhost",
        ] {
            assert!(!is_own_host(other), "{other}");
        }
    }

    #[test]
    fn rejects_users_who_are_not_known_to_be_trusted() {
        for (user, is_accepted) in [
            (ClientUser::Trusted, true),
            (ClientUser::NotReported, true),
            (ClientUser::Another(1001), false),
            (ClientUser::Unknown, false),
        ] {
            assert_eq!(check_user(user).is_ok(), is_accepted, "{user:?}");
        }
    }

    #[test]
    fn accepts_only_the_exact_token() {
        let has = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(TOKEN_HEADER, HeaderValue::from_static(value));
            has_token(&headers, "abc")
        };
        assert!(has("abc"));
        for other in ["abd", "ab", "abcd", ""] {
            assert!(!has(other), "{other}");
        }
        assert!(!has_token(&HeaderMap::new(), "abc"));
    }
}
