//! Ports in JavaScript and TypeScript source, found without running it.

/// The port that a file listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// It reads a variable, usually PORT; `usual` is its fallback, if it has one.
    Reads {
        variable: String,
        usual: Option<u16>,
    },
    /// It always listens on this port; with the line.
    Literal(u16, usize),
}

/// Beginnings of variables ending in `PORT` that name the port of the server itself when a key or a
/// variable called `port` is set to them. `DB_PORT` and the like name the ports of others.
const OWN_PORT_PREFIXES: [&str; 14] = [
    "API",
    "APP",
    "APPLICATION",
    "BACKEND",
    "BE",
    "DEV_SERVER",
    "EXPRESS",
    "FRONTEND",
    "HTTP",
    "LISTEN",
    "NODE",
    "SERVER",
    "SERVICE",
    "WEB",
];

/// Finds the port that a file listens on.
pub(super) fn port(text: &str) -> Option<Port> {
    let mut literal = None;
    let (mut variable, mut own_line) = (None, 0);
    let mut in_listen = 0;
    for (index, line) in code(text) {
        let own = own_port_variable(line);
        if let Some(rest) = after_port_variable(line) {
            let usual = first_number(rest);
            // `env.APP_PORT || env.PORT`: the first variable takes precedence.
            let first = own.or(variable.filter(|_| own_line + CONDITION_LINES >= index));
            let variable = match first {
                Some(Port::Reads { variable, .. }) => variable,
                _ => "PORT".to_owned(),
            };
            return Some(Port::Reads { variable, usual });
        }
        if variable.is_none() && own.is_some() {
            variable = own;
            own_line = index;
        }
        if let Some(at) = listens(line) {
            in_listen = LISTEN_LINES;
            let arguments = line[at..].trim_start();
            let argument = match arguments.starts_with('{') {
                true => after_key(arguments, "port").or(after_shorthand(arguments, "port")),
                false => Some(arguments),
            };
            let value = argument.map(|argument| value(text, argument));
            variable = value.and_then(port_variable).or(variable);
            let number = value.and_then(number_of);
            literal = literal.or(number.map(|number| (number, index)));
        } else if in_listen > 0 {
            in_listen -= 1;
            let value = after_key(line, "port").map(|argument| value(text, argument));
            variable = value.and_then(port_variable).or(variable);
            let number = value.and_then(leading_number);
            literal = literal.or(number.map(|number| (number, index)));
        }
    }
    variable.or(literal.map(|(number, line)| Port::Literal(number, line)))
}

/// Maximum number of lines from a variable to the one that replaces it if it is not set.
const CONDITION_LINES: usize = 3;

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
                    let is_port = rest[at..]
                        .trim_start_matches(['"', '\''])
                        .starts_with("port");
                    let value = after_key(&rest[at..], "port").filter(|_| begins && is_port);
                    let number = value.and_then(|value| default_number(text, value));
                    if number.is_some() {
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
    ["listen(", "bindAsync(", "serve(", "export default {"]
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

/// Parses the port at the start of a text, which may be a string or the end of an address in one.
fn number_of(text: &str) -> Option<u16> {
    let Some(quote) = text.chars().next().filter(|c| "'\"`".contains(*c)) else {
        return leading_number(text);
    };
    let inside = text[1..].split(quote).next()?;
    let number = inside.rsplit(':').next()?;
    number.parse().ok().filter(|port| *port > 0)
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

/// Returns the number of an expression: `3000`, `port` for `const port = 3000`, and the default of a variable
/// in `Number(process.env.PORT) || 3000`.
fn default_number(text: &str, expression: &str) -> Option<u16> {
    let value = value(text, expression);
    number_of(value).or_else(|| {
        let end = value.find([',', '}', ';']).unwrap_or(value.len());
        let (_, default) = value[..end]
            .rsplit_once("||")
            .or(value[..end].rsplit_once("??"))?;
        number_of(default.trim_start().trim_start_matches("Number("))
    })
}

/// Returns the value of an argument: of the variable that it names, if this file declares it with
/// `const port = 3000` or `let port: number = 3000`, otherwise the argument itself.
fn value<'t>(text: &'t str, argument: &'t str) -> &'t str {
    let argument = argument.trim_start();
    let variable = leading_word(argument);
    if variable.is_empty() {
        return argument;
    }
    let declared = code(text).find_map(|(_, line)| {
        let (before, value) = line.split_once('=')?;
        let name = before.split(':').next()?.trim_end();
        let name = name.rsplit(char::is_whitespace).next()?;
        (name == variable).then(|| value.trim_start())
    });
    declared.unwrap_or(argument)
}

/// Returns the text from `key` where it stands for itself in an object: `{ port, host }`.
fn after_shorthand<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.match_indices(key).find_map(|(at, _)| {
        let is_edge =
            |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
        let after = text[at + key.len()..].trim_start().chars().next();
        (is_edge(text[..at].chars().next_back()) && matches!(after, Some(',' | '}')))
            .then(|| &text[at..])
    })
}

/// Returns the variable ending in `PORT` that an expression reads from the environment, and its
/// fallback.
fn port_variable(expression: &str) -> Option<Port> {
    let at = expression.find("env")? + "env".len();
    let rest = expression[at..].trim_start_matches(['?', '.', '[', '(', '"', '\'']);
    let rest = rest.strip_prefix("get(").unwrap_or(rest);
    let rest = rest.trim_start_matches(['"', '\'']);
    let end = rest.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
    let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
    name.ends_with("PORT").then(|| Port::Reads {
        variable: name.to_owned(),
        usual: first_number(rest),
    })
}

/// Returns the variable to which a line sets a key or a variable called `port`, if its name says that
/// it is the port of the server.
fn own_port_variable(line: &str) -> Option<Port> {
    let (before, value) = line.split_once(['=', ':'])?;
    let name = before.trim_end().trim_end_matches(['"', '\'']);
    let name = name
        .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    let port = port_variable(value).filter(|_| name.eq_ignore_ascii_case("port"))?;
    let Port::Reads { variable, .. } = &port else {
        return None;
    };
    let prefix = variable.strip_suffix("_PORT")?;
    OWN_PORT_PREFIXES.contains(&prefix).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(variable: &str, usual: Option<u16>) -> Option<Port> {
        let variable = variable.to_owned();
        Some(Port::Reads { variable, usual })
    }

    #[test]
    fn finds_the_port_of_a_server() {
        for (text, expected) in [
            ("app.listen(3000)", Some(Port::Literal(3000, 1))),
            (
                "const port = 4000;\n\napp.listen(port, () => {})",
                Some(Port::Literal(4000, 3)),
            ),
            (
                "const port: number = 4000\napp.listen({ port })",
                Some(Port::Literal(4000, 2)),
            ),
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
                reads("PORT", Some(3000)),
            ),
            (
                "const port = normalizePort(process.env.PORT || '4000');\nserver.listen(port)",
                reads("PORT", Some(4000)),
            ),
            (
                "const { PORT = 5000 } = process.env",
                reads("PORT", Some(5000)),
            ),
            ("serve({ port: Number(env['PORT']) })", reads("PORT", None)),
            (
                "process.env.REPORT; app.listen(80)",
                Some(Port::Literal(80, 1)),
            ),
            ("process.env.DB_PORT; x", None),
            (
                "new Elysia().listen(Number(process.env.HOST_PORT))",
                reads("HOST_PORT", None),
            ),
            (
                "const port = process.env.SERVER_PORT || 8085;\nserver.listen(port)",
                reads("SERVER_PORT", Some(8085)),
            ),
            (
                "const p = +Bun.env['X_PORT'] || 1\nserve({\n  fetch,\n  port: p,\n})",
                reads("X_PORT", Some(1)),
            ),
            (
                "const port = Deno.env.get(\"X_PORT\")\nserver.listen({ port, host })",
                reads("X_PORT", None),
            ),
            (
                "export default { port: process.env.API_PORT ?? 4000 }",
                reads("API_PORT", Some(4000)),
            ),
            ("db: { port: process.env.DB_PORT }", None),
            ("const API_PORT = process.env.API_PORT", None),
            (
                "port: process.env.APP_PORT\n  ? parseInt(process.env.APP_PORT, 10)\n  : process.env.PORT\n    ? 1\n    : 3000",
                reads("APP_PORT", None),
            ),
            (
                "const port = process.env.API_PORT || process.env.PORT || 3000",
                reads("API_PORT", Some(3000)),
            ),
            ("// app.listen(3000)\n * app.listen(3000)", None),
            ("db.connect({ port: 5432 })", None),
            ("app.listen()", None),
            ("app.listen(99999)", None),
            (
                "server.bindAsync('0.0.0.0:50051', credentials, () => {})",
                Some(Port::Literal(50_051, 1)),
            ),
            ("app.listen('3000')", Some(Port::Literal(3000, 1))),
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
            (
                "server: { port: Number(process.env.X) || 3002, open: true }",
                Some(3002),
            ),
            ("server: { port: parseInt(env.X ?? '3003') }", Some(3003)),
            ("const port = 3004;\nserver: {\n  port,\n}", None),
            (
                "const PORT = 3004;\nserver: {\n  port: PORT,\n}",
                Some(3004),
            ),
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
