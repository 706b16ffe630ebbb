//! The command line: one file per command. A command turns its arguments into options of
//! `portway-app`, calls it, and has `ui` print what it returns.

mod agents;
pub(crate) mod args;
mod attach;
mod candidates;
mod completions;
mod compose;
mod config;
mod confirm;
mod dashboard;
mod detect;
mod discover;
mod doctor;
mod down;
mod edits;
mod endpoint;
mod env;
mod exec;
mod forget;
mod forward;
mod free;
mod gateway;
mod health;
mod hints;
mod init;
mod leases;
mod logs;
mod man;
mod mcp;
mod plan;
mod prune;
mod ps;
mod restart;
mod run;
mod selection;
mod shell;
mod trust;
mod up;
mod values;
mod wait;
mod who;

use std::sync::Arc;

use clap::CommandFactory;
use portway_app::error::CommandError;
use portway_app::reporter::Reporter;
use portway_project::Manifest;

use crate::ui;
use args::{Cli, Command};

/// Responds if a completion script started this process. Returns whether it did.
pub(crate) fn complete() -> bool {
    candidates::respond(Cli::command)
}

/// Parses the command line. Prints the help or the version on request, and then exits the process.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    args::parse().map_err(hints::add)
}

/// Runs a command and returns its exit code.
pub(crate) fn run(cli: Cli, terminal: &Arc<dyn Reporter>) -> Result<u8, CommandError> {
    let directory = cli.directory.as_deref();
    let reporter = terminal.as_ref();
    match cli.command {
        Command::Up(args) => up::run(directory, &args, terminal),
        Command::Down(args) => down::run(directory, &args, reporter),
        Command::Restart(args) => restart::run(directory, &args, reporter),
        Command::Ps(args) => ps::run(&args),
        Command::Logs(args) => logs::run(directory, args),
        Command::Attach(args) => attach::run(directory, args, reporter),
        Command::Wait(args) => wait::run(directory, &args, reporter),
        Command::Detect(args) => detect::run(directory, &args),
        Command::Who(args) => who::run(&args, reporter),
        Command::Free(args) => free::run(&args),
        Command::Leases(args) => leases::run(&args),
        Command::Forget(args) => forget::run(&args),
        Command::Prune(args) => prune::run(&args),
        Command::Env(args) => env::run(directory, &args),
        Command::Exec(args) => exec::run(directory, args),
        Command::Run(args) => run::run(directory, args, terminal),
        Command::Shell(args) => shell::run(directory, args),
        Command::Port(args) => endpoint::port(directory, &args),
        Command::Url(args) => endpoint::url(directory, &args),
        Command::Config(args) => config::run(directory, &args, cli.color.as_deref()),
        Command::Plan(args) => plan::run(directory, &args),
        Command::Discover(args) => discover::run(&args, reporter),
        Command::Doctor(args) => doctor::run(directory, &args),
        Command::Health(args) => health::run(directory, args),
        Command::Gateway(args) => gateway::run(&args),
        Command::Forward(args) => forward::run(directory, &args),
        Command::Trust(args) => trust::run(&args),
        Command::Dashboard(args) => dashboard::run(&args),
        Command::Init(args) => init::run(directory, &args),
        Command::Mcp(args) => mcp::run(directory, &args),
        Command::Schema => {
            ui::exact(&Manifest::json_schema());
            Ok(0)
        }
        Command::Agents(args) => agents::run(directory, &args, reporter),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args, Cli::command()),
        Command::Supervise(args) => up::supervise(directory, &args),
        Command::Compose(args) => compose::run(directory, args),
        Command::Databases => {
            portway_app::database::create(&|line| {
                ui::exact(&format!("{line}\n"));
            })?;
            Ok(0)
        }
        Command::RunIfEmpty => portway_app::database::run_if_empty(&|line| {
            ui::exact(&format!("{line}\n"));
        }),
    }
}
