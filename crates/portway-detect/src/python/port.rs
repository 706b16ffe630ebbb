//! The port of a call in Python source, and how the program is told another one.
//!
//! Follows names to where they are assigned, in the same file or in one that it imports them from. Never runs
//! anything, and gives up where the source says less than a number, a variable or an option.

use super::assigned::assigned;
use super::calls::{Call, balanced, last_of_pair, split};
use super::source::is_identifier;
use crate::Dir;

/// How a program is told its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// By an environment variable.
    Variable(String),
    /// By an option, spelled as before the number: `--port `.
    Option(String),
    /// By its first argument.
    Argument,
    /// Not at all: it is a number.
    Number,
}

/// The port of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) told: Told,
    /// The number, or the default.
    pub(super) usual: Option<u16>,
}

/// A file, with the directory whose other files it imports.
#[derive(Clone, Copy)]
pub(super) struct File<'f, 'd> {
    pub(super) text: &'f str,
    pub(super) dir: Option<&'f Dir<'d>>,
}

/// Functions and mappings that read an environment variable.
const READERS: [&str; 12] = [
    "environ.get(",
    "getenv(",
    "environ[",
    "environ.setdefault(",
    "env.int(",
    "env.str(",
    "env.get(",
    "env(",
    "env[",
    "config(",
    "config.get(",
    "get_env(",
];

/// The lowest port that a server of a project has; lower numbers are something else.
const FIRST: u16 = 80;

/// Maximum number of names that are followed.
const MAX_DEPTH: usize = 6;

impl File<'_, '_> {
    /// Returns the port that an expression is.
    pub(super) fn port(self, expression: &str) -> Option<Port> {
        self.follow(expression, 0)
    }

    /// Returns the port of a pair, or of a name that is assigned one.
    pub(super) fn port_of_pair(self, expression: &str) -> Option<Port> {
        if let Some(last) = last_of_pair(expression) {
            return self.port(last);
        }
        let value = assigned(self.text, expression)?;
        self.port(last_of_pair(value)?)
    }

    /// Returns the port at the end of an address: `f"[::]:{port}"`, `"0.0.0.0:" + port`.
    pub(super) fn port_of_address(self, expression: &str) -> Option<Port> {
        let text = expression.trim();
        if is_identifier(text) {
            return self.port_of_address(assigned(self.text, text).filter(|one| *one != text)?);
        }
        if let Some((_, last)) = text.rsplit_once('+') {
            return self.port(last);
        }
        if let Some((_, arguments)) = text.split_once(".format(") {
            return self.port(split(arguments.strip_suffix(')')?).last()?);
        }
        if let Some((_, last)) = text.split_once(" % ") {
            return self.port(last.trim_matches(['(', ')', ',']));
        }
        if let Some(port) = self
            .read_variable(text, 0)
            .filter(|_| !text.starts_with("f"))
        {
            return Some(port);
        }
        let at = text.rfind(":{").map(|at| at + 1);
        if let Some(at) = at {
            return self.port(balanced(&text[at..])?);
        }
        let end = text.trim_end_matches(['"', '\'']).rsplit(':').next()?;
        number(end).map(Port::number)
    }

    fn follow(self, expression: &str, depth: usize) -> Option<Port> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut text = expression.trim();
        for wrapper in ["int(", "str(", "cast("] {
            if let Some(rest) = text.strip_prefix(wrapper)
                && let Some(inner) = rest.strip_suffix(')')
            {
                text = split(inner).first()?;
            }
        }
        if let Some(number) = number(text.trim_matches(['"', '\''])) {
            return Some(Port::number(number));
        }
        if let Some(port) = self.read_variable(text, depth) {
            return Some(port);
        }
        let argument = text.trim_start_matches("int(");
        if argument.starts_with("sys.argv[") || argument.starts_with("argv[") {
            let usual = text.rsplit(' ').next().and_then(number);
            return Some(Port {
                told: Told::Argument,
                usual: usual.filter(|_| text.contains(" else ")),
            });
        }
        if let Some((first, rest)) = text.split_once(" or ") {
            let mut port = self.follow(first, depth + 1)?;
            let usual = || self.follow(rest, depth + 1)?.usual;
            port.usual = port.usual.or_else(usual);
            return Some(port);
        }
        if is_identifier(text) {
            return self.named(text, depth);
        }
        if let Some(port) = self.described(text, depth) {
            return Some(port);
        }
        let (object, field) = text.rsplit_once('.')?;
        // `get_settings().port`
        let object = object.strip_suffix("()").unwrap_or(object);
        let is_path = object.split('.').all(is_identifier) && is_identifier(field);
        if !is_path {
            return None;
        }
        self.option(field, depth)
            .or_else(|| self.field(object, field, depth))
    }

    /// Returns the port that a call describes as the default of a field or an option: `Field(default=8000)`,
    /// `typer.Option(8000, envvar="PORT")`.
    fn described(self, text: &str, depth: usize) -> Option<Port> {
        let (function, _) = text.split_once('(')?;
        let name = function.rsplit('.').next()?;
        if !["Field", "Option", "field", "ib", "attrib"].contains(&name) {
            return None;
        }
        let call = Call {
            line: 0,
            is_top: false,
            arguments: split(balanced(&text[function.len()..])?),
        };
        let default = call.keyword("default").or_else(|| call.positional(0));
        let default = default.and_then(|default| self.follow(default, depth + 1));
        let mut variables = ["env", "envvar", "validation_alias", "alias"].iter();
        let variable = variables.find_map(|key| {
            let value = call.keyword(key)?.trim_matches(['"', '\'']);
            is_identifier(value).then(|| value.to_owned())
        });
        match variable {
            Some(name) => Some(Port {
                told: Told::Variable(name),
                usual: default.and_then(|port| port.usual),
            }),
            None => default,
        }
    }

    /// Returns the port of the first environment variable that an expression reads.
    fn read_variable(self, text: &str, depth: usize) -> Option<Port> {
        let (at, reader) = READERS
            .iter()
            .filter_map(|reader| {
                let at = text.find(reader)?;
                let is_part = |c: char| c.is_alphanumeric() || c == '_';
                (!text[..at].ends_with(is_part)).then_some((at, *reader))
            })
            .min()?;
        let open = at + reader.len() - 1;
        let inner = balanced(&text[open..])?;
        let arguments = split(inner);
        let name = arguments.first()?.trim_matches(['"', '\'']);
        if name == *arguments.first()? || !is_identifier(name) {
            return None;
        }
        let second = arguments
            .get(1)
            .map(|one| one.split_once('=').map_or(*one, |(_, value)| value));
        let default = || {
            let rest = &text[open + inner.len() + 2..];
            let rest = rest.trim_start_matches(')').trim_start();
            rest.strip_prefix("or ")
                .or_else(|| rest.rsplit_once(" else ").map(|(_, rest)| rest))
        };
        let default = second.or_else(default);
        let usual =
            default.and_then(|default| self.follow(default.trim_end_matches(')'), depth + 1));
        Some(Port {
            told: Told::Variable(name.to_owned()),
            usual: usual.and_then(|port| port.usual),
        })
    }

    /// Returns the port that a name has: where it is assigned, the default of a parameter, or in the file
    /// that it is imported from.
    fn named(self, name: &str, depth: usize) -> Option<Port> {
        if let Some(value) = assigned(self.text, name) {
            return self.follow(value, depth + 1);
        }
        // The parameter of a command of click.
        if let Some(port) = self.option(name, depth) {
            return Some(port);
        }
        let imported = self.imported(name)?;
        let file = File {
            text: &imported,
            dir: self.dir,
        };
        file.follow(assigned(&imported, name)?, depth + 1)
    }

    /// Returns the text of the file that a name is imported from.
    fn imported(self, name: &str) -> Option<String> {
        let mut at = 0;
        let module = self.text.split_inclusive('\n').find_map(|line| {
            let start = at;
            at += line.len();
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("from ") {
                let (module, mut names) = rest.split_once(" import ")?;
                if names.starts_with('(') {
                    let open = start + self.text[start..].find('(')?;
                    names = balanced(&self.text[open..])?;
                }
                let mut names = names.split([',', '(', ')']).map(str::trim);
                return names.any(|one| one == name).then(|| module.trim());
            }
            let module = line.strip_prefix("import ")?.trim();
            (module == name).then_some(module)
        })?;
        let module = module.trim_start_matches('.');
        let (place, last) = module.rsplit_once('.').unwrap_or(("", module));
        let mut dirs = self.dir?.upwards().take(3);
        dirs.find_map(|dir| {
            let dir = dir.below(&place.replace('.', "/"))?;
            let below = || dir.sub(last)?.read("__init__.py");
            // `from config import settings` may name a module.
            dir.read(&format!("{last}.py"))
                .or_else(|| dir.sub(last)?.read(&format!("{name}.py")))
                .or_else(below)
        })
    }

    /// Returns the port of an option that argparse, tornado or click defines: `args.port`.
    fn option(self, field: &str, depth: usize) -> Option<Port> {
        let option = format!("--{}", field.replace('_', "-"));
        for (function, is_long) in [("add_argument", true), ("define", false), ("option", true)] {
            let mut rest = self.text;
            while let Some(at) = rest.find(&format!("{function}(")) {
                let inner = balanced(&rest[at + function.len()..]).unwrap_or("");
                let arguments = split(inner);
                let texts = arguments.iter().map(|one| one.trim_matches(['"', '\'']));
                let mut texts = texts.filter(|one| !one.contains('='));
                let wanted = if is_long { option.as_str() } else { field };
                if texts.any(|one| one == wanted) {
                    let call = Call {
                        line: 0,
                        is_top: false,
                        arguments,
                    };
                    let default = call.keyword("default");
                    // `default=settings.port` is no other option.
                    let default = default.and_then(|default| match default.rsplit_once('.') {
                        Some((object, last)) if last == field => {
                            self.field(object, field, depth + 1)
                        }
                        _ => self.follow(default, depth + 1),
                    });
                    return Some(Port {
                        told: Told::Option(match is_long {
                            true => format!("{option} "),
                            false => format!("{option}="),
                        }),
                        usual: default.and_then(|port| port.usual),
                    });
                }
                rest = &rest[at + function.len()..];
            }
        }
        None
    }

    /// Returns the port of a field of settings, here or in the file that they are imported from.
    fn field(self, object: &str, field: &str, depth: usize) -> Option<Port> {
        let first = object.split('.').next()?;
        let imported = self.imported(first);
        let text = imported.as_deref().unwrap_or(self.text);
        let value = assigned(text, field)?;
        let file = File {
            text,
            dir: self.dir,
        };
        // Pydantic reads the fields of settings from variables of their names.
        let port = file.follow(value, depth + 1);
        let is_settings = text.contains("BaseSettings");
        match port {
            Some(port) if is_settings && port.told == Told::Number => {
                let prefix = text.split_once("env_prefix").and_then(|(_, rest)| {
                    let rest = rest.trim_start_matches(|c: char| "\"'=: ".contains(c));
                    let end = rest.find(['"', '\''])?;
                    Some(&rest[..end])
                });
                let name = format!("{}{field}", prefix.unwrap_or("")).to_ascii_uppercase();
                Some(Port {
                    told: Told::Variable(name),
                    usual: port.usual,
                })
            }
            other => other,
        }
    }
}

impl Port {
    fn number(port: u16) -> Self {
        Self {
            told: Told::Number,
            usual: Some(port),
        }
    }
}

fn number(text: &str) -> Option<u16> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port >= FIRST)
}
