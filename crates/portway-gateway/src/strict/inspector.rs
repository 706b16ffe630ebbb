//! Finds the heads in the requests of a connection. Parses only as much as it needs for that.

/// The first line of an HTTP/2 connection, which is not inspected.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// How many bytes of a line are kept. This is enough for the names of the relevant headers.
const MAX_LINE_BYTES: usize = 64;

/// From how many bytes on a line is rejected that contains the size of a body or a chunk. Such a line
/// is kept as a whole, because zeros, spaces, or an extension may precede or follow the number.
const MAX_SIZE_LINE_BYTES: usize = 8 << 10;

const CONTENT_LENGTH: &[u8] = b"content-length";

/// Why [`Inspector::inspect`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The byte at this position violates the rules.
    Violation(usize),
    /// A request that asks for another protocol ends before this position. What follows belongs to
    /// that protocol if the gateway switches to it.
    Upgrade(usize),
}

/// Tracks the structure of the requests on a connection.
#[derive(Debug, Default)]
pub(super) struct Inspector {
    state: State,
    /// The first bytes of the current line, at most [`MAX_LINE_BYTES`], or the whole line if it
    /// contains a size.
    line: Vec<u8>,
    /// The last byte of the current line, which `line` may not contain.
    last_byte: u8,
    head: Head,
    /// Whether the current request asks for another protocol.
    asks_upgrade: bool,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    /// In the first line of the connection, which may be HTTP/2's.
    #[default]
    FirstLine,
    /// In the first line of a further request.
    RequestLine,
    /// In the headers of a request.
    Head,
    /// In a body, with this many bytes remaining.
    Body(u64),
    /// In the line that contains the size of a chunk.
    ChunkSize,
    /// In a chunk, with this many bytes remaining, including the line end after it.
    Chunk(u64),
    /// In the trailers after the last chunk.
    Trailers,
    /// In a part that is not inspected: HTTP/2, another protocol, or invalid input.
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
    /// Stops the inspection, because the connection switched to another protocol.
    pub(super) fn stop(&mut self) {
        self.state = State::Unchecked;
    }

    /// Inspects the next bytes, until one of the reasons to stop.
    pub(super) fn inspect(&mut self, bytes: &[u8]) -> Option<Stop> {
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
                            State::RequestLine
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
                        return Some(Stop::Violation(at));
                    }
                    at += 1;
                    self.line.clear();
                    self.last_byte = 0;
                }
            }
            if self.asks_upgrade && self.state == State::RequestLine {
                self.asks_upgrade = false;
                return Some(Stop::Upgrade(at));
            }
        }
        None
    }

    /// Appends a part of the current line.
    fn append(&mut self, part: &[u8]) {
        let free = MAX_LINE_BYTES.saturating_sub(self.line.len());
        let (start, rest) = part.split_at(free.min(part.len()));
        self.line.extend_from_slice(start);
        if !rest.is_empty() && self.needs_whole_line() {
            let free = MAX_SIZE_LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(&rest[..free.min(rest.len())]);
        }
        self.last_byte = part.last().copied().unwrap_or(self.last_byte);
    }

    /// Whether the current line, of which at least [`MAX_LINE_BYTES`] are known, contains the size
    /// of a body or a chunk.
    fn needs_whole_line(&self) -> bool {
        match self.state {
            State::ChunkSize => true,
            State::Head => {
                let name = self.line.split(|&byte| byte == b':').next();
                name.is_some_and(|name| name.eq_ignore_ascii_case(CONTENT_LENGTH))
            }
            _ => false,
        }
    }

    /// Processes the current line. Returns false if it violates the rules.
    fn end_of_line(&mut self) -> bool {
        if self.last_byte != b'\r' || self.line.len() >= MAX_SIZE_LINE_BYTES {
            return false;
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        match self.state {
            State::FirstLine if line == &PREFACE[..PREFACE.len() - 2] => {
                self.state = State::Unchecked
            }
            State::FirstLine | State::RequestLine if line.is_empty() => {
                self.state = State::RequestLine
            }
            State::FirstLine | State::RequestLine => self.state = State::Head,
            State::Head if line.is_empty() => self.end_of_head(),
            State::Head => return self.head.read_field(line),
            State::ChunkSize => {
                let end = line.iter().position(|byte| !byte.is_ascii_hexdigit());
                let digits = std::str::from_utf8(&line[..end.unwrap_or(line.len())]);
                let size = digits
                    .ok()
                    .and_then(|one| u64::from_str_radix(one, 16).ok());
                self.state = match size {
                    Some(0) => State::Trailers,
                    Some(size) => State::Chunk(size.saturating_add(2)),
                    None => return false,
                };
            }
            State::Trailers if line.is_empty() => self.state = State::RequestLine,
            State::Trailers | State::Body(_) | State::Chunk(_) | State::Unchecked => {}
        }
        true
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.asks_upgrade = head.has_upgrade;
        self.state = match head.content_length {
            _ if head.has_transfer_encoding => State::ChunkSize,
            Some(length) if length > 0 => State::Body(length),
            _ => State::RequestLine,
        };
    }
}

impl Head {
    /// Processes a header. Returns false if it violates the rules.
    fn read_field(&mut self, line: &[u8]) -> bool {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            // hyper rejects the line.
            return true;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(CONTENT_LENGTH) {
            let Some(length) = parse_length(value) else {
                return false;
            };
            if self.content_length.is_some_and(|other| other != length) {
                return false;
            }
            self.content_length = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.has_transfer_encoding = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.has_upgrade = true;
        }
        !(self.has_transfer_encoding && self.content_length.is_some())
    }
}

/// Parses a decimal number without a sign.
fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the first reason to stop, which must not depend on how `text` is split.
    fn inspect(text: &str) -> Option<Stop> {
        let whole = Inspector::default().inspect(text.as_bytes());
        for size in 1..text.len() {
            let mut inspector = Inspector::default();
            let mut found = None;
            for (number, piece) in text.as_bytes().chunks(size).enumerate() {
                found = inspector.inspect(piece).map(|stop| match stop {
                    Stop::Violation(at) => Stop::Violation(number * size + at),
                    Stop::Upgrade(at) => Stop::Upgrade(number * size + at),
                });
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
            "\r\nGET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n",
            &long,
        ] {
            assert_eq!(inspect(text), None, "{text:?}");
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
            assert_eq!(
                inspect(&text),
                Some(Stop::Violation(before.len())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn finds_the_end_of_a_body_behind_a_padded_size() {
        let zeros = "0".repeat(100);
        let spaces = " ".repeat(200);
        for head in [
            format!("Content-Length: {zeros}3"),
            format!("Content-Length:{spaces}3{spaces}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{zeros}3"),
            format!("Transfer-Encoding: chunked\r\n\r\n3{spaces};{zeros}=x"),
        ] {
            let end = if head.contains("chunked") {
                "\r\na\nb\r\n0\r\n\r\n"
            } else {
                "\r\n\r\na\nb"
            };
            let request = format!("POST / HTTP/1.1\r\n{head}{end}GET / HTTP/1.1");
            assert_eq!(inspect(&format!("{request}\r\n\r\n")), None, "{head}");
            let violation = Some(Stop::Violation(request.len()));
            assert_eq!(inspect(&format!("{request}\n\n")), violation, "{head}");
        }
    }

    #[test]
    fn rejects_sizes_that_are_not_numbers() {
        let too_long = "0".repeat(MAX_SIZE_LINE_BYTES) + "3";
        for size in ["+3", "-3", "3, 3", "0x3", "3 3", "", &too_long] {
            let head = format!("POST / HTTP/1.1\r\nContent-Length: {size}\r");
            let stop = Some(Stop::Violation(head.len()));
            assert_eq!(
                Inspector::default().inspect(format!("{head}\n").as_bytes()),
                stop
            );
        }
        let head = "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r";
        let stop = Some(Stop::Violation(head.len()));
        assert_eq!(inspect(&format!("{head}\n\r\nabc")), stop);
    }

    #[test]
    fn stops_after_a_request_that_asks_for_another_protocol() {
        for request in [
            "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nUPGRADE: x\r\n\r\n",
            "POST / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\na\n",
            "POST / HTTP/1.1\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        ] {
            let text = format!("{request}any\nthing");
            assert_eq!(
                inspect(&text),
                Some(Stop::Upgrade(request.len())),
                "{text:?}"
            );
            // The inspection continues if the gateway does not switch, and stops if it does.
            let mut inspector = Inspector::default();
            let mut inspect = |text: &str| inspector.inspect(text.as_bytes());
            assert_eq!(inspect(request), Some(Stop::Upgrade(request.len())));
            assert_eq!(inspect("GET / HTTP/1.1\n"), Some(Stop::Violation(14)));
            inspector.stop();
            assert_eq!(inspector.inspect(b"any\nthing"), None);
        }
    }
}
