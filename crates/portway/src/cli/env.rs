//! `portway env`: print the environment variables of services.

use std::path::Path;

use clap::{Args, ValueEnum};
use portway_app::error::CommandError;
use portway_app::explain::explain;
use portway_app::wiring;
use portway_project::export::ExportFormat;

use super::candidates;
use super::selection::SelectionArgs;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eval \"$(portway env)\"
      Set the variables in this shell
  portway env --format dotenv > .env.portway
      Write them to a file
  portway env backend
      Print all variables of one service
  portway env backend --explain
      Also print where each value comes from")]
pub(crate) struct Env {
    /// Print all variables of this service, including its own `PORT`
    #[arg(add = candidates::services())]
    pub(crate) service: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "shell")]
    pub(crate) format: Format,
    /// Same as `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Print where each value comes from
    #[arg(long, conflicts_with = "format")]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// `export NAME=value`
    Shell,
    /// `NAME=value`
    Dotenv,
    /// A JSON object
    Json,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Shell => Self::Shell,
            Format::Dotenv => Self::Dotenv,
            Format::Json => Self::Json,
        }
    }
}

pub(crate) fn run(directory: Option<&Path>, args: &Env) -> Result<u8, CommandError> {
    let selection = args.selection.to_selection();
    if args.explain {
        let variables = explain(directory, args.service.as_deref(), &selection)?;
        match args.json {
            true => ui::json(&variables),
            false => ui::explained_variables(&variables),
        };
        return Ok(0);
    }
    let variables = wiring::variables(directory, args.service.as_deref(), &selection)?;
    let format = if args.json {
        ExportFormat::Json
    } else {
        args.format.into()
    };
    ui::exact(&format.format(&variables));
    Ok(0)
}
