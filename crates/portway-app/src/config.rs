//! Reads preferences with their sources, and changes the preferences of the user.

use std::path::{Path, PathBuf};

use portway_api::{ErrorCode, ExplainedPreference, Preference, PreferenceLayer, PreferenceSource};
use portway_project::manifest::{self, ManifestError};
use portway_project::preferences::{Key, edit, file, format_path, parse_key};
use portway_project::{Manifest, Preferences};
use serde_json::Value;

use crate::error::CommandError;
use crate::{dirs, preferences};

/// Returns every preference with its value and source. `color` is the value of the flag.
///
/// # Errors
/// When the preferences cannot be read.
pub fn list(
    directory: Option<&Path>,
    color: Option<&str>,
) -> Result<Vec<Preference>, CommandError> {
    let preferences = layers(directory, color)?;
    let paths = preferences.paths();
    Ok(paths
        .iter()
        .map(|path| preference(&preferences, path))
        .collect())
}

/// Returns one preference that has a value.
///
/// # Errors
/// When the key is unknown or has no value, or the preferences cannot be read.
pub fn get(
    directory: Option<&Path>,
    key: &str,
    color: Option<&str>,
) -> Result<Preference, CommandError> {
    let (_, path) = parse(key)?;
    let one = preference(&layers(directory, color)?, &path);
    if one.text.is_none() {
        let message = format!("`{key}` has no value");
        return Err(CommandError::new(ErrorCode::Failed, message)
            .hint(format!("set it: run `portway config set {key} VALUE`")));
    }
    Ok(one)
}

/// Returns one preference with all its layers.
///
/// # Errors
/// When the key is unknown, or the preferences cannot be read.
pub fn explain(
    directory: Option<&Path>,
    key: &str,
    color: Option<&str>,
) -> Result<ExplainedPreference, CommandError> {
    let (key, path) = parse(key)?;
    Ok(layered(&layers(directory, color)?, key, &path))
}

fn layers(directory: Option<&Path>, color: Option<&str>) -> Result<Preferences, CommandError> {
    let preferences = read_for(directory)?;
    Ok(preferences::with_flag(preferences, "color", color))
}

/// Reads the preferences that apply in a directory, which need not contain a project.
fn read_for(directory: Option<&Path>) -> Result<Preferences, CommandError> {
    match Manifest::find(&dirs::directory(directory)?) {
        Ok(manifest) => preferences::with_manifest(preferences::read_user()?, &manifest),
        Err(ManifestError::Missing(_)) => preferences::read_user(),
        Err(error) => Err(error.into()),
    }
}

fn parse(key: &str) -> Result<(&'static Key, Vec<String>), CommandError> {
    parse_key(key).map_err(|error| {
        CommandError::new(ErrorCode::Usage, error.message)
            .hint(error.help)
            .hint("run `portway config list` to see all preferences")
    })
}

/// Returns the path of the user's `config.toml`. The file may not exist.
///
/// # Errors
/// When the variables for it are not set.
pub fn user_file() -> Result<PathBuf, CommandError> {
    preferences::file().ok_or_else(|| {
        CommandError::new(
            ErrorCode::Failed,
            "cannot determine the preferences file: `HOME` is not set",
        )
        .hint("set `HOME` or `XDG_CONFIG_HOME` to an absolute path")
    })
}

/// Returns the effective value of a preference with its source.
fn preference(preferences: &Preferences, path: &[String]) -> Preference {
    let first = preferences.layers(path).next();
    Preference {
        key: format_path(path),
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

fn layered(preferences: &Preferences, key: &'static Key, path: &[String]) -> ExplainedPreference {
    let mut layers: Vec<PreferenceLayer> = Vec::new();
    let settings: Vec<_> = preferences.layers(path).collect();
    for source in [
        PreferenceSource::Flag,
        PreferenceSource::Environment,
        PreferenceSource::Project,
        PreferenceSource::User,
        PreferenceSource::Default,
    ] {
        let of_source = settings.iter().filter(|one| one.source == source);
        let set = of_source.map(|one| PreferenceLayer {
            source,
            place: Some(one.location.clone()).filter(|place| !place.is_empty()),
            value: one.value.to_json(),
            text: Some(one.value.to_string()),
            counts: key.is_combined || settings.first().is_some_and(|first| first == one),
        });
        let before = layers.len();
        layers.extend(set);
        if let Some(place) = possible_location(key, source).filter(|_| layers.len() == before) {
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

/// Returns where a source can set a preference; `None` if it cannot set it.
fn possible_location(key: &Key, source: PreferenceSource) -> Option<String> {
    match source {
        PreferenceSource::Flag => key.flag.map(str::to_owned),
        PreferenceSource::Environment => key.variables.first().map(|one| one.name.to_owned()),
        PreferenceSource::Project => key.in_project.then(|| manifest::FILE_NAME.to_owned()),
        PreferenceSource::User => preferences::file().map(|file| file.display().to_string()),
        PreferenceSource::Default => Some(String::new()),
    }
}

/// Sets a preference of the user. Returns the file, and the location of a setting that overrides
/// the new value in `directory`.
///
/// # Errors
/// When the key is unknown, the value is invalid, or the file cannot be written.
pub fn set(
    directory: Option<&Path>,
    key: &str,
    value: &str,
) -> Result<(PathBuf, Option<String>), CommandError> {
    let (preference_key, path) = parse(key)?;
    let file = user_file()?;
    file::change(&file, |text| {
        let changed = edit::set(text, preference_key, &path, value);
        let changed = changed.map_err(|error| {
            CommandError::new(ErrorCode::Usage, format!("`{key}`: {error}")).hint(error.help)
        })?;
        Ok::<_, CommandError>(Some(changed))
    })?;
    Ok((file, overriding_location(directory, preference_key, &path)))
}

/// Returns the location of a setting that overrides the user's setting in `directory`.
fn overriding_location(directory: Option<&Path>, key: &Key, path: &[String]) -> Option<String> {
    let preferences = read_for(directory).ok()?;
    let first = preferences.layers(path).next()?;
    let overrides = first.source < PreferenceSource::User && !key.is_combined;
    overrides.then(|| first.location.clone())
}

/// Removes a preference of the user. Returns the file, and whether the preference was set there.
///
/// # Errors
/// When the key is unknown, or the file cannot be written.
pub fn unset(key: &str) -> Result<(PathBuf, bool), CommandError> {
    let (preference_key, path) = parse(key)?;
    let file = user_file()?;
    let was_set = file::change(&file, |text| {
        edit::unset(text, preference_key, &path).map_err(|error| {
            CommandError::new(ErrorCode::Failed, error.message)
                .unnamed_location(file.display().to_string())
                .hint(error.help)
        })
    })?;
    Ok((file, was_set))
}
