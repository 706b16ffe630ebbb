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

/// The upgrade that a client requested.
#[derive(Debug)]
pub(super) struct UpgradeRequest {
    client: OnUpgrade,
    kind: UpgradeKind,
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
        let kind = kind_of(request)?;
        Some(Self {
            client: hyper::upgrade::on(request),
            kind,
            active: open.start_request(),
        })
    }

    pub(super) fn kind(&self) -> UpgradeKind {
        self.kind
    }

    /// Adds the upgrade to the head of the request to the service. `protocols` is the client's
    /// `Upgrade` header.
    pub(super) fn apply(
        &self,
        method: &mut Method,
        headers: &mut HeaderMap,
        protocols: Option<HeaderValue>,
    ) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        match self.kind {
            UpgradeKind::Http1 => {
                if let Some(protocols) = protocols {
                    headers.insert(header::UPGRADE, protocols);
                }
            }
            UpgradeKind::ExtendedConnect => {
                *method = Method::GET;
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                // A service rejects the upgrade if the key is missing.
                if let Ok(Ok(key)) = websocket_key().map(HeaderValue::try_from) {
                    headers.insert(header::SEC_WEBSOCKET_KEY, key);
                }
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

fn kind_of<B>(request: &Request<B>) -> Option<UpgradeKind> {
    let protocol = request.extensions().get::<Protocol>();
    if request.method() == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
    {
        return Some(UpgradeKind::ExtendedConnect);
    }
    let is_http1 = request.version() == Version::HTTP_11;
    (is_http1 && has_upgrade_headers(request.headers())).then_some(UpgradeKind::Http1)
}

/// Whether `Connection` lists `upgrade` and an `Upgrade` header is present.
fn has_upgrade_headers(headers: &HeaderMap) -> bool {
    let lists_upgrade = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',')
            .any(|one| one.trim().eq_ignore_ascii_case("upgrade"))
    };
    let mut connection = headers.get_all(header::CONNECTION).iter();
    headers.contains_key(header::UPGRADE) && connection.any(lists_upgrade)
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

    #[test]
    fn requires_both_upgrade_headers() {
        for (connection, upgrade, expected) in [
            (
                Some("keep-alive, Upgrade"),
                Some("websocket"),
                Some(UpgradeKind::Http1),
            ),
            (Some("upgrade"), None, None),
            (Some("keep-alive"), Some("websocket"), None),
            (None, Some("websocket"), None),
        ] {
            let mut request = Request::new(());
            for (name, value) in [(header::CONNECTION, connection), (header::UPGRADE, upgrade)] {
                if let Some(value) = value {
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(kind_of(&request), expected, "{connection:?}");
        }
    }
}
