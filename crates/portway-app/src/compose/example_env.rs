//! Lets Compose start a service in a fresh clone, where `.env` files and variables are missing, and reach it
//! from this machine.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use portway_detect::compose::{ExampleEnv, example_env};
use portway_supervisor::mark::Mark;

use super::engine::Engine;

/// The value of a variable that Compose requires and that only services use which do not start.
const PLACEHOLDER: &str = "unset";

/// The network that a service joins so that the engine publishes its ports, if all its own are internal.
const NETWORK: &str = "portway_published";

/// Starts a command line of Compose with its files, for its service `name`. Examples stand in for `.env` files
/// that are missing, and what other services lack does not matter. The service of this process keeps a file
/// for that in the directory of its instance.
pub(super) fn compose(
    engine: &Engine,
    directory: Option<&Path>,
    files: &[OsString],
    name: &str,
) -> Command {
    let dir = directory.unwrap_or(Path::new("."));
    let mut command = engine.compose();
    command.current_dir(dir);
    let with_files = |command: &mut Command, files: &[OsString]| {
        for file in files {
            command.arg("-f").arg(file);
        }
    };
    let named: Option<Vec<String>> = files
        .iter()
        .map(|file| file.to_str().map(str::to_owned))
        .collect();
    let found = named.and_then(|named| example_env(dir, &named, name, &is_set));
    let Some(found) = found else {
        with_files(&mut command, files);
        return command;
    };
    if let Some(example) = &found.variables {
        command.arg("--env-file").arg(example);
    }
    for variable in &found.placeholders {
        command.env(variable, PLACEHOLDER);
    }
    let mut all: Vec<OsString> = files.to_vec();
    if let (Some(text), Some(mark)) = (override_text(&found, name), Mark::own()) {
        let file = mark.dir.join(format!("compose-{}.yaml", mark.service));
        // Without it, Compose names what is missing.
        if fs::write(&file, text).is_ok() {
            all = found.names.iter().map(OsString::from).collect();
            all.push(file.into());
        }
    }
    with_files(&mut command, &all);
    command
}

/// Returns whether the environment has a variable, which Compose prefers to that of a file.
pub(crate) fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Returns the compose file that removes what the service `name` does not need, and replaces its missing files.
fn override_text(found: &ExampleEnv, name: &str) -> Option<String> {
    if !found.has_override() {
        return None;
    }
    // A text or a list in JSON is one in YAML.
    let quoted = |name: &str| serde_json::json!(name);
    let mut text = format!("services:\n  {}:\n", quoted(name));
    if found.is_incomplete() {
        // Portway publishes the ports, and starts no other service with this one.
        text += "    depends_on: !reset []\n    ports: !reset []\n";
    }
    if found.is_internal {
        text += &format!("    networks:\n      {NETWORK}: {{}}\n");
    }
    if let Some(files) = &found.env_files {
        let tag = match files.is_empty() {
            true => "!reset",
            false => "!override",
        };
        text += &format!("    env_file: {tag} {}\n", serde_json::json!(files));
    }
    for other in &found.left_out {
        text += &format!("  {}: !reset null\n", quoted(other));
    }
    if found.is_internal {
        text += &format!("networks:\n  {NETWORK}: {{}}\n");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_what_is_missing() {
        let found = ExampleEnv {
            env_files: Some(vec!["a/.env.example".to_owned()]),
            left_out: vec!["web \"x\"".to_owned()],
            ..ExampleEnv::default()
        };
        let text = "services:\n  \"db\":\n    depends_on: !reset []\n    ports: !reset []\n    \
                    env_file: !override [\"a/.env.example\"]\n  \"web \\\"x\\\"\": !reset null\n";
        assert_eq!(override_text(&found, "db").as_deref(), Some(text));
        assert_eq!(override_text(&ExampleEnv::default(), "db"), None);
        let internal = ExampleEnv {
            is_internal: true,
            ..ExampleEnv::default()
        };
        let text = "services:\n  \"db\":\n    networks:\n      portway_published: {}\n\
                    networks:\n  portway_published: {}\n";
        assert_eq!(override_text(&internal, "db").as_deref(), Some(text));
    }
}
