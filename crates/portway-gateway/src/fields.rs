//! Header fields that a proxy must not pass on, in heads and in trailers.

use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The `X-Real-IP` header.
pub(crate) const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Headers that apply to one connection only (RFC 9110 7.6.1, RFC 7540 3.2.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("http2-settings"),
];

/// Fields that are not allowed in trailers, because a recipient that merges the trailers into the
/// head would use them for framing, routing, or authentication (RFC 9110 6.5.1).
const NOT_IN_TRAILERS: [HeaderName; 13] = [
    header::AUTHORIZATION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::MAX_FORWARDS,
    header::PROXY_AUTHORIZATION,
    header::SET_COOKIE,
    header::TRAILER,
    HeaderName::from_static("cdn-loop"),
];

/// Removes the headers that apply to one connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Most messages contain none. One scan is cheaper than a lookup per name.
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    // `Connection` can declare further headers as hop-by-hop.
    let options = ["keep-alive", "close", "upgrade", "te"];
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| {
            !options
                .iter()
                .any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
        })
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        // A client must not be able to remove headers that the message requires.
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in listed {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes all headers that look like a proxy's. Underscores count as hyphens, because CGI and
/// WSGI do not distinguish them.
pub(crate) fn remove_forwarded(headers: &mut HeaderMap) {
    remove(headers, is_forwarded);
}

/// Removes the fields that are not allowed in trailers from a frame of a body.
pub(crate) fn clean_frame(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            clean_trailers(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

fn clean_trailers(trailers: &mut HeaderMap) {
    remove(trailers, |name| {
        HOP_BY_HOP.contains(name) || NOT_IN_TRAILERS.contains(name) || is_forwarded(name)
    });
}

fn remove(headers: &mut HeaderMap, is_removed: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_removed(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether a header is one with which a proxy describes the client.
fn is_forwarded(name: &HeaderName) -> bool {
    let normalized = |name: &HeaderName| name.as_str().replace('_', "-");
    // Most names need no copy.
    name.as_str().starts_with(['f', 'x']) && {
        let name = normalized(name);
        ["forwarded", "x-forwarded", REAL_IP.as_str()].contains(&name.as_str())
            || name.starts_with("x-forwarded-")
    }
}

/// Whether the message uses no transfer coding, or only `chunked`.
pub(crate) fn has_supported_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// Makes the length in the head of a response unambiguous. Chunks take precedence over a length
/// (RFC 9112 6.3).
pub(crate) fn normalize_length(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONTENT_LENGTH) {
        return;
    }
    let length = if headers.contains_key(header::TRANSFER_ENCODING) {
        None
    } else {
        single_length(headers)
    };
    match length {
        Some(length) => headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length)),
        None => headers.remove(header::CONTENT_LENGTH),
    };
}

/// Returns the length that all `Content-Length` headers agree on.
fn single_length(headers: &HeaderMap) -> Option<u64> {
    let fields = headers.get_all(header::CONTENT_LENGTH).iter();
    let mut lengths = fields
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(|digits| {
            let digits = std::str::from_utf8(digits.trim_ascii()).ok()?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        });
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    /// Returns the names of all headers, sorted.
    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn removes_proxy_headers_of_the_client() {
        let mut fields = headers(&[
            ("x-forwarded-user", "admin"),
            ("x-forwarded", "for=1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x-forwarded_proto", "https"),
            ("x_real_ip", "1.2.3.4"),
            ("x-real_ip", "1.2.3.4"),
            ("x-forward", "mine"),
            ("fetch", "mine"),
        ]);
        remove_forwarded(&mut fields);
        assert_eq!(names(&fields), ["fetch", "x-forward"]);
    }

    #[test]
    fn removes_hop_by_hop_headers() {
        let mut fields = headers(&[
            ("connection", "keep-alive, X-Mine, host, close"),
            ("connection", "X-Second,\u{e9}, HTTP2-Settings"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("x-second", "1"),
            ("host", "jobi.localhost"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut fields);
        assert_eq!(names(&fields), ["accept", "host"]);
    }

    #[test]
    fn removes_what_is_not_allowed_in_trailers() {
        let mut fields = headers(&[
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("host", "other.localhost"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("authorization", "x"),
            ("grpc-status", "0"),
            ("x-checksum", "1"),
        ]);
        clean_trailers(&mut fields);
        assert_eq!(names(&fields), ["grpc-status", "x-checksum"]);
    }

    #[test]
    fn supports_only_chunks() {
        for (fields, expected) in [
            (&[][..], true),
            (&[("transfer-encoding", "Chunked")], true),
            (&[("transfer-encoding", "gzip")], false),
            (&[("transfer-encoding", "gzip, chunked")], false),
            (
                &[
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                false,
            ),
        ] {
            let fields = headers(fields);
            assert_eq!(has_supported_coding(&fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn makes_the_length_unambiguous() {
        const LENGTH: &str = "content-length";
        for (fields, expected) in [
            (&[][..], None),
            (&[(LENGTH, "5")], Some("5")),
            (&[(LENGTH, "0005")], Some("5")),
            (&[(LENGTH, "5, 05")], Some("5")),
            (&[(LENGTH, "5"), (LENGTH, "5")], Some("5")),
            (&[(LENGTH, "5"), (LENGTH, "6")], None),
            (&[(LENGTH, "+5")], None),
            (&[(LENGTH, "x")], None),
            (&[(LENGTH, "5"), ("transfer-encoding", "chunked")], None),
        ] {
            let mut fields = headers(fields);
            normalize_length(&mut fields);
            let found: Vec<_> = fields.get_all(LENGTH).iter().collect();
            assert_eq!(found, Vec::from_iter(expected), "{fields:?}");
        }
    }
}
