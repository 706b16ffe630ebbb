//! All preference keys, each declared once. Listings, checks, docs and the JSON schema are generated
//! from this table.

use serde_json::{Value as Json, json};

use super::value::{Value, ValueType};

/// One preference, or a family of preferences with a common form.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// The name, with a dot between its parts. The user chooses a part in angle brackets.
    pub name: &'static str,
    /// Another accepted spelling of a name without dots.
    pub alias: Option<&'static str>,
    /// What it sets, as a phrase without a final period.
    pub description: &'static str,
    /// The type of its value.
    pub value_type: ValueType,
    /// The default value as text; empty for none.
    pub default: &'static str,
    /// The flag that sets it for one command.
    pub flag: Option<&'static str>,
    /// The environment variables that set it. The first one that is set applies.
    pub variables: &'static [Variable],
    /// Whether `portway.toml` can set it. Only the user can set the others.
    pub in_project: bool,
    /// Whether the values of all layers are combined, instead of the first layer applying.
    pub is_combined: bool,
}

/// An environment variable that sets a preference.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The value that the variable stands for, no matter what it contains, as for `NO_COLOR`.
    /// Without it, the content of the variable is the value.
    pub fixed_value: Option<&'static str>,
}

const fn variable(name: &'static str) -> Variable {
    Variable {
        name,
        fixed_value: None,
    }
}

/// A key with the most common properties.
const fn key(
    name: &'static str,
    description: &'static str,
    value_type: ValueType,
    default: &'static str,
    variables: &'static [Variable],
) -> Key {
    Key {
        name,
        alias: None,
        description,
        value_type,
        default,
        flag: None,
        variables,
        in_project: true,
        is_combined: false,
    }
}

/// All preferences.
pub const KEYS: [Key; 19] = [
    key(
        "ranges.backend",
        "Ports of a service named `backend` without a port in the manifest",
        ValueType::Range,
        "9000-9099",
        &[variable("PORTWAY_RANGES_BACKEND")],
    ),
    key(
        "ranges.frontend",
        "Ports of a frontend without a port in the manifest",
        ValueType::Range,
        "5173-5272",
        &[variable("PORTWAY_RANGES_FRONTEND")],
    ),
    key(
        "ranges.redis",
        "Ports of a Redis or Valkey service without a port in the manifest",
        ValueType::Range,
        "6379-6478",
        &[variable("PORTWAY_RANGES_REDIS")],
    ),
    key(
        "ranges.postgres",
        "Ports of a PostgreSQL service without a port in the manifest",
        ValueType::Range,
        "5432-5531",
        &[variable("PORTWAY_RANGES_POSTGRES")],
    ),
    key(
        "ranges.mysql",
        "Ports of a MySQL or MariaDB service without a port in the manifest",
        ValueType::Range,
        "3306-3405",
        &[variable("PORTWAY_RANGES_MYSQL")],
    ),
    key(
        "ranges.mongodb",
        "Ports of a MongoDB service without a port in the manifest",
        ValueType::Range,
        "27017-27116",
        &[variable("PORTWAY_RANGES_MONGODB")],
    ),
    key(
        "ranges.amqp",
        "Ports of a RabbitMQ or other AMQP service without a port in the manifest",
        ValueType::Range,
        "5672-5771",
        &[variable("PORTWAY_RANGES_AMQP")],
    ),
    key(
        "ranges.nats",
        "Ports of a NATS service without a port in the manifest",
        ValueType::Range,
        "4222-4321",
        &[variable("PORTWAY_RANGES_NATS")],
    ),
    key(
        "ranges.memcached",
        "Ports of a Memcached service without a port in the manifest",
        ValueType::Range,
        "11211-11310",
        &[variable("PORTWAY_RANGES_MEMCACHED")],
    ),
    Key {
        is_combined: true,
        ..key(
            "never",
            "Ports that Portway uses only if you request them by number; the values of all layers \
             are combined",
            ValueType::Ports,
            "",
            &[variable("PORTWAY_NEVER")],
        )
    },
    Key {
        in_project: false,
        ..key(
            "prefer.projects.<project>.<service>",
            "Port to try first for a service, unless the manifest names a port",
            ValueType::Port,
            "",
            &[],
        )
    },
    Key {
        in_project: false,
        ..key(
            "prefer.frameworks.<framework>",
            "Port to try first for a service that Portway detects without a `portway.toml`",
            ValueType::Port,
            "",
            &[],
        )
    },
    Key {
        flag: Some("--moved"),
        ..key(
            "moved",
            "What `up` does if a service cannot use its preferred or forced port: continue or ask",
            ValueType::Choice(&["continue", "ask"]),
            "continue",
            &[variable("PORTWAY_MOVED")],
        )
    },
    Key {
        flag: Some("--isolate"),
        ..key(
            "isolation",
            "What separates the services of a checkout from those of others: ports (none), or a network \
             of their own; auto is a network in worktrees in which a detected service has only one port",
            ValueType::Choice(&["auto", "none", "network"]),
            "auto",
            &[variable("PORTWAY_ISOLATION")],
        )
    },
    Key {
        alias: Some("colour"),
        flag: Some("--color"),
        in_project: false,
        ..key(
            "color",
            "Whether to print in color; `auto` does so in a terminal, unless `CI` is set",
            ValueType::Choice(&["auto", "always", "never"]),
            "auto",
            &[
                variable("PORTWAY_COLOR"),
                variable("PORTWAY_COLOUR"),
                Variable {
                    name: "NO_COLOR",
                    fixed_value: Some("never"),
                },
                Variable {
                    name: "CLICOLOR_FORCE",
                    fixed_value: Some("always"),
                },
            ],
        )
    },
    key(
        "gateway.start",
        "What starts the gateway: you, or the first `portway up`",
        ValueType::Choice(&["manual", "with-up"]),
        "manual",
        &[variable("PORTWAY_GATEWAY_START")],
    ),
    Key {
        in_project: false,
        ..key(
            "gateway.port",
            "HTTP port of the gateway; without it, 80, or 7678 if 80 is not available",
            ValueType::Port,
            "",
            &[variable("PORTWAY_GATEWAY_PORT")],
        )
    },
    Key {
        in_project: false,
        ..key(
            "gateway.tls_port",
            "HTTPS port of the gateway; without it, 443, or 7679 if 443 is not available",
            ValueType::Port,
            "",
            &[variable("PORTWAY_GATEWAY_TLS_PORT")],
        )
    },
    key(
        "logs.size",
        "How much output of each service Portway keeps on disk",
        ValueType::Size,
        "16 MiB",
        &[variable("PORTWAY_LOGS_SIZE")],
    ),
];

impl Key {
    /// The default value.
    pub fn default_value(&self) -> Option<Value> {
        if self.default.is_empty() {
            return None;
        }
        self.value_type.parse(self.default).ok()
    }

    /// Whether the user chooses a part of the name.
    pub fn is_family(&self) -> bool {
        self.name.contains('<')
    }

    /// The parts of the name.
    pub(super) fn path(&self) -> Vec<String> {
        self.parts().map(str::to_owned).collect()
    }

    /// The path without an alias in it.
    pub(super) fn canonical(&self, path: &[String]) -> Vec<String> {
        if self.is_alias(path) {
            self.path()
        } else {
            path.to_owned()
        }
    }

    fn is_alias(&self, path: &[String]) -> bool {
        matches!(path, [name] if self.alias == Some(name))
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.name.split('.')
    }

    /// Whether the name starts with these parts.
    pub(super) fn starts_with(&self, path: &[String]) -> bool {
        let mut parts = self.parts();
        self.is_alias(path)
            || path
                .iter()
                .all(|own| parts.next().is_some_and(|part| matches(part, own)))
    }
}

/// Whether a part of a key's name matches a part of a path. A part in angle brackets matches any
/// part that is not empty.
fn matches(part: &str, written: &str) -> bool {
    if part.starts_with('<') {
        !written.is_empty()
    } else {
        part == written
    }
}

/// The JSON schema of the table `[preferences]` of `portway.toml`.
pub(crate) fn project_schema() -> Json {
    let mut root = json!({
        "description": "Preferences of this project. They override the user's own.",
        "type": "object",
        "properties": {},
        "additionalProperties": false
    });
    for key in KEYS.iter().filter(|key| key.in_project) {
        let mut table = &mut root;
        let mut parts = key.parts().peekable();
        while let Some(part) = parts.next() {
            let entry = &mut table["properties"][part];
            if parts.peek().is_none() {
                *entry = key.value_type.schema();
                entry["description"] = format!("{}.", key.description).into();
                if let Some(value) = key.default_value() {
                    entry["default"] = value.to_json();
                }
            } else if entry.is_null() {
                *entry = json!({
                    "type": "object",
                    "properties": {},
                    "additionalProperties": false
                });
            }
            table = entry;
        }
    }
    root
}

/// A Markdown table of all preferences, for the documentation.
pub fn markdown() -> String {
    let mut text = String::from(
        "| key | description | value | default | flag, variables | in `portway.toml` |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for key in &KEYS {
        let quoted = |word: &str| format!("`{word}`");
        let outside: Vec<String> = key
            .flag
            .into_iter()
            .chain(key.variables.iter().map(|variable| variable.name))
            .map(quoted)
            .collect();
        let default = match key.default {
            "" => String::new(),
            default => quoted(default),
        };
        text.push_str(&format!(
            "| `{}` | {} | {} | {default} | {} | {} |\n",
            key.name,
            key.description,
            key.value_type,
            outside.join(", "),
            if key.in_project { "yes" } else { "no" },
        ));
    }
    text
}
