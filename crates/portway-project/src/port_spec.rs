//! Which ports a service may get, as a manifest or the preferences write it.

use std::borrow::Cow;
use std::fmt;

use portway_ports::{PortRange, Protocol};

use crate::policy::PortProtocol;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The ports a service may get: `9000`, `"9000-9099"` or `{ prefer = 9000, range = "9000-9099" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// The port to use if it is free.
    pub prefer: u16,
    /// The ports to choose from otherwise.
    pub range: PortRange,
    /// Whether a person chose `prefer` by its number, or gave a range of one port. Portway uses
    /// such a port even if it is on the list of ports that it never chooses itself.
    pub explicit: bool,
    /// The protocol, if it differs from that of the service.
    pub protocol: Option<Protocol>,
    /// The port that the project's own files name for the service, if it is not `prefer`. Portway
    /// never chooses it for this reason; it only recognizes the number.
    pub usual: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortTable {
    prefer: Option<i64>,
    range: Option<String>,
    protocol: Option<PortProtocol>,
    usual: Option<i64>,
}

impl PortSpec {
    /// Prefers the lowest port of `range`.
    pub fn from_range(range: PortRange) -> Self {
        Self {
            prefer: range.first(),
            range,
            explicit: range.size() == 1,
            protocol: None,
            usual: None,
        }
    }

    /// Prefers this port, with the next 99 ports as alternatives. `None` for port 0.
    pub fn from_port(prefer: u16) -> Option<Self> {
        Some(Self {
            prefer,
            range: PortRange::hundred_from(prefer).ok()?,
            explicit: true,
            protocol: None,
            usual: None,
        })
    }

    /// Replaces this with the port that the user prefers. The project's files still name this one.
    pub(crate) fn preferring(self, chosen: Self) -> Self {
        let usual = self.usual.unwrap_or(self.prefer);
        Self {
            usual: Some(usual).filter(|&usual| usual != chosen.prefer),
            ..chosen
        }
    }

    fn new<E: Error>(prefer: Option<i64>, range: Option<&str>) -> Result<Self, E> {
        let prefer = prefer
            .map(|number| parse_port(number).ok_or_else(|| E::custom(not_a_port(number))))
            .transpose()?;
        let range: Option<PortRange> = range
            .map(str::parse)
            .transpose()
            .map_err(|error| E::custom(error))?;
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

/// The JSON schema of a port.
pub(crate) fn port_schema() -> serde_json::Value {
    serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 65535 })
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
                f.write_str("a port, a range such as \"9000-9099\", or { prefer = 9000, range = \"9000-9099\" }")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<PortSpec, E> {
                PortSpec::new(Some(number), None)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<PortSpec, E> {
                PortSpec::new(None, Some(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PortSpec, A::Error> {
                let table = PortTable::deserialize(MapAccessDeserializer::new(map))?;
                let spec = PortSpec::new(table.prefer, table.range.as_deref())?;
                let protocol = table.protocol.map(Into::into);
                let usual = table.usual.map(|number| {
                    parse_port(number).ok_or_else(|| A::Error::custom(not_a_port(number)))
                });
                Ok(PortSpec {
                    protocol,
                    usual: usual.transpose()?,
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
        let (port, range) = (port_schema(), range_schema());
        json_schema!({
            "description": "The ports a service may get: a preferred port, a range, or both.",
            "anyOf": [
                port,
                range,
                {
                    "type": "object",
                    "properties": {
                        "prefer": port,
                        "range": range,
                        "protocol": { "enum": ["tcp", "udp"] },
                        "usual": port
                    },
                    "anyOf": [{ "required": ["prefer"] }, { "required": ["range"] }],
                    "additionalProperties": false
                }
            ]
        })
    }
}
