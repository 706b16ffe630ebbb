//! Ports in JavaScript and TypeScript source, found without running it.

/// The port that a file listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// It reads PORT; this port is its fallback, if it has one.
    Reads(Option<u16>),
    /// It always listens on this port; with the line.
    Literal(u16, usize),
}

/// Finds the port that a file listens on.
pub(super) fn port(text: &str) -> Option<Port> {
    let mut literal = None;
    let mut in_listen = 0;
    for (index, line) in code(text) {
        if let Some(rest) = after_port_variable(line) {
            return Some(Port::Reads(first_number(rest)));
        }
        if let Some(at) = listens(line) {
            in_listen = LISTEN_LINES;
            let arguments = line[at..].trim_start();
            let number = leading_number(arguments)
                .or_else(|| named_number(arguments, "port"))
                .or_else(|| assigned(text, leading_word(arguments)));
            literal = literal.or(number.map(|number| (number, index)));
        } else if in_listen > 0 {
            in_listen -= 1;
            let number = named_number(line, "port");
            literal = literal.or(number.map(|number| (number, index)));
        }
    }
    literal.map(|(number, line)| Port::Literal(number, line))
}

/// Maximum number of lines that the arguments of a listening call span.
const LISTEN_LINES: usize = 6;

/// Returns whether a file has a line that listens.
pub(super) fn has_server(text: &str) -> bool {
    code(text).any(|(_, line)| listens(line).is_some())
}

/// Returns the number after `port:` in the object after `key:` of a configuration.
pub(super) fn configured(text: &str, key: &str) -> Option<u16> {
    let mut depth = None;
    for (_, line) in code(text) {
        let mut rest = line;
        if depth.is_none() {
            let Some(after) = after_key(line, key) else {
                continue;
            };
            let Some(after) = after.trim_start().strip_prefix('{') else {
                continue;
            };
            depth = Some(1_usize);
            rest = after;
        }
        // Only at the top level of the object: nested objects configure other ports.
        let mut level = depth.unwrap_or(1);
        for (at, character) in rest.char_indices() {
            match character {
                '{' => level += 1,
                '}' if level == 1 => return None,
                '}' => level -= 1,
                'p' | '"' | '\'' if level == 1 => {
                    let begins = rest[..at]
                        .chars()
                        .next_back()
                        .is_none_or(|c| !c.is_alphanumeric());
                    let number = begins.then(|| named_number(&rest[at..], "port")).flatten();
                    if number.is_some()
                        && after_key(&rest[at..], "port").is_some_and(|_| {
                            rest[at..]
                                .trim_start_matches(['"', '\''])
                                .starts_with("port")
                        })
                    {
                        return number;
                    }
                }
                _ => {}
            }
        }
        depth = Some(level);
    }
    None
}

/// The lines that are code, with line numbers from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with(['*', '#']))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, line)| line.len() < 1000)
}

/// Returns the position in a line where the arguments of a listening call start.
fn listens(line: &str) -> Option<usize> {
    ["listen(", "serve(", "export default {"]
        .iter()
        .find_map(|call| {
            let at = line.find(call)?;
            let before = line[..at].chars().next_back();
            let is_call = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            is_call.then_some(at + call.len())
        })
}

/// Returns the text after the variable PORT, if the line reads it from the environment.
fn after_port_variable(line: &str) -> Option<&str> {
    let reads = line.contains("env") || line.contains("config");
    let at = line.match_indices("PORT").map(|(at, _)| at).find(|at| {
        let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        is_edge(line[..*at].chars().next_back()) && is_edge(line[at + 4..].chars().next())
    })?;
    reads.then(|| &line[at + 4..])
}

fn first_number(text: &str) -> Option<u16> {
    let at = text.find(|c: char| c.is_ascii_digit())?;
    leading_number(&text[at..])
}

/// Parses the port number at the start of a text.
fn leading_number(text: &str) -> Option<u16> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let number = text[..end.unwrap_or(text.len())].parse().ok()?;
    (number > 0).then_some(number)
}

fn leading_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Returns the text after `key:`; the key may be in quotes.
fn after_key<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.match_indices(key).find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']);
        let rest = rest.trim_start().strip_prefix(':')?;
        begins.then_some(rest)
    })
}

/// Returns the number after `key:`.
fn named_number(text: &str, key: &str) -> Option<u16> {
    leading_number(after_key(text, key)?.trim_start())
}

/// Returns the number that a variable is declared with: `const port = 3000`, `let port: number =
/// 3000`.
fn assigned(text: &str, variable: &str) -> Option<u16> {
    if variable.is_empty() {
        return None;
    }
    code(text).find_map(|(_, line)| {
        let (before, value) = line.split_once('=')?;
        let name = before.split(':').next()?.trim_end();
        let name = name.rsplit(char::is_whitespace).next()?;
        (name == variable).then(|| leading_number(value.trim_start()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_port_of_a_server() {
        for (text, expected) in [
            ("app.listen(3000)", Some(Port::Literal(3000, 1))),
            (
                "const port = 4000;\n\napp.listen(port, () => {})",
                Some(Port::Literal(4000, 3)),
            ),
            ("const port: number = 4000\napp.listen({ port })", None),
            (
                "fastify.listen({ port: 3001, host: '0.0.0.0' })",
                Some(Port::Literal(3001, 1)),
            ),
            (
                "serve({\n  fetch: app.fetch,\n  port: 3000\n}, (info) => {})",
                Some(Port::Literal(3000, 3)),
            ),
            (
                "export default {\n  port: 8080,\n  fetch: app.fetch,\n}",
                Some(Port::Literal(8080, 2)),
            ),
            ("Bun.serve({ port: 3000 })", Some(Port::Literal(3000, 1))),
            (
                "await app.listen(process.env.PORT ?? 3000);",
                Some(Port::Reads(Some(3000))),
            ),
            (
                "const port = normalizePort(process.env.PORT || '4000');\nserver.listen(port)",
                Some(Port::Reads(Some(4000))),
            ),
            (
                "const { PORT = 5000 } = process.env",
                Some(Port::Reads(Some(5000))),
            ),
            (
                "serve({ port: Number(env['PORT']) })",
                Some(Port::Reads(None)),
            ),
            (
                "process.env.REPORT; app.listen(80)",
                Some(Port::Literal(80, 1)),
            ),
            ("process.env.DB_PORT; x", None),
            ("// app.listen(3000)\n * app.listen(3000)", None),
            ("db.connect({ port: 5432 })", None),
            ("app.listen()", None),
            ("app.listen(99999)", None),
        ] {
            assert_eq!(port(text), expected, "{text}");
        }
    }

    #[test]
    fn ignores_ports_of_nested_configuration() {
        for (text, port) in [
            ("export default { server: { port: 3000 } }", Some(3000)),
            (
                "server: {\n  hmr: { port: 443 },\n  proxy: {\n    '/api': { target: 'x', port: 1 },\n  },\n  port: 3001,\n}",
                Some(3001),
            ),
            (
                "server: {\n  hmr: { port: 443 },\n}\npreview: { port: 1 }",
                None,
            ),
            ("\"options\": {\n  \"port\": 4300\n}", Some(4300)),
            ("server: { port: process.env.X }", None),
            ("server: serverOptions, port: 1", None),
            ("devServer: { support: 5 }", None),
            ("// server: { port: 1 }", None),
        ] {
            let key = ["server", "options", "devServer"];
            let key = key.into_iter().find(|key| text.contains(key)).unwrap();
            assert_eq!(configured(text, key), port, "{text}");
        }
    }
}
