//! Rewrites the headers of requests and responses on their way through the gateway.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Uri, Version};

use super::upgrade::UpgradeRequest;
use crate::connections::OpenConnection;
use crate::fields::{remove_forwarded, remove_hop_by_hop};
use crate::peer::Peer;

// Headers that describe the client to the service, in addition to `Forwarded`. Services trust them
// when they run behind a proxy, so the gateway removes the ones that a client sends.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Why a request is rejected that names no host, or an invalid one.
pub(super) const INVALID_HOST: &str = "the request must name exactly one host";

/// How many headers the gateway adds to a request.
const ADDED_HEADERS: usize = 8;

/// Lists the proxies that a request has passed through (RFC 8586).
const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// The name of this gateway in [`CDN_LOOP`].
const CDN_ID: &str = "portway";

/// How often a request may pass through the gateway.
const MAX_PASSES: usize = 5;

/// A connection of a client, with the header values that describe it to services.
///
/// The values are computed once for all requests of the connection.
#[derive(Debug)]
pub(crate) struct ClientConnection {
    pub(crate) peer: Peer,
    /// The connection's place among the open connections.
    pub(crate) open: Arc<OpenConnection>,
    address: HeaderValue,
    port: HeaderValue,
    proto: &'static str,
    /// The `Forwarded` header up to the host.
    forwarded_prefix: String,
}

impl ClientConnection {
    pub(crate) fn new(peer: Peer, open: Arc<OpenConnection>) -> Self {
        let address = peer.address.to_string();
        let node = match peer.address {
            IpAddr::V4(_) => address.clone(),
            IpAddr::V6(_) => format!("\"[{address}]\""),
        };
        Self {
            peer,
            open,
            // An IP address is always a valid header value.
            address: HeaderValue::try_from(address)
                .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            port: peer.port.into(),
            proto: if peer.is_tls() { "https" } else { "http" },
            forwarded_prefix: format!("for={node};host=\""),
        }
    }

    /// Returns the `Forwarded` header for a request to `host`. `None` if `host` is not ASCII.
    fn forwarded(&self, host: &HeaderValue) -> Option<HeaderValue> {
        const PROTO: &str = "\";proto=";
        let host = host.to_str().ok()?;
        let parts = [&self.forwarded_prefix, host, PROTO, self.proto];
        HeaderValue::try_from(parts.concat()).ok()
    }
}

/// Rewrites the head of a request for the service. `path` replaces the requested path.
///
/// Returns false if the request has passed through the gateway more than [`MAX_PASSES`] times.
pub(super) fn prepare_request(
    parts: &mut Parts,
    client: &ClientConnection,
    upgrade: Option<&UpgradeRequest>,
    path: Option<Uri>,
) -> bool {
    let headers = &mut parts.headers;
    // HTTP/2 sends the host as `:authority`, an HTTP/1.1 request may contain it in its target.
    let authority = parts.uri.authority();
    let authority = authority.and_then(|one| HeaderValue::from_str(one.as_str()).ok());
    let host = authority.or_else(|| headers.get(header::HOST).cloned());
    let Some(host) = host else { return false };
    let accepts_trailers = accepts_trailers(headers);
    remove_hop_by_hop(headers);
    headers.reserve(ADDED_HEADERS);
    if !record_pass(headers) {
        return false;
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    headers.insert(header::HOST, host.clone());
    set_forwarded(headers, host, client);
    if accepts_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(upgrade) = upgrade {
        upgrade.apply(&mut parts.method, headers);
    }
    parts.uri = path.unwrap_or_else(|| {
        let path = parts.uri.path_and_query().cloned();
        path.map_or_else(|| Uri::from_static("/"), Uri::from)
    });
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    true
}

/// Joins the cookies into one header. HTTP/2 may split them, HTTP/1.1 may not (RFC 9113 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// Whether the client accepts trailers.
fn accepts_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TE).iter();
    let mut codings = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|one| one.trim().eq_ignore_ascii_case("trailers"))
}

/// Sets the headers that describe the client and the original request.
fn set_forwarded(headers: &mut HeaderMap, host: HeaderValue, client: &ClientConnection) {
    remove_forwarded(headers);
    match client.forwarded(&host) {
        Some(value) => headers.insert(header::FORWARDED, value),
        None => headers.remove(header::FORWARDED),
    };
    headers.insert(FORWARDED_FOR, client.address.clone());
    headers.insert(FORWARDED_HOST, host);
    headers.insert(FORWARDED_PORT, client.port.clone());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(client.proto));
}

/// Records that the request passes through the gateway. Returns false if it did so too often.
fn record_pass(headers: &mut HeaderMap) -> bool {
    let passes = headers.get_all(CDN_LOOP).iter();
    let passes = passes
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|one| one.trim() == CDN_ID)
        .count();
    headers.append(CDN_LOOP, HeaderValue::from_static(CDN_ID));
    passes < MAX_PASSES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::{Connections, Limits};
    use crate::peer::{ClientUser, ListenerKind};

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn replaces_forwarding_headers_of_the_client() {
        let mut fields = headers(&[
            ("x-forwarded-for", "8.8.8.8"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-real-ip", "8.8.8.8"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=8.8.8.8"),
        ]);
        let peer = Peer {
            address: "::1".parse().unwrap(),
            port: 7678,
            listener: ListenerKind::Http,
            user: ClientUser::Trusted,
        };
        let host = HeaderValue::from_static("jobi.localhost:7678");
        let connections = Connections::new(Limits::for_descriptors(None));
        let open = Arc::new(connections.admit(peer.into()).unwrap());
        set_forwarded(&mut fields, host, &ClientConnection::new(peer, open));
        for (name, value) in [
            (
                "forwarded",
                "for=\"[::1]\";host=\"jobi.localhost:7678\";proto=http",
            ),
            ("x-forwarded-for", "::1"),
            ("x-forwarded-host", "jobi.localhost:7678"),
            ("x-forwarded-port", "7678"),
            ("x-forwarded-proto", "http"),
        ] {
            let all: Vec<_> = fields.get_all(name).iter().collect();
            assert_eq!(all, [value], "{name}");
        }
        assert!(!fields.contains_key("x-real-ip"));
    }

    #[test]
    fn detects_a_request_loop() {
        let mut fields = headers(&[("cdn-loop", "other; x=1")]);
        for _ in 0..MAX_PASSES {
            assert!(record_pass(&mut fields));
        }
        assert!(!record_pass(&mut fields));
    }

    #[test]
    fn recognizes_clients_that_accept_trailers() {
        assert!(accepts_trailers(&headers(&[("te", "deflate, Trailers")])));
        assert!(!accepts_trailers(&headers(&[("te", "deflate")])));
        assert!(!accepts_trailers(&headers(&[])));
    }
}
