//! Reads the manifest of a directory, or detects its services.

use std::path::Path;

use portway_detect::{DetectContext, Detection};
use portway_project::Preferences;
use portway_project::checkout::default_project_name;
use portway_project::manifest::{self, Manifest, ManifestError};

use crate::error::CommandError;
use crate::{dirs, preferences};

/// A project's manifest, read or generated from detected services, and its preferences.
pub(crate) struct Described {
    pub(crate) manifest: Manifest,
    /// The detected services, if there is no `portway.toml`.
    pub(crate) found: Option<Detection>,
    /// The preferences of the user and of the project.
    pub(crate) preferences: Preferences,
}

/// Reads the manifest in `directory` or in the closest directory above it that has one. Without a
/// manifest, detects the services of the checkout.
pub(crate) fn describe(directory: &Path) -> Result<Described, CommandError> {
    describe_for(directory, preferences::read_user)
}

/// Same as [`describe`], with the user's preferences from `user`.
pub(crate) fn describe_for(
    directory: &Path,
    user: impl FnOnce() -> Result<Preferences, CommandError>,
) -> Result<Described, CommandError> {
    match Manifest::find(directory) {
        Err(ManifestError::Missing(place)) => {
            let preferences = user()?;
            let preferred = |framework: &str| preferences.framework_port(framework);
            let (root, found) = portway_detect::find(directory, &surroundings(&preferred));
            if found.services.is_empty() {
                return Err(nothing_found(ManifestError::Missing(place), &found));
            }
            let text = found.manifest(&default_project_name(&root));
            let mut manifest =
                Manifest::parse(&root.join(manifest::FILE_NAME), &text).map_err(Box::new)?;
            manifest.apply_preferred_ports(&preferences, |name| {
                let service = found.services.iter().find(|found| found.name == name);
                service.map(|found| found.framework)
            });
            Ok(Described {
                manifest,
                found: Some(found),
                preferences,
            })
        }
        other => {
            let manifest = other?;
            Ok(Described {
                preferences: preferences::with_manifest(user()?, &manifest)?,
                manifest,
                found: None,
            })
        }
    }
}

/// Returns the detection context of this machine. `preferred` returns the user's port for a
/// framework.
pub(crate) fn surroundings(preferred: &dyn Fn(&str) -> Option<u16>) -> DetectContext<'_> {
    DetectContext {
        has_program: &dirs::has_program,
        preferred,
    }
}

fn nothing_found(missing: ManifestError, found: &Detection) -> CommandError {
    let mut error = CommandError::from(missing);
    error
        .info
        .message
        .push_str(", and Portway detected no services");
    for skipped in &found.skipped {
        error = error.hint(format!("skipped `{}`: it {}", skipped.file, skipped.why));
    }
    error
}
