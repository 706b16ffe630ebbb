//! `portway config`: show and change preferences.

use std::path::Path;

use clap::{Args, Subcommand};
use portway_app::config;
use portway_app::error::CommandError;

use super::candidates;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway config
      List every preference with its source
  portway config explain moved
      Show all sources of a preference
  portway config set ranges.backend 8000-8099
      Choose backend ports from 8000 to 8099
  portway config set never 8080,3000-3010
      Never allocate these ports
  portway config set prefer.projects.jobi.api 9010
      Prefer a port for one service
  portway config unset moved
      Return to the default

A flag overrides an environment variable, which overrides `[preferences]` in `portway.toml`, which \
overrides your `config.toml`.")]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
    #[command(flatten)]
    pub(crate) output: JsonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List every preference with its value and source
    List(JsonArgs),
    /// Print the value of a preference
    Get {
        /// Name of the preference, such as `logs.size`
        #[arg(add = candidates::preferences())]
        key: String,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Show all sources of a preference and the effective one
    Explain {
        /// Name of the preference
        #[arg(add = candidates::preferences())]
        key: String,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Set a preference in your `config.toml`
    Set {
        /// Name of the preference
        #[arg(add = candidates::preferences())]
        key: String,
        /// New value; separate the items of a list with commas
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove a preference from your `config.toml`
    Unset {
        /// Name of the preference
        #[arg(add = candidates::preferences())]
        key: String,
    },
    /// Print the path of your `config.toml`
    Path(JsonArgs),
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &Config,
    color: Option<&str>,
) -> Result<u8, CommandError> {
    let json = args.output.json;
    match &args.command {
        None => list(directory, color, json)?,
        Some(ConfigCommand::List(output)) => list(directory, color, output.json || json)?,
        Some(ConfigCommand::Get { key, output }) => {
            let one = config::get(directory, key, color)?;
            if output.json || json {
                ui::json(&one);
            } else {
                ui::exact(&format!("{}\n", one.text.unwrap_or_default()));
            }
        }
        Some(ConfigCommand::Explain { key, output }) => {
            let explained = config::explain(directory, key, color)?;
            if output.json || json {
                ui::json(&explained);
            } else {
                ui::explained(&explained);
            }
        }
        Some(ConfigCommand::Set { key, value }) => {
            let (file, overriding) = config::set(directory, key, value)?;
            ui::message(&format!("set `{key}` in {}\n", file.display()));
            if let Some(place) = overriding {
                ui::warning(&format!("`{place}` overrides this value here"));
            }
        }
        Some(ConfigCommand::Unset { key }) => {
            let (file, was_set) = config::unset(key)?;
            let text = if was_set {
                format!("removed `{key}` from {}\n", file.display())
            } else {
                format!("`{key}` is not set in {}\n", file.display())
            };
            ui::message(&text);
        }
        Some(ConfigCommand::Path(output)) => {
            let file = config::user_file()?;
            if output.json || json {
                ui::json(&serde_json::json!({ "path": file, "exists": file.exists() }));
            } else {
                ui::exact(&format!("{}\n", file.display()));
            }
        }
    }
    Ok(0)
}

fn list(directory: Option<&Path>, color: Option<&str>, json: bool) -> Result<(), CommandError> {
    let all = config::list(directory, color)?;
    if json {
        ui::json(&all);
    } else {
        ui::preferences(&all);
    }
    Ok(())
}
