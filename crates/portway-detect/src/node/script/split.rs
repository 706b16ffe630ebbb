//! Splits the text of a script at the operators of the shell.

/// What follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// `&`, after which the next command runs at the same time.
    Background,
    /// `|`
    Pipe,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;` or the end of a line.
    Semicolon,
}

impl Separator {
    /// Returns how it is written.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Background => "&",
            Self::Pipe => "|",
            Self::And => "&&",
            Self::Or => "||",
            Self::Semicolon => ";",
        }
    }
}

/// Splits a script into commands with what follows them, and returns whether they run one after the other.
pub(super) fn split(text: &str) -> (Vec<(&str, Separator)>, bool) {
    let mut commands = Vec::new();
    let mut is_sequence = true;
    let (mut start, mut quote, mut escaped) = (0, None, false);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let here = at;
        at += 1;
        if std::mem::take(&mut escaped) {
            continue;
        }
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => escaped = true,
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            // The ampersand of `2>&1` separates nothing.
            (b'>' | b'<', None) if bytes.get(at) == Some(&b'&') => at += 1,
            (b';' | b'\n', None) => {
                commands.push((&text[start..here], Separator::Semicolon));
                start = at;
            }
            (b'&' | b'|', None) => {
                let separator;
                if bytes.get(at) == Some(&byte) {
                    at += 1;
                    is_sequence &= byte == b'&';
                    separator = match byte {
                        b'&' => Separator::And,
                        _ => Separator::Or,
                    };
                } else {
                    is_sequence = false;
                    separator = match byte {
                        b'&' => Separator::Background,
                        _ => Separator::Pipe,
                    };
                }
                commands.push((&text[start..here], separator));
                start = at;
            }
            _ => {}
        }
    }
    commands.push((&text[start..], Separator::Semicolon));
    commands.retain(|(command, _)| !command.trim().is_empty());
    (commands, is_sequence)
}

/// Separates the redirections at the end of a command: `vite` and `> log 2>&1`.
pub(super) fn without_redirections(text: &str) -> (&str, &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let sign = |word: &str| {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
        let file = rest.trim_start_matches(['>', '<']);
        (file.len() < rest.len()).then_some(!file.is_empty())
    };
    let mut count = words.len();
    while count > 0 {
        count -= match (sign(words[count - 1]), words.get(count.wrapping_sub(2))) {
            (Some(true), _) => 1,
            // `> log`
            (None, Some(before)) if sign(before) == Some(false) => 2,
            _ => break,
        };
    }
    let end = match words.get(count) {
        // All words are slices of the text.
        Some(word) => word.as_ptr() as usize - text.as_ptr() as usize,
        None => text.len(),
    };
    // Within quotes, they belong to an argument.
    let end = if text[end..].contains(['\'', '"']) {
        text.len()
    } else {
        end
    };
    (&text[..end], text[end..].trim())
}

/// Returns whether a script contains no syntax but commands and what joins them, and this command of it no
/// redirection.
pub(super) fn is_plain(text: &str, command: &str) -> bool {
    let unquoted = |text: &str| {
        let mut quote = None;
        let keep = |character: &char| match (quote, *character) {
            (None, '\'' | '"') => {
                quote = Some(*character);
                false
            }
            (None, _) => true,
            (Some(open), character) => {
                quote = quote.filter(|_| character != open);
                false
            }
        };
        text.chars().filter(keep).collect::<String>()
    };
    let outside = unquoted(text);
    let is_expanded = text.contains('`') || text.contains("$(");
    !is_expanded && !outside.contains(['(', '\n', '#']) && !unquoted(command).contains(['>', '<'])
}
