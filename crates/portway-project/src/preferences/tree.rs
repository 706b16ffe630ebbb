//! What TOML holds, with the place of each part: the form in which preferences are read from a file
//! of their own and from a table of the manifest.

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
    /// What no preference is; the words say what it is.
    Other(&'static str),
}

impl Node {
    /// Reads one value, without a key.
    pub(crate) fn of_value(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Lone {
            value: Node,
        }
        let lone: Lone = toml::from_str(&format!("value = {text}"))
            .map_err(|error| error.message().trim_end().replace('\n', "; "))?;
        Ok(lone.value)
    }

    /// What it is, in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Integer(number) => format!("the number {number}"),
            Self::Text(text) => format!("the text \"{text}\""),
            Self::List(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
            Self::Other(words) => (*words).into(),
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
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Other("a truth value"))
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
                    // The reader hands a date over as a table whose key has no place.
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
        deserializer.deserialize_any(Any)
    }
}
