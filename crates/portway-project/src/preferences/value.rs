//! The values of preferences and how people write them.

use std::fmt;

use portway_ports::PortRange;
use serde_json::{Value as Json, json};

use super::tree::Node;
use crate::diagnostic::Problem;
use crate::port_spec::{not_a_port, parse_port, port_schema, range_schema};
use crate::suggest::suggestion;
use crate::units::{format_size, parse_size};

/// The type of a preference's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A range such as `"9000-9099"`, or a port for itself and the next 99.
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
    /// A range of ports.
    Range(PortRange),
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
            Self::Ports => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                let ranges = parts
                    .map(|part| self.range(part))
                    .collect::<Result<_, _>>()?;
                Ok(Value::Ports(ranges))
            }
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
                .map(Value::Range),
            (Self::Range, Node::Text(text)) => self.range(text).map(Value::Range),
            (Self::Ports, Node::List(items)) => items
                .iter()
                .map(|item| self.port_or_range(item.get_ref()))
                .collect::<Result<_, _>>()
                .map(Value::Ports),
            (Self::Ports, _) => self.port_or_range(node).map(|one| Value::Ports(vec![one])),
            (Self::Port, Node::Integer(number)) => self.port(*number).map(Value::Port),
            (Self::Choice(words), Node::Text(text)) => {
                match words.iter().find(|word| *word == text) {
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
            Self::Range => json!({ "anyOf": [port, range] }),
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
            Self::Range => f.write_str("a range such as \"9000-9099\", or its first port"),
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
            Self::Range(range) => json!(range.to_string()),
            Self::Ports(ranges) => ranges.iter().map(port_or_range_json).collect(),
            Self::Port(port) => json!(port),
            Self::Choice(word) => json!(word),
            Self::Size(bytes) => json!(bytes),
        }
    }

    /// The value as TOML.
    pub(crate) fn to_toml(&self) -> toml_edit::Value {
        match self {
            Self::Ports(ranges) => {
                let items = ranges.iter().map(|range| match range.size() {
                    1 => toml_edit::Value::from(i64::from(range.first())),
                    _ => range.to_string().into(),
                });
                toml_edit::Value::Array(items.collect())
            }
            Self::Port(port) => i64::from(*port).into(),
            Self::Range(_) | Self::Choice(_) | Self::Size(_) => self.to_string().into(),
        }
    }
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
