//! Rewrites local URLs in a text that arrives in pieces.

use std::sync::LazyLock;

use hyper::body::Bytes;
use memchr::memmem::Finder;

use super::literal::{Literal, MAX_CONTEXT, MAX_LENGTH, MAX_NEEDLE_END, NEEDLES, Start};
use super::targets::Targets;

static FINDERS: LazyLock<[Finder<'static>; NEEDLES.len()]> =
    LazyLock::new(|| NEEDLES.map(|needle| Finder::new(needle.as_bytes())));

/// Rewrites one text. All other bytes stay as they are, whatever the pieces.
#[derive(Debug)]
pub(super) struct Rewriter {
    targets: Targets,
    /// The end of the text so far that may be the start of a URL, at most [`MAX_LENGTH`] bytes.
    held: Vec<u8>,
    /// The last bytes before `held`.
    context: Vec<u8>,
}

impl Rewriter {
    pub(super) fn new(targets: Targets) -> Self {
        Self {
            targets,
            held: Vec::new(),
            context: Vec::new(),
        }
    }

    /// Adds a piece and returns the text that can be passed on.
    pub(super) fn push(&mut self, piece: Bytes) -> Bytes {
        self.rewrite(piece, false)
    }

    /// Returns the rest of the text.
    pub(super) fn finish(&mut self) -> Bytes {
        self.rewrite(Bytes::new(), true)
    }

    fn rewrite(&mut self, piece: Bytes, is_complete: bool) -> Bytes {
        let text = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            Bytes::from(std::mem::take(&mut self.held))
        };
        let mut output = Vec::new();
        // Everything before this position is in `output`, unless `output` is unused.
        let mut copied = 0;
        let mut searched = 0;
        while let Some(needle) = find(&text, searched) {
            let first = needle.end.saturating_sub(MAX_NEEDLE_END).max(copied);
            searched = needle.end;
            let Some((start, literal)) = literal_at(&text, first..needle.start, is_complete) else {
                continue;
            };
            if !literal.may_follow(&self.before(&text, start)) {
                continue;
            }
            let length = output.len();
            output.extend_from_slice(&text[copied..start]);
            if self.targets.replace(&literal, &mut output) {
                copied = start + literal.length;
                searched = copied;
            } else {
                output.truncate(length);
            }
        }
        let end = if is_complete {
            text.len()
        } else {
            hold_from(&text, copied)
        };
        self.held.extend_from_slice(&text[end..]);
        self.context = self.before(&text, end);
        if copied == 0 {
            return text.slice(..end);
        }
        output.extend_from_slice(&text[copied..end]);
        output.into()
    }

    /// Returns the bytes before a position of `text`, which follows `context`.
    fn before(&self, text: &[u8], position: usize) -> Vec<u8> {
        let from_text = &text[position.saturating_sub(MAX_CONTEXT)..position];
        let missing = MAX_CONTEXT - from_text.len();
        let from_context = &self.context[self.context.len().saturating_sub(missing)..];
        [from_context, from_text].concat()
    }
}

/// Returns the first needle that starts at or after `from`.
fn find(text: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
    let mut first: Option<std::ops::Range<usize>> = None;
    for finder in FINDERS.iter() {
        // A needle after the first one is of no interest.
        let limit = first.as_ref().map_or(text.len(), |found| {
            text.len().min(found.start + finder.needle().len())
        });
        if let Some(found) = text.get(from..limit).and_then(|text| finder.find(text)) {
            let start = from + found;
            first = Some(start..start + finder.needle().len());
        }
    }
    first
}

/// Returns the first URL that starts in `starts`.
fn literal_at(
    text: &[u8],
    starts: std::ops::Range<usize>,
    is_complete: bool,
) -> Option<(usize, Literal)> {
    starts
        .into_iter()
        .find_map(|start| match Literal::read(&text[start..], is_complete) {
            Start::Literal(literal) => Some((start, literal)),
            _ => None,
        })
}

/// Returns the first position from `from` on whose text may be the start of a URL.
fn hold_from(text: &[u8], from: usize) -> usize {
    let first = text.len().saturating_sub(MAX_LENGTH).max(from);
    (first..text.len())
        .find(|&start| Literal::read(&text[start..], false) == Start::Unfinished)
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::super::targets::example;
    use super::*;

    /// Rewrites a text whose pieces end at these positions.
    fn rewrite(text: &[u8], ends: impl IntoIterator<Item = usize>) -> Vec<u8> {
        let mut rewriter = Rewriter::new(example(Some("7678"), false));
        let mut output = Vec::new();
        let mut start = 0;
        for end in ends {
            let piece = Bytes::copy_from_slice(&text[start..end]);
            output.extend_from_slice(&rewriter.push(piece));
            assert!(rewriter.held.len() <= MAX_LENGTH);
            start = end;
        }
        output.extend_from_slice(&rewriter.push(Bytes::copy_from_slice(&text[start..])));
        output.extend_from_slice(&rewriter.finish());
        output
    }

    fn whole(text: &str) -> String {
        String::from_utf8(rewrite(text.as_bytes(), [])).unwrap()
    }

    #[test]
    fn replaces_usual_ports_by_names() {
        for (text, expected) in [
            (
                r#"fetch("http://localhost:8000/api")"#,
                r#"fetch("http://api.fix.shop.localhost:7678/api")"#,
            ),
            (
                "new WebSocket('wss://127.0.0.1:8000')",
                "new WebSocket('ws://api.fix.shop.localhost:7678')",
            ),
            ("//localhost:5173/x", "//fix.shop.localhost:7678/x"),
            (
                r#"{"api":"http:\/\/localhost:8000\/v1"}"#,
                r#"{"api":"http:\/\/api.fix.shop.localhost:7678\/v1"}"#,
            ),
            (
                "?next=http%3A%2F%2Flocalhost%3A5173%2F",
                "?next=http%3A%2F%2Ffix.shop.localhost%3A7678%2F",
            ),
            // A port without a name.
            ("https://localhost:9100/", "https://localhost:9101/"),
            (
                "http://localhost:8000,http://localhost:5173",
                "http://api.fix.shop.localhost:7678,http://fix.shop.localhost:7678",
            ),
            (
                "http://localhost:3333 http://[::1]:8000",
                "http://localhost:3333 http://api.fix.shop.localhost:7678",
            ),
        ] {
            assert_eq!(whole(text), expected);
        }
    }

    #[test]
    fn keeps_everything_else() {
        for text in [
            "",
            "localhost:8000",
            "http://localhost:7000/", // has its usual port
            "http://localhost:80001/",
            "http://localhost:800",
            "postgresql://localhost:8000/shop",
            "redis%3A%2F%2Flocalhost%3A8000",
            "http://localhost:8000@example.com/",
            "http://example.com:8000/",
            "http://",
            "https://localhost",
            "\u{feff}h ht htt http: //",
        ] {
            assert_eq!(whole(text), text);
        }
    }

    #[test]
    fn uses_tls_where_the_page_does() {
        let mut rewriter = Rewriter::new(example(None, true));
        let text = Bytes::from_static(b"http://localhost:8000 ws://localhost:8000 ");
        let expected = "https://api.fix.shop.localhost wss://api.fix.shop.localhost ";
        assert_eq!(rewriter.push(text), expected);
        assert_eq!(rewriter.finish(), "");
    }

    #[test]
    fn passes_on_at_once_what_cannot_be_the_start_of_a_url() {
        let mut rewriter = Rewriter::new(example(None, false));
        for piece in ["<p>one</p>", "<p>http://example.com</p>", "localhost"] {
            assert_eq!(rewriter.push(Bytes::from_static(piece.as_bytes())), piece);
        }
        assert_eq!(rewriter.push(Bytes::from_static(b"a http://local")), "a ");
        assert_eq!(rewriter.push(Bytes::from_static(b" b")), "http://local b");
    }

    /// Random texts of URLs, their parts and other bytes, from a seed.
    fn random_text(random: &mut fastrand::Rng) -> Vec<u8> {
        const PARTS: [&str; 22] = [
            "http",
            "https",
            "ws",
            "wss",
            ":",
            "/",
            "//",
            r"\/",
            "%2F",
            "%3A",
            "localhost",
            "127.0.0.1",
            "[::1]",
            ":8000",
            ":5173",
            "8000",
            "http://localhost:8000",
            r"http:\/\/localhost:8000",
            "//localhost:5173",
            "@",
            "\u{e4}",
            " ",
        ];
        let mut text = Vec::new();
        for _ in 0..random.usize(..12) {
            if random.u8(..8) == 0 {
                text.push(random.u8(..));
            } else {
                text.extend_from_slice(PARTS[random.usize(..PARTS.len())].as_bytes());
            }
        }
        text
    }

    #[test]
    fn the_result_does_not_depend_on_the_pieces() {
        let mut random = fastrand::Rng::with_seed(16);
        let mut changed = 0;
        for _ in 0..3000 {
            let text = random_text(&mut random);
            let expected = rewrite(&text, []);
            changed += usize::from(expected != text);
            let shown = String::from_utf8_lossy(&text);
            assert_eq!(rewrite(&text, 1..text.len()), expected, "{shown}");
            let mut ends: Vec<usize> = (0..4).map(|_| random.usize(..=text.len())).collect();
            ends.sort_unstable();
            assert_eq!(rewrite(&text, ends), expected, "{shown}");
        }
        assert!(changed > 300, "{changed}");
    }

    #[test]
    fn changes_only_local_urls_with_usual_ports() {
        let url =
            r"(?:(?:https?|wss?):)?//(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0):(?:8000|5173)";
        let url = regex_lite::Regex::new(url).unwrap();
        let mut random = fastrand::Rng::with_seed(17);
        for _ in 0..3000 {
            let text = random_text(&mut random);
            let Ok(text) = String::from_utf8(text) else {
                continue;
            };
            if !url.is_match(&text) && !text.contains(['\\', '%']) {
                assert_eq!(whole(&text), text);
            }
        }
    }
}
