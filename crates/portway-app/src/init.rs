//! Creates a `portway.toml` and adds an entry to `.gitignore`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use portway_detect::{Detection, detect};
use portway_project::checkout::default_project_name;
use portway_project::{manifest, ports_file, user_file};

use crate::error::CommandError;
use crate::project::surroundings;
use crate::{dirs, preferences};

/// The result of [`init`].
#[derive(Debug)]
pub struct Init {
    /// The path of the manifest.
    pub file: PathBuf,
    /// Whether it was written; false when it existed already.
    pub is_new: bool,
    /// The services that were detected.
    pub detection: Detection,
}

/// Writes the detected services to `portway.toml`, or an example if none is detected. Never
/// overwrites an existing file.
///
/// # Errors
/// When the directory cannot be used or the file cannot be written.
pub fn init(directory: Option<&Path>) -> Result<Init, CommandError> {
    let directory = dirs::directory(directory)?;
    let file = directory.join(manifest::FILE_NAME);
    let preferences = preferences::read_user()?;
    let preferred = |framework: &str| preferences.framework_port(framework);
    let detection = detect(&directory, &surroundings(&preferred));
    let name = default_project_name(&directory);
    let described = if detection.services.is_empty() {
        example_manifest(&name)
    } else {
        detection.manifest(&name)
    };
    // Editors find the schema by this line, also those that do not know the name of the file.
    let text = format!("#:schema {}\n{described}", manifest::SCHEMA_URL);
    let is_new = match OpenOptions::new().write(true).create_new(true).open(&file) {
        Ok(mut open) => {
            open.write_all(text.as_bytes())
                .map_err(|error| CommandError::file("write", &file, error))?;
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(CommandError::file("write", &file, error)),
    };
    Ok(Init {
        file,
        is_new,
        detection,
    })
}

/// Adds `.ports.json` to `.gitignore`. Returns the path of `.gitignore`, or `None` if it already
/// contains the line.
///
/// # Errors
/// When the file cannot be written.
pub fn ignore_ports_file(directory: Option<&Path>) -> Result<Option<PathBuf>, CommandError> {
    let file = dirs::directory(directory)?.join(".gitignore");
    let name = ports_file::FILE_NAME;
    let current = match user_file::read_text(&file) {
        Err(error) if error.is_not_found() => String::new(),
        other => other.map_err(|error| CommandError::file("read", &file, error.into()))?,
    };
    if current
        .lines()
        .any(|line| line.trim_start_matches('/') == name)
    {
        return Ok(None);
    }
    let newline = if current.is_empty() || current.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    user_file::append_to(&file)
        .and_then(|mut open| open.write_all(format!("{newline}{name}\n").as_bytes()))
        .map_err(|error| CommandError::file("write", &file, error))?;
    Ok(Some(file))
}

/// Returns the text of an example manifest.
fn example_manifest(project: &str) -> String {
    let project = serde_json::to_string(project).unwrap_or_default();
    format!(
        r#"# The services of this project. Run `portway schema` for the schema of all keys.

[project]
name = {project}

# A service needs a command. Portway replaces `{{port}}` with its port. Other services receive
# BACKEND_URL, BACKEND_PORT and CORS_ORIGINS, and can use `{{backend.url}}` in their commands.
[services.backend]
command = "python3 -m http.server --bind {{host}} {{port}}"
port = "9000-9099"

# [services.frontend]
# dir = "frontend"
# prepare = "npm ci"
# command = "npm run dev -- --port {{port}} --strictPort"
# port = "5173-5272"
# after = ["backend"]
"#
    )
}

#[cfg(test)]
mod tests {
    use portway_project::{Manifest, Plan};

    use super::*;

    #[test]
    fn the_example_manifest_is_valid() {
        for name in ["jobi", "a \"quoted\" name"] {
            let text = example_manifest(name);
            let manifest = Manifest::parse(Path::new("/p/portway.toml"), &text).unwrap();
            let plan = Plan::new(&manifest, &[]).unwrap();
            assert_eq!(plan.project, name);
            assert_eq!(plan.services["backend"].ports[0].spec.prefer, 9000);
        }
    }
}
