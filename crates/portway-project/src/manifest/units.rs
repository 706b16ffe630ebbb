//! Times and sizes of the manifest, which people write with their units.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time as people write it: `"500ms"`, `"10s"`, `"2m"`; never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "{:#}",
            jiff::SignedDuration::try_from(self.0).unwrap_or(jiff::SignedDuration::MAX)
        ))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .map(Self)
            .ok_or_else(|| {
                D::Error::custom(format!(
                    "`{text}` is not a span of time; write it as \"500ms\", \"10s\" or \"2m\""
                ))
            })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time.",
            "examples": ["500ms", "10s", "2m"]
        })
    }
}

/// A number of bytes, at least one: `1048576`, `"10 MiB"`, `"4.5MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    fn new<E: Error>(bytes: Option<u64>, text: impl fmt::Display) -> Result<Self, E> {
        let size = bytes.filter(|&bytes| bytes > 0).map(Self);
        size.ok_or_else(|| {
            E::custom(format!(
                "`{text}` is not a size; write it as \"10 MiB\", \"500 kB\" or in bytes, at least one"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"10 MiB\", or a number of bytes")
            }
            fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
                Size::new(u64::try_from(bytes).ok(), bytes)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                let size = text.parse::<ByteSize>();
                Size::new(size.ok().map(|size| size.as_u64()), text)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, with or without a unit.",
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string" }
            ],
            "examples": ["10 MiB", "500 kB", 1048576]
        })
    }
}
