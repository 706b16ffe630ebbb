//! Makes text that did not originate in Portway safe for a terminal: output of services, names of
//! processes, variables and files.
//!
//! The output of services keeps its colors and loses every other control sequence, such as those
//! that move the cursor, clear the screen, set the title or make the terminal send a reply. In all
//! other texts, control characters become visible.

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

/// Escapes the control characters of a path, name or command, so that it stays on one line.
pub(crate) fn one_line(text: &str) -> String {
    escape(text, |_| false)
}

/// Escapes the control characters of a text that consists of several lines.
pub(crate) fn lines(text: &str) -> String {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

/// Escapes the control characters of a text that Portway has composed: all except line ends, tabs
/// and colors. Everything that is printed passes through this function.
pub(crate) fn composed(text: &str) -> String {
    let mut all = text.split("\x1b[");
    let mut safe = lines(all.next().unwrap_or_default());
    for part in all {
        let parameters = part
            .bytes()
            .take_while(|byte| b"0123456789;:".contains(byte));
        let length = parameters.count();
        match part.get(length..).and_then(|rest| rest.strip_prefix('m')) {
            Some(rest) => {
                safe.push_str("\x1b[");
                safe.push_str(&part[..=length]);
                safe.push_str(&lines(rest));
            }
            None => {
                safe.push_str(&lines("\x1b["));
                safe.push_str(&lines(part));
            }
        }
    }
    safe
}

/// Escapes the characters that JSON permits in a string and a terminal interprets.
pub(crate) fn json(text: &str) -> String {
    if text.is_ascii() && !text.contains('\x7f') {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) && character != '\n' {
            safe.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    safe
}

fn escape(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) && !is_kept(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Returns whether a terminal interprets a character. Some interpret C1 controls, and direction
/// overrides disguise text.
fn is_unsafe(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a text has only characters that no terminal interprets.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.chars().any(is_unsafe)
}

struct Clean {
    text: String,
    color: bool,
    colored: bool,
}

impl Perform for Clean {
    fn print(&mut self, character: char) {
        if !is_unsafe(character) {
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
    fn keeps_only_colors_and_lines_of_composed_texts() {
        for (text, safe) in [
            (
                "a\tb\n\x1b[1;31mred\x1b[0m\n",
                "a\tb\n\x1b[1;31mred\x1b[0m\n",
            ),
            ("\x1b]0;owned\x07", "\\u{1b}]0;owned\\u{7}"),
            ("\x1b[2J\x1b[mü", "\\u{1b}[2J\x1b[mü"),
            ("\u{9b}2J\u{202e}x\r", "\\u{9b}2J\\u{202e}x\\r"),
            ("\x1b[38;5;1", "\\u{1b}[38;5;1"),
        ] {
            assert_eq!(composed(text), safe, "{text:?}");
        }
    }

    #[test]
    fn escapes_json_as_json() {
        let value = "\u{9b}2J\u{7f}\u{202e}ü\x1b";
        let text = json(&serde_json::to_string(value).unwrap());
        assert_eq!(text, r#""\u009b2J\u007f\u202eü\u001b""#);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
    }

    #[test]
    fn escapes_control_characters_in_paths() {
        assert_eq!(
            one_line("/p/new\nline \x1b[2J ü"),
            "/p/new\\nline \\u{1b}[2J ü"
        );
    }
}
