//! `portway init`: what was found as a `portway.toml`, or a first one to fill in, and a line in
//! `.gitignore` for whoever wants it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use clap::Args;
use portway_detect::detect;
use portway_project::checkout::file_name;
use portway_project::{manifest, ports_file};

use crate::error::CommandError;
use crate::project::surroundings;
use crate::{home, preferences, ui};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway plan && portway init   look first, then write it down
An existing `portway.toml` is never overwritten.")]
pub(crate) struct Init {
    /// Add `.ports.json` to `.gitignore` without asking
    #[arg(long)]
    pub(crate) gitignore: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Init) -> Result<u8, CommandError> {
    let directory = home::directory(directory)?;
    let file = directory.join(manifest::FILE_NAME);
    let preferences = preferences::of_user()?;
    let preferred = |framework: &str| preferences.framework_port(framework);
    let found = detect(&directory, &surroundings(&preferred));
    let name = file_name(&directory);
    let text = if found.services.is_empty() {
        first_manifest(&name)
    } else {
        found.manifest(&name)
    };
    match OpenOptions::new().write(true).create_new(true).open(&file) {
        Ok(mut open) => {
            open.write_all(text.as_bytes())
                .map_err(|error| CommandError::file("write", &file, &error))?;
            ui::talk(&format!("wrote {}\n", file.display()));
            if !found.services.is_empty() {
                ui::found(&found);
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            ui::talk(&format!(
                "{} is there already and stays as it is\n",
                file.display()
            ));
        }
        Err(error) => return Err(CommandError::file("write", &file, &error)),
    }
    let name = ports_file::FILE_NAME;
    let wanted = args.gitignore
        || (ui::is_interactive() && ui::ask(&format!("add `{name}` to `.gitignore`?")));
    if wanted {
        ignore(&directory.join(".gitignore"), name)?;
    }
    Ok(0)
}

/// Adds a line to `.gitignore` unless it is there.
fn ignore(file: &Path, name: &str) -> Result<(), CommandError> {
    let current = fs::read_to_string(file).unwrap_or_default();
    if current
        .lines()
        .any(|line| line.trim_start_matches('/') == name)
    {
        return Ok(());
    }
    let newline = if current.is_empty() || current.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut open| open.write_all(format!("{newline}{name}\n").as_bytes()))
        .map_err(|error| CommandError::file("write", file, &error))?;
    ui::talk(&format!("`{name}` is ignored in {}\n", file.display()));
    Ok(())
}

fn first_manifest(project: &str) -> String {
    let project = serde_json::to_string(project).unwrap_or_default();
    format!(
        r#"# What Portway runs here. All keys: `portway schema`.

[project]
name = {project}

# A service needs a command; `{{port}}` is its own port, and others reach it through
# BACKEND_URL, BACKEND_PORT and CORS_ORIGINS in their environment, or `{{backend.url}}`.
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
    fn the_first_manifest_is_one_that_works() {
        for name in ["jobi", "a \"quoted\" name"] {
            let text = first_manifest(name);
            let manifest = Manifest::parse(Path::new("/p/portway.toml"), &text).unwrap();
            let plan = Plan::new(&manifest, &[]).unwrap();
            assert_eq!(plan.project, name);
            assert_eq!(plan.services["backend"].ports[0].spec.prefer, 9000);
        }
    }
}
