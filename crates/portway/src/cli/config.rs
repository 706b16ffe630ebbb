//! `portway config`: the preferences that count, where they come from, and changing the user's own.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portway_api::{ErrorCode, ExplainedPreference, Preference, PreferenceLayer, PreferenceSource};
use portway_project::manifest::{self, ManifestError};
use portway_project::preferences::{Key, edit, file, keys, parse_key};
use portway_project::{Manifest, Preferences};
use serde_json::Value;

use crate::error::CommandError;
use crate::{home, preferences, ui};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway config                                    every preference, its value and source
  portway config explain moved                      every layer, and which one counts
  portway config set ranges.backend 8000-8099
  portway config set never 8080,3000-3010
  portway config set prefer.projects.jobi.api 9010
  portway config unset moved

A flag outweighs a variable, that `[preferences]` of `portway.toml`, that `config.toml`.")]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) verb: Option<ConfigVerb>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// List every preference with its value and where that comes from
    List(Output),
    /// Print the value of one
    Get {
        /// The preference, such as `logs.size`
        key: String,
        #[command(flatten)]
        output: Output,
    },
    /// Show every layer of one, and which counts
    Explain {
        /// The preference
        key: String,
        #[command(flatten)]
        output: Output,
    },
    /// Set one in your `config.toml`
    Set {
        /// The preference
        key: String,
        /// Its value; lists with commas between their parts
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take one out of your `config.toml`
    Unset {
        /// The preference
        key: String,
    },
    /// Print where your `config.toml` lies
    Path(Output),
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &Config,
    color: Option<&str>,
) -> Result<u8, CommandError> {
    let layers = || {
        let preferences = here(directory)?;
        Ok::<_, CommandError>(preferences::with_flag(preferences, "color", color))
    };
    match &args.verb {
        None => list(&layers()?, args.output.json),
        Some(ConfigVerb::List(output)) => list(&layers()?, output.json || args.output.json),
        Some(ConfigVerb::Get { key, output }) => {
            let (_, path) = known(key)?;
            let layers = layers()?;
            let value = layers.value(&path).ok_or_else(|| {
                CommandError::new(ErrorCode::Failed, format!("`{key}` has no value"))
                    .hint(format!("give it one: `portway config set {key} VALUE`"))
            })?;
            let one = preference(&layers, &path);
            if output.json || args.output.json {
                ui::json(&one);
            } else {
                ui::out(&format!("{value}\n"));
            }
        }
        Some(ConfigVerb::Explain { key, output }) => {
            let (key, path) = known(key)?;
            let explained = explain(&layers()?, key, &path);
            if output.json || args.output.json {
                ui::json(&explained);
            } else {
                ui::explained(&explained);
            }
        }
        Some(ConfigVerb::Set { key, value }) => set(directory, key, value)?,
        Some(ConfigVerb::Unset { key }) => unset(key)?,
        Some(ConfigVerb::Path(output)) => {
            let file = own_file()?;
            if output.json || args.output.json {
                ui::json(&serde_json::json!({ "path": file, "exists": file.exists() }));
            } else {
                ui::out(&format!("{}\n", file.display()));
            }
        }
    }
    Ok(0)
}

/// What counts in this directory; a project is not needed.
fn here(directory: Option<&Path>) -> Result<Preferences, CommandError> {
    match Manifest::find(&home::directory(directory)?) {
        Ok(manifest) => preferences::of_project(preferences::of_user()?, &manifest),
        Err(ManifestError::Missing(_)) => preferences::of_user(),
        Err(error) => Err(error.into()),
    }
}

fn known(key: &str) -> Result<(&'static Key, Vec<String>), CommandError> {
    parse_key(key).map_err(|error| {
        CommandError::new(ErrorCode::Usage, error.message)
            .hint(error.help)
            .hint("`portway config list` has them all")
    })
}

fn own_file() -> Result<PathBuf, CommandError> {
    preferences::file().ok_or_else(|| {
        CommandError::new(
            ErrorCode::Failed,
            "there is no place for preferences: HOME is not set",
        )
        .hint("set HOME, or XDG_CONFIG_HOME to an absolute path")
    })
}

fn list(preferences: &Preferences, json: bool) {
    let all: Vec<Preference> = preferences
        .paths()
        .iter()
        .map(|path| preference(preferences, path))
        .collect();
    if json {
        ui::json(&all);
    } else {
        ui::preferences(&all);
    }
}

/// The value that counts, as programs see it.
fn preference(preferences: &Preferences, path: &[String]) -> Preference {
    let first = preferences.layers(path).next();
    Preference {
        key: keys::format_path(path),
        value: preferences
            .value(path)
            .map_or(Value::Null, |value| value.to_json()),
        text: preferences.value(path).map(|value| value.to_string()),
        source: first.map(|first| first.source),
        place: first
            .map(|first| first.location.clone())
            .filter(|place| !place.is_empty()),
    }
}

fn explain(preferences: &Preferences, key: &'static Key, path: &[String]) -> ExplainedPreference {
    let mut layers: Vec<PreferenceLayer> = Vec::new();
    let said: Vec<_> = preferences.layers(path).collect();
    for source in [
        PreferenceSource::Flag,
        PreferenceSource::Environment,
        PreferenceSource::Project,
        PreferenceSource::User,
        PreferenceSource::Default,
    ] {
        let of_layer = said.iter().filter(|one| one.source == source);
        let own = of_layer.map(|one| PreferenceLayer {
            source,
            place: Some(one.location.clone()).filter(|place| !place.is_empty()),
            value: one.value.to_json(),
            text: Some(one.value.to_string()),
            counts: key.is_combined || said.first().is_some_and(|first| first == one),
        });
        let before = layers.len();
        layers.extend(own);
        if let Some(place) = could_stand(key, source).filter(|_| layers.len() == before) {
            layers.push(PreferenceLayer {
                source,
                place: Some(place).filter(|place| !place.is_empty()),
                value: Value::Null,
                text: None,
                counts: false,
            });
        }
    }
    ExplainedPreference {
        preference: preference(preferences, path),
        about: key.description.to_owned(),
        layers,
    }
}

/// Where a layer could say something about a preference; `None` where it cannot.
fn could_stand(key: &Key, source: PreferenceSource) -> Option<String> {
    match source {
        PreferenceSource::Flag => key.flag.map(str::to_owned),
        PreferenceSource::Environment => key.variables.first().map(|one| one.name.to_owned()),
        PreferenceSource::Project => key.in_project.then(|| manifest::FILE_NAME.to_owned()),
        PreferenceSource::User => preferences::file().map(|file| file.display().to_string()),
        PreferenceSource::Default => Some(String::new()),
    }
}

fn set(directory: Option<&Path>, key: &str, value: &str) -> Result<(), CommandError> {
    let (known_key, path) = known(key)?;
    let file = own_file()?;
    file::change(&file, |text| {
        let changed = edit::set(text, known_key, &path, value);
        let changed = changed.map_err(|error| {
            CommandError::new(ErrorCode::Usage, format!("`{key}`: {error}")).hint(error.help)
        })?;
        Ok::<_, CommandError>(Some(changed))
    })?;
    ui::talk(&format!("`{key}` is set in {}\n", file.display()));
    outweighed(directory, known_key, &path);
    Ok(())
}

/// Says when something keeps the new value from counting here.
fn outweighed(directory: Option<&Path>, key: &Key, path: &[String]) {
    let Ok(preferences) = here(directory) else {
        return;
    };
    let first = preferences.layers(path).next();
    let stronger = first.filter(|first| first.source < PreferenceSource::User && !key.is_combined);
    if let Some(stronger) = stronger {
        ui::warning(&format!("`{}` here outweighs it", stronger.location));
    }
}

fn unset(key: &str) -> Result<(), CommandError> {
    let (known_key, path) = known(key)?;
    let file = own_file()?;
    let was_there = file::change(&file, |text| {
        edit::unset(text, known_key, &path).map_err(|error| {
            CommandError::new(ErrorCode::Failed, error.message)
                .place(&file)
                .hint(error.help)
        })
    })?;
    let words = if was_there {
        "is taken out of"
    } else {
        "is not set in"
    };
    ui::talk(&format!("`{key}` {words} {}\n", file.display()));
    Ok(())
}
