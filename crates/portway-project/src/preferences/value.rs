//! The values of preferences, and the ways in which people write them.

use std::fmt;

use portway_ports::PortRange;
use serde_json::{Value as Json, json};

use super::tree::Node;
use crate::diagnostic::Problem;
use crate::port_spec::{not_a_port, parse_port, port_schema, range_schema};
use crate::suggest::suggestion;
use crate::units::{format_size, parse_size};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `"9000-9099"`, or a number for itself and the ninety-nine ports above.
    Range,
    /// A list of ports and ranges.
    Ports,
    /// One port.
    Port,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number of bytes with its unit.
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
    Word(&'static str),
    /// Bytes.
    Size(u64),
}

/// The least that a service's log may have, in bytes: enough for the words of its failure.
const MIN_SIZE: u64 = 64 << 10;
/// The most.
const MAX_SIZE: u64 = 64 << 30;

/// What is wrong with a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Form {
    /// Reads a value of a variable, a flag or an argument. One that begins like a string or a list
    /// in TOML is read as TOML.
    pub(crate) fn read_text(self, text: &str) -> Result<Value, Wrong> {
        let text = text.trim();
        if text.starts_with(['[', '"', '\'']) {
            return match Node::of_value(text) {
                Ok(node) => self.read(&node),
                Err(why) => Err(self.wrong(format!("`{text}` is not TOML: {why}"))),
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
            Self::Word(_) => self.read(&Node::Text(text.to_owned())),
        }
    }

    /// Reads a value of a file.
    pub(crate) fn read(self, node: &Node) -> Result<Value, Wrong> {
        match (self, node) {
            (Self::Range, Node::Integer(number)) => self
                .port(*number)
                .and_then(|port| PortRange::hundred_from(port).map_err(|e| self.wrong(e)))
                .map(Value::Range),
            (Self::Range, Node::Text(text)) => self.range(text).map(Value::Range),
            (Self::Ports, Node::List(items)) => items
                .iter()
                .map(|item| self.one(item.get_ref()))
                .collect::<Result<_, _>>()
                .map(Value::Ports),
            (Self::Ports, _) => self.one(node).map(|one| Value::Ports(vec![one])),
            (Self::Port, Node::Integer(number)) => self.port(*number).map(Value::Port),
            (Self::Word(words), Node::Text(text)) => {
                match words.iter().find(|word| *word == text) {
                    Some(word) => Ok(Value::Word(word)),
                    None => Err(Wrong {
                        message: format!("unknown value `{text}`"),
                        help: suggestion(text, words.iter().copied()),
                    }),
                }
            }
            (Self::Size, Node::Integer(number)) => {
                self.size(u64::try_from(*number).unwrap_or(0), &number.to_string())
            }
            (Self::Size, Node::Text(text)) => match parse_size(text) {
                Some(bytes) => self.size(bytes, text),
                None => Err(self.wrong(format!("`{text}` is not a size"))),
            },
            _ => Err(self.wrong(format!("{} does not fit here", node.describe()))),
        }
    }

    fn wrong(self, message: impl fmt::Display) -> Wrong {
        Wrong {
            message: message.to_string(),
            help: format!("write {self}"),
        }
    }

    /// One element of a list of ports: a lone number is that port alone.
    fn one(self, node: &Node) -> Result<PortRange, Wrong> {
        match node {
            Node::Integer(number) => {
                let port = self.port(*number)?;
                PortRange::new(port, port).map_err(|error| self.wrong(error))
            }
            Node::Text(text) => self.range(text),
            _ => Err(self.wrong(format!("{} does not fit here", node.describe()))),
        }
    }

    fn port(self, number: i64) -> Result<u16, Wrong> {
        parse_port(number).ok_or_else(|| self.wrong(not_a_port(number)))
    }

    fn range(self, text: &str) -> Result<PortRange, Wrong> {
        text.parse().map_err(|error| self.wrong(error))
    }

    fn size(self, bytes: u64, written: &str) -> Result<Value, Wrong> {
        if (MIN_SIZE..=MAX_SIZE).contains(&bytes) {
            return Ok(Value::Size(bytes));
        }
        Err(self.wrong(format!("`{written}` is not between 64 KiB and 64 GiB")))
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
            Self::Word(words) => json!({ "enum": words }),
            Self::Size => json!({
                "anyOf": [
                    { "type": "string", "pattern": "^[0-9.]+ *([KMG]i?)?[Bb]?$" },
                    { "type": "integer", "minimum": MIN_SIZE, "maximum": MAX_SIZE }
                ],
                "examples": ["16 MiB"]
            }),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range => f.write_str("a range such as \"9000-9099\", or its first port"),
            Self::Ports => f.write_str("a list such as [8080, \"3000-3010\"]"),
            Self::Port => f.write_str("a port such as 4000"),
            Self::Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                f.write_str(&words.join(" or "))
            }
            Self::Size => f.write_str("a size such as \"16 MiB\""),
        }
    }
}

impl Wrong {
    pub(crate) fn at(self, span: std::ops::Range<usize>) -> Problem {
        Problem::at(span, self.message).help(self.help)
    }
}

impl Value {
    /// The value as JSON: numbers and words as they are, a size in bytes.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Range(range) => json!(range.to_string()),
            Self::Ports(ranges) => ranges.iter().map(port_or_range).collect(),
            Self::Port(port) => json!(port),
            Self::Word(word) => json!(word),
            Self::Size(bytes) => json!(bytes),
        }
    }

    /// The value as it stands in a file.
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
            Self::Range(_) | Self::Word(_) | Self::Size(_) => self.to_string().into(),
        }
    }
}

fn port_or_range(range: &PortRange) -> Json {
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
                let words: Vec<String> = ranges.iter().map(ToString::to_string).collect();
                f.write_str(&words.join(", "))
            }
            Self::Port(port) => port.fmt(f),
            Self::Word(word) => f.write_str(word),
            Self::Size(bytes) => f.write_str(&format_size(*bytes)),
        }
    }
}
