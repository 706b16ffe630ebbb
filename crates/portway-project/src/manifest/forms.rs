//! Values of the manifest that have a short and a long form.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::diagnostic::Text;
use crate::policy::StartCondition;

/// A service of a compose file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComposeService {
    /// The compose file, relative to the project's root.
    pub file: String,
    /// The service in it.
    pub service: String,
}

/// The services to wait for: `["db"]`, or `{ db = "ready", migrate = "completed" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After(pub Vec<(Text, StartCondition)>);

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AfterVisitor;
        impl<'de> Visitor<'de> for AfterVisitor {
            type Value = After;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list of services, or \
                     { SERVICE = \"prepared\" | \"started\" | \"ready\" | \"completed\" }",
                )
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<After, A::Error> {
                let mut after = Vec::new();
                while let Some(name) = list.next_element::<Text>()? {
                    after.push((name, StartCondition::default()));
                }
                Ok(After(after))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<After, A::Error> {
                let mut after = Vec::new();
                while let Some(entry) = map.next_entry::<Text, StartCondition>()? {
                    after.push(entry);
                }
                Ok(After(after))
            }
        }
        deserializer.deserialize_any(AfterVisitor)
    }
}

impl JsonSchema for After {
    fn schema_name() -> Cow<'static, str> {
        "After".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<String>>();
        let table = generator.subschema_for::<IndexMap<String, StartCondition>>();
        json_schema!({
            "description": "The services to wait for before this one starts.",
            "anyOf": [list, table]
        })
    }
}

/// A prepare step: a command, or `{ command, dir, inputs }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// The shell command.
    pub command: Text,
    /// The directory in which it runs, relative to the project's root. Default: the service's
    /// directory. A step that several services share runs once.
    pub dir: Option<Text>,
    /// Files whose change makes the step run again, in addition to the usual lock files. They are
    /// relative to the directory in which the step runs.
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

/// A prepare step in either form.
struct PrepareForm(PrepareTable);

impl<'de> Deserialize<'de> for PrepareForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PrepareVisitor;
        impl<'de> Visitor<'de> for PrepareVisitor {
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
        deserializer.deserialize_any(PrepareVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Prepare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<PrepareForm>::deserialize(deserializer)?;
        let span = spanned.span();
        let PrepareForm(table) = spanned.into_inner();
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
            "description": "A command that prepares the service for its start, such as `npm ci`. It runs again when its inputs have changed.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "command": {
                            "description": "The shell command.",
                            "type": "string"
                        },
                        "dir": {
                            "description": "The directory in which it runs, relative to the project's root. Default: the service's directory.",
                            "type": "string"
                        },
                        "inputs": {
                            "description": "Files whose change makes the step run again, in addition to the usual lock files.",
                            "type": "array",
                            "items": { "type": "string" }
                        }
                    },
                    "required": ["command"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// The target of a path route: `"backend"`, or `{ service = "backend", strip = true }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The service that receives the requests.
    pub service: Text,
    /// Whether the gateway removes the path from the request.
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
        struct RouteVisitor;
        impl<'de> Visitor<'de> for RouteVisitor {
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
        deserializer.deserialize_any(RouteVisitor).map(Self)
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
            "description": "The service that receives the requests to a path and all paths below it. With `strip`, the gateway removes the path from the request.",
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

/// A file with environment variables: `".env"`, or `{ path = ".env.local", optional = true }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFile {
    /// Its path, relative to the service's directory.
    pub path: String,
    /// Whether it may be missing.
    pub optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvFileTable {
    path: String,
    #[serde(default)]
    optional: bool,
}

impl<'de> Deserialize<'de> for EnvFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FileVisitor;
        impl<'de> Visitor<'de> for FileVisitor {
            type Value = EnvFile;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file name, or { path = \"…\", optional = true }")
            }
            fn visit_str<E: Error>(self, path: &str) -> Result<EnvFile, E> {
                Ok(EnvFile {
                    path: path.to_owned(),
                    optional: false,
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EnvFile, A::Error> {
                let table = EnvFileTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(EnvFile {
                    path: table.path,
                    optional: table.optional,
                })
            }
        }
        deserializer.deserialize_any(FileVisitor)
    }
}

/// One file with environment variables, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvFiles(pub Vec<EnvFile>);

impl<'de> Deserialize<'de> for EnvFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilesVisitor;
        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = Vec<EnvFile>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file name or a list of file names")
            }
            fn visit_str<E: Error>(self, path: &str) -> Result<Self::Value, E> {
                let path = path.to_owned();
                let optional = false;
                Ok(vec![EnvFile { path, optional }])
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                EnvFile::deserialize(MapAccessDeserializer::new(map)).map(|file| vec![file])
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut files = Vec::new();
                while let Some(file) = list.next_element()? {
                    files.push(file);
                }
                Ok(files)
            }
        }
        deserializer.deserialize_any(FilesVisitor).map(Self)
    }
}

impl JsonSchema for EnvFiles {
    fn schema_name() -> Cow<'static, str> {
        "EnvFiles".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let file = serde_json::json!({
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "path": {
                            "description": "The file, relative to the service's directory.",
                            "type": "string"
                        },
                        "optional": {
                            "description": "Whether the file may be missing.",
                            "type": "boolean"
                        }
                    },
                    "required": ["path"],
                    "additionalProperties": false
                }
            ]
        });
        json_schema!({
            "description": "One file or a list of files.",
            "anyOf": [file, { "type": "array", "items": file }]
        })
    }
}
