//! Protocol upgrades such as WebSocket, requested over HTTP/1.1 or HTTP/2.
//!
//! Over HTTP/2 a client sends an extended CONNECT request (RFC 8441). The service always gets an
//! HTTP/1.1 upgrade request.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::ext::Protocol;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;

use crate::connections::{ActiveRequest, OpenConnection};

/// The protocol that can be requested over HTTP/2.
const WEBSOCKET: &str = "websocket";

/// The upgrade that a client requested.
#[derive(Debug)]
pub(super) struct UpgradeRequest {
    client: OnUpgrade,
    kind: UpgradeKind,
    /// The protocols that the client offers, as in the `Upgrade` header.
    protocols: String,
    /// Keeps the client's connection from being idle while it is upgraded.
    active: ActiveRequest,
}

/// How a client requests an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpgradeKind {
    /// `Connection: upgrade` over HTTP/1.1.
    Http1,
    /// An extended CONNECT request for a WebSocket over HTTP/2.
    ExtendedConnect,
}

impl UpgradeRequest {
    /// Takes the upgrade out of a request. Returns `None` if the request contains none.
    pub(super) fn take<B>(request: &mut Request<B>, open: &Arc<OpenConnection>) -> Option<Self> {
        let (kind, protocols) = find(request)?;
        Some(Self {
            client: hyper::upgrade::on(request),
            kind,
            protocols,
            active: open.start_request(),
        })
    }

    pub(super) fn kind(&self) -> UpgradeKind {
        self.kind
    }

    /// Returns the protocol to which the service switches. `None` if the client did not offer it.
    pub(super) fn accepted<'a>(&self, response: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut values = response.get_all(header::UPGRADE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let accepted = value.to_str().ok()?.trim();
        let mut offered = self.protocols.split(", ");
        offered
            .any(|one| one.eq_ignore_ascii_case(accepted))
            .then_some(value)
    }

    /// Adds the upgrade to the head of the request to the service.
    pub(super) fn apply(&self, method: &mut Method, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(protocols) = HeaderValue::from_str(&self.protocols) {
            headers.insert(header::UPGRADE, protocols);
        }
        if self.kind == UpgradeKind::ExtendedConnect {
            *method = Method::GET;
            // A service rejects the upgrade if the key is missing.
            if let Ok(Ok(key)) = websocket_key().map(HeaderValue::try_from) {
                headers.insert(header::SEC_WEBSOCKET_KEY, key);
            }
        }
    }

    /// Connects client and service after the service responded with 101. Adapts the response to
    /// the client's protocol.
    pub(super) fn connect<B>(self, response: &mut Response<B>) {
        let service = hyper::upgrade::on(&mut *response);
        if self.kind == UpgradeKind::ExtendedConnect {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(header::SEC_WEBSOCKET_ACCEPT);
        }
        tokio::spawn(async move {
            let (Ok(client), Ok(service)) = (self.client.await, service.await) else {
                return;
            };
            let (mut client, mut service) = (TokioIo::new(client), TokioIo::new(service));
            // An error on one side closes both connections.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
            drop(self.active);
        });
    }
}

/// Whether a request is an extended CONNECT request for a protocol that the gateway does not support.
pub(super) fn is_unsupported<B>(request: &Request<B>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    protocol.is_some_and(|protocol| protocol.as_str() != WEBSOCKET)
}

/// Returns how a request asks for another protocol, and for which ones.
fn find<B>(request: &Request<B>) -> Option<(UpgradeKind, String)> {
    if request.method() == Method::CONNECT {
        let protocol = request.extensions().get::<Protocol>()?;
        let is_websocket = protocol.as_str() == WEBSOCKET;
        return is_websocket.then(|| (UpgradeKind::ExtendedConnect, WEBSOCKET.to_owned()));
    }
    let headers = request.headers();
    if request.version() != Version::HTTP_11
        || !values(headers, header::CONNECTION).any(|one| one.eq_ignore_ascii_case("upgrade"))
    {
        return None;
    }
    let offered = values(headers, header::UPGRADE).filter(|protocol| !is_http(protocol));
    let offered: Vec<&str> = offered.collect();
    (!offered.is_empty()).then(|| (UpgradeKind::Http1, offered.join(", ")))
}

/// Returns the elements of a list in one or several headers.
fn values(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|one| !one.is_empty())
}

/// Whether a protocol is a version of HTTP, or TLS. Requests in it would bypass the gateway's routes
/// and header rules.
fn is_http(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    ["h2c", "h2", "h3", "http", "https", "tls"]
        .iter()
        .any(|one| name.eq_ignore_ascii_case(one))
}

/// Generates a `Sec-WebSocket-Key`: 16 random bytes in Base64.
fn websocket_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generates_unique_websocket_keys() {
        let (one, two) = (websocket_key().unwrap(), websocket_key().unwrap());
        assert_ne!(one, two);
        assert_eq!(STANDARD.decode(one).unwrap().len(), 16);
    }

    fn request(fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        for (name, value) in fields {
            let name: header::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn finds_the_protocols_of_a_request() {
        const CONNECTION: (&str, &str) = ("connection", "keep-alive, Upgrade");
        for (fields, expected) in [
            (
                &[CONNECTION, ("upgrade", "websocket")][..],
                Some("websocket"),
            ),
            (&[CONNECTION], None),
            (
                &[("connection", "keep-alive"), ("upgrade", "websocket")],
                None,
            ),
            (&[("upgrade", "websocket")], None),
            (
                &[
                    ("connection", "keep-alive"),
                    ("connection", "upgrade"),
                    ("upgrade", "tcp"),
                ],
                Some("tcp"),
            ),
            // Requests in these protocols would bypass the gateway.
            (&[CONNECTION, ("upgrade", "h2c")], None),
            (&[CONNECTION, ("upgrade", "H2C")], None),
            (&[CONNECTION, ("upgrade", "HTTP/2.0, TLS/1.2")], None),
            (
                &[
                    CONNECTION,
                    ("upgrade", "h2c, websocket"),
                    ("upgrade", "SPDY/3.1,"),
                ],
                Some("websocket, SPDY/3.1"),
            ),
        ] {
            let found = find(&request(fields)).map(|(_, protocols)| protocols);
            assert_eq!(found.as_deref(), expected, "{fields:?}");
        }
    }

    #[test]
    fn supports_only_websockets_over_http_2() {
        for (protocol, expected) in [("websocket", Some("websocket")), ("connect-udp", None)] {
            let mut request = request(&[]);
            *request.method_mut() = Method::CONNECT;
            let value = Protocol::from_static(protocol);
            request.extensions_mut().insert(value);
            let found = find(&request).map(|(_, protocols)| protocols);
            assert_eq!(found.as_deref(), expected, "{protocol}");
            assert_eq!(is_unsupported(&request), expected.is_none(), "{protocol}");
        }
        assert!(!is_unsupported(&request(&[])));
    }
}
