//! Portway: every service of every checkout on a port that stays its own.
//!
//! This crate is the composition: it reads the command line, puts the stages together (`project.rs`,
//! `allocation.rs`) and shows what comes out. `cli/` has one file per verb; `ui/` is the only place
//! that prints; `error.rs` turns every error into words, a code and an exit code.

mod allocation;
mod args;
mod cli;
mod doctor;
mod ending;
mod error;
mod follow;
mod freeing;
mod gateway;
mod home;
mod inspect;
mod look;
mod platform;
mod preferences;
mod project;
mod running;
mod steward;
mod supervise;
mod trust;
mod ui;

use std::process::ExitCode;

use portway_project::Preferences;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    // A keeper must stay small: nothing else is set up before this.
    if arguments.nth(1).as_deref() == Some(portway_supervisor::keeper::COMMAND) {
        return ExitCode::from(portway_supervisor::keeper::run(arguments));
    }
    if std::env::args().nth(1).as_deref() == Some(portway_lan::announcer::COMMAND) {
        return ExitCode::from(portway_lan::announcer::run());
    }
    // Known before the command line is read, for the errors of reading it. What follows `--` is
    // another command's.
    let json = std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json");
    let result = args::parse().and_then(run);
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            ui::error(&error, json);
            ExitCode::from(error.exit())
        }
    }
}

fn run(cli: args::Cli) -> Result<u8, error::CommandError> {
    let preferences = match preferences::of_user() {
        Err(error) if cli.verb.works_without_preferences() => {
            // What is broken the doctor tells by itself.
            if !matches!(cli.verb, args::Verb::Doctor(_)) {
                ui::warning(&format!(
                    "{}; going on without preferences",
                    error.info.message
                ));
            }
            Preferences::default()
        }
        other => other?,
    };
    let flag = cli.color.as_deref();
    ui::set_color(preferences::with_flag(preferences, "color", flag).color());
    cli::run(cli)
}
