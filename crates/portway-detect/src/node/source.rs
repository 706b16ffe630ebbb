//! Ports in JavaScript and TypeScript source, found without running it.

use super::listen_call::{self, ListenCall};
use crate::variables::{defaults_in, destructured};

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
    let mut found = port_in(text)?;
    if let Port::Reads { variable, usual } = &mut found {
        // `parseInt(process.env.PORT, 10) || 3000` has other numbers than the fallback.
        let defaults = defaults_in(text).into_iter();
        let mut own = defaults.filter(|(_, name, _)| name == variable);
        *usual = own
            .find_map(|(_, _, default)| default.parse().ok())
            .or(*usual);
    }
    Some(found)
}

fn port_in(text: &str) -> Option<Port> {
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
        if let Some(call) = listen_call::find(line).filter(|call| call.needs_port || call.is_nested)
        {
            let value = port_argument(text, line, call);
            variable = value.and_then(port_variable).or(variable);
            let number = value.and_then(number_of);
            literal = literal.or(number.map(|number| (number, index)));
        } else if let Some(ListenCall { at, .. }) = listen_call::find(line) {
            in_listen = LISTEN_LINES;
            let arguments = line[at..].trim_start();
            let argument = match arguments.starts_with('{') {
                true => after_key(arguments, "port").or(after_shorthand(arguments, "port")),
                false => Some(arguments),
            };
            variable = argument
                .and_then(|argument| destructured_port(text, argument))
                .or(variable);
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
    code(text).any(|(_, line)| {
        let call = listen_call::find(line);
        call.is_some_and(|call| !call.needs_port || port_argument(text, line, call).is_some())
    })
}

/// Returns the port among the arguments of a call that listens only with one, or has it in a nested object.
fn port_argument<'t>(text: &'t str, line: &'t str, call: ListenCall) -> Option<&'t str> {
    let arguments = listen_call::arguments(text, line, call.at).trim_start();
    if call.is_nested || arguments.starts_with('{') {
        let port = after_key(arguments, "port").or(after_shorthand(arguments, "port"));
        return port.map(|argument| value(text, argument));
    }
    // The first argument may also be another server.
    let value = value(text, arguments);
    let is_port = number_of(value).is_some() || port_variable(value).is_some();
    is_port.then_some(value)
}

/// Returns the number after `port:` in the object after `key:` of a configuration.
pub(super) fn configured(text: &str, key: &str) -> Option<u16> {
    find_configured(text, key, |value| default_number(text, value))
}

/// Returns the variable after `port:` in the object after `key:` of a configuration: `Number(env.VITE_PORT)`.
pub(super) fn configured_variable<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    find_configured(text, key, |value| {
        let value = value.split([',', '}']).next()?;
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let mut words = value.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words.find(|word| word.ends_with("PORT") && word.chars().all(is_part))
    })
}

/// Returns what `read` makes of a value after `port:` in the object after `key:` of a configuration.
fn find_configured<'t, T>(
    text: &'t str,
    key: &str,
    read: impl Fn(&'t str) -> Option<T>,
) -> Option<T> {
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
                    let found = value.and_then(&read);
                    if found.is_some() {
                        return found;
                    }
                }
                _ => {}
            }
        }
        depth = Some(level);
    }
    None
}

/// Returns the name of what a file listens on, if another file declares it: `app.listen(backendPort)`.
pub(super) fn imported_port(text: &str) -> Option<&str> {
    code(text).find_map(|(_, line)| {
        let call = listen_call::find(line).filter(|call| !call.needs_port && !call.is_nested)?;
        let argument = line[call.at..].trim_start();
        let name = leading_word(argument);
        // `value` returns the argument itself if this file does not declare it.
        let is_elsewhere = std::ptr::eq(value(text, argument).as_ptr(), argument.as_ptr());
        (name.to_ascii_lowercase().ends_with("port") && is_elsewhere).then_some(name)
    })
}

/// Returns the port to which a file declares a variable: `export const backendPort = process.env.API_PORT`.
pub(super) fn declared(text: &str, name: &str) -> Option<Port> {
    let expression = code(text).find_map(|(_, line)| {
        let (before, expression) = line.split_once('=')?;
        let before = before.split(':').next()?.trim_end();
        (before.rsplit(char::is_whitespace).next()? == name).then_some(expression)
    })?;
    port_variable(expression.split(';').next()?)
}

/// Returns the number of a constant or of a key with this name: `const NAME = 3000`, `NAME: 3000`.
pub(super) fn constant(text: &str, name: &str) -> Option<u16> {
    code(text).find_map(|(_, line)| {
        line.match_indices(name).find_map(|(at, _)| {
            let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            let rest = &line[at + name.len()..];
            let is_word = is_edge(line[..at].chars().next_back()) && is_edge(rest.chars().next());
            let value = rest.trim_start_matches(['"', '\'']).trim_start();
            let value = match value.split_once('=') {
                // A type may be between the name and the value.
                Some((before, value)) if before.is_empty() || before.starts_with(':') => value,
                _ => value.strip_prefix(':')?,
            };
            number_of(value.trim_start()).filter(|_| is_word)
        })
    })
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

/// Returns the text after the variable PORT, if the line reads it from the environment.
fn after_port_variable(line: &str) -> Option<&str> {
    let reads = line.contains("env") || line.contains("config");
    let at = line.match_indices("PORT").map(|(at, _)| at).find(|at| {
        let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        is_edge(line[..*at].chars().next_back())
            && is_edge(line[at + 4..].chars().next())
            && !gets_other_variable(&line[at + 4..])
    })?;
    reads.then(|| &line[at + 4..])
}

/// Returns whether the text after a name declares it with another variable: `const PORT = process.env.APP_PORT`.
fn gets_other_variable(text: &str) -> bool {
    let Some((before, value)) = text.split_once('=') else {
        return false;
    };
    let is_declared = before.trim().is_empty() || before.trim_start().starts_with(':');
    let variable = port_variable(value.split(';').next().unwrap_or_default());
    is_declared && matches!(variable, Some(Port::Reads { variable, .. }) if variable != "PORT")
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
pub(super) fn after_key<'t>(text: &'t str, key: &str) -> Option<&'t str> {
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
pub(super) fn value<'t>(text: &'t str, argument: &'t str) -> &'t str {
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

/// Returns the variable to which a line sets a key or a variable called `port`, or ending so if
/// there is a default, if the variable's name says that it is the port of the server.
fn own_port_variable(line: &str) -> Option<Port> {
    line.match_indices(['=', ':']).find_map(|(at, _)| {
        let name = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let name = name
            .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
            .next()?;
        let is_port = name.eq_ignore_ascii_case("port");
        // `apiPort: process.env.API_PORT || 9000`.
        if !is_port && !name.ends_with("Port") {
            return None;
        }
        let value = line[at + 1..].split([',', ';']).next()?;
        let port = port_variable(value)?;
        let Port::Reads { variable, usual } = &port else {
            return None;
        };
        if !is_port && usual.is_none() {
            return None;
        }
        let prefix = variable.strip_suffix("_PORT")?;
        OWN_PORT_PREFIXES.contains(&prefix).then_some(port)
    })
}

/// Returns the variable that an argument, or `port: NAME` in it, gets from `const { NAME = 3000 } = process.env`.
fn destructured_port(text: &str, argument: &str) -> Option<Port> {
    let word = leading_word(argument.trim_start());
    if word.is_empty() {
        return None;
    }
    let mut all = destructured(text).into_iter();
    let found = all.find(|one| one.target == word && one.name.ends_with("PORT"))?;
    let default = found.default.and_then(|value| value.text.parse().ok());
    Some(Port::Reads {
        variable: found.name.to_owned(),
        usual: default,
    })
}

#[cfg(test)]
mod tests;
