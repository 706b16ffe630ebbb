//! The small value types of the manifest that people may write in more than one way.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use portway_ports::PortRange;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// A string of the manifest that remembers where it stands.
pub type Text = Spanned<String>;

/// Which ports a service may get: `9000`, `"9000-9099"` or `{ prefer = 9000, range = "9000-9099" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// The port to take when it can be had.
    pub prefer: u16,
    /// The ports to take instead.
    pub range: PortRange,
    /// Whether a person chose `prefer` by its number, or a range of one port: a number that is
    /// chosen is taken also where Portway itself would never give it out.
    pub named: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortTable {
    prefer: Option<i64>,
    range: Option<String>,
}

impl PortSpec {
    /// The lowest port of `range`, else the rest of it.
    pub fn of(range: PortRange) -> Self {
        Self {
            prefer: range.first(),
            range,
            named: range.size() == 1,
        }
    }

    /// The port, else one of the ninety-nine above; `None` for 0.
    pub fn from_port(prefer: u16) -> Option<Self> {
        Some(Self {
            prefer,
            range: PortRange::hundred_from(prefer).ok()?,
            named: true,
        })
    }

    fn new<E: Error>(prefer: Option<i64>, range: Option<&str>) -> Result<Self, E> {
        let prefer = prefer
            .map(|number| {
                u16::try_from(number)
                    .ok()
                    .filter(|&port| port != 0)
                    .ok_or_else(|| {
                        E::custom(format!(
                            "`{number}` is not a port; ports go from 1 to 65535"
                        ))
                    })
            })
            .transpose()?;
        let range: Option<PortRange> = range
            .map(str::parse)
            .transpose()
            .map_err(|error| E::custom(error))?;
        match (prefer, range) {
            (None, None) => Err(E::custom("a port table needs `prefer`, `range` or both")),
            (None, Some(range)) => Ok(Self::of(range)),
            (Some(prefer), None) => Self::from_port(prefer)
                .ok_or_else(|| E::custom("`0` is not a port; ports go from 1 to 65535")),
            (Some(prefer), Some(range)) if range.contains(prefer) => Ok(Self {
                prefer,
                range,
                named: true,
            }),
            (Some(prefer), Some(range)) => Err(E::custom(format!(
                "the preferred port {prefer} lies outside the range {range}"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for PortSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
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
                PortSpec::new(table.prefer, table.range.as_deref())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for PortSpec {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let port = json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 });
        let range = json_schema!({ "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$" });
        json_schema!({
            "description": "Which ports a service may get: a preferred port, a range, or both.",
            "anyOf": [
                port,
                range,
                {
                    "type": "object",
                    "properties": { "prefer": port, "range": range },
                    "minProperties": 1,
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// When a service that comes after another may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// As soon as the other's process runs.
    Started,
    /// When the other is ready.
    #[default]
    Ready,
    /// When the other has ended with success: migrations and other one-shot services.
    Completed,
}

/// The services to wait for: `["db"]`, or `{ db = "ready", migrate = "completed" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After(pub Vec<(Text, Condition)>);

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = After;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list of services, or { SERVICE = \"started\" | \"ready\" | \"completed\" }",
                )
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<After, A::Error> {
                let mut after = Vec::new();
                while let Some(name) = list.next_element::<Text>()? {
                    after.push((name, Condition::default()));
                }
                Ok(After(after))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<After, A::Error> {
                let mut after = Vec::new();
                while let Some(entry) = map.next_entry::<Text, Condition>()? {
                    after.push(entry);
                }
                Ok(After(after))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for After {
    fn schema_name() -> Cow<'static, str> {
        "After".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<String>>();
        let table = generator.subschema_for::<IndexMap<String, Condition>>();
        json_schema!({
            "description": "The services to wait for before this one starts.",
            "anyOf": [list, table]
        })
    }
}

/// What makes a service ready to start: a command, or `{ command, dir, inputs }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// The shell command.
    pub command: Text,
    /// The directory it runs in, relative to the project's root; the service's own where it is
    /// missing. A step that several services have in common runs once.
    pub dir: Option<Text>,
    /// Files, relative to the directory it runs in, whose change makes it run again; beside the
    /// usual lock files and requirements.
    pub inputs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrepareTable {
    command: String,
    dir: Option<Text>,
    #[serde(default)]
    inputs: Vec<String>,
}

impl<'de> Deserialize<'de> for Prepare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = PrepareTable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command, or { command = \"…\", dir = \"…\", inputs = [\"…\"] }")
            }
            fn visit_str<E: Error>(self, command: &str) -> Result<Self::Value, E> {
                Ok(PrepareTable {
                    command: command.to_owned(),
                    dir: None,
                    inputs: Vec::new(),
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                PrepareTable::deserialize(MapAccessDeserializer::new(map))
            }
        }
        struct Inner(PrepareTable);
        impl<'de> Deserialize<'de> for Inner {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Any).map(Inner)
            }
        }
        let spanned = Spanned::<Inner>::deserialize(deserializer)?;
        let span = spanned.span();
        let Inner(table) = spanned.into_inner();
        Ok(Self {
            command: Spanned::new(span, table.command),
            dir: table.dir,
            inputs: table.inputs,
        })
    }
}

impl JsonSchema for Prepare {
    fn schema_name() -> Cow<'static, str> {
        "Prepare".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A command that makes the service ready to start. It runs again when its inputs have changed.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "command": { "type": "string" },
                        "dir": { "type": "string" },
                        "inputs": { "type": "array", "items": { "type": "string" } }
                    },
                    "required": ["command"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// Where a path leads: `"backend"`, or `{ service = "backend", strip = true }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The service that answers there.
    pub service: Text,
    /// Whether the service is asked without the path.
    pub strip: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    service: String,
    #[serde(default)]
    strip: bool,
}

/// A route in either form.
struct RouteForm(RouteTable);

impl<'de> Deserialize<'de> for RouteForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = RouteTable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a service, or { service = \"…\", strip = true }")
            }
            fn visit_str<E: Error>(self, service: &str) -> Result<Self::Value, E> {
                Ok(RouteTable {
                    service: service.to_owned(),
                    strip: false,
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                RouteTable::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Any).map(Self)
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<RouteForm>::deserialize(deserializer)?;
        let span = spanned.span();
        let RouteForm(table) = spanned.into_inner();
        Ok(Self {
            service: Spanned::new(span, table.service),
            strip: table.strip,
        })
    }
}

impl JsonSchema for Route {
    fn schema_name() -> Cow<'static, str> {
        "Route".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The service that answers at a path and below it; with `strip` it is asked without the path.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "service": { "type": "string" },
                        "strip": { "type": "boolean" }
                    },
                    "required": ["service"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// One name or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<Text>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Vec<Text>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file name or a list of file names")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(vec![Spanned::new(0..0, text.to_owned())])
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element::<Text>()? {
                    names.push(name);
                }
                Ok(names)
            }
        }
        deserializer.deserialize_any(Any).map(Self)
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } }
            ]
        })
    }
}
