//! `portway compose`: use compose files with the ports of a checkout.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use portway_app::compose::{self, RunOptions};
use portway_app::error::CommandError;
use portway_project::shell::quote;

use crate::ui;

/// Use compose files with the ports of this checkout
///
/// Prints an override that gives `docker compose up` the ports that Portway leases to this checkout, and a
/// project name of its own. The subcommands run containers as services of Portway.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  portway compose --output compose.portway.yaml
      Write the override to a file, and print the command that uses it
  portway compose run --publish {host}:{port}:5432 db
      Run a container as the `command` of a service in `portway.toml`
  portway compose pull db
      Pull its image as the `prepare` step
  portway compose exec pg_isready -q
      Check in the container whether the service is ready

Portway uses Docker with its Compose plugin or, if that does not work, Podman.")]
pub(crate) struct Compose {
    #[command(subcommand)]
    pub(crate) command: Option<ComposeCommand>,
    #[command(flatten)]
    pub(crate) output: Override,
}

#[derive(Debug, Args)]
pub(crate) struct Override {
    /// Write the override to this file, unless Portway did not write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Compose file to override, relative to the project [default: the one that services use]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Compose file; can be repeated [default: the files that Compose uses in this directory]
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<OsString>,
    /// Container engine [default: the first one that works]
    #[arg(long, value_parser = PossibleValuesParser::new(compose::ENGINES))]
    pub(crate) engine: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ComposeCommand {
    /// Print an override with the ports of this checkout
    Override(Override),
    /// Run a compose service as the command of a service
    ///
    /// Removes a container that an earlier run left, runs a new one in the foreground, and stops and
    /// removes it at the end. It belongs to this checkout: its name, its network and its volumes contain
    /// the name of the instance.
    Run {
        #[command(flatten)]
        source: Source,
        /// Publish a port of the container; can be repeated
        #[arg(short, long, value_name = "ADDRESS:PORT:CONTAINER_PORT")]
        publish: Vec<String>,
        /// Service in the compose file
        service: String,
    },
    /// Pull the image of a compose service if it is missing
    Pull {
        #[command(flatten)]
        source: Source,
        /// Service in the compose file
        service: String,
    },
    /// Run a command in the container of a service
    Exec {
        /// Command to run, with its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "CMD"
        )]
        command: Vec<OsString>,
    },
}

pub(crate) fn run(directory: Option<&Path>, args: Compose) -> Result<u8, CommandError> {
    match args.command {
        None => print_override(directory, &args.output),
        Some(ComposeCommand::Override(output)) => print_override(directory, &output),
        Some(ComposeCommand::Run {
            source,
            publish,
            service,
        }) => compose::run(&RunOptions {
            directory: directory.map(Path::to_owned),
            files: source.files,
            engine: source.engine,
            publish,
            service,
        }),
        Some(ComposeCommand::Pull { source, service }) => {
            compose::pull(directory, &source.files, source.engine.as_deref(), &service)
        }
        Some(ComposeCommand::Exec { command }) => compose::exec(&command),
    }
}

fn print_override(directory: Option<&Path>, args: &Override) -> Result<u8, CommandError> {
    let made = compose::override_file(directory, args.file.as_deref(), args.output.as_deref())?;
    if made.is_running {
        ui::warning(
            "the instance is running, so its ports are in use; run `portway down` before \
             `docker compose up`",
        );
    }
    match made.file {
        Some(file) => ui::message(&format!(
            "wrote {}; to use it, run: cd {} && {}\n",
            file.display(),
            quote(&made.dir.display().to_string()),
            made.command
        )),
        None => {
            ui::exact(&made.text);
        }
    }
    Ok(0)
}
