//! Every preference, declared once: name, form, words, default, flag and variables. What is
//! listed, explained, checked, documented and put into the JSON schema is made from this table.

use serde_json::{Value as Json, json};

use super::value::{Form, Value};
use crate::suggest::{closest, suggestion};

/// One preference, or a family of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name, with a dot for each table. A part in angle brackets is chosen by the user.
    pub name: &'static str,
    /// What it decides: one sentence without a full stop.
    pub about: &'static str,
    /// How its value is written.
    pub form: Form,
    /// Its value where nobody says otherwise, as text; empty for none.
    pub default: &'static str,
    /// The flag that decides it for one command.
    pub flag: Option<&'static str>,
    /// The variables that decide it, the strongest first.
    pub variables: &'static [Variable],
    /// Whether `portway.toml` may have it. What is the user's alone, it may not.
    pub in_project: bool,
    /// Whether the layers add to each other, instead of the strongest standing alone.
    pub adds_up: bool,
}

/// An environment variable that decides a preference.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The value that it stands for whatever it holds, as `NO_COLOR` does; without it, what it
    /// holds is the value.
    pub means: Option<&'static str>,
}

const fn variable(name: &'static str) -> Variable {
    Variable { name, means: None }
}

/// The range of a kind of service.
const fn range(
    name: &'static str,
    about: &'static str,
    default: &'static str,
    variables: &'static [Variable],
) -> Key {
    Key {
        name,
        about,
        form: Form::Range,
        default,
        flag: None,
        variables,
        in_project: true,
        adds_up: false,
    }
}

/// All preferences.
pub const KEYS: [Key; 18] = [
    range(
        "ranges.backend",
        "the ports of a service named `backend` that names none",
        "9000-9099",
        &[variable("PORTWAY_RANGES_BACKEND")],
    ),
    range(
        "ranges.frontend",
        "the ports of a frontend that names none",
        "5173-5272",
        &[variable("PORTWAY_RANGES_FRONTEND")],
    ),
    range(
        "ranges.redis",
        "the ports of Redis or Valkey where none is named",
        "6379-6478",
        &[variable("PORTWAY_RANGES_REDIS")],
    ),
    range(
        "ranges.postgres",
        "the ports of PostgreSQL where none is named",
        "5432-5531",
        &[variable("PORTWAY_RANGES_POSTGRES")],
    ),
    range(
        "ranges.mysql",
        "the ports of MySQL or MariaDB where none is named",
        "3306-3405",
        &[variable("PORTWAY_RANGES_MYSQL")],
    ),
    range(
        "ranges.mongodb",
        "the ports of MongoDB where none is named",
        "27017-27116",
        &[variable("PORTWAY_RANGES_MONGODB")],
    ),
    range(
        "ranges.amqp",
        "the ports of RabbitMQ where none is named",
        "5672-5771",
        &[variable("PORTWAY_RANGES_AMQP")],
    ),
    range(
        "ranges.nats",
        "the ports of NATS where none is named",
        "4222-4321",
        &[variable("PORTWAY_RANGES_NATS")],
    ),
    range(
        "ranges.memcached",
        "the ports of Memcached where none is named",
        "11211-11310",
        &[variable("PORTWAY_RANGES_MEMCACHED")],
    ),
    Key {
        name: "never",
        about: "ports that are given out only when asked for by number; the layers add up",
        form: Form::Ports,
        default: "",
        flag: None,
        variables: &[variable("PORTWAY_NEVER")],
        in_project: true,
        adds_up: true,
    },
    Key {
        name: "prefer.projects.<project>.<service>",
        about: "the port to try first for a service whose project prefers none",
        form: Form::Port,
        default: "",
        flag: None,
        variables: &[],
        in_project: false,
        adds_up: false,
    },
    Key {
        name: "prefer.frameworks.<framework>",
        about: "the port to try first for what is found without a `portway.toml`",
        form: Form::Port,
        default: "",
        flag: None,
        variables: &[],
        in_project: false,
        adds_up: false,
    },
    Key {
        name: "moved",
        about: "what `up` does when a service would not be on its preferred or forced port",
        form: Form::Word(&["go-on", "ask"]),
        default: "go-on",
        flag: Some("--moved"),
        variables: &[variable("PORTWAY_MOVED")],
        in_project: true,
        adds_up: false,
    },
    Key {
        name: "colour",
        about: "whether to print in colour; `auto` does so in a terminal and not under `CI`",
        form: Form::Word(&["auto", "always", "never"]),
        default: "auto",
        flag: Some("--colour"),
        variables: &[
            variable("PORTWAY_COLOUR"),
            variable("PORTWAY_COLOR"),
            Variable {
                name: "NO_COLOR",
                means: Some("never"),
            },
            Variable {
                name: "CLICOLOR_FORCE",
                means: Some("always"),
            },
        ],
        in_project: false,
        adds_up: false,
    },
    Key {
        name: "gateway.start",
        about: "who starts the gateway: you, or the first `up`",
        form: Form::Word(&["by-hand", "with-up"]),
        default: "by-hand",
        flag: None,
        variables: &[variable("PORTWAY_GATEWAY_START")],
        in_project: true,
        adds_up: false,
    },
    Key {
        name: "gateway.port",
        about: "where the gateway serves; otherwise on 80, or on 7678 where that cannot be had",
        form: Form::Port,
        default: "",
        flag: None,
        variables: &[variable("PORTWAY_GATEWAY_PORT")],
        in_project: false,
        adds_up: false,
    },
    Key {
        name: "gateway.tls_port",
        about: "where it serves HTTPS; otherwise on 443, or on 7679 where that cannot be had",
        form: Form::Port,
        default: "",
        flag: None,
        variables: &[variable("PORTWAY_GATEWAY_TLS_PORT")],
        in_project: false,
        adds_up: false,
    },
    Key {
        name: "logs.size",
        about: "how much of what a service prints is kept on disk",
        form: Form::Size,
        default: "16 MiB",
        flag: None,
        variables: &[variable("PORTWAY_LOGS_SIZE")],
        in_project: true,
        adds_up: false,
    },
];

impl Key {
    /// The default value.
    pub fn default_value(&self) -> Option<Value> {
        if self.default.is_empty() {
            return None;
        }
        self.form.read_text(self.default).ok()
    }

    /// Whether the user chooses a part of the name.
    pub fn is_family(&self) -> bool {
        self.name.contains('<')
    }

    fn parts(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.name.split('.')
    }

    /// Whether its name begins with these parts.
    fn begins_with(&self, path: &[String]) -> bool {
        let mut parts = self.parts();
        path.iter()
            .all(|own| parts.next().is_some_and(|part| fits(part, own)))
    }
}

/// Whether a part of a key stands for what was written; a part in angle brackets stands for
/// anything.
fn fits(part: &str, written: &str) -> bool {
    if part.starts_with('<') {
        !written.is_empty()
    } else {
        part == written
    }
}

/// What a path of names stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A preference.
    Key(&'static Key),
    /// A table of preferences.
    Table,
    /// Nothing.
    Unknown,
}

/// Looks a path of names up.
pub(crate) fn find(path: &[String]) -> Place {
    let mut candidates = KEYS.iter().filter(|key| key.begins_with(path)).peekable();
    if candidates.peek().is_none() {
        return Place::Unknown;
    }
    candidates
        .find(|key| key.parts().count() == path.len())
        .map_or(Place::Table, Place::Key)
}

/// "did you mean `x`?" for a path that is not known, or what there is; by its first part that is
/// wrong.
pub(crate) fn suggest(path: &[String]) -> String {
    let known = (0..=path.len())
        .rev()
        .find(|&count| find(&path[..count]) != Place::Unknown)
        .unwrap_or(0);
    let parent = &path[..known];
    let mut siblings: Vec<&str> = Vec::new();
    for key in KEYS.iter().filter(|key| key.begins_with(parent)) {
        if let Some(part) = key
            .parts()
            .nth(known)
            .filter(|part| !siblings.contains(part))
        {
            siblings.push(part);
        }
    }
    let full = |part: &str| {
        let parent = written(parent);
        let dot = if parent.is_empty() { "" } else { "." };
        format!("{parent}{dot}{part}")
    };
    // Alike are the parts; what they have in common says nothing.
    let wrong = path.get(known).map_or("", String::as_str);
    match closest(wrong, siblings.iter().copied()) {
        Some(part) => format!("did you mean `{}`?", full(part)),
        None => {
            let all: Vec<String> = siblings.into_iter().map(full).collect();
            suggestion("", all.iter().map(String::as_str))
        }
    }
}

/// A path as people write it: `logs.size`, `prefer.projects."my.app".api`.
pub fn written(path: &[String]) -> String {
    let parts: Vec<String> = path
        .iter()
        .map(|part| toml_edit::Key::new(part).to_string())
        .collect();
    parts.join(".")
}

/// The JSON schema of the table `[preferences]` of `portway.toml`.
pub(crate) fn project_schema() -> Json {
    let mut root = json!({
        "description": "Preferences of this project; they outweigh the user's own.",
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
                *entry = key.form.schema();
                entry["description"] = key.about.into();
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

/// The table of all preferences as the documentation has it.
pub fn markdown() -> String {
    let mut text = String::from(
        "| key | value | default | flag, variables | in `portway.toml` |\n\
         | --- | --- | --- | --- | --- |\n",
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
            "| `{}` | {}: {} | {default} | {} | {} |\n",
            key.name,
            key.form,
            key.about,
            outside.join(", "),
            if key.in_project { "yes" } else { "" },
        ));
    }
    text
}
