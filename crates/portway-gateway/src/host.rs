//! Reads the host name of a request.

use hyper::Request;
use hyper::header::HOST;
use hyper::http::uri::Authority;

use crate::names::DOMAIN;

/// Returns the host that a request names, in lower case, without port and trailing dot.
///
/// Returns `None` if the request names no host, several hosts, or an invalid one. An absolute
/// target and `:authority` take precedence over the `Host` header. The header must name the same
/// host, because services rely on it (RFC 9112 3.2.2, RFC 9113 8.3.1).
pub(crate) fn of_request<B>(request: &Request<B>) -> Option<String> {
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

/// Whether a host is `localhost` or a loopback address, which no service uses as its name.
pub(crate) fn is_loopback(host: &str) -> bool {
    [DOMAIN, "127.0.0.1", "[::1]"].contains(&host)
}

/// Whether a host always resolves to this machine, regardless of DNS.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let subdomain = host.strip_suffix(DOMAIN);
    is_loopback(host) || subdomain.is_some_and(|subdomain| subdomain.ends_with('.'))
}

/// Returns the host of an authority such as `jobi.localhost:7678`.
fn parse(authority: &str) -> Option<String> {
    if let Some(host) = parse_simple(authority) {
        return Some(host.to_owned());
    }
    if authority.contains('@') {
        return None;
    }
    let authority: Authority = authority.parse().ok()?;
    let host = authority.host();
    // The parser accepts any text as the port.
    let port = authority.as_str().strip_prefix(host)?;
    let is_port = match port.strip_prefix(':') {
        Some("") => true,
        Some(digits) => is_port_number(digits),
        None => port.is_empty(),
    };
    if !is_port || host.contains('%') {
        return None;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// Returns the host of an authority that is already normalized. Nearly all requests take this path
/// and need no parser.
fn parse_simple(authority: &str) -> Option<&str> {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let is_host_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let is_host = !host.is_empty() && !host.ends_with('.') && host.bytes().all(is_host_byte);
    (is_host && is_port_number(port)).then_some(host)
}

fn is_port_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(target: &str, fields: &[&str]) -> Option<String> {
        let mut request = Request::builder().uri(target);
        for field in fields {
            request = request.header(HOST, *field);
        }
        of_request(&request.body(()).unwrap())
    }

    #[test]
    fn recognizes_names_of_this_machine() {
        for (host, loopback, this_machine) in [
            ("localhost", true, true),
            ("127.0.0.1", true, true),
            ("[::1]", true, true),
            ("jobi.localhost", false, true),
            ("attacker.example", false, false),
            ("notlocalhost", false, false),
            ("localhost.example", false, false),
            ("192.168.1.5", false, false),
        ] {
            assert_eq!(is_loopback(host), loopback, "{host}");
            assert_eq!(is_this_machine(host), this_machine, "{host}");
        }
    }

    #[test]
    fn parses_the_host_header() {
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
            ("jobi.localhost:", Some("jobi.localhost")),
            ("jobi.localhost:0", Some("jobi.localhost")),
            ("Jobi.localhost:65535", Some("jobi.localhost")),
            ("jobi.localhost:65536", None),
            ("Jobi.localhost:65536", None),
            ("jobi.localhost:abc", None),
            ("JOBI.localhost:abc", None),
            ("jobi.localhost.:abc", None),
            ("jobi.localhost:-1", None),
            ("jobi.localhost:+1", None),
            ("jobi.localhost:1:2", None),
            ("[::1]:abc", None),
            ("[::1]:", Some("[::1]")),
            ("[fe80::1%25lo]", None),
            ("%6aobi.localhost", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(host("/", &[field]).as_deref(), expected, "{field}");
        }
    }

    #[test]
    fn requires_exactly_one_host() {
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
