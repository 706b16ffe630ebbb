//! Portway's part of a text file: the lines between two markers.

use std::ops::Range;

use super::part::{Part, Problem};

/// Where a new section is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// After everything else.
    End,
    /// After the first line, which names the interpreter of a script.
    AfterFirstLine,
}

/// Lines between two markers.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// The first line of the section.
    pub(crate) start: &'static str,
    /// The last line of the section.
    pub(crate) end: &'static str,
    /// The lines between the markers.
    pub(crate) body: String,
    pub(crate) place: Place,
    /// The first lines of a file that does not exist yet.
    pub(crate) header: &'static str,
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
            return Ok(format!("{}{}", self.header, self.text("\n")));
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
        let (before, after) = match self.place {
            Place::End => (text, ""),
            Place::AfterFirstLine => match text.find('\n') {
                Some(end) => text.split_at(end + 1),
                None => (text, ""),
            },
        };
        let ended = before.is_empty() || before.ends_with('\n');
        let end = if ended { "" } else { newline };
        let blank = match self.place {
            Place::End if !before.trim().is_empty() && !is_blank_ended(before) => newline,
            _ => "",
        };
        Ok(format!("{before}{end}{blank}{section}{after}"))
    }

    fn take(&self, text: &str) -> Result<Option<String>, Problem> {
        let Some(range) = self.find(text)? else {
            return Ok(Some(text.to_owned()));
        };
        let (mut before, after) = (&text[..range.start], &text[range.end..]);
        if self.place == Place::End && is_blank_ended(before) {
            // The blank line that separates the section.
            let newline = if before.ends_with("\r\n") { 2 } else { 1 };
            before = &before[..before.len() - newline];
        }
        let rest = format!("{before}{after}");
        let is_empty = rest.trim().is_empty() || rest == self.header;
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

    fn section(place: Place, header: &'static str) -> Section {
        Section {
            start: "<<",
            end: ">>",
            body: "one\ntwo\n".to_owned(),
            place,
            header,
        }
    }

    #[test]
    fn puts_the_section_at_the_end_and_takes_it_out() {
        let part = section(Place::End, "");
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
    fn puts_the_section_after_the_first_line() {
        let part = section(Place::AfterFirstLine, "#!/bin/sh\n");
        let new = part.put(None).unwrap();
        assert_eq!(new, "#!/bin/sh\n<<\none\ntwo\n>>\n");
        assert_eq!(part.take(&new).unwrap(), None);
        let text = "#!/bin/bash\nset -e\nexit 3";
        let put = part.put(Some(text)).unwrap();
        assert_eq!(put, "#!/bin/bash\n<<\none\ntwo\n>>\nset -e\nexit 3");
        assert_eq!(part.take(&put).unwrap().unwrap(), text);
    }

    #[test]
    fn refuses_a_section_without_an_end() {
        let problem = section(Place::End, "").put(Some("a\n<<\nb\n")).unwrap_err();
        assert_eq!(problem.line, Some(2));
    }
}
