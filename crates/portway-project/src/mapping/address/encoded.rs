//! Addresses in percent-encoded URLs: `http%3A%2F%2Flocalhost%3A8000%2Fcb`.

use super::{Address, is_host_char};

/// The encoded `://` and `:` in lower case.
const SCHEME_END: &str = "%3a%2f%2f";
const COLON: &str = "%3a";

/// Finds the addresses of all hosts in percent-encoded URLs.
pub(super) fn find(text: &str) -> impl Iterator<Item = Address<'_>> {
    // Same indices as in the text.
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + lower.get(from..)?.find(SCHEME_END)?;
            from = at + SCHEME_END.len();
            if let Some(address) = address(text, &lower, at) {
                return Some(address);
            }
        }
    })
}

/// Returns the address of the URL whose scheme ends at `at`.
fn address<'a>(text: &'a str, lower: &str, at: usize) -> Option<Address<'a>> {
    let before = &lower[..at];
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    let start = before.rfind(|c| !is_part(c)).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let scheme = text[start..at].split('+').next()?;
    let authority_at = at + SCHEME_END.len();
    let rest = &lower[authority_at..];
    let is_end = |c: char| !(is_host_char(c) || c == '%');
    let authority = &rest[..rest.find(is_end).unwrap_or(rest.len())];
    let ends = ["%2f", "%3f", "%23"].into_iter();
    let ends = ends.filter_map(|end| authority.find(end));
    let authority = &authority[..ends.min().unwrap_or(authority.len())];
    let user = authority.rfind("%40").map_or(0, |at| at + "%40".len());
    let host_end = authority[user..]
        .find('%')
        .unwrap_or(authority.len() - user);
    let host_at = authority_at + user..authority_at + user + host_end;
    let after = &authority[user + host_end..];
    let (port, length) = match after.strip_prefix(COLON) {
        Some(digits) => (
            Some(digits.parse().ok().filter(|port| *port > 0)?),
            after.len(),
        ),
        None if after.is_empty() => (None, 0),
        None => return None,
    };
    let separator = &text[host_at.end..host_at.end + length.min(COLON.len())];
    (!scheme.is_empty() && !host_at.is_empty()).then(|| Address {
        scheme: Some(scheme),
        start: if user == 0 { start } else { host_at.start },
        host: &text[host_at.clone()],
        end: host_at.end + length,
        host_at,
        port,
        separator: match separator {
            "" => "%3A",
            separator => separator,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_hosts_and_ports_of_encoded_urls() {
        for (text, expected) in [
            (
                "http%3A%2F%2Flocalhost%3A8000%2Fcb",
                vec![("localhost", Some(8000))],
            ),
            (
                "x=http%3a%2f%2f127.0.0.1%3a80&y=1",
                vec![("127.0.0.1", Some(80))],
            ),
            ("http%3A%2F%2Fapi%2Fcb", vec![("api", None)]),
            (
                "postgresql%3A%2F%2Fu%3Ap%40db%3A5432%2Fx",
                vec![("db", Some(5432))],
            ),
            ("http%3A%2F%2Flocalhost%3A99999", vec![]),
            ("http%3A%2F%2Flocalhost%3A80%3A80", vec![]),
            ("%3A%2F%2Flocalhost%3A80", vec![]),
            ("http%3A%2F%2F", vec![]),
            ("é%3A%2F%2Fé%3A80", vec![]),
        ] {
            let found: Vec<_> = find(text).map(|one| (one.host, one.port)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
