//! The parsed content of a process-compose file.

use indexmap::IndexMap;
use serde_json::Value;

use super::probe::Probe;
use crate::yaml::{YamlError, scalar, strings};

/// A process-compose file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// The processes by name, in the order of the file.
    pub processes: IndexMap<String, Process>,
    /// Variables of all processes.
    pub(super) environment: IndexMap<String, String>,
    /// Whether `$NAME` is not interpolated.
    pub(super) no_expansion: bool,
    /// Keys of the file that have an effect but no equivalent in a manifest.
    pub(super) left_out: Vec<String>,
}

/// One process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Its shell command.
    pub command: String,
    pub(super) working_dir: Option<String>,
    pub(super) environment: IndexMap<String, String>,
    pub(super) env_files: Vec<String>,
    pub(super) no_dotenv: bool,
    /// The processes that it depends on, with the condition as the file spells it.
    pub(super) depends_on: IndexMap<String, String>,
    pub(super) readiness: Option<Probe>,
    pub(super) liveness: Option<Probe>,
    pub(super) ready_log_line: Option<String>,
    pub(super) restart: Option<String>,
    pub(super) signal: Option<u64>,
    /// Shutdown timeout in seconds.
    pub(super) grace: Option<u64>,
    /// Whether it is started manually only.
    pub(super) optional: bool,
    pub(super) is_daemon: bool,
    /// Keys that have no equivalent in a manifest.
    pub(super) left_out: Vec<String>,
}

/// Keys of the file that do not affect what runs.
const IGNORED_KEYS: [&str; 12] = [
    "version",
    "name",
    "processes",
    "environment",
    "disable_env_expansion",
    "log_level",
    "log_length",
    "log_location",
    "log_configuration",
    "log_format",
    "is_strict",
    "is_tui_disabled",
];

impl Project {
    pub(super) fn new(value: Value) -> Result<Self, YamlError> {
        let wrong = |message: &str| YamlError {
            line: None,
            message: message.to_owned(),
        };
        let processes = value.get("processes").and_then(Value::as_object);
        let processes = processes.ok_or_else(|| wrong("`processes` is not a mapping"))?;
        let processes: IndexMap<String, Process> = processes
            .iter()
            .map(|(name, value)| (name.clone(), Process::new(value)))
            .collect();
        let keys = value.as_object().into_iter().flatten();
        // The default shell needs no note.
        let shell = value
            .pointer("/shell/shell_command")
            .and_then(Value::as_str);
        let usual_shell = shell.is_none_or(|shell| shell.ends_with("sh"));
        let left_out = keys
            .map(|(key, _)| key)
            .filter(|key| !IGNORED_KEYS.contains(&key.as_str()) && !key.starts_with("x-"))
            .filter(|key| !(*key == "shell" && usual_shell) && *key != "services")
            .cloned()
            .collect();
        Ok(Self {
            processes,
            environment: variables(value.get("environment")),
            no_expansion: truth(value.get("disable_env_expansion")),
            left_out,
        })
    }
}

impl Process {
    fn new(value: &Value) -> Self {
        let mut process = Self::default();
        let at = |pointer: &str| value.pointer(pointer).filter(|value| !value.is_null());
        for (key, value) in value.as_object().into_iter().flatten() {
            match key.as_str() {
                "command" => process.command = scalar(value).unwrap_or_default(),
                "working_dir" => process.working_dir = scalar(value),
                "environment" => process.environment = variables(Some(value)),
                "env_file" | "env_files" => process.env_files = strings(value),
                "is_dotenv_disabled" => process.no_dotenv = truth(Some(value)),
                "depends_on" => process.depends_on = depends_on(value),
                "ready_log_line" => process.ready_log_line = scalar(value),
                "disabled" | "is_disabled" | "is_foreground" => {
                    process.optional |= truth(Some(value));
                }
                "is_daemon" => process.is_daemon = truth(Some(value)),
                "readiness_probe" => process.readiness = Probe::new(value),
                "liveness_probe" => process.liveness = Probe::new(value),
                "availability" | "shutdown" => {
                    for (inner, _) in value.as_object().into_iter().flatten() {
                        let taken = ["restart", "signal", "timeout_seconds"];
                        if !taken.contains(&inner.as_str()) {
                            process.left_out.push(format!("{key}.{inner}"));
                        }
                    }
                }
                // Replaces the shell command.
                "entrypoint" if process.command.is_empty() => {
                    let words = strings(value);
                    let words: Vec<_> = words
                        .iter()
                        .map(|w| portway_project::shell::quote(w))
                        .collect();
                    process.command = words.join(" ");
                }
                "replicas" if value.as_u64() == Some(1) => {}
                "description" | "disable_ansi_colors" => {}
                key if key.starts_with("x-") => {}
                key => process.left_out.push(key.to_owned()),
            }
        }
        process.restart = at("/availability/restart").and_then(scalar);
        process.signal = at("/shutdown/signal").and_then(Value::as_u64);
        process.grace = at("/shutdown/timeout_seconds").and_then(Value::as_u64);
        process
    }
}

fn truth(value: Option<&Value>) -> bool {
    let value = value.and_then(scalar);
    value.is_some_and(|value| ["true", "yes", "1"].contains(&value.as_str()))
}

/// Parses `["A=1"]` or `{ A: 1 }`.
pub(crate) fn variables(value: Option<&Value>) -> IndexMap<String, String> {
    let mut variables: IndexMap<String, String> = match value {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, value)| (name.clone(), scalar(value).unwrap_or_default()))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => IndexMap::new(),
    };
    // No process can receive other names.
    variables.retain(|name, _| !name.is_empty() && !name.contains('='));
    variables
}

/// Parses `{ db: { condition: … } }`, `{ db: … }` or `[db]`.
pub(crate) fn depends_on(value: &Value) -> IndexMap<String, String> {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let condition = value.get("condition").unwrap_or(value);
                (name.clone(), scalar(condition).unwrap_or_default())
            })
            .collect(),
        other => strings(other)
            .into_iter()
            .map(|name| (name, String::new()))
            .collect(),
    }
}
