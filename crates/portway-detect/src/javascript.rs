//! JavaScript and TypeScript as text.

/// Replaces comments with spaces and keeps all positions. Slashes in strings, such as in URLs, are not
/// comments.
pub fn without_comments(text: &str) -> String {
    #[derive(PartialEq)]
    enum Context {
        Code,
        Text(char),
        Line,
        Block,
    }
    let mut context = Context::Code;
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let mut kept = character;
        match context {
            Context::Code => match (character, next) {
                ('/', Some('/')) => (context, kept) = (Context::Line, ' '),
                ('/', Some('*')) => (context, kept) = (Context::Block, ' '),
                ('"' | '\'' | '`', _) => context = Context::Text(character),
                _ => {}
            },
            Context::Text(quote) => {
                if character == '\\' {
                    out.push(character);
                    kept = characters.next().unwrap_or(' ');
                } else if character == quote || (character == '\n' && quote != '`') {
                    context = Context::Code;
                }
            }
            Context::Line if character == '\n' => context = Context::Code,
            Context::Block if character == '*' && next == Some('/') => {
                characters.next();
                out.push(' ');
                (context, kept) = (Context::Code, ' ');
            }
            Context::Line => kept = ' ',
            Context::Block if character != '\n' => kept = ' ',
            Context::Block => {}
        }
        out.push(kept);
    }
    out
}
