//! `portway init`: write the detected services to `portway.toml`.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::init::{Init, ignore_ports_file, init};
use portway_project::ports_file;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway plan && portway init
      Show the detected services, then write them

An existing `portway.toml` is never overwritten.")]
pub(crate) struct InitArgs {
    /// Add `.ports.json` to `.gitignore` without asking
    #[arg(long)]
    pub(crate) gitignore: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &InitArgs) -> Result<u8, CommandError> {
    let Init {
        file,
        is_new,
        detection,
    } = init(directory)?;
    if is_new {
        ui::message(&format!("wrote {}\n", file.display()));
        if detection.services.is_empty() {
            ui::message(
                "Portway detected no service here, so the file is an example: edit it before you run \
                 `portway up`\n",
            );
        } else {
            ui::detected(&detection);
        }
    } else {
        ui::message(&format!(
            "{} already exists and was not changed\n",
            file.display()
        ));
    }
    let name = ports_file::FILE_NAME;
    let wanted = args.gitignore
        || (ui::is_interactive() && ui::confirm(&format!("add `{name}` to `.gitignore`?")));
    if wanted && let Some(file) = ignore_ports_file(directory)? {
        ui::message(&format!("added `{name}` to {}\n", file.display()));
    }
    Ok(0)
}
