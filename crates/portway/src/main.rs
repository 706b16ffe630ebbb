//! The `portway` binary: `cli/` reads the command line and calls `portway-app`, `ui/` prints.
//!
//! The same binary is also the keeper of a service and the mDNS announcer; both are started with a
//! hidden first argument.

mod cli;
mod ui;

use std::process::ExitCode;
use std::sync::Arc;

use portway_app::error::CommandError;
use portway_app::{diagnostics, preferences};
use portway_project::Preferences;

use cli::args::{Cli, Command};

fn main() -> ExitCode {
    diagnostics::print_panics_with_backtrace();
    let mut arguments = std::env::args();
    // A keeper must stay small, so nothing else is set up before this.
    if arguments.nth(1).as_deref() == Some(portway_supervisor::keeper::COMMAND) {
        return ExitCode::from(portway_supervisor::keeper::run(arguments));
    }
    if std::env::args().nth(1).as_deref() == Some(portway_lan::announcer::COMMAND) {
        return ExitCode::from(portway_lan::announcer::run());
    }
    // Errors of the command line itself need this before it is parsed. Arguments after `--` belong
    // to another command.
    let json = std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json");
    let cli = match cli::args::parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(ui::usage_error(&error, json)),
    };
    match run(cli, json) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            error.log();
            ui::error(&error, json);
            ExitCode::from(error.exit())
        }
    }
}

fn run(cli: Cli, json: bool) -> Result<u8, CommandError> {
    let variable = std::env::var(diagnostics::VARIABLE).ok();
    let requested = diagnostics::filter(cli.verbose, variable.as_deref())?;
    diagnostics::start(requested, std::io::stderr, cli.command.serves());
    let preferences = match preferences::read_user() {
        Err(error) if cli.command.works_without_preferences() => {
            // `portway doctor` reports the error itself.
            if !matches!(cli.command, Command::Doctor(_)) {
                let place = error.info.place.iter().map(|place| format!(" ({place})"));
                ui::warning(&format!(
                    "{}{}; using the default preferences",
                    error.info.message,
                    place.collect::<String>()
                ));
            }
            Preferences::default()
        }
        other => other?,
    };
    portway_app::instance::on_wait(ui::notice);
    let flag = cli.color.as_deref();
    ui::set_color(preferences::with_flag(preferences, "color", flag).color());
    cli::run(cli, &(Arc::new(ui::Terminal::new(json)) as _))
}
