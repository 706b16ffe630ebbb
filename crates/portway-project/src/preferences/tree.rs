//! A TOML document as a tree with the position of each part.
//!
//! Preferences are read from such a tree, both from `config.toml` and from the manifest's
//! `[preferences]` table.

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::diagnostic::Text;

/// A part of a TOML document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Integer(i64),
    Text(String),
    List(Vec<Spanned<Node>>),
    Table(Vec<(Text, Spanned<Node>)>),
    /// A type that no preference has, with its description.
    Other(&'static str),
}

impl Node {
    /// Parses one value, without a key.
    pub(crate) fn parse_value(text: &str) -> Result<Self, toml::de::Error> {
        #[derive(Deserialize)]
        struct Document {
            value: Node,
        }
        toml::from_str(&format!("value = {text}")).map(|document: Document| document.value)
    }

    /// A description for error messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Integer(number) => format!("the number {number}"),
            Self::Text(text) => format!("the string \"{text}\""),
            Self::List(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
            Self::Other(description) => (*description).into(),
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::Table(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;
        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Other("a boolean"))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
                Ok(Node::Integer(number))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Other("a number with a fraction"))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                loop {
                    // `toml` represents a date as a table whose key has no position.
                    let Ok(key) = map.next_key::<Text>() else {
                        return Ok(Node::Other("a date"));
                    };
                    let Some(key) = key else {
                        return Ok(Node::Table(entries));
                    };
                    entries.push((key, map.next_value()?));
                }
            }
        }
        deserializer.deserialize_any(NodeVisitor)
    }
}
