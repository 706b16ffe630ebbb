//! Splits output into lines.

/// The maximum length of a line in bytes. Longer lines are cut, so that output without newlines does
/// not fill the memory.
const MAX_LINE: usize = 16 * 1024;

/// Splits a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct LineSplitter {
    partial: Vec<u8>,
}

impl LineSplitter {
    /// Adds bytes and calls `line` for each complete line.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while !bytes.is_empty() {
            let capacity = MAX_LINE - self.partial.len();
            let newline = bytes.iter().take(capacity).position(|&byte| byte == b'\n');
            let taken = newline.unwrap_or_else(|| bytes.len().min(capacity));
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

    /// Calls `line` with the incomplete line, if there is one.
    pub fn flush(&mut self, mut line: impl FnMut(String)) {
        if !self.partial.is_empty() {
            line(self.take());
        }
    }

    /// Returns whether there is an incomplete line.
    pub fn has_partial_line(&self) -> bool {
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

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.feed(chunk, |line| lines.push(line));
        }
        splitter.flush(|line| lines.push(line));
        lines
    }

    #[test]
    fn joins_lines_across_chunks() {
        assert_eq!(split(&[b"a\nb", b"c\r\n", b"\nd"]), ["a", "bc", "", "d"]);
    }

    #[test]
    fn replaces_invalid_utf8() {
        assert_eq!(split(&[b"\xff\xfe ok\n"]), ["\u{fffd}\u{fffd} ok"]);
    }

    #[test]
    fn cuts_long_lines() {
        let endless = vec![b'x'; MAX_LINE * 2 + 5];
        let lengths: Vec<_> = split(&[&endless]).iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_LINE, MAX_LINE, 5]);
    }
}
