//! Collects the preferences of a user from the environment, `config.toml` and the manifest.

use std::env;
use std::path::PathBuf;

use portway_api::ErrorCode;
use portway_project::preferences::file::{self, ConfigFileError};
use portway_project::preferences::{self, KEYS};
use portway_project::{Manifest, Preferences};

use crate::error::CommandError;

/// Returns the path of the user's `config.toml`; `None` if the variables for it are not set.
pub(crate) fn file() -> Option<PathBuf> {
    file::default_path(&|name| env::var_os(name), cfg!(windows))
}

/// Reads the preferences of the user from the environment and `config.toml`.
///
/// # Errors
/// When the file cannot be used, or a variable has an invalid value.
pub fn read_user() -> Result<Preferences, CommandError> {
    let mut settings =
        preferences::from_environment(&|name| env::var_os(name)).map_err(|error| {
            CommandError::new(ErrorCode::PreferencesInvalid, error.to_string())
                .hint(error.source.help.as_str())
                .hint(format!("or unset the variable: `unset {}`", error.variable))
                .with_source(error)
        })?;
    if let Some(file) = file() {
        settings.extend(file::read(&file)?);
    }
    Ok(Preferences::new(settings))
}

/// Adds the preferences of a manifest to those of the user.
///
/// # Errors
/// When a preference of the manifest is invalid.
pub(crate) fn with_manifest(
    user: Preferences,
    manifest: &Manifest,
) -> Result<Preferences, CommandError> {
    let project = manifest.settings().map_err(Box::new)?;
    Ok(user.with(project))
}

/// Returns the values that the flag of a preference accepts.
pub fn choices(name: &str) -> Vec<&'static str> {
    let key = KEYS.iter().find(|key| key.name == name);
    match key.map(|key| key.value_type) {
        Some(preferences::ValueType::Choice(values)) => values.to_vec(),
        _ => Vec::new(),
    }
}

/// Adds the value of a flag to the preferences, if it is set.
pub fn with_flag(preferences: Preferences, name: &str, value: Option<&str>) -> Preferences {
    let setting = value.and_then(|value| preferences::from_flag(name, value));
    preferences.with(setting)
}

impl From<ConfigFileError> for CommandError {
    fn from(error: ConfigFileError) -> Self {
        let message = error.to_string();
        match error {
            ConfigFileError::Invalid(invalid) => {
                let mut error = Self::from(invalid);
                error.info.code = ErrorCode::PreferencesInvalid;
                error
            }
            ConfigFileError::Unreadable { ref file, .. } => {
                Self::new(ErrorCode::PreferencesInvalid, message)
                    .location(file)
                    .hint("fix the file, or move it away to use the defaults")
                    .with_source(error)
            }
            ConfigFileError::Unwritable { ref file, .. } => Self::new(ErrorCode::Failed, message)
                .location(file)
                .hint("make its directory writable")
                .with_source(error),
        }
    }
}
