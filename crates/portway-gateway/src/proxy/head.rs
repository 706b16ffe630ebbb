//! What changes in the heads of requests and answers on their way through.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Uri, Version};

use super::upgrade::Wish;

/// Fields that are about one connection and not about the message (RFC 9110 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
];

/// Fields that tell a service who asked, beside `Forwarded`. What a client says in them is not passed
/// on: a service behind a proxy believes them.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// How many fields a request has more when it is passed on.
const ADDED: usize = 8;

/// Who passed a request on already (RFC 8586).
const LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// How this gateway is called there.
const US: &str = "portway";

/// A request that has come through so often goes in circles.
const MOST_PASSES: usize = 5;

/// How a client reached the gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// The gateway's port that it came to.
    pub(crate) port: u16,
    /// Whether that is a fixed port, which leads to one service whatever name is asked for.
    pub(crate) fixed: bool,
    /// Whether by TLS.
    pub(crate) tls: bool,
    /// Both ends of the connection: the client's own and the gateway's.
    pub(crate) ends: (SocketAddr, SocketAddr),
}

impl Peer {
    /// Whether it is on this machine.
    pub(crate) fn is_local(self) -> bool {
        self.address.to_canonical().is_loopback()
    }

    /// Whether it is another user of this machine. One that the system does not tell of counts as
    /// this user.
    pub(crate) fn is_another_user(self) -> bool {
        const ROOT: u32 = 0;
        let (client, server) = self.ends;
        portway_ports::user_of_connection(client, server)
            .is_some_and(|user| user != portway_supervisor::process::current_user() && user != ROOT)
    }
}

/// A client, and what services are told of it, written once for all requests of a connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Peer,
    address: HeaderValue,
    port: HeaderValue,
    proto: &'static str,
    /// `Forwarded` up to the host.
    forwarded: String,
}

impl Client {
    pub(crate) fn new(peer: Peer) -> Self {
        let address = peer.address.to_string();
        let node = match peer.address {
            IpAddr::V4(_) => address.clone(),
            IpAddr::V6(_) => format!("\"[{address}]\""),
        };
        Self {
            peer,
            // An address has no character that a field cannot have.
            address: HeaderValue::try_from(address)
                .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            port: peer.port.into(),
            proto: if peer.tls { "https" } else { "http" },
            forwarded: format!("for={node};host=\""),
        }
    }

    /// `Forwarded` for a request for `host`; none where that is no text.
    fn forwarded(&self, host: &HeaderValue) -> Option<HeaderValue> {
        const PROTO: &str = "\";proto=";
        let host = host.to_str().ok()?;
        let parts = [&self.forwarded, host, PROTO, self.proto];
        HeaderValue::try_from(parts.concat()).ok()
    }
}

/// Makes the head ready for the service; false when the request goes in circles.
pub(crate) fn prepare(
    parts: &mut Parts,
    client: &Client,
    wish: Option<&Wish>,
    path: Option<Uri>,
) -> bool {
    let headers = &mut parts.headers;
    // HTTP/2 has it in `:authority`, an absolute target in itself.
    let authority = parts.uri.authority();
    let authority = authority.and_then(|one| HeaderValue::from_str(one.as_str()).ok());
    let host = authority.or_else(|| headers.get(header::HOST).cloned());
    let Some(host) = host else { return false };
    let asked = headers.get(header::UPGRADE).cloned();
    let trailers = takes_trailers(headers);
    strip(headers);
    headers.reserve(ADDED);
    if !pass(headers) {
        return false;
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    headers.insert(header::HOST, host.clone());
    tell(headers, host, client);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(wish) = wish {
        wish.put(&mut parts.method, headers, asked);
    }
    parts.uri = path.unwrap_or_else(|| {
        let path = parts.uri.path_and_query().cloned();
        path.map_or_else(|| Uri::from_static("/"), Uri::from)
    });
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    true
}

/// HTTP/2 may send each cookie in a field of its own, HTTP/1.1 has one field (RFC 9113 8.2.3).
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

/// Takes out what is about one connection.
pub(crate) fn strip(headers: &mut HeaderMap) {
    // Most messages have nothing of it: one look at each field is less than one for each name.
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    // Names the sender lists in `Connection` are hop by hop as well.
    if let Some(listed) = headers.get(header::CONNECTION) {
        let plain = ["keep-alive", "close", "upgrade", "te"];
        let listed: Vec<HeaderName> = listed
            .to_str()
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !plain.iter().any(|plain| name.eq_ignore_ascii_case(plain)))
            .filter_map(|name| name.parse().ok())
            // What the message cannot do without stays, whatever a client lists.
            .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
            .collect();
        for name in listed {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Whether a body comes as it is, or in chunks and nothing else.
pub(crate) fn has_plain_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// Whether a client takes fields behind the body.
fn takes_trailers(headers: &HeaderMap) -> bool {
    let te = headers.get(header::TE);
    te.and_then(|te| te.to_str().ok()).is_some_and(|te| {
        te.split(',')
            .any(|one| one.trim().eq_ignore_ascii_case("trailers"))
    })
}

/// Tells the service who asked for what.
fn tell(headers: &mut HeaderMap, host: HeaderValue, client: &Client) {
    headers.remove(REAL_IP);
    drop_told(headers);
    match client.forwarded(&host) {
        Some(value) => headers.insert(header::FORWARDED, value),
        None => headers.remove(header::FORWARDED),
    };
    headers.insert(FORWARDED_FOR, client.address.clone());
    headers.insert(FORWARDED_HOST, host);
    headers.insert(FORWARDED_PORT, client.port.clone());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(client.proto));
}

/// Takes out whatever else looks like a proxy's word, with underscores as well: interfaces such as
/// CGI and WSGI do not tell the two apart.
fn drop_told(headers: &mut HeaderMap) {
    const BEGINS: &str = "x-forwarded-";
    let is_told = |name: &&HeaderName| {
        let letters = name.as_str().bytes().take(BEGINS.len());
        let letters = letters.map(|byte| if byte == b'_' { b'-' } else { byte });
        letters.eq(BEGINS.bytes()) || name.as_str() == "x_real_ip"
    };
    let told: Vec<HeaderName> = headers.keys().filter(is_told).cloned().collect();
    for name in told {
        headers.remove(name);
    }
}

/// Notes that a request comes through; false when it has done so too often.
fn pass(headers: &mut HeaderMap) -> bool {
    let passes = headers.get_all(LOOP).iter();
    let passes = passes
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|one| one.trim() == US)
        .count();
    headers.append(LOOP, HeaderValue::from_static(US));
    passes < MOST_PASSES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_a_client_says_as_a_proxy_would_goes_no_further() {
        let mut fields = headers(&[
            ("x-forwarded-user", "admin"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x-forwarded_proto", "https"),
            ("x_real_ip", "1.2.3.4"),
            ("x-forward", "mine"),
        ]);
        drop_told(&mut fields);
        let left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-forward"]);
    }

    #[test]
    fn what_is_about_one_connection_goes_no_further() {
        let mut fields = headers(&[
            ("connection", "keep-alive, X-Mine, host, close"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("host", "jobi.localhost"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        strip(&mut fields);
        let left: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["host", "accept"]);
    }

    #[test]
    fn a_service_is_told_who_asked_and_a_client_cannot_lie() {
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
            fixed: false,
            tls: false,
            ends: (
                "[::1]:50000".parse().unwrap(),
                "[::1]:7678".parse().unwrap(),
            ),
        };
        let host = HeaderValue::from_static("jobi.localhost:7678");
        tell(&mut fields, host, &Client::new(peer));
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
    fn a_request_that_goes_in_circles_is_seen() {
        let mut fields = headers(&[("cdn-loop", "somebody; x=1")]);
        for _ in 0..MOST_PASSES {
            assert!(pass(&mut fields));
        }
        assert!(!pass(&mut fields));
    }

    #[test]
    fn trailers_are_asked_for_by_name() {
        assert!(takes_trailers(&headers(&[("te", "deflate, Trailers")])));
        assert!(!takes_trailers(&headers(&[("te", "deflate")])));
        assert!(!takes_trailers(&headers(&[])));
    }
}
