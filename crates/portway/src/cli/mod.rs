//! One file per verb.

pub(crate) mod config;
pub(crate) mod dashboard;
pub(crate) mod detect;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod forget;
pub(crate) mod forward;
pub(crate) mod free;
pub(crate) mod gateway;
pub(crate) mod health;
pub(crate) mod init;
pub(crate) mod leases;
pub(crate) mod logs;
pub(crate) mod one;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod ps;
pub(crate) mod restart;
pub(crate) mod trust;
mod up;
pub(crate) mod wait;
pub(crate) mod who;

use portway_project::Manifest;

use crate::args::{Cli, Verb};
use crate::error::CommandError;
use crate::{supervise, ui};

/// Runs a command; answers its exit code.
pub(crate) fn run(cli: Cli) -> Result<u8, CommandError> {
    let directory = cli.directory.as_deref();
    match cli.verb {
        Verb::Up(args) => up::run(directory, &args),
        Verb::Down(args) => down::run(directory, &args),
        Verb::Restart(args) => restart::run(directory, &args),
        Verb::Ps(args) => ps::run(&args),
        Verb::Logs(args) => logs::run(directory, &args),
        Verb::Wait(args) => wait::run(directory, &args),
        Verb::Detect(args) => detect::run(directory, &args),
        Verb::Who(args) => who::run(&args),
        Verb::Free(args) => free::run(&args),
        Verb::Leases(args) => leases::run(&args),
        Verb::Forget(args) => forget::run(&args),
        Verb::Prune(args) => prune::run(&args),
        Verb::Env(args) => env::run(directory, &args),
        Verb::Exec(args) => exec::run(directory, &args),
        Verb::Port(args) => one::port(directory, &args),
        Verb::Url(args) => one::url(directory, &args),
        Verb::Config(args) => config::run(directory, &args, cli.color.as_deref()),
        Verb::Plan(args) => plan::run(directory, &args),
        Verb::Discover(args) => discover::run(&args),
        Verb::Doctor(args) => doctor::run(directory, &args),
        Verb::Health(args) => health::run(directory, &args),
        Verb::Gateway(args) => gateway::run(&args),
        Verb::Forward(args) => forward::run(directory, &args),
        Verb::Trust(args) => trust::run(&args),
        Verb::Dashboard(args) => dashboard::run(&args),
        Verb::Init(args) => init::run(directory, &args),
        Verb::Schema => {
            ui::out(&Manifest::json_schema());
            Ok(0)
        }
        Verb::Supervise(args) => supervise::background(directory, &args),
    }
}
