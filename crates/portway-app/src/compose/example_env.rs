//! Lets Compose start a service in a fresh clone, where a `.env` file is missing and its example exists.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use portway_detect::compose::{ExampleEnv, example_env};
use portway_supervisor::mark::Mark;

use super::engine::Engine;

/// Starts a command line of Compose with its files, for its service `name`. Examples stand in for `.env` files
/// that are missing. The service of this process keeps a file for that in the directory of its instance.
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
    let Some(found) = named.and_then(|named| example_env(dir, &named, name)) else {
        with_files(&mut command, files);
        return command;
    };
    if let Some(example) = &found.variables {
        command.arg("--env-file").arg(example);
    }
    let mut all: Vec<OsString> = files.to_vec();
    if let (Some(text), Some(mark)) = (override_text(&found), Mark::own()) {
        let file = mark.dir.join(format!("compose-{}.yaml", mark.service));
        // Without it, Compose names the missing file.
        if fs::write(&file, text).is_ok() {
            all = found.names.iter().map(OsString::from).collect();
            all.push(file.into());
        }
    }
    with_files(&mut command, &all);
    command
}

/// Returns the compose file that replaces the missing files, if services name some.
fn override_text(found: &ExampleEnv) -> Option<String> {
    if found.services.is_empty() {
        return None;
    }
    let mut text = "services:\n".to_owned();
    for (service, files) in &found.services {
        let tag = match files.is_empty() {
            true => "!reset",
            false => "!override",
        };
        // A list in JSON is one in YAML.
        let name = serde_json::json!(service);
        let files = serde_json::json!(files);
        text += &format!("  {name}:\n    env_file: {tag} {files}\n");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;

    #[test]
    fn overrides_what_names_a_missing_file() {
        let found = ExampleEnv {
            services: IndexMap::from([
                ("db".to_owned(), vec!["a/.env.example".to_owned()]),
                ("web \"x\"".to_owned(), Vec::new()),
            ]),
            ..ExampleEnv::default()
        };
        assert_eq!(
            override_text(&found).as_deref(),
            Some(
                "services:\n  \"db\":\n    env_file: !override [\"a/.env.example\"]\n  \
                 \"web \\\"x\\\"\":\n    env_file: !reset []\n"
            )
        );
        assert_eq!(override_text(&ExampleEnv::default()), None);
    }
}
