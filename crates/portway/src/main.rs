//! The `portway` binary: `cli/` reads the command line and calls `portway-app`, `ui/` prints.
//!
//! The same binary is also the keeper of a service, the guard of an instance, the helper in its network, and the mDNS
//! announcer,
//! each started with a hidden first argument.

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
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().unwrap_or_default();
    // A keeper must stay small, so nothing else is set up before this.
    if first == portway_supervisor::keeper::COMMAND {
        return ExitCode::from(portway_supervisor::keeper::run(arguments));
    }
    if first == portway_isolation::COMMAND {
        return ExitCode::from(portway_isolation::run_helper());
    }
    #[cfg(unix)]
    if first == portway_supervisor::guard::COMMAND {
        return ExitCode::from(portway_supervisor::guard::run());
    }
    if first == portway_lan::announcer::COMMAND {
        return ExitCode::from(portway_lan::announcer::run());
    }
    if cli::complete() {
        return ExitCode::SUCCESS;
    }
    #[cfg(unix)]
    portway_supervisor::launcher::watch();
    // Errors of the command line itself need this before it is parsed. Arguments after `--` belong
    // to another command.
    let json = std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json");
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(ui::usage_error(&error, json)),
    };
    // A supervisor must not wait for a reader of its output.
    let supervises = matches!(cli.command, Command::Up(_));
    let result = run(cli, json);
    let code = match result {
        Ok(code) => code,
        Err(error) => {
            error.log();
            let code = error.exit();
            if supervises {
                ui::last_error(error, json);
            } else {
                ui::error(&error, json);
            }
            code
        }
    };
    diagnostics::finish();
    ExitCode::from(code)
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
