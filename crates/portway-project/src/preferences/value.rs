//! The values of preferences and how people write them.

use std::fmt;

use portway_ports::{PortRange, PortRanges};
use serde_json::{Value as Json, json};
use toml::Spanned;

use super::tree::Node;
use crate::diagnostic::Problem;
use crate::port_spec::{not_a_port, parse_port, port_schema, range_schema, ranges_schema};
use crate::suggest::suggestion;
use crate::units::{format_size, parse_size};

/// The type of a preference's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A range such as `"9000-9099"`, a list of ranges, or a port for itself and the next 99.
    Range,
    /// A list of ports and ranges.
    Ports,
    /// One port.
    Port,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A number of bytes, with or without a unit.
    Size,
}

/// The value of a preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One or more ranges of ports.
    Range(PortRanges),
    /// Ports and ranges.
    Ports(Vec<PortRange>),
    /// A port.
    Port(u16),
    /// A word.
    Choice(&'static str),
    /// A size in bytes.
    Size(u64),
}

/// The smallest size, in bytes: enough for the last messages of a failing service.
const MIN_SIZE: u64 = 64 << 10;
/// The largest size, in bytes.
const MAX_SIZE: u64 = 64 << 30;

/// An invalid key or value of a preference, or a file that cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PreferenceError {
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: String,
}

impl PreferenceError {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }

    pub(super) fn at(self, span: std::ops::Range<usize>) -> Problem {
        Problem::at(span, self.message).help(self.help)
    }
}

/// The name that a word of [`ValueType::Choice`] had before. It is still accepted.
pub fn former_name(word: &str) -> Option<&'static str> {
    match word {
        "continue" => Some("go-on"),
        "manual" => Some("by-hand"),
        _ => None,
    }
}

impl ValueType {
    /// Parses a value from a variable, a flag or an argument. Text that starts like a TOML string
    /// or list is parsed as TOML.
    pub(crate) fn parse(self, text: &str) -> Result<Value, PreferenceError> {
        let text = text.trim();
        if text.starts_with(['[', '"', '\'']) {
            return match Node::parse_value(text) {
                Ok(node) => self.read(&node),
                Err(error) => {
                    Err(self.invalid(format!("`{text}` is not valid TOML: {}", error.message())))
                }
            };
        }
        match self {
            Self::Ports => self.list(text).map(Value::Ports),
            Self::Range if text.contains(',') => self.ranges(self.list(text)?),
            Self::Range | Self::Port | Self::Size => match text.parse() {
                Ok(number) => self.read(&Node::Integer(number)),
                Err(_) => self.read(&Node::Text(text.to_owned())),
            },
            Self::Choice(_) => self.read(&Node::Text(text.to_owned())),
        }
    }

    /// Reads a value of a TOML file.
    pub(crate) fn read(self, node: &Node) -> Result<Value, PreferenceError> {
        match (self, node) {
            (Self::Range, Node::Integer(number)) => self
                .port(*number)
                .and_then(|port| PortRange::hundred_from(port).map_err(|e| self.invalid(e)))
                .map(|range| Value::Range(range.into())),
            (Self::Range, Node::Text(text)) => {
                self.range(text).map(|range| Value::Range(range.into()))
            }
            (Self::Range, Node::List(items)) => self.ranges(self.items(items)?),
            (Self::Ports, Node::List(items)) => self.items(items).map(Value::Ports),
            (Self::Ports, _) => self.port_or_range(node).map(|one| Value::Ports(vec![one])),
            (Self::Port, Node::Integer(number)) => self.port(*number).map(Value::Port),
            (Self::Choice(words), Node::Text(text)) => {
                let is_meant = |word: &str| word == text || former_name(word) == Some(text);
                match words.iter().find(|word| is_meant(word)) {
                    Some(word) => Ok(Value::Choice(word)),
                    None => Err(PreferenceError::new(
                        format!("unknown value `{text}`"),
                        suggestion(text, words.iter().copied()),
                    )),
                }
            }
            (Self::Size, Node::Integer(number)) => {
                self.size(u64::try_from(*number).unwrap_or(0), &number.to_string())
            }
            (Self::Size, Node::Text(text)) => match parse_size(text) {
                Some(bytes) => self.size(bytes, text),
                None => Err(self.invalid(format!("`{text}` is not a size"))),
            },
            _ => Err(self.wrong_type(node)),
        }
    }

    fn invalid(self, message: impl fmt::Display) -> PreferenceError {
        PreferenceError::new(message.to_string(), format!("write {self}"))
    }

    fn wrong_type(self, node: &Node) -> PreferenceError {
        self.invalid(format!("{} is not allowed here", node.describe()))
    }

    /// Parses ports and ranges with commas between them.
    fn list(self, text: &str) -> Result<Vec<PortRange>, PreferenceError> {
        let parts = text.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(|part| self.range(part)).collect()
    }

    /// Reads a list of ports and ranges.
    fn items(self, items: &[Spanned<Node>]) -> Result<Vec<PortRange>, PreferenceError> {
        let items = items.iter().map(Spanned::get_ref);
        items.map(|item| self.port_or_range(item)).collect()
    }

    fn ranges(self, ranges: Vec<PortRange>) -> Result<Value, PreferenceError> {
        PortRanges::new(ranges)
            .map(Value::Range)
            .map_err(|error| self.invalid(error))
    }

    /// Reads one item of a list of ports. A number is a range of one port.
    fn port_or_range(self, node: &Node) -> Result<PortRange, PreferenceError> {
        match node {
            Node::Integer(number) => {
                let port = self.port(*number)?;
                PortRange::new(port, port).map_err(|error| self.invalid(error))
            }
            Node::Text(text) => self.range(text),
            _ => Err(self.wrong_type(node)),
        }
    }

    fn port(self, number: i64) -> Result<u16, PreferenceError> {
        parse_port(number).ok_or_else(|| self.invalid(not_a_port(number)))
    }

    fn range(self, text: &str) -> Result<PortRange, PreferenceError> {
        text.parse().map_err(|error| self.invalid(error))
    }

    fn size(self, bytes: u64, written: &str) -> Result<Value, PreferenceError> {
        if (MIN_SIZE..=MAX_SIZE).contains(&bytes) {
            return Ok(Value::Size(bytes));
        }
        Err(self.invalid(format!("`{written}` is not between 64 KiB and 64 GiB")))
    }

    /// The JSON schema of such a value.
    pub(crate) fn schema(self) -> Json {
        let (port, range) = (port_schema(), range_schema());
        match self {
            Self::Range => json!({ "anyOf": [port, range, ranges_schema()] }),
            Self::Ports => json!({
                "anyOf": [
                    { "type": "array", "items": { "anyOf": [port, range] } },
                    port,
                    range
                ]
            }),
            Self::Port => port,
            Self::Choice(words) => json!({ "enum": words }),
            Self::Size => json!({
                "anyOf": [
                    { "type": "string", "pattern": "^[0-9.]+ *([KMGkmg]i?)?[Bb]?$" },
                    { "type": "integer", "minimum": MIN_SIZE, "maximum": MAX_SIZE }
                ],
                "examples": ["16 MiB"]
            }),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range => {
                f.write_str("a range such as \"9000-9099\", its first port, or a list of ranges")
            }
            Self::Ports => f.write_str("a list such as [8080, \"3000-3010\"]"),
            Self::Port => f.write_str("a port such as 4000"),
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                f.write_str(&words.join(" or "))
            }
            Self::Size => f.write_str("a size such as \"16 MiB\""),
        }
    }
}

impl Value {
    /// The value as JSON. A size is a number of bytes.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Range(ranges) => match &ranges.ranges().collect::<Vec<_>>()[..] {
                [range] => json!(range.to_string()),
                ranges => ranges.iter().map(port_or_range_json).collect(),
            },
            Self::Ports(ranges) => ranges.iter().map(port_or_range_json).collect(),
            Self::Port(port) => json!(port),
            Self::Choice(word) => json!(word),
            Self::Size(bytes) => json!(bytes),
        }
    }

    /// The value as TOML.
    pub(crate) fn to_toml(&self) -> toml_edit::Value {
        match self {
            Self::Ports(ranges) => list_toml(ranges),
            Self::Range(ranges) => match &ranges.ranges().collect::<Vec<_>>()[..] {
                [range] => range.to_string().into(),
                ranges => list_toml(ranges),
            },
            Self::Port(port) => i64::from(*port).into(),
            Self::Choice(_) | Self::Size(_) => self.to_string().into(),
        }
    }
}

fn list_toml(ranges: &[PortRange]) -> toml_edit::Value {
    let items = ranges.iter().map(|range| match range.size() {
        1 => toml_edit::Value::from(i64::from(range.first())),
        _ => range.to_string().into(),
    });
    toml_edit::Value::Array(items.collect())
}

fn port_or_range_json(range: &PortRange) -> Json {
    match range.size() {
        1 => json!(range.first()),
        _ => json!(range.to_string()),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Ports(ranges) => {
                let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
                f.write_str(&ranges.join(", "))
            }
            Self::Port(port) => port.fmt(f),
            Self::Choice(word) => f.write_str(word),
            Self::Size(bytes) => f.write_str(&format_size(*bytes)),
        }
    }
}
