//! What a service prints, made harmless for a terminal.
//!
//! Colours stay; everything else that a terminal would obey (moving the cursor, clearing the
//! screen, setting the title, answering back) goes.

use vte::{Params, Parser, Perform};

/// `text` with its colours (`colour`) or without any escape sequence.
pub(crate) fn sanitize(text: &str, colour: bool) -> String {
    if !text
        .bytes()
        .any(|byte| byte < 0x20 || byte == 0x7f || byte >= 0x80)
    {
        return text.to_owned();
    }
    let mut clean = Clean {
        text: String::with_capacity(text.len()),
        colour,
        coloured: false,
    };
    let mut parser = Parser::new();
    parser.advance(&mut clean, text.as_bytes());
    if clean.coloured {
        clean.text.push_str("\x1b[0m");
    }
    clean.text
}

/// A path or command without the control characters that it may have, which would break its line
/// or be obeyed by the terminal.
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
    colour: bool,
    coloured: bool,
}

impl Perform for Clean {
    fn print(&mut self, character: char) {
        // C1 controls are obeyed by some terminals; the direction overrides hide what is printed.
        let hidden = matches!(character, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if !hidden {
            self.text.push(character);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.text.push('\t'),
            // A progress bar draws over itself: the last state is the line.
            b'\r' => self.text.clear(),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if action != 'm' || !self.colour || ignore || !intermediates.is_empty() {
            return;
        }
        self.coloured = true;
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
    fn colours_stay_and_everything_else_goes() {
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
    fn a_path_stays_on_its_line() {
        assert_eq!(
            one_line("/p/new\nline \x1b[2J ü"),
            "/p/new\\nline \\u{1b}[2J ü"
        );
    }
}
