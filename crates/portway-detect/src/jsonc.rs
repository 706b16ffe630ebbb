//! JSON with comments and trailing commas, as Deno and .NET use it.

/// Converts to plain JSON: comments become spaces, and a comma before a closing bracket is removed.
/// Line numbers stay the same, so errors name the right line.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    // Position of the last comma that only whitespace has followed.
    let mut comma = None;
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('"', _) => {
                comma = None;
                plain.push('"');
                while let Some(inner) = characters.next() {
                    plain.push(inner);
                    match inner {
                        '\\' => plain.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ('/', Some('/')) => while characters.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                characters.next();
                let mut last = ' ';
                for inner in characters.by_ref() {
                    if (last, inner) == ('*', '/') {
                        break;
                    }
                    if inner == '\n' {
                        plain.push('\n');
                    }
                    last = inner;
                }
                plain.push(' ');
            }
            _ => {
                match character {
                    ',' => comma = Some(plain.len()),
                    '}' | ']' => {
                        if let Some(at) = comma.take() {
                            plain.replace_range(at..=at, " ");
                        }
                    }
                    _ if character.is_whitespace() => {}
                    _ => comma = None,
                }
                plain.push(character);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_comments_and_trailing_commas_and_keeps_lines() {
        for (text, expected) in [
            ("{\"a\": 1, // x\n}", "{\"a\": 1  \n}"),
            ("[1, /* ]\n */ 2,]", "[1, \n  2 ]"),
            ("{\"a\": \"// \\\" /* ,]\"}", "{\"a\": \"// \\\" /* ,]\"}"),
            ("[1,2]", "[1,2]"),
            ("\"\u{e9}\\", "\"\u{e9}\\"),
            ("/*", " "),
            ("/", "/"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
