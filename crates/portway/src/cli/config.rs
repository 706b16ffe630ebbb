//! `portway config`: show and change preferences.

use std::path::Path;

use clap::{Args, Subcommand};
use portway_app::config;
use portway_app::error::CommandError;

use crate::ui;

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
    pub(crate) command: Option<ConfigCommand>,
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
pub(crate) enum ConfigCommand {
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
    let json = args.output.json;
    match &args.command {
        None => list(directory, color, json)?,
        Some(ConfigCommand::List(output)) => list(directory, color, output.json || json)?,
        Some(ConfigCommand::Get { key, output }) => {
            let one = config::get(directory, key, color)?;
            if output.json || json {
                ui::json(&one);
            } else {
                ui::out(&format!("{}\n", one.text.unwrap_or_default()));
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
            ui::talk(&format!("`{key}` is set in {}\n", file.display()));
            if let Some(place) = overriding {
                ui::warning(&format!("`{place}` here outweighs it"));
            }
        }
        Some(ConfigCommand::Unset { key }) => {
            let (file, was_set) = config::unset(key)?;
            let words = if was_set {
                "is taken out of"
            } else {
                "is not set in"
            };
            ui::talk(&format!("`{key}` {words} {}\n", file.display()));
        }
        Some(ConfigCommand::Path(output)) => {
            let file = config::own_file()?;
            if output.json || json {
                ui::json(&serde_json::json!({ "path": file, "exists": file.exists() }));
            } else {
                ui::out(&format!("{}\n", file.display()));
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
