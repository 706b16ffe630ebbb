//! Finds addresses in a text: a host of this machine or of a container network, with its scheme and
//! its port.

mod encoded;

use std::ops::Range;

/// Hosts that mean this machine, as applications and containers write them.
const THIS_MACHINE: [&str; 5] = [
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "[::1]",
    "host.docker.internal",
];

/// The lowest port of a host without a scheme that counts as an address. Lower numbers are versions, as
/// in `postgres:16`.
const MIN_BARE_PORT: u16 = 80;

/// An address in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// The scheme without a driver, in the case of the text: `postgresql` in `postgresql+asyncpg://`.
    pub(super) scheme: Option<&'a str>,
    /// The index of the first byte to replace: the scheme's if nothing is between scheme and host,
    /// otherwise the host's.
    pub(super) start: usize,
    /// The host.
    pub(super) host: &'a str,
    /// Where the host is.
    pub(super) host_at: Range<usize>,
    /// The port; `None` if the address has none.
    pub(super) port: Option<u16>,
    /// The text between host and port; `:`, or `%3A` in a percent-encoded URL.
    pub(super) separator: &'a str,
    /// The index after the port, or after the host.
    pub(super) end: usize,
}

/// Returns whether a host means this machine.
pub(super) fn is_this_machine(host: &str) -> bool {
    THIS_MACHINE
        .iter()
        .any(|known| host.eq_ignore_ascii_case(known))
}

/// Returns whether a host means this machine only as the address that a server binds.
pub(super) fn is_any_address(host: &str) -> bool {
    host == "0.0.0.0"
}

/// Finds the addresses of this machine, and of hosts for which `is_alias` is true, in the order of the text. A
/// host without a scheme needs a port.
pub(super) fn find<'a>(
    text: &'a str,
    is_alias: &dyn Fn(&str) -> bool,
) -> impl Iterator<Item = Address<'a>> {
    let is_known = |host: &str| is_this_machine(host) || is_alias(host);
    let mut all: Vec<Address<'a>> = encoded::find(text)
        .filter(|address| is_known(address.host))
        .collect();
    // A text with an encoded URL can also contain plain ones, which are never inside of it.
    all.extend(find_plain(text, is_alias));
    all.sort_by_key(|address| address.start);
    all.into_iter()
}

fn find_plain<'a>(
    text: &'a str,
    is_alias: &dyn Fn(&str) -> bool,
) -> impl Iterator<Item = Address<'a>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let range = next_host(text, at)?;
            at = range.end;
            let host = &text[range.clone()];
            if !is_this_machine(host) && !is_alias(host) {
                continue;
            }
            if let Some(address) = address(text, range) {
                at = address.end;
                return Some(address);
            }
        }
    })
}

/// The characters of host names.
fn is_host_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".-_".contains(character)
}

/// Returns the next run of characters that can be a host.
fn next_host(text: &str, from: usize) -> Option<Range<usize>> {
    let start = from + text[from..].find(|c| is_host_char(c) || c == '[')?;
    let rest = &text[start..];
    if let Some(inside) = rest.strip_prefix('[') {
        return Some(match inside.starts_with("::1]") {
            true => start..start + "[::1]".len(),
            false => start..start + 1,
        });
    }
    let length = rest.find(|c| !is_host_char(c)).unwrap_or(rest.len());
    Some(start..start + length)
}

fn address(text: &str, host_at: Range<usize>) -> Option<Address<'_>> {
    let before = &text[..host_at.start];
    let (scheme, start) = scheme(before, host_at.start)?;
    let rest = &text[host_at.end..];
    let digits = rest.strip_prefix(':').map_or("", |rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        &rest[..end.unwrap_or(rest.len())]
    });
    let after = &rest[digits.len() + usize::from(!digits.is_empty())..];
    let is_whole = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let port: Option<u16> = digits.parse().ok().filter(|port| *port > 0);
    if !digits.is_empty() && (port.is_none() || !is_whole) {
        return None;
    }
    if scheme.is_none() && port.is_none_or(|port| port < MIN_BARE_PORT) {
        return None;
    }
    if scheme.is_some() && is_user(after) {
        return None;
    }
    Some(Address {
        scheme,
        start,
        host: &text[host_at.clone()],
        end: host_at.end + digits.len() + usize::from(!digits.is_empty()),
        host_at,
        port,
        separator: ":",
    })
}

/// Returns whether what precedes `after` in a URL is its user and not its host, as in
/// `http://localhost:8000@example.com`.
fn is_user(after: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "/?#,;\"'`<>".contains(c);
    let authority = after.split(ends).next().unwrap_or(after);
    authority.contains('@')
}

/// Returns the scheme before a host and where the address starts; `None` if the host is part of a path
/// or of another word.
fn scheme(before: &str, host: usize) -> Option<(Option<&str>, usize)> {
    let authority = match before.strip_suffix('@') {
        Some(user) => {
            // The user may contain any character but those that end a URL.
            let ends = |c: char| c.is_whitespace() || "\"'`<>".contains(c);
            let from = user.rfind(ends).map_or(0, |at| at + 1);
            match user[from..].find("//") {
                Some(slashes) => &before[..from + slashes + 2],
                None => return Some((None, host)),
            }
        }
        None => before,
    };
    if !authority.ends_with('/') {
        let is_separate = !authority.ends_with(|c: char| c.is_alphanumeric() || ".:\\".contains(c));
        return is_separate.then_some((None, host));
    }
    let before_slashes = authority.strip_suffix("//")?;
    let Some(before_colon) = before_slashes.strip_suffix(':') else {
        return Some((None, host));
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    let from = before_colon.rfind(|c| !is_part(c)).map_or(0, |at| {
        at + before_colon[at..].chars().next().map_or(1, char::len_utf8)
    });
    let scheme = &before_colon[from..];
    let driverless = scheme.split('+').next().unwrap_or(scheme);
    let start = if authority.len() == before.len() {
        from
    } else {
        host
    };
    Some(((!driverless.is_empty()).then_some(driverless), start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Option<&str>, &str, Option<u16>, &str)> {
        let all = find(text, &|host| host == "db" || host == "postgres");
        all.map(|one| (one.scheme, one.host, one.port, &text[one.start..one.end]))
            .collect()
    }

    #[test]
    fn finds_addresses_with_and_without_a_scheme() {
        for (text, expected) in [
            (
                "http://localhost:8000/api",
                vec![(
                    Some("http"),
                    "localhost",
                    Some(8000),
                    "http://localhost:8000",
                )],
            ),
            (
                "postgresql+asyncpg://app:s/e:c@localhost:5432/shop?x=1",
                vec![(
                    Some("postgresql"),
                    "localhost",
                    Some(5432),
                    "localhost:5432",
                )],
            ),
            (
                "jdbc:mysql://db:3306/x",
                vec![(Some("mysql"), "db", Some(3306), "mysql://db:3306")],
            ),
            ("redis://:pw@db", vec![(Some("redis"), "db", None, "db")]),
            ("[::1]:80", vec![(None, "[::1]", Some(80), "[::1]:80")]),
            (
                "db:9092, 127.0.0.1:9093",
                vec![
                    (None, "db", Some(9092), "db:9092"),
                    (None, "127.0.0.1", Some(9093), "127.0.0.1:9093"),
                ],
            ),
            (
                "mongodb://localhost:pw@localhost:27017,db:27018/x",
                vec![
                    (Some("mongodb"), "localhost", Some(27017), "localhost:27017"),
                    (None, "db", Some(27018), "db:27018"),
                ],
            ),
            (
                "https://id.example.com/?a=http://localhost:1/&b=http%3A%2F%2Flocalhost%3A8000%2Fcb&c=http://db:2",
                vec![
                    (Some("http"), "localhost", Some(1), "http://localhost:1"),
                    (
                        Some("http"),
                        "localhost",
                        Some(8000),
                        "http%3A%2F%2Flocalhost%3A8000",
                    ),
                    (Some("http"), "db", Some(2), "http://db:2"),
                ],
            ),
            (
                "[\"http://localhost:3000\"]",
                vec![(
                    Some("http"),
                    "localhost",
                    Some(3000),
                    "http://localhost:3000",
                )],
            ),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in [
            "",
            "localhost",
            "db",
            "postgres:16",
            "postgres:16-alpine",
            "http://example.com:8000",
            "http://localhost.example.com:8000",
            "http://mydb:5432",
            "http://example.com/localhost:8000",
            "localhost:80000",
            "localhost:8000px",
            "x.localhost:8000",
            "localhost:0",
            "http://localhost:8000@example.com/",
            "http://localhost:pass@example.com",
            "http://localhost@example.com:8000",
            "é.localhost:8000",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
