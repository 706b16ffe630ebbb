//! Connections that become something else: WebSocket, over HTTP/1.1 and over HTTP/2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::ext::Protocol;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;

/// What a client wants its connection to become.
#[derive(Debug)]
pub(crate) struct Wish {
    client: OnUpgrade,
    /// Asked by HTTP/2's extended CONNECT (RFC 8441), where the service is asked by HTTP/1.1.
    extended: bool,
}

/// Takes the wish out of a request, with what belongs to it, or answers that there is none.
pub(crate) fn wish<B>(request: &mut Request<B>) -> Option<Wish> {
    let extended = is_extended(request);
    let upgrades =
        extended || names_upgrade(request.headers()) && request.version() == Version::HTTP_11;
    upgrades.then(|| Wish {
        client: hyper::upgrade::on(request),
        extended,
    })
}

/// Whether it is an extended CONNECT for a WebSocket.
fn is_extended<B>(request: &Request<B>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.method() == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Whether `Connection` lists `upgrade` and there is something to upgrade to.
fn names_upgrade(headers: &HeaderMap) -> bool {
    let lists = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',')
            .any(|one| one.trim().eq_ignore_ascii_case("upgrade"))
    };
    headers.contains_key(header::UPGRADE) && headers.get_all(header::CONNECTION).iter().any(lists)
}

impl Wish {
    /// Puts it into the head that goes to the service; `asked` is what the client sent as
    /// `Upgrade`.
    pub(crate) fn put(
        &self,
        method: &mut Method,
        headers: &mut HeaderMap,
        asked: Option<HeaderValue>,
    ) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if !self.extended {
            if let Some(asked) = asked {
                headers.insert(header::UPGRADE, asked);
            }
            return;
        }
        *method = Method::GET;
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(key) = HeaderValue::from_str(&key()) {
            headers.insert(header::SEC_WEBSOCKET_KEY, key);
        }
    }

    /// Joins client and service after the service has answered 101; changes the answer into what
    /// the client's protocol wants.
    pub(crate) fn join<B>(self, response: &mut Response<B>) {
        let service = hyper::upgrade::on(&mut *response);
        if self.extended {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(header::SEC_WEBSOCKET_ACCEPT);
        }
        tokio::spawn(async move {
            let (Ok(client), Ok(service)) = (self.client.await, service.await) else {
                return;
            };
            let (mut client, mut service) = (TokioIo::new(client), TokioIo::new(service));
            // Its end, good or bad, is the end of both.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
        });
    }

    /// Whether the client's answer carries no fields about a connection.
    pub(crate) fn is_extended(&self) -> bool {
        self.extended
    }
}

/// A new `Sec-WebSocket-Key`: 16 random bytes.
fn key() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = || RandomState::new().hash_one(0);
    let bytes = [random().to_ne_bytes(), random().to_ne_bytes()].concat();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_new_each_time() {
        let (one, two) = (key(), key());
        assert_ne!(one, two);
        assert_eq!(STANDARD.decode(one).unwrap().len(), 16);
    }

    #[test]
    fn an_upgrade_is_named_twice() {
        for (connection, upgrade, expected) in [
            (Some("keep-alive, Upgrade"), Some("websocket"), true),
            (Some("upgrade"), None, false),
            (Some("keep-alive"), Some("websocket"), false),
            (None, Some("websocket"), false),
        ] {
            let mut request = Request::new(());
            for (name, value) in [(header::CONNECTION, connection), (header::UPGRADE, upgrade)] {
                if let Some(value) = value {
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(wish(&mut request).is_some(), expected, "{connection:?}");
        }
    }
}
