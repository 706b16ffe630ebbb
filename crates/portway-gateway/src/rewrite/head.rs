//! Rewrites the headers of requests and responses whose bodies are rewritten.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::literal::{Literal, Start};
use super::rewriter::Rewriter;
use super::targets::Targets;

/// Headers that contain URLs, such as the target of a redirect or the origin that may read a
/// response.
const URLS: [HeaderName; 5] = [
    header::LOCATION,
    header::CONTENT_LOCATION,
    header::REFRESH,
    header::LINK,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
];

/// Headers with lists of hosts, with or without a scheme.
const POLICIES: [HeaderName; 2] = [
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
];

/// Headers that describe the body as the service sent it.
const OF_THE_BODY: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::ACCEPT_RANGES,
    header::LAST_MODIFIED,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Removes the headers that do not apply to a rewritten body.
pub(super) fn forget_body(headers: &mut HeaderMap) {
    for name in &OF_THE_BODY {
        headers.remove(name);
    }
}

/// Rewrites the URLs in the headers of a response.
pub(super) fn rewrite_urls(headers: &mut HeaderMap, targets: &Targets) {
    for name in &URLS {
        for value in values_mut(headers, name) {
            let mut rewriter = Rewriter::new(targets.clone());
            let text = hyper::body::Bytes::copy_from_slice(value.as_bytes());
            let text = [rewriter.push(text), rewriter.finish()].concat();
            set(value, &text);
        }
    }
    for name in &POLICIES {
        for value in values_mut(headers, name) {
            let text = rewrite_policy(value.as_bytes(), targets);
            set(value, &text);
        }
    }
}

fn values_mut<'a>(
    headers: &'a mut HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a mut HeaderValue> {
    let name = name.clone();
    headers
        .iter_mut()
        .filter(move |(found, _)| **found == name)
        .map(|(_, value)| value)
}

fn set(value: &mut HeaderValue, text: &[u8]) {
    if value.as_bytes() != text
        && let Ok(rewritten) = HeaderValue::from_bytes(text)
    {
        *value = rewritten;
    }
}

/// Rewrites the hosts of a `Content-Security-Policy`.
fn rewrite_policy(policy: &[u8], targets: &Targets) -> Vec<u8> {
    let mut rewritten = Vec::with_capacity(policy.len());
    // Sources are separated by spaces, directives by semicolons, policies by commas.
    for part in policy.split_inclusive(|byte| b" ;,".contains(byte)) {
        let source = part.trim_ascii_end();
        let source = source.trim_end_with(b";,");
        match rewrite_source(source, targets) {
            Some(source) => rewritten.extend_from_slice(&source),
            None => rewritten.extend_from_slice(source),
        }
        rewritten.extend_from_slice(&part[source.len()..]);
    }
    rewritten
}

/// Rewrites a source such as `ws://localhost:8000` or `localhost:8000`.
fn rewrite_source(source: &[u8], targets: &Targets) -> Option<Vec<u8>> {
    let mut rewritten = Vec::new();
    let (url, has_scheme) = match Literal::read(source, true) {
        Start::Literal(literal) => (literal, true),
        _ => {
            let url = [b"//", source].concat();
            match Literal::read(&url, true) {
                Start::Literal(literal) => (literal, false),
                _ => return None,
            }
        }
    };
    if has_scheme {
        targets.replace(&url, &mut rewritten).then_some(())?;
        rewritten.extend_from_slice(&source[url.length..]);
    } else {
        rewritten.extend_from_slice(targets.authority(url.port)?.as_bytes());
        rewritten.extend_from_slice(&source[url.length - 2..]);
    }
    Some(rewritten)
}

/// Prefixes of bytes to remove at the end.
trait TrimEnd {
    fn trim_end_with(&self, bytes: &[u8]) -> &Self;
}

impl TrimEnd for [u8] {
    fn trim_end_with(&self, bytes: &[u8]) -> &Self {
        let kept = self.iter().rposition(|byte| !bytes.contains(byte));
        &self[..kept.map_or(0, |last| last + 1)]
    }
}

/// Marks the entity tag of a response with its replacements. A client that sends it back has the
/// body with these replacements, and no other.
///
/// The tag becomes a weak one, because a part of the service's body does not fit a part of the
/// rewritten one.
pub(super) fn mark_tag(headers: &mut HeaderMap, targets: &Targets) {
    let Some(tag) = headers.get(header::ETAG) else {
        return;
    };
    let tag = tag.as_bytes();
    let (weak, opaque) = match tag.strip_prefix(b"W/") {
        Some(opaque) => ("w", opaque),
        None => ("s", tag),
    };
    let marked = opaque.strip_prefix(b"\"").map(|opaque| {
        let mark = format!("W/\"{}{weak}-", mark(targets));
        [mark.as_bytes(), opaque].concat()
    });
    match marked.and_then(|tag| HeaderValue::from_bytes(&tag).ok()) {
        Some(tag) => headers.insert(header::ETAG, tag),
        None => headers.remove(header::ETAG),
    };
}

fn mark(targets: &Targets) -> String {
    format!("portway-{:016x}", targets.fingerprint())
}

/// Prepares a request whose response may be rewritten.
///
/// The service must send the whole body, unless the client has the body with the same
/// replacements. It is asked not to compress it.
pub(super) fn prepare_request(headers: &mut HeaderMap, targets: &Targets) {
    headers.remove(header::IF_MODIFIED_SINCE);
    if let Some(tags) = unmarked_tags(headers, targets) {
        headers.insert(header::IF_NONE_MATCH, tags);
    } else {
        headers.remove(header::IF_NONE_MATCH);
    }
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
}

/// Returns the tags of bodies with the same replacements as the service knows them.
fn unmarked_tags(headers: &HeaderMap, targets: &Targets) -> Option<HeaderValue> {
    let mark = format!("\"{}", mark(targets));
    let fields = headers.get_all(header::IF_NONE_MATCH).iter();
    let tags = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .filter_map(|tag| {
            let tag = tag.trim();
            let rest = tag.strip_prefix("W/")?.strip_prefix(&mark)?;
            match rest.split_once('-')? {
                ("w", opaque) => Some(format!("W/\"{opaque}")),
                ("s", opaque) => Some(format!("\"{opaque}")),
                _ => None,
            }
        });
    let tags: Vec<String> = tags.collect();
    (!tags.is_empty())
        .then(|| HeaderValue::try_from(tags.join(", ")).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::targets::example;
    use super::*;

    fn rewritten(name: HeaderName, value: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(name.clone(), HeaderValue::from_static(value));
        rewrite_urls(&mut headers, &example(Some("7678"), false));
        headers[&name].to_str().unwrap().to_owned()
    }

    #[test]
    fn rewrites_urls_in_headers() {
        for (name, value, expected) in [
            (
                header::LOCATION,
                "http://localhost:5173/login",
                "http://fix.shop.localhost:7678/login",
            ),
            (header::LOCATION, "/login", "/login"),
            (
                header::ACCESS_CONTROL_ALLOW_ORIGIN,
                "http://localhost:5173",
                "http://fix.shop.localhost:7678",
            ),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*", "*"),
            (
                header::LINK,
                "<http://localhost:8000/a.css>; rel=preload",
                "<http://api.fix.shop.localhost:7678/a.css>; rel=preload",
            ),
            (
                header::CONTENT_SECURITY_POLICY,
                "connect-src 'self' localhost:8000 ws://localhost:8000; img-src http://localhost:8000/img;",
                "connect-src 'self' api.fix.shop.localhost:7678 ws://api.fix.shop.localhost:7678; \
                 img-src http://api.fix.shop.localhost:7678/img;",
            ),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'",
                "default-src 'none'",
            ),
            (
                header::SERVER,
                "http://localhost:8000",
                "http://localhost:8000",
            ),
        ] {
            assert_eq!(rewritten(name, value), expected);
        }
    }

    #[test]
    fn a_tag_is_valid_only_for_the_same_replacements() {
        let (here, elsewhere) = (example(Some("7678"), false), example(None, true));
        for tag in ["\"abc-1\"", "W/\"abc\""] {
            let mut response = HeaderMap::new();
            response.insert(header::ETAG, tag.parse().unwrap());
            mark_tag(&mut response, &here);
            let marked = response[header::ETAG].clone();
            assert!(marked.to_str().unwrap().starts_with("W/\"portway-"));
            for (targets, expected) in [(&here, Some(tag)), (&elsewhere, None)] {
                let mut request = HeaderMap::new();
                request.insert(header::IF_NONE_MATCH, marked.clone());
                request.append(header::IF_NONE_MATCH, "\"other\", *".parse().unwrap());
                prepare_request(&mut request, targets);
                let sent = request.get(header::IF_NONE_MATCH);
                assert_eq!(sent.map(|tag| tag.to_str().unwrap()), expected);
            }
        }
    }

    #[test]
    fn the_service_is_asked_for_the_whole_uncompressed_body() {
        let mut request = HeaderMap::new();
        for (name, value) in [
            (header::ACCEPT_ENCODING, "gzip, br"),
            (header::IF_MODIFIED_SINCE, "Mon, 30 Nov 2026 10:00:00 GMT"),
            (header::IF_NONE_MATCH, "\"abc\""),
            (header::ACCEPT, "text/html"),
        ] {
            request.insert(name, value.parse().unwrap());
        }
        prepare_request(&mut request, &example(None, false));
        assert_eq!(request[header::ACCEPT_ENCODING], "identity");
        assert_eq!(request.len(), 2);
    }
}
