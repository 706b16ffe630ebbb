//! The declaration of the command line. The options of one command are in `cli/COMMAND.rs`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Parser, Subcommand};

use portway_app::preferences;

use super::{
    config, dashboard, detect, discover, doctor, down, env, exec, forget, forward, free, gateway,
    health, init, leases, logs, one, plan, prune, ps, restart, trust, up, wait, who,
};

/// Every service of every checkout on a port that stays its own.
///
/// Portway reads `portway.toml`, gives each service a port, keeps that port for it, writes
/// `.ports.json`, tells every service where the others are, and starts and supervises them.
#[derive(Debug, Parser)]
#[command(
    name = "portway",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  portway up                    start everything here, follow the logs, Ctrl-C to stop
  portway up --detach           start in the background; again: report the same URLs
  portway ps                    all instances of this machine
  eval \"$(portway env)\"         the URLs and ports of this checkout in a shell
  portway exec -- npm test      run a command with them
  portway doctor                why services do not communicate
  portway who 9000              who has a port; `portway free 9000` ends it safely

Exit codes: 0 done, 1 failed, 2 usage or manifest, 3 a program is missing, 4 port taken or range
full, 5 a service failed, 6 nothing there, 124 timeout, 130 and 143 ended by a signal; `exec` passes its command's."
)]
pub(crate) struct Cli {
    /// Act as if started in this directory
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub(crate) directory: Option<PathBuf>,
    /// Whether to print in color
    #[arg(
        long,
        alias = "colour",
        value_name = "WHEN",
        global = true,
        value_parser = PossibleValuesParser::new(preferences::words("color"))
    )]
    pub(crate) color: Option<String>,
    /// Print diagnostics on standard error; repeat for more (-vv)
    ///
    /// The environment variable `PORTWAY_LOG` selects them by level or module, for example
    /// `PORTWAY_LOG=portway_gateway=debug`.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the services of this checkout
    Up(up::Up),
    /// Stop the services of this checkout
    Down(down::DownArgs),
    /// Stop services and start them again, each on its own port
    Restart(restart::Names),
    /// List all instances of this machine
    Ps(ps::Ps),
    /// Show what services print
    Logs(logs::Logs),
    /// Wait until services are ready
    Wait(wait::Wait),
    /// Choose ports and write `.ports.json`, without starting anything
    Detect(detect::Detect),
    /// Show who has a port
    Who(who::Who),
    /// End who has a port, safely
    Free(free::Free),
    /// List the ports that are kept for services
    Leases(leases::Leases),
    /// Give up the lease of a port
    Forget(forget::Forget),
    /// Drop what vanished checkouts and killed instances have left
    Prune(prune::PruneArgs),
    /// Print the variables that services are told
    Env(env::Env),
    /// Run a command with these variables, under held ports
    Exec(exec::Exec),
    /// Print the port of a service
    #[command(after_help = "Example:\n  psql -p $(portway port db)")]
    Port(one::One),
    /// Print the URL of a service
    #[command(after_help = "\
Examples:
  curl $(portway url backend)/health
  open $(portway url --name frontend)")]
    Url(one::Url),
    /// Show what there is to start here, and what tells so
    Plan(plan::PlanArgs),
    /// Show and change preferences
    Config(config::Config),
    /// List what Portway serves on other machines of the local network
    Discover(discover::Discover),
    /// Find out why services do not communicate
    Doctor(doctor::Doctor),
    /// Serve names for all instances of this machine
    Gateway(gateway::Gateway),
    /// Have a fixed port lead to this checkout, for logins and webhooks that know one address
    Forward(forward::ForwardArgs),
    /// Have programs trust the gateway's names, by a CA of this machine alone
    Trust(trust::Trust),
    /// Open the page that shows every instance of this machine
    #[command(visible_alias = "ui")]
    Dashboard(dashboard::Dashboard),
    /// Ask services whether they are well
    Health(health::Health),
    /// Write what was found as `portway.toml`
    Init(init::InitArgs),
    /// Print the JSON schema of `portway.toml`
    #[command(after_help = "Example:\n  portway schema > portway.schema.json")]
    Schema,
    #[command(name = portway_app::instance::COMMAND, hide = true)]
    Supervise(up::Up),
}

impl Command {
    /// Whether this process becomes a supervisor or a gateway, which log to a file.
    pub(crate) fn serves(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Supervise(_) | Self::Gateway(_))
    }

    /// Whether the command only inspects or stops, so that no preference changes what it does.
    pub(crate) fn works_without_preferences(&self) -> bool {
        matches!(
            self,
            Self::Down(_)
                | Self::Restart(_)
                | Self::Ps(_)
                | Self::Logs(_)
                | Self::Wait(_)
                | Self::Who(_)
                | Self::Free(_)
                | Self::Leases(_)
                | Self::Forget(_)
                | Self::Prune(_)
                | Self::Trust(_)
                | Self::Doctor(_)
                | Self::Discover(_)
        )
    }
}

/// Parses the command line. Help and version are printed, and end the process, here.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    Cli::try_parse().map_err(|error| {
        if error.use_stderr() {
            error
        } else {
            error.exit()
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_background_supervisor_gets_the_same_options() {
        let line = "portway up backend --with redis --without mail --port backend=9005 --lan";
        let Command::Up(up) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
            panic!("another command");
        };
        let arguments = up.to_options().to_arguments();
        let start = ["portway".to_owned(), "up".to_owned()];
        let again = Cli::try_parse_from(start.into_iter().chain(arguments.clone())).unwrap();
        assert!(
            matches!(again.command, Command::Up(up) if up.to_options().to_arguments() == arguments)
        );
    }
}
