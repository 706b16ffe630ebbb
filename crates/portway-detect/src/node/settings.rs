//! Ports that a program takes from its settings: `app.listen(config.server.port)`.
//!
//! The settings are an object in a file that it imports, a schema of `convict`, or files of the package `config`.

use serde_json::Value;

use super::imports;
use super::listen_call;
use super::package::Package;
use super::source::{Port, after_key, value};
use crate::Dir;

/// A port among the settings of a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) port: Port,
    /// The file that names it, relative to the root.
    pub(super) file: String,
    /// The value of the port's variable, with a placeholder, if it is not only the port.
    pub(super) template: Option<String>,
}

/// The package that reads settings from the directory `config`, and the variable that overrides them as JSON.
const PACKAGE: &str = "config";
const OVERRIDES: &str = "NODE_CONFIG";

/// The names of its files without extension, those that override others first.
const NAMES: [&str; 5] = [
    "local-development",
    "local",
    "default-development",
    "development",
    "default",
];
const EXTENSIONS: [&str; 5] = ["json", "yaml", "yml", "json5", "toml"];

/// Its file with the names of variables in place of values.
const VARIABLES: &str = "custom-environment-variables";

/// Paths of settings for the port that are tried if the code names none.
const USUAL: [&[&str]; 6] = [
    &["port"],
    &["PORT"],
    &["server", "port"],
    &["app", "port"],
    &["http", "port"],
    &["api", "port"],
];

/// Parts of names of objects with the ports of other programs.
const OTHERS: [&str; 13] = [
    "amqp", "cache", "database", "db", "elastic", "mail", "mongo", "mysql", "postgres", "queue",
    "redis", "smtp", "sql",
];

/// Returns the port among the settings of a program. `own` are its files, with paths relative to the root.
pub(super) fn port(dir: &Dir<'_>, package: &Package, own: &[(String, String)]) -> Option<Setting> {
    let is_used = || own.iter().any(|(_, text)| imports::imports(text, PACKAGE));
    if package.has(PACKAGE)
        && is_used()
        && let Some(found) = of_package(dir, own)
    {
        return Some(found);
    }
    if let Some(found) = own
        .iter()
        .find_map(|(path, text)| of_schema(text).map(|port| (port, path)))
    {
        let (port, path) = found;
        return Some(Setting {
            port,
            file: path.clone(),
            template: None,
        });
    }
    let path = own.iter().find_map(|(_, text)| listened(text))?;
    let parent = path.len().checked_sub(2).map(|at| path[at].as_str());
    let last = path.last()?;
    own.iter().find_map(|(file, text)| {
        let (number, line) = of_object(text, parent, last)?;
        Some(Setting {
            port: Port::Literal(number, line),
            file: file.clone(),
            template: None,
        })
    })
}

/// Returns the keys of the setting on which a file listens: `server` and `port` for `config.server.port`.
fn listened(text: &str) -> Option<Vec<String>> {
    text.lines().find_map(|line| {
        let call = listen_call::find(line)?;
        let arguments = listen_call::arguments(text, line, call.at).trim_start();
        let argument = match arguments.starts_with('{') {
            true => after_key(arguments, "port")?,
            false => arguments,
        };
        member(argument).or_else(|| member(value(text, argument)))
    })
}

/// Returns the keys of a member of an object that is a port, without the object.
fn member(expression: &str) -> Option<Vec<String>> {
    let mut text = expression.trim_start().trim_start_matches('+');
    for function in ["Number(", "parseInt("] {
        text = text.strip_prefix(function).unwrap_or(text);
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && !"_$.?".contains(c));
    let text = text[..end.unwrap_or(text.len())].replace('?', "");
    let keys: Vec<String> = text.split('.').skip(1).map(str::to_owned).collect();
    let is_port = |key: &String| key.to_ascii_lowercase().ends_with("port");
    let is_variable = text.starts_with("process.") || text.starts_with("import.");
    (keys.last().is_some_and(is_port) && !is_variable).then_some(keys)
}

/// Returns the number of the key `last` of an object in a text, and its line: that with the fewest braces around it,
/// in the object `parent` if there is one. Objects of other programs do not count.
fn of_object(text: &str, parent: Option<&str>, last: &str) -> Option<(u16, usize)> {
    let mut keys: Vec<String> = Vec::new();
    let mut found: Vec<(bool, usize, u16, usize)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with(['*', '/', '#']) {
            continue;
        }
        let is_other = keys.iter().any(|key| {
            let key = key.to_ascii_lowercase();
            OTHERS.iter().any(|other| key.contains(other))
        });
        let opened = line.matches('{').count();
        let number = after_key(line, last)
            .filter(|_| opened == 0 && !is_other)
            .and_then(|value| {
                let value = value.split([',', '}']).next()?;
                value.trim().trim_matches(['"', '\'', ';']).parse().ok()
            });
        if let Some(number) = number.filter(|number| *number > 0) {
            let is_in = parent.is_none_or(|parent| keys.iter().any(|key| key == parent));
            found.push((!is_in, keys.len(), number, index + 1));
        }
        let name = line.split(['{', ':', '=']).next().unwrap_or("").trim();
        let name = name.rsplit([' ', '.']).next().unwrap_or("");
        let name = name.trim_matches(['"', '\'']);
        for character in line.chars() {
            match character {
                '{' => keys.push(name.to_owned()),
                '}' => drop(keys.pop()),
                _ => {}
            }
        }
    }
    let best = found.into_iter().min_by_key(|one| (one.0, one.1))?;
    Some((best.2, best.3))
}

/// Returns the port in a schema of `convict`: `port: { default: 3000, env: 'PORT' }`.
fn of_schema(text: &str) -> Option<Port> {
    if !imports::imports(text, "convict") {
        return None;
    }
    text.match_indices("port").find_map(|(at, _)| {
        let object = after_key(&text[at..], "port")?.trim_start();
        let object = object.strip_prefix('{')?;
        let object = &object[..object.find('}')?];
        let string = |key| {
            let rest = after_key(object, key)?.trim_start();
            let quote = rest.chars().next().filter(|c| "'\"".contains(*c))?;
            rest[1..].split(quote).next()
        };
        let variable = string("env")?;
        let is_own = !OTHERS
            .iter()
            .any(|other| variable.to_ascii_lowercase().contains(other));
        let default = after_key(object, "default").and_then(|rest| {
            let rest = rest.trim_start().trim_start_matches(['"', '\'']);
            let end = rest.find(|c: char| !c.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse().ok()
        });
        is_own.then(|| Port::Reads {
            variable: variable.to_owned(),
            usual: default,
        })
    })
}

/// Returns the port in the files of the package `config`.
fn of_package(dir: &Dir<'_>, own: &[(String, String)]) -> Option<Setting> {
    let place = dir.upwards().find_map(|at| at.sub(PACKAGE))?;
    let files: Vec<(String, Value)> = NAMES.iter().filter_map(|name| read(&place, name)).collect();
    let variables = read(&place, VARIABLES);
    let named = own.iter().flat_map(|(_, text)| gets(text));
    let usual = USUAL
        .iter()
        .map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
    let mut paths = named.chain(usual);
    paths.find_map(|keys: Vec<String>| {
        let value = files
            .iter()
            .find_map(|(file, value)| Some((file, at(value, &keys)?)));
        let usual = value.and_then(|(_, value)| number(value));
        let variable = variables.as_ref().and_then(|(file, value)| {
            let value = at(value, &keys)?;
            let name = value.get("__name").unwrap_or(value).as_str()?;
            Some((file, name.to_owned()))
        });
        if let Some((file, variable)) = variable {
            let file = value.map_or(file, |(file, _)| file).clone();
            let port = Port::Reads { variable, usual };
            return Some(Setting {
                port,
                file,
                template: None,
            });
        }
        let (file, value) = value.filter(|_| usual.is_some())?;
        let mut template = match value.is_string() {
            true => "\"{port}\"".to_owned(),
            false => "{port}".to_owned(),
        };
        for key in keys.iter().rev() {
            template = format!("{{{}:{template}}}", Value::from(key.as_str()));
        }
        Some(Setting {
            port: Port::Reads {
                variable: OVERRIDES.to_owned(),
                usual,
            },
            file: file.clone(),
            template: Some(template),
        })
    })
}

/// Reads the file of this name with any extension.
fn read(place: &Dir<'_>, name: &str) -> Option<(String, Value)> {
    EXTENSIONS.iter().find_map(|extension| {
        let file = format!("{name}.{extension}");
        if !place.has(&file) {
            return None;
        }
        let value = match *extension {
            "json" | "json5" => place.jsonc(&file),
            "toml" => serde_json::to_value(place.toml(&file)?).ok(),
            _ => place.yaml(&file),
        };
        Some((place.path_of(&file), value?))
    })
}

fn at<'v>(value: &'v Value, keys: &[String]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |value, key| value.get(key))
}

fn number(value: &Value) -> Option<u16> {
    let port = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64().and_then(|port| u16::try_from(port).ok()),
    };
    port.filter(|port| *port > 0)
}

/// Returns the keys of the settings that a text gets as ports: `config.get('server.port')`, and on which it listens.
fn gets(text: &str) -> Vec<Vec<String>> {
    let called = text.match_indices(".get").filter_map(|(at, _)| {
        let rest = &text[at + ".get".len()..];
        // `config.get<number>('port')`
        let rest = match rest.strip_prefix('<') {
            Some(rest) => rest.split_once('>')?.1,
            None => rest,
        };
        let rest = rest.strip_prefix('(')?.trim_start();
        let quote = rest.chars().next().filter(|c| "'\"`".contains(*c))?;
        let path = rest[1..].split(quote).next()?;
        let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
        let is_other = |key: &String| OTHERS.iter().any(|other| key.contains(other));
        let is_port = path.to_ascii_lowercase().ends_with("port");
        (is_port && !keys.iter().any(is_other)).then_some(keys)
    });
    called.chain(listened(text)).collect()
}

#[cfg(test)]
mod tests;
