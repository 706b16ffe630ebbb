//! Reads the manifest of a directory, or detects its services.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portway_detect::{DetectContext, Detection, Skipped};
use portway_project::Preferences;
use portway_project::checkout::default_project_name;
use portway_project::manifest::{self, Manifest, ManifestError};
use portway_project::shell::quote;
use portway_supervisor::program;

use crate::compose::engine::{self, DETECT_TIMEOUT};
use crate::error::CommandError;
use crate::{dirs, preferences};

/// Maximum number of passed-over files that the error about a checkout without services names.
const MAX_PASSED_OVER: usize = 5;

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
                return Err(nothing_found(ManifestError::Missing(place), &root, &found));
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
        is_windows: cfg!(windows),
        node_major: &node_major,
        engine: &|| engine::find(None, DETECT_TIMEOUT).err(),
    }
}

/// How long Node may take to print its version.
const NODE_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum number of bytes of that.
const MAX_VERSION: u64 = 256;

/// Returns the major version of the installed Node.
fn node_major() -> Option<u32> {
    let mut command = Command::new("node");
    command.arg("--version").stdin(Stdio::null());
    let text = program::output(command, NODE_TIMEOUT, MAX_VERSION)?;
    let text = String::from_utf8(text).ok()?;
    text.trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Maximum number of checkouts that an error names.
const MAX_NAMED: usize = 8;

fn nothing_found(missing: ManifestError, root: &Path, found: &Detection) -> CommandError {
    let mut error = CommandError::from(missing);
    let checkouts = portway_detect::checkouts_below(root);
    if let Some(first) = checkouts.first() {
        let named: Vec<String> = checkouts.iter().map(|name| format!("`{name}`")).collect();
        let (named, others) = named.split_at(named.len().min(MAX_NAMED));
        let others = match others.len() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let noun = if checkouts.len() == 1 {
            "the checkout"
        } else {
            "the checkouts"
        };
        error.info.message = format!(
            "`{}` is not a project: it contains {noun} {}{others}",
            root.display(),
            named.join(", ")
        );
        error.info.hints = vec![
            format!("run the command in one of them: `cd {}`", quote(first)),
            "to start services of several checkouts together, write a `portway.toml` here: run \
             `portway init`"
                .to_owned(),
        ];
    } else {
        error
            .info
            .message
            .push_str(", and Portway detected no services");
    }
    for skipped in &found.skipped {
        error = error.hint(format!("skipped `{}`: it {}", skipped.file, skipped.why));
    }
    for passed_over in found.passed_over.iter().take(MAX_PASSED_OVER) {
        let Skipped { file, why } = passed_over;
        error = error.hint(format!("`{file}` {why}"));
    }
    error
}
