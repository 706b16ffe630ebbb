//! Durations and sizes as people write them in TOML files: `"10s"`, `"16 MiB"`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration with a unit, such as `"500ms"`, `"10s"` or `"2m"`; never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

impl HumanDuration {
    pub(crate) const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "{:#}",
            jiff::SignedDuration::try_from(self.0).unwrap_or(jiff::SignedDuration::MAX)
        ))
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .map(Self)
            .ok_or_else(|| {
                D::Error::custom(format!(
                    "`{text}` is not a duration; write it as \"500ms\", \"10s\" or \"2m\""
                ))
            })
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration with a unit.",
            "examples": ["500ms", "10s", "2m"]
        })
    }
}

/// A number of bytes, at least 1, such as `1048576`, `"10 MiB"` or `"4.5MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HumanSize(pub u64);

impl HumanSize {
    fn new<E: Error>(bytes: Option<u64>, text: impl fmt::Display) -> Result<Self, E> {
        let size = bytes.filter(|&bytes| bytes > 0).map(Self);
        size.ok_or_else(|| {
            E::custom(format!(
                "`{text}` is not a size; write it as \"10 MiB\", \"500 kB\" or a number of bytes, at least 1"
            ))
        })
    }
}

/// The bytes of a size such as `"1.5 MB"`, in any of the units that `bytesize` supports.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    text.parse::<ByteSize>().ok().map(|size| size.as_u64())
}

/// Writes a size in the largest unit in which it is a whole number: `16 MiB`, `1500 kB`.
///
/// Unlike the output of `bytesize`, which rounds, this reads back as the same number.
pub(crate) fn format_size(bytes: u64) -> String {
    let units = [
        ("GiB", bytesize::GIB),
        ("MiB", bytesize::MIB),
        ("KiB", bytesize::KIB),
        ("GB", bytesize::GB),
        ("MB", bytesize::MB),
        ("kB", bytesize::KB),
    ];
    match units.iter().find(|(_, unit)| bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

impl<'de> Deserialize<'de> for HumanSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl Visitor<'_> for SizeVisitor {
            type Value = HumanSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"10 MiB\", or a number of bytes")
            }
            fn visit_i64<E: Error>(self, bytes: i64) -> Result<HumanSize, E> {
                HumanSize::new(u64::try_from(bytes).ok(), bytes)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<HumanSize, E> {
                HumanSize::new(parse_size(text), text)
            }
        }
        deserializer.deserialize_any(SizeVisitor)
    }
}

impl JsonSchema for HumanSize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_size_reads_back_as_the_same_number() {
        for (bytes, text) in [
            (16 << 20, "16 MiB"),
            (1_500_000, "1500 kB"),
            (3_000_000_000, "3 GB"),
            (1023, "1023 B"),
        ] {
            assert_eq!(format_size(bytes), text);
            assert_eq!(parse_size(text), Some(bytes));
        }
    }
}
