//! Gathering the preferences of whoever runs a command: environment, `config.toml`, manifest.

use std::env;
use std::path::PathBuf;

use portway_api::ErrorCode;
use portway_project::preferences::file::{self, ConfigFileError};
use portway_project::preferences::{self, KEYS};
use portway_project::{Manifest, Preferences};

use crate::error::CommandError;

/// Where the user's `config.toml` lies; `None` where nothing tells.
pub(crate) fn file() -> Option<PathBuf> {
    file::default_path(&|name| env::var_os(name), cfg!(windows))
}

/// What the user prefers, whatever the project.
///
/// # Errors
/// When the file cannot be used, or a variable has a value that cannot be.
pub fn of_user() -> Result<Preferences, CommandError> {
    let mut settings =
        preferences::from_environment(&|name| env::var_os(name)).map_err(|wrong| {
            CommandError::new(ErrorCode::PreferencesInvalid, wrong.to_string())
                .hint(wrong.source.help)
                .hint(format!("or unset it: `unset {}`", wrong.variable))
        })?;
    if let Some(file) = file() {
        settings.extend(file::read(&file)?);
    }
    Ok(Preferences::new(settings))
}

/// What counts in a project of somebody who prefers `user`.
///
/// # Errors
/// When the manifest prefers what cannot be.
pub(crate) fn of_project(
    user: Preferences,
    manifest: &Manifest,
) -> Result<Preferences, CommandError> {
    let project = manifest.settings().map_err(Box::new)?;
    Ok(user.with(project))
}

/// The words that a preference's flag takes.
pub fn words(name: &str) -> Vec<&'static str> {
    let key = KEYS.iter().find(|key| key.name == name);
    match key.map(|key| key.value_type) {
        Some(preferences::ValueType::Choice(words)) => words.to_vec(),
        _ => Vec::new(),
    }
}

/// The preferences with what a flag says, if it is there.
pub fn with_flag(preferences: Preferences, name: &str, word: Option<&str>) -> Preferences {
    let setting = word.and_then(|word| preferences::from_flag(name, word));
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
            ConfigFileError::Unreadable { file, .. } => {
                Self::new(ErrorCode::PreferencesInvalid, message)
                    .place(&file)
                    .hint("mend it, or move it away: without it, the defaults count")
            }
            ConfigFileError::Unwritable { file, .. } => Self::new(ErrorCode::Failed, message)
                .place(&file)
                .hint("make its directory writable"),
        }
    }
}
