//! Which ports a service may get, as a manifest or the preferences write it.

use std::borrow::Cow;
use std::fmt;

use portway_ports::{PortRange, PortRanges, Protocol};

use crate::policy::PortProtocol;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The ports a service may get: `9000`, `"9000-9099"`, `["9000-9099", "9200-9299"]` or
/// `{ prefer = 9000, range = "9000-9099" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// The port to use if it is free.
    pub prefer: u16,
    /// The ports to choose from otherwise.
    pub range: PortRanges,
    /// Whether a person chose `prefer` by its number, or gave a range of one port. Portway uses
    /// such a port even if it is on the list of ports that it never chooses itself.
    pub explicit: bool,
    /// The protocol, if it differs from that of the service.
    pub protocol: Option<Protocol>,
    /// The port that the project's own files name for the service, if it is not `prefer`. Portway
    /// never chooses it for this reason; it only recognizes the number.
    pub usual: Option<u16>,
    /// The file and line that calls `prefer` as a number, such as `web/vite.config.ts:9`. A stopped
    /// instance of another project then does not keep the port.
    pub called_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortTable {
    prefer: Option<i64>,
    range: Option<Ranges>,
    protocol: Option<PortProtocol>,
    usual: Option<i64>,
    called_by: Option<String>,
}

impl PortSpec {
    /// Prefers the first port of `range`.
    pub fn from_range(range: PortRanges) -> Self {
        Self {
            prefer: range.first(),
            explicit: range.size() == 1,
            range,
            protocol: None,
            usual: None,
            called_by: None,
        }
    }

    /// Prefers this port, with the next 99 ports as alternatives. `None` for port 0.
    pub fn from_port(prefer: u16) -> Option<Self> {
        Some(Self {
            prefer,
            range: PortRange::hundred_from(prefer).ok()?.into(),
            explicit: true,
            protocol: None,
            usual: None,
            called_by: None,
        })
    }

    /// Replaces this with the port that the user prefers. The project's files still name this one.
    pub(crate) fn preferring(&self, chosen: Self) -> Self {
        let usual = self.usual.unwrap_or(self.prefer);
        Self {
            usual: Some(usual).filter(|&usual| usual != chosen.prefer),
            ..chosen
        }
    }

    fn new<E: Error>(prefer: Option<i64>, range: Option<PortRanges>) -> Result<Self, E> {
        let prefer = prefer
            .map(|number| parse_port(number).ok_or_else(|| E::custom(not_a_port(number))))
            .transpose()?;
        match (prefer, range) {
            (None, None) => Err(E::custom("a port table requires `prefer`, `range` or both")),
            (None, Some(range)) => Ok(Self::from_range(range)),
            (Some(prefer), None) => Self::from_port(prefer).ok_or_else(|| E::custom(not_a_port(0))),
            (Some(prefer), Some(range)) if range.contains(prefer) => Ok(Self {
                prefer,
                range,
                explicit: true,
                protocol: None,
                usual: None,
                called_by: None,
            }),
            (Some(prefer), Some(range)) => Err(E::custom(format!(
                "the preferred port {prefer} is outside the range {range}"
            ))),
        }
    }
}

/// The port with this number; `None` unless it is between 1 and 65535.
pub(crate) fn parse_port(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|&port| port != 0)
}

/// The message for a number that is not a port.
pub(crate) fn not_a_port(number: i64) -> String {
    format!("`{number}` is not a port; ports go from 1 to 65535")
}

/// The JSON schema of a list of ranges and ports.
pub(crate) fn ranges_schema() -> serde_json::Value {
    let item = serde_json::json!({ "anyOf": [port_schema(), range_schema()] });
    serde_json::json!({ "type": "array", "minItems": 1, "items": item })
}

/// The JSON schema of a port.
pub(crate) fn port_schema() -> serde_json::Value {
    serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 65535 })
}

/// One range as text, or a list of ranges and ports.
struct Ranges(PortRanges);

impl<'de> Deserialize<'de> for Ranges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RangesVisitor;
        impl<'de> Visitor<'de> for RangesVisitor {
            type Value = Ranges;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a range such as \"9000-9099\", or a list of ranges")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Ranges, E> {
                range_from_text(text).map(|range| Ranges(range.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Ranges, A::Error> {
                ranges_from_list(list).map(Ranges)
            }
        }
        deserializer.deserialize_any(RangesVisitor)
    }
}

/// An item of a list of ranges.
struct Item(PortRange);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;
        impl Visitor<'_> for ItemVisitor {
            type Value = Item;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, or a range such as \"9000-9099\"")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Item, E> {
                let port = parse_port(number).ok_or_else(|| E::custom(not_a_port(number)))?;
                PortRange::new(port, port).map(Item).map_err(E::custom)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Item, E> {
                range_from_text(text).map(Item)
            }
        }
        deserializer.deserialize_any(ItemVisitor)
    }
}

fn range_from_text<E: Error>(text: &str) -> Result<PortRange, E> {
    text.parse().map_err(E::custom)
}

fn ranges_from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<PortRanges, A::Error> {
    let mut ranges = Vec::new();
    while let Some(Item(range)) = list.next_element()? {
        ranges.push(range);
    }
    PortRanges::new(ranges).map_err(A::Error::custom)
}

/// The JSON schema of a range of ports.
pub(crate) fn range_schema() -> serde_json::Value {
    serde_json::json!({ "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$" })
}

impl<'de> Deserialize<'de> for PortSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PortVisitor;
        impl<'de> Visitor<'de> for PortVisitor {
            type Value = PortSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, a range such as \"9000-9099\", a list of ranges, or { prefer = 9000, range = \"9000-9099\" }")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<PortSpec, E> {
                PortSpec::new(Some(number), None)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<PortSpec, E> {
                range_from_text(text).map(|range| PortSpec::from_range(range.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<PortSpec, A::Error> {
                ranges_from_list(list).map(PortSpec::from_range)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PortSpec, A::Error> {
                let table = PortTable::deserialize(MapAccessDeserializer::new(map))?;
                let spec = PortSpec::new(table.prefer, table.range.map(|Ranges(range)| range))?;
                let protocol = table.protocol.map(Into::into);
                let usual = table.usual.map(|number| {
                    parse_port(number).ok_or_else(|| A::Error::custom(not_a_port(number)))
                });
                Ok(PortSpec {
                    protocol,
                    usual: usual.transpose()?,
                    called_by: table.called_by,
                    ..spec
                })
            }
        }
        deserializer.deserialize_any(PortVisitor)
    }
}

impl JsonSchema for PortSpec {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let (port, range, ranges) = (port_schema(), range_schema(), ranges_schema());
        json_schema!({
            "description": "The ports a service may get: a preferred port, one or more ranges, or both.",
            "anyOf": [
                port,
                range,
                ranges,
                {
                    "type": "object",
                    "properties": {
                        "prefer": port,
                        "range": { "anyOf": [range, ranges] },
                        "protocol": { "enum": ["tcp", "udp"] },
                        "usual": port,
                        "called_by": {
                            "description": "The file and line that calls `prefer` as a number, such as `web/vite.config.ts:9`. A stopped instance of another project then does not keep the port.",
                            "type": "string"
                        }
                    },
                    "anyOf": [
                        { "properties": { "prefer": true }, "required": ["prefer"] },
                        { "properties": { "range": true }, "required": ["range"] }
                    ],
                    "additionalProperties": false
                }
            ]
        })
    }
}
