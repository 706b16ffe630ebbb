//! Makes the output of services safe for a terminal.
//!
//! Keeps colors and removes every other control sequence, such as those that move the cursor, clear
//! the screen, set the title or make the terminal send a reply.

use vte::{Params, Parser, Perform};

/// Removes escape sequences from `text`; keeps colors if `color` is set.
pub(crate) fn sanitize(text: &str, color: bool) -> String {
    if !text
        .bytes()
        .any(|byte| byte < 0x20 || byte == 0x7f || byte >= 0x80)
    {
        return text.to_owned();
    }
    let mut clean = Clean {
        text: String::with_capacity(text.len()),
        color,
        colored: false,
    };
    let mut parser = Parser::new();
    parser.advance(&mut clean, text.as_bytes());
    if clean.colored {
        clean.text.push_str("\x1b[0m");
    }
    clean.text
}

/// Escapes the control characters of a path or command, so that it stays on one line.
pub(crate) fn one_line(path: &str) -> String {
    path.chars()
        .map(|character| {
            if character.is_control() {
                character.escape_default().to_string()
            } else {
                character.to_string()
            }
        })
        .collect()
}

struct Clean {
    text: String,
    color: bool,
    colored: bool,
}

impl Perform for Clean {
    fn print(&mut self, character: char) {
        // Some terminals interpret C1 controls; direction overrides disguise text.
        let hidden = matches!(character, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if !hidden {
            self.text.push(character);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.text.push('\t'),
            // A progress bar overwrites itself; only its last state counts.
            b'\r' => self.text.clear(),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if action != 'm' || !self.color || ignore || !intermediates.is_empty() {
            return;
        }
        self.colored = true;
        let params: Vec<String> = params
            .iter()
            .map(|sub| sub.iter().map(u16::to_string).collect::<Vec<_>>().join(":"))
            .collect();
        self.text.push_str(&format!("\x1b[{}m", params.join(";")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_colors_and_removes_other_sequences() {
        for (text, with, without) in [
            ("plain", "plain", "plain"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m", "red"),
            ("\x1b[38;5;200mx", "\x1b[38;5;200mx\x1b[0m", "x"),
            ("a\x1b[2Jb\x1b[10;10Hc", "abc", "abc"),
            ("\x1b]0;title\x07x\x1b]52;c;aGk=\x07", "x", "x"),
            ("\x1bPq#0\x1b\\x", "x", "x"),
            ("10%\r20%\r100%", "100%", "100%"),
            ("a\x08\x00\x7fb\tc", "ab\tc", "ab\tc"),
            ("\u{202e}evil", "evil", "evil"),
            ("ünï\u{fffd}", "ünï\u{fffd}", "ünï\u{fffd}"),
        ] {
            assert_eq!(sanitize(text, true), with, "{text:?}");
            assert_eq!(sanitize(text, false), without, "{text:?}");
        }
    }

    #[test]
    fn escapes_control_characters_in_paths() {
        assert_eq!(
            one_line("/p/new\nline \x1b[2J ü"),
            "/p/new\\nline \\u{1b}[2J ü"
        );
    }
}
