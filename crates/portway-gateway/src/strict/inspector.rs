//! Finds the heads in the requests of a connection. Parses only as much as it needs for that.

/// The first line of an HTTP/2 connection, which is not inspected.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// How many bytes of a line are kept. This is enough for the relevant names and values.
const MAX_LINE_BYTES: usize = 64;

/// Tracks the structure of the requests on a connection.
#[derive(Debug, Default)]
pub(super) struct Inspector {
    state: State,
    /// The first bytes of the current line, at most [`MAX_LINE_BYTES`].
    line: Vec<u8>,
    /// The last byte of the current line, which `line` may not contain.
    last_byte: u8,
    head: Head,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    /// In the first line of the connection, which may be HTTP/2's.
    #[default]
    FirstLine,
    /// In a head.
    Head,
    /// In a body, with this many bytes remaining.
    Body(u64),
    /// In the line that contains the size of a chunk.
    ChunkSize,
    /// In a chunk, with this many bytes remaining, including the line end after it.
    Chunk(u64),
    /// In the trailers after the last chunk.
    Trailers,
    /// In a part that is not inspected: HTTP/2, an upgraded connection, or invalid input.
    Unchecked,
}

/// The relevant headers of the current head.
#[derive(Debug, Default)]
struct Head {
    content_length: Option<u64>,
    has_transfer_encoding: bool,
    has_upgrade: bool,
}

impl Inspector {
    /// Inspects the next bytes. Returns the position of the first violation.
    pub(super) fn inspect(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Unchecked => return None,
                State::Body(remaining) | State::Chunk(remaining) => {
                    let step = (*remaining).min((bytes.len() - at) as u64);
                    *remaining -= step;
                    at += step as usize;
                    if *remaining == 0 {
                        let is_chunk = matches!(self.state, State::Chunk(_));
                        self.state = if is_chunk {
                            State::ChunkSize
                        } else {
                            State::Head
                        };
                    }
                }
                _ => {
                    let rest = &bytes[at..];
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        self.append(rest);
                        return None;
                    };
                    self.append(&rest[..end]);
                    at += end;
                    if !self.end_of_line() {
                        return Some(at);
                    }
                    at += 1;
                    self.line.clear();
                    self.last_byte = 0;
                }
            }
        }
        None
    }

    /// Appends a part of the current line.
    fn append(&mut self, part: &[u8]) {
        let free = MAX_LINE_BYTES
            .saturating_sub(self.line.len())
            .min(part.len());
        self.line.extend_from_slice(&part[..free]);
        self.last_byte = part.last().copied().unwrap_or(self.last_byte);
    }

    /// Processes the current line. Returns false if it violates the rules.
    fn end_of_line(&mut self) -> bool {
        if self.last_byte != b'\r' {
            return false;
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        match self.state {
            State::FirstLine if line == &PREFACE[..PREFACE.len() - 2] => {
                self.state = State::Unchecked
            }
            State::FirstLine => self.state = State::Head,
            State::Head if line.is_empty() => self.end_of_head(),
            State::Head => {
                self.head.read_field(line);
                return !(self.head.has_transfer_encoding && self.head.content_length.is_some());
            }
            State::ChunkSize => {
                let digits = line.split(|byte| !byte.is_ascii_hexdigit()).next();
                let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                self.state = match size {
                    Some(0) => State::Trailers,
                    Some(size) => State::Chunk(size.saturating_add(2)),
                    // hyper rejects this line.
                    None => State::Unchecked,
                };
            }
            State::Trailers if line.is_empty() => self.state = State::Head,
            State::Trailers | State::Body(_) | State::Chunk(_) | State::Unchecked => {}
        }
        true
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.state = match head.content_length {
            _ if head.has_upgrade => State::Unchecked,
            _ if head.has_transfer_encoding => State::ChunkSize,
            Some(length) if length > 0 => State::Body(length),
            _ => State::Head,
        };
    }
}

impl Head {
    fn read_field(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value).ok();
            // hyper rejects a value that is not a number.
            self.content_length = Some(value.and_then(|value| value.parse().ok()).unwrap_or(0));
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.has_transfer_encoding = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.has_upgrade = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the position of the first violation, which must not depend on how `text` is split.
    fn violation(text: &str) -> Option<usize> {
        let whole = Inspector::default().inspect(text.as_bytes());
        for size in 1..text.len() {
            let mut inspector = Inspector::default();
            let mut found = None;
            for (number, piece) in text.as_bytes().chunks(size).enumerate() {
                found = inspector.inspect(piece).map(|at| number * size + at);
                if found.is_some() {
                    break;
                }
            }
            assert_eq!(found, whole, "{text:?} in pieces of {size}");
        }
        whole
    }

    #[test]
    fn accepts_pipelined_requests() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(500));
        for text in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na\nb\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\na\nb\r\n0\r\nT: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nany\nthing",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n",
            &long,
        ] {
            assert_eq!(violation(text), None, "{text:?}");
        }
    }

    #[test]
    fn finds_the_first_violation() {
        for (before, after) in [
            ("GET / HTTP/1.1", "\nHost: x\r\n\r\n"),
            ("GET / HTTP/1.1\r\nHost: x\r\n", "\n"),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na\nGET / HTTP/1.1",
                "\n\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1",
                "\na\r\n0\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET / HTTP/1.1",
                "\n",
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 2\r\nTRANSFER-ENCODING: chunked\r",
                "\n\r\n0\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: x\r\nContent-Length: 2\r",
                "\n\r\nab",
            ),
        ] {
            let text = format!("{before}{after}");
            assert_eq!(violation(&text), Some(before.len()), "{text:?}");
        }
    }
}
