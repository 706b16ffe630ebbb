//! Responses to requests that the gateway does not forward, whatever the state of the service, and
//! responses in place of invalid ones of services.

use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use portway_api::ErrorCode;

use super::json;
use crate::response::ResponseBody;

/// Responds to an invalid request.
pub(crate) fn bad_request(message: &str) -> Response<ResponseBody> {
    json(StatusCode::BAD_REQUEST, ErrorCode::Usage, message, &[])
}

/// Responds to a request whose body exceeds the `max` bytes that the service accepts.
pub(crate) fn body_too_large(service: Option<&str>, max: u64) -> Response<ResponseBody> {
    let service = service.map_or("the service".to_owned(), |name| format!("`{name}`"));
    json(
        StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Refused,
        &format!("{service} accepts request bodies of at most {max} bytes"),
        &["increase `max_body` of the service in `portway.toml`"],
    )
}

/// Responds to a client that uses the gateway as a forward proxy.
pub(crate) fn not_a_forward_proxy() -> Response<ResponseBody> {
    json(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Refused,
        "the gateway serves local services and is not a forward proxy",
        &[],
    )
}

/// Redirects from another name of this machine to the dashboard at `origin`.
pub(crate) fn redirect_to_dashboard(origin: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Generated(Full::default()));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(target) = HeaderValue::from_str(&format!("{origin}/")) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response
}

/// Responds to a request for a name that belongs to no service.
pub(crate) fn unknown_name() -> Response<ResponseBody> {
    json(
        StatusCode::NOT_FOUND,
        ErrorCode::NotFound,
        "no service is available under this name",
        &[],
    )
}

/// Responds to a request that has passed through the gateway too often.
pub(crate) fn loop_detected() -> Response<ResponseBody> {
    json(
        StatusCode::LOOP_DETECTED,
        ErrorCode::Refused,
        "the request loops: a service sends it back to the gateway",
        &[],
    )
}

/// Responds to an extended CONNECT request for a protocol other than WebSocket.
pub(crate) fn unsupported_protocol() -> Response<ResponseBody> {
    json(
        StatusCode::NOT_IMPLEMENTED,
        ErrorCode::Refused,
        "`websocket` is the only protocol that the gateway supports in CONNECT requests",
        &[],
    )
}

/// Responds when a service uses a transfer coding other than `chunked`.
pub(crate) fn unsupported_coding() -> Response<ResponseBody> {
    json(
        StatusCode::BAD_GATEWAY,
        ErrorCode::ServiceFailed,
        "the service responded with a transfer coding other than `chunked`",
        &[],
    )
}

/// Responds when a service switches to a protocol that the client did not request.
pub(crate) fn unexpected_upgrade() -> Response<ResponseBody> {
    json(
        StatusCode::BAD_GATEWAY,
        ErrorCode::ServiceFailed,
        "the service switched to a protocol that the client did not request",
        &[],
    )
}
