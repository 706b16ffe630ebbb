//! What the HTTP library forgives, and a gateway must not.
//!
//! hyper takes a bare line feed for the end of a line, and where a request has both a length and
//! chunks it believes the chunks; both are allowed to a recipient (RFC 9112 2.2, 6.3), and both are
//! how one request is made to look like two. What is passed on is written anew and would do no
//! harm, but whoever sends such things is told so. [`Inspector`] reads along: it follows heads and
//! bodies just so far as to know where a head begins.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How an HTTP/2 connection begins. It has no lines.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Only so much of a line is looked at: enough for the names and values that matter.
const LOOKED_AT: usize = 64;

/// What the parser gets behind an offence: it looks at a head once it seems to be whole.
const END: &[u8] = b"\r\n\r\n";

/// A stream whose reader never sees a head that two readers could take for different ones: the
/// offending byte becomes a NUL, which the parser refuses, and nothing of the client's comes behind
/// it.
#[derive(Debug)]
pub(crate) struct Strict<S> {
    stream: S,
    inspector: Inspector,
    /// After an offence: how much of [`END`] has been read.
    offended: Option<usize>,
}

impl<S> Strict<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            inspector: Inspector::default(),
            offended: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(read) = &mut this.offended {
            let rest = &END[*read..];
            let step = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..step]);
            *read += step;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if let Some(at) = this.inspector.inspect(&buffer.filled()[before..]) {
            this.offended = Some(0);
            buffer.filled_mut()[before + at] = 0;
            buffer.set_filled(before + at + 1);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Follows what a client sends.
#[derive(Debug, Default)]
struct Inspector {
    state: State,
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    /// The last byte of the line, which may lie behind what is kept of it.
    last: u8,
    head: Head,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    /// In the first line, which may be HTTP/2's.
    #[default]
    First,
    /// In a head.
    Head,
    /// So many bytes of a body are left.
    Body(u64),
    /// In the line before a chunk.
    ChunkSize,
    /// So many bytes are left of a chunk and the line end behind it.
    Chunk(u64),
    /// In the fields behind the last chunk.
    Trailers,
    /// Nothing that has lines.
    Open,
}

/// What a head has said so far.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    chunks: bool,
    upgrade: bool,
}

impl Inspector {
    /// Reads on; answers where the first offence is.
    fn inspect(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Open => return None,
                State::Body(left) | State::Chunk(left) => {
                    let step = (*left).min((bytes.len() - at) as u64);
                    *left -= step;
                    at += step as usize;
                    if *left == 0 {
                        let chunk = matches!(self.state, State::Chunk(_));
                        self.state = if chunk { State::ChunkSize } else { State::Head };
                    }
                }
                _ => {
                    let rest = &bytes[at..];
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        self.keep(rest);
                        return None;
                    };
                    self.keep(&rest[..end]);
                    at += end;
                    if !self.end_of_line() {
                        return Some(at);
                    }
                    at += 1;
                    self.line.clear();
                    self.last = 0;
                }
            }
        }
        None
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LOOKED_AT.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(&part[..room]);
        self.last = part.last().copied().unwrap_or(self.last);
    }

    /// Takes a whole line; false when it offends.
    fn end_of_line(&mut self) -> bool {
        if self.last != b'\r' {
            return false;
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        match self.state {
            State::First if line == &PREFACE[..PREFACE.len() - 2] => self.state = State::Open,
            State::First => self.state = State::Head,
            State::Head if line.is_empty() => self.end_of_head(),
            State::Head => {
                self.head.read(line);
                return !(self.head.chunks && self.head.length.is_some());
            }
            State::ChunkSize => {
                let digits = line.split(|byte| !byte.is_ascii_hexdigit()).next();
                let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                self.state = match size {
                    Some(0) => State::Trailers,
                    Some(size) => State::Chunk(size.saturating_add(2)),
                    // The parser refuses it.
                    None => State::Open,
                };
            }
            State::Trailers if line.is_empty() => self.state = State::Head,
            State::Trailers | State::Body(_) | State::Chunk(_) | State::Open => {}
        }
        true
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.state = match head.length {
            _ if head.upgrade => State::Open,
            _ if head.chunks => State::ChunkSize,
            Some(length) if length > 0 => State::Body(length),
            _ => State::Head,
        };
    }
}

impl Head {
    fn read(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value).ok();
            // One that is no number is refused by the parser.
            self.length = Some(value.and_then(|value| value.parse().ok()).unwrap_or(0));
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunks = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `text` offends, however it is cut into pieces.
    fn offence(text: &str) -> Option<usize> {
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
    fn proper_requests_pass_one_behind_the_other() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(500));
        for text in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na\nb\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\na\nb\r\n0\r\nT: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nany\nthing",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n",
            &long,
        ] {
            assert_eq!(offence(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_offence_is_found_where_it_is() {
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
            assert_eq!(offence(&text), Some(before.len()), "{text:?}");
        }
    }
}
