//! The database of a service.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::diagnostic::Text;

/// The database that a service uses: the name of its template, or `{ template, url, env }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The database that the main checkout uses and that is copied for each worktree; for SQLite, its
    /// file.
    pub template: Text,
    /// Its address, if no variable of the application has it. Placeholders are replaced.
    pub url: Option<Text>,
    /// The variables with the address; empty for the default.
    pub env: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseTable {
    template: Text,
    url: Option<Text>,
    #[serde(default)]
    env: Variables,
}

/// One variable or a list of them.
#[derive(Default)]
struct Variables(Vec<Text>);

/// A list or a single text.
struct VariablesForm(Vec<Text>);

impl<'de> Deserialize<'de> for VariablesForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = Vec<Text>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a variable, or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(vec![Spanned::new(0..0, name.to_owned())])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(names)
            }
        }
        deserializer.deserialize_any(ListVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<VariablesForm>::deserialize(deserializer)?;
        let span = spanned.span();
        let VariablesForm(mut names) = spanned.into_inner();
        for name in names.iter_mut().filter(|name| name.span().is_empty()) {
            *name = Spanned::new(span.clone(), name.get_ref().clone());
        }
        Ok(Self(names))
    }
}

/// A database in either form.
struct DatabaseForm(DatabaseTable);

impl<'de> Deserialize<'de> for DatabaseForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DatabaseVisitor;
        impl<'de> Visitor<'de> for DatabaseVisitor {
            type Value = DatabaseTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "the name of a database, or { template = \"…\", url = \"…\", env = \"…\" }",
                )
            }

            fn visit_str<E: Error>(self, template: &str) -> Result<Self::Value, E> {
                Ok(DatabaseTable {
                    template: Spanned::new(0..0, template.to_owned()),
                    url: None,
                    env: Variables::default(),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                DatabaseTable::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(DatabaseVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Database {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<DatabaseForm>::deserialize(deserializer)?;
        let span = spanned.span();
        let DatabaseForm(mut table) = spanned.into_inner();
        if table.template.span().is_empty() {
            table.template = Spanned::new(span, table.template.into_inner());
        }
        Ok(Self {
            template: table.template,
            url: table.url,
            env: table.env.0,
        })
    }
}

impl JsonSchema for Database {
    fn schema_name() -> Cow<'static, str> {
        "Database".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The database of the application. The main checkout uses the template itself; each linked git worktree gets a copy at its first start, and every variable that refers to the template then refers to the copy.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "template": {
                            "description": "The name of the database to copy; for SQLite, its file, relative to the project's root.",
                            "type": "string"
                        },
                        "url": {
                            "description": "The address of the template, if no variable of the application has it. Placeholders are replaced.",
                            "type": "string"
                        },
                        "env": {
                            "description": "The variables with the address of the database. Default: `DATABASE_URL`.",
                            "anyOf": [
                                { "type": "string" },
                                { "type": "array", "items": { "type": "string" } }
                            ]
                        }
                    },
                    "required": ["template"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
