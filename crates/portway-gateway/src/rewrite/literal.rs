//! Recognizes local URLs with a port in text, in the encodings that source files use.

/// How a source file writes a slash and a colon of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Encoding {
    slash: &'static str,
    colon: &'static str,
}

const fn encoding(slash: &'static str, colon: &'static str) -> Encoding {
    Encoding { slash, colon }
}

/// As it is; JSON by PHP; JSON in a script by Nuxt and Rails; a template by Mustache; a query.
const ENCODINGS: [Encoding; 7] = [
    encoding("/", ":"),
    encoding("\\/", ":"),
    encoding("\\u002F", ":"),
    encoding("\\u002f", ":"),
    encoding("&#x2F;", ":"),
    encoding("%2F", "%3A"),
    encoding("%2f", "%3a"),
];

/// A longer scheme comes before its own prefix.
const SCHEMES: [&str; 4] = ["https", "http", "wss", "ws"];

const HOSTS: [&str; 6] = [
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "[::1]",
    "%5B%3A%3A1%5D",
    "%5b%3a%3a1%5d",
];

/// Texts that every match contains at or after its host.
pub(super) const NEEDLES: [&str; 6] = [
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "[::1]",
    "%3A%3A1%5D",
    "%3a%3a1%5d",
];

/// The longest distance between the start of a match and the end of a needle in it.
pub(super) const MAX_NEEDLE_END: usize = 5 + 3 + 2 * 6 + 13;

/// The longest match, with the character that ends the port.
pub(super) const MAX_LENGTH: usize = MAX_NEEDLE_END + 3 + 5 + 1;

/// How many characters in front of a match decide whether it is one.
pub(super) const MAX_CONTEXT: usize = 6;

/// A local URL up to and including its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Its length in bytes.
    pub(super) length: usize,
    /// The scheme; `None` if the URL starts with the slashes.
    pub(super) scheme: Option<&'static str>,
    /// The port.
    pub(super) port: u16,
    encoding: Encoding,
}

/// What a text starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A local URL.
    Literal(Literal),
    /// Possibly a local URL, if more text follows.
    Unfinished,
    /// Something else.
    Other,
}

/// What a text continues with.
enum Next<'a> {
    /// This token, with the rest of the text.
    Token(&'static str, &'a [u8]),
    /// The start of a token, up to the end of the text.
    Unfinished,
    /// Something else.
    Other,
}

fn next<'a>(text: &'a [u8], tokens: &[&'static str]) -> Next<'a> {
    let mut result = Next::Other;
    for token in tokens {
        if let Some(rest) = text.strip_prefix(token.as_bytes()) {
            return Next::Token(token, rest);
        }
        if token.as_bytes().starts_with(text) {
            result = Next::Unfinished;
        }
    }
    result
}

impl Literal {
    /// Reads the URL at the start of `text`. `is_complete` says whether no more text follows.
    pub(super) fn read(text: &[u8], is_complete: bool) -> Start {
        let (scheme, rest) = match next(text, &SCHEMES) {
            Next::Token(scheme, rest) => (Some(scheme), rest),
            Next::Unfinished if !is_complete => return Start::Unfinished,
            _ => (None, text),
        };
        let mut result = Start::Other;
        for encoding in ENCODINGS {
            match read_encoded(rest, scheme, encoding, is_complete) {
                Start::Literal(literal) => {
                    let length = literal.length + text.len() - rest.len();
                    return Start::Literal(Literal { length, ..literal });
                }
                Start::Unfinished => result = Start::Unfinished,
                Start::Other => {}
            }
        }
        result
    }

    /// Whether text that ends with `before` can precede this URL. A URL without a scheme is part of
    /// one with another scheme if it follows a colon.
    pub(super) fn may_follow(&self, before: &[u8]) -> bool {
        let ends_with = |end: &str| {
            let tail = before.len().checked_sub(end.len());
            tail.is_some_and(|tail| before[tail..].eq_ignore_ascii_case(end.as_bytes()))
        };
        self.scheme.is_some() || ![":", "/", "%3A", "\\u003A"].into_iter().any(ends_with)
    }

    /// Writes a URL with another origin in the same encoding. `authority` is a host with a port.
    pub(super) fn write(&self, scheme: Option<&str>, authority: &str, to: &mut Vec<u8>) {
        let Encoding { slash, colon } = self.encoding;
        if let Some(scheme) = scheme {
            to.extend_from_slice(scheme.as_bytes());
            to.extend_from_slice(colon.as_bytes());
        }
        to.extend_from_slice(slash.as_bytes());
        to.extend_from_slice(slash.as_bytes());
        for (index, part) in authority.split(':').enumerate() {
            if index > 0 {
                to.extend_from_slice(colon.as_bytes());
            }
            to.extend_from_slice(part.as_bytes());
        }
    }
}

/// Reads a URL in one encoding from its slashes on, or from its colon if it has a scheme.
fn read_encoded(
    text: &[u8],
    scheme: Option<&'static str>,
    encoding: Encoding,
    is_complete: bool,
) -> Start {
    let Encoding { slash, colon } = encoding;
    let unfinished = if is_complete {
        Start::Other
    } else {
        Start::Unfinished
    };
    let before_host = [colon, slash, slash];
    let before_host = &before_host[usize::from(scheme.is_none())..];
    let mut rest = text;
    for token in before_host {
        rest = match next(rest, &[token]) {
            Next::Token(_, rest) => rest,
            Next::Unfinished => return unfinished,
            Next::Other => return Start::Other,
        };
    }
    for tokens in [&HOSTS[..], &[colon]] {
        rest = match next(rest, tokens) {
            Next::Token(_, rest) => rest,
            Next::Unfinished => return unfinished,
            Next::Other => return Start::Other,
        };
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 5 {
        return Start::Other;
    }
    match rest.get(digits) {
        None if !is_complete => return Start::Unfinished,
        // What precedes an `@` is a user name and a password.
        Some(byte) if byte.is_ascii_alphanumeric() || b"_@".contains(byte) => return Start::Other,
        _ => {}
    }
    let port = std::str::from_utf8(&rest[..digits]).ok();
    let Some(port) = port.and_then(|digits| digits.parse().ok()) else {
        return Start::Other;
    };
    Start::Literal(Literal {
        length: text.len() - rest.len() + digits,
        scheme,
        port,
        encoding,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(&str, Option<&str>, u16)> {
        match Literal::read(text.as_bytes(), true) {
            Start::Literal(found) => Some((&text[..found.length], found.scheme, found.port)),
            _ => None,
        }
    }

    #[test]
    fn reads_local_urls_in_every_encoding() {
        for (text, scheme) in [
            ("http://localhost:8000", Some("http")),
            ("https://127.0.0.1:8000", Some("https")),
            ("ws://[::1]:8000", Some("ws")),
            ("wss://0.0.0.0:8000", Some("wss")),
            ("//localhost:8000", None),
            (r"http:\/\/localhost:8000", Some("http")),
            (r"http:\u002F\u002Flocalhost:8000", Some("http")),
            ("http:&#x2F;&#x2F;localhost:8000", Some("http")),
            ("http%3A%2F%2Flocalhost%3A8000", Some("http")),
            ("http%3a%2f%2f%5b%3a%3a1%5d%3a8000", Some("http")),
            ("%2F%2Flocalhost%3A8000", None),
        ] {
            for end in [
                "", "/api", "\"", ",", "%2Fapi", r"\/api", "?x", "#x", ".", "\u{e4}",
            ] {
                let whole = format!("{text}{end}");
                assert_eq!(read(&whole), Some((text, scheme, 8000)), "{whole}");
            }
            for end in ["0000", "a", "_", "@evil.example"] {
                assert_eq!(read(&format!("{text}{end}")), None, "{text}{end}");
            }
        }
        for text in [
            "http://localhost",
            "http://localhost:",
            "http://localhost:x",
            "http://localhost:70000",
            "http:/localhost:8000",
            r"http:\//localhost:8000",
            "http://localhosts:8000",
            "ftp://localhost:8000",
            "http://my.localhost:8000",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_start_of_a_url_is_unfinished() {
        for text in [
            "https://localhost:8000",
            "//[::1]:8000",
            r"\u002F\u002F127.0.0.1:8000",
            "wss%3A%2F%2F%5B%3A%3A1%5D%3A65535",
        ] {
            for end in 1..=text.len() {
                let start = Literal::read(&text.as_bytes()[..end], false);
                assert_eq!(start, Start::Unfinished, "{}", &text[..end]);
            }
            assert!(text.len() < MAX_LENGTH);
        }
        assert_eq!(Literal::read(b"httq", false), Start::Other);
        assert_eq!(Literal::read(b"http://l0", false), Start::Other);
    }

    #[test]
    fn a_url_without_a_scheme_follows_no_other_scheme() {
        let Start::Literal(literal) = Literal::read(b"//localhost:5432", true) else {
            panic!("not a URL");
        };
        for (before, expected) in [
            ("\"", true),
            ("", true),
            ("postgresql:", false),
            ("x%3a", false),
            ("file:/", false),
        ] {
            assert_eq!(literal.may_follow(before.as_bytes()), expected, "{before}");
        }
    }
}
