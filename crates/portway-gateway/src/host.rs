//! The host that a request is for.

use hyper::Request;
use hyper::header::HOST;
use hyper::http::uri::Authority;

use crate::names::DOMAIN;

/// The host that `request` names: lower case, without port, without the root's dot. `None` when it
/// names none, several, or one that is no host.
///
/// An absolute target and `:authority` outweigh the `Host` field; a field beside them must say the
/// same (RFC 9112 3.2.2, RFC 9113 8.3.1), for a service would believe the field.
pub(crate) fn of<B>(request: &Request<B>) -> Option<String> {
    let mut fields = request.headers().get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return None;
    }
    let field = match field {
        Some(field) => Some(parse(field.to_str().ok()?)?),
        None => None,
    };
    match (request.uri().authority(), field) {
        (Some(target), field) => {
            let target = parse(target.as_str())?;
            field.is_none_or(|field| field == target).then_some(target)
        }
        (None, field) => field,
    }
}

/// Whether a host is this machine and no name of anybody's: there the gateway itself is meant.
pub(crate) fn is_plain(host: &str) -> bool {
    [DOMAIN, "127.0.0.1", "[::1]"].contains(&host)
}

/// Whether a host can only be this machine, whoever answers for names elsewhere.
pub(crate) fn is_of_this_machine(host: &str) -> bool {
    let below = host.strip_suffix(DOMAIN);
    is_plain(host) || below.is_some_and(|below| below.ends_with('.'))
}

/// The host of an authority such as `jobi.localhost:7678`.
pub(crate) fn parse(authority: &str) -> Option<String> {
    if let Some(host) = plain(authority) {
        return Some(host.to_owned());
    }
    if authority.contains('@') {
        return None;
    }
    let authority: Authority = authority.parse().ok()?;
    let host = authority.host();
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// The host of an authority that says nothing in a special way, as nearly all do: no parser is needed
/// for it.
fn plain(authority: &str) -> Option<&str> {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = !host.is_empty() && !host.ends_with('.') && host.bytes().all(is_plain);
    (is_host && is_port).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(target: &str, fields: &[&str]) -> Option<String> {
        let mut request = Request::builder().uri(target);
        for field in fields {
            request = request.header(HOST, *field);
        }
        of(&request.body(()).unwrap())
    }

    #[test]
    fn who_can_only_be_this_machine_is_known_by_name() {
        for (host, plain, here) in [
            ("localhost", true, true),
            ("127.0.0.1", true, true),
            ("[::1]", true, true),
            ("jobi.localhost", false, true),
            ("attacker.example", false, false),
            ("notlocalhost", false, false),
            ("localhost.example", false, false),
            ("192.168.1.5", false, false),
        ] {
            assert_eq!(is_plain(host), plain, "{host}");
            assert_eq!(is_of_this_machine(host), here, "{host}");
        }
    }

    #[test]
    fn the_field_names_the_host() {
        for (field, expected) in [
            ("jobi.localhost", Some("jobi.localhost")),
            ("jobi.localhost:7678", Some("jobi.localhost")),
            (":7678", None),
            (
                "Frontend.Jobi.LOCALHOST:7678",
                Some("frontend.jobi.localhost"),
            ),
            ("jobi.localhost.", Some("jobi.localhost")),
            ("[::1]:7678", Some("[::1]")),
            ("127.0.0.1:7678", Some("127.0.0.1")),
            ("user@jobi.localhost", None),
            ("jobi.localhost/x", None),
            ("a b", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(host("/", &[field]).as_deref(), expected, "{field}");
        }
    }

    #[test]
    fn one_host_and_one_only() {
        assert_eq!(host("/", &[]), None);
        assert_eq!(host("/", &["a.localhost", "a.localhost"]), None);
        let absolute = "http://a.localhost:7678/x";
        assert_eq!(host(absolute, &[]).as_deref(), Some("a.localhost"));
        assert_eq!(
            host(absolute, &["a.localhost"]).as_deref(),
            Some("a.localhost")
        );
        assert_eq!(host(absolute, &["b.localhost"]), None);
    }
}
