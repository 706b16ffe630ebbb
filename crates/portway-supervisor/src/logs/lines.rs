//! Bytes into lines.

/// A line longer than this is cut, so that a service that never prints a newline harms nobody.
const MAX_LINE: usize = 16 * 1024;

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct LineCutter {
    partial: Vec<u8>,
}

impl LineCutter {
    /// Takes more bytes and hands over every line that is complete.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while !bytes.is_empty() {
            let room = MAX_LINE - self.partial.len();
            let newline = bytes.iter().take(room).position(|&byte| byte == b'\n');
            let taken = newline.unwrap_or_else(|| bytes.len().min(room));
            self.partial.extend_from_slice(&bytes[..taken]);
            if newline.is_some() {
                bytes = &bytes[taken + 1..];
                line(self.take());
            } else {
                bytes = &bytes[taken..];
                if self.partial.len() == MAX_LINE {
                    line(self.take());
                }
            }
        }
    }

    /// Hands over what has come without a newline, if anything.
    pub fn flush(&mut self, mut line: impl FnMut(String)) {
        if !self.partial.is_empty() {
            line(self.take());
        }
    }

    /// Whether something has come without a newline.
    pub fn is_waiting(&self) -> bool {
        !self.partial.is_empty()
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.partial);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<String> {
        let mut cutter = LineCutter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            cutter.feed(chunk, |line| lines.push(line));
        }
        cutter.flush(|line| lines.push(line));
        lines
    }

    #[test]
    fn lines_come_whole_however_the_bytes_come() {
        assert_eq!(cut(&[b"a\nb", b"c\r\n", b"\nd"]), ["a", "bc", "", "d"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(cut(&[b"\xff\xfe ok\n"]), ["\u{fffd}\u{fffd} ok"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let endless = vec![b'x'; MAX_LINE * 2 + 5];
        let lengths: Vec<_> = cut(&[&endless]).iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_LINE, MAX_LINE, 5]);
    }
}
