//! Portway's part of a text file: the lines between two markers.

use std::ops::Range;

use super::part::{Part, Problem};

/// Lines between two markers.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// The first line of the section.
    pub(crate) start: &'static str,
    /// The last line of the section.
    pub(crate) end: &'static str,
    /// The lines between the markers.
    pub(crate) body: String,
}

impl Section {
    /// Finds the section with its markers, in bytes.
    fn find(&self, text: &str) -> Result<Option<Range<usize>>, Problem> {
        let mut start = None;
        let mut at = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let after = at + line.len();
            match line.trim() {
                line if line == self.start => start = start.or(Some((at, index + 1))),
                line if line == self.end => {
                    if let Some((start, _)) = start {
                        return Ok(Some(start..after));
                    }
                }
                _ => {}
            }
            at = after;
        }
        match start {
            None => Ok(None),
            Some((_, line)) => Err(Problem {
                message: format!("`{}` has no line `{}` after it", self.start, self.end),
                line: Some(line),
                column: None,
                help: format!("add the line, or remove `{}`", self.start),
            }),
        }
    }

    fn text(&self, newline: &str) -> String {
        let text = format!("{}\n{}\n{}\n", self.start, self.body.trim_end(), self.end);
        text.replace('\n', newline)
    }
}

impl Part for Section {
    fn put(&self, text: Option<&str>) -> Result<String, Problem> {
        let Some(text) = text else {
            return Ok(self.text("\n"));
        };
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let section = self.text(newline);
        if let Some(range) = self.find(text)? {
            return Ok(format!(
                "{}{section}{}",
                &text[..range.start],
                &text[range.end..]
            ));
        }
        let is_ended = text.is_empty() || text.ends_with('\n');
        let end = if is_ended { "" } else { newline };
        let is_separate = text.trim().is_empty() || is_blank_ended(text);
        let blank = if is_separate { "" } else { newline };
        Ok(format!("{text}{end}{blank}{section}"))
    }

    fn take(&self, text: &str) -> Result<Option<String>, Problem> {
        let Some(range) = self.find(text)? else {
            return Ok(Some(text.to_owned()));
        };
        let (mut before, after) = (&text[..range.start], &text[range.end..]);
        if is_blank_ended(before) {
            // The blank line that separates the section.
            let newline = if before.ends_with("\r\n") { 2 } else { 1 };
            before = &before[..before.len() - newline];
        }
        let rest = format!("{before}{after}");
        let is_empty = rest.trim().is_empty();
        Ok((!is_empty).then_some(rest))
    }
}

/// Returns whether a text ends with a blank line.
fn is_blank_ended(text: &str) -> bool {
    text.ends_with("\n\n") || text.ends_with("\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section {
            start: "<<",
            end: ">>",
            body: "one\ntwo\n".to_owned(),
        }
    }

    #[test]
    fn puts_the_section_at_the_end_and_takes_it_out() {
        let part = section();
        for (text, with) in [
            ("", "<<\none\ntwo\n>>\n"),
            ("a\n", "a\n\n<<\none\ntwo\n>>\n"),
            ("a\n\n", "a\n\n<<\none\ntwo\n>>\n"),
            ("a", "a\n\n<<\none\ntwo\n>>\n"),
            ("a\r\nb\r\n", "a\r\nb\r\n\r\n<<\r\none\r\ntwo\r\n>>\r\n"),
        ] {
            let put = part.put(Some(text)).unwrap();
            assert_eq!(put, with, "{text:?}");
            assert_eq!(part.put(Some(&put)).unwrap(), put);
            let newline = if text.contains('\r') { "\r\n" } else { "\n" };
            let taken = part.take(&put).unwrap().unwrap_or_default();
            let plain = text.trim_end();
            let expected = if plain.is_empty() {
                String::new()
            } else {
                format!("{plain}{newline}")
            };
            assert_eq!(taken, expected, "{text:?}");
        }
        let edited = "a\n\n<<\nold\n>>\nb\n";
        assert_eq!(
            part.put(Some(edited)).unwrap(),
            "a\n\n<<\none\ntwo\n>>\nb\n"
        );
        assert_eq!(part.take(edited).unwrap().unwrap(), "a\nb\n");
        assert_eq!(part.take("a\n").unwrap().unwrap(), "a\n");
    }

    #[test]
    fn refuses_a_section_without_an_end() {
        let problem = section().put(Some("a\n<<\nb\n")).unwrap_err();
        assert_eq!(problem.line, Some(2));
    }
}
