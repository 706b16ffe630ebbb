//! The declaration of the command line. The options of one command are in `cli/COMMAND.rs`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Parser, Subcommand};

use portway_app::preferences;

use super::{
    config, dashboard, detect, discover, doctor, down, endpoint, env, exec, forget, forward, free,
    gateway, health, init, leases, logs, plan, prune, ps, restart, trust, up, wait, who,
};

/// Start services and give each checkout its own ports
///
/// Portway reads `portway.toml` or detects the services of a checkout. It allocates a port for each
/// service, keeps the port reserved, writes `.ports.json`, sets URLs and environment variables, and
/// starts and supervises the services.
#[derive(Debug, Parser)]
#[command(
    name = "portway",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  portway up                    Start all services and follow their logs; Ctrl-C stops them
  portway up --detach           Start them in the background and print their URLs
  portway ps                    List all instances on this machine
  eval \"$(portway env)\"         Set the URLs and ports of this checkout in your shell
  portway exec -- npm test      Run a command with these variables
  portway doctor                Find out why services cannot reach each other
  portway who 9000              Show which process is using port 9000
  portway free 9000             Stop that process after asking

Exit codes:
  0    success
  1    failure
  2    invalid usage or manifest
  3    required program not found
  4    port in use, or port range full
  5    a service failed
  6    nothing to act on
  124  timeout
  130  interrupted (143: terminated)
`portway exec` exits with the code of its command."
)]
pub(crate) struct Cli {
    /// Run as if started in this directory
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub(crate) directory: Option<PathBuf>,
    /// When to print in color [default: auto]
    #[arg(
        long,
        alias = "colour",
        value_name = "WHEN",
        global = true,
        value_parser = PossibleValuesParser::new(preferences::choices("color"))
    )]
    pub(crate) color: Option<String>,
    /// Print diagnostics on standard error; repeat for more, or set `PORTWAY_LOG`
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
    /// Restart services on the same ports
    Restart(restart::RestartArgs),
    /// List all instances on this machine
    Ps(ps::Ps),
    /// Show the output of services
    Logs(logs::Logs),
    /// Wait until services are ready
    Wait(wait::Wait),
    /// Allocate ports and write `.ports.json`
    Detect(detect::Detect),
    /// Show which process is using a port
    Who(who::Who),
    /// Stop the process that is using a port
    Free(free::Free),
    /// List the ports that are leased to services
    Leases(leases::Leases),
    /// Release a port's lease
    Forget(forget::Forget),
    /// Remove stale leases and leftover processes
    Prune(prune::PruneArgs),
    /// Print the environment variables of services
    Env(env::Env),
    /// Run a command with the environment of services
    Exec(exec::Exec),
    /// Print the port of a service
    #[command(
        after_help = "Example:\n  psql -p $(portway port db)    Connect to the database of this checkout"
    )]
    Port(endpoint::PortArgs),
    /// Print the URL of a service
    #[command(after_help = "\
Examples:
  curl $(portway url backend)/health     Send a request to the backend
  open $(portway url --name frontend)    Open the frontend under its name")]
    Url(endpoint::UrlArgs),
    /// Show detected services and why they were detected
    Plan(plan::PlanArgs),
    /// Show and change preferences
    Config(config::Config),
    /// List services on other machines of the local network
    Discover(discover::Discover),
    /// Find out why services cannot reach each other
    Doctor(doctor::Doctor),
    /// Serve all instances under names instead of ports
    Gateway(gateway::Gateway),
    /// Route a fixed port to this checkout
    Forward(forward::ForwardArgs),
    /// Create a local CA and add it to the trust stores
    Trust(trust::Trust),
    /// Open the dashboard in the browser
    #[command(visible_alias = "ui")]
    Dashboard(dashboard::Dashboard),
    /// Check whether services are healthy
    Health(health::Health),
    /// Write the detected services to `portway.toml`
    Init(init::InitArgs),
    /// Print the JSON schema of `portway.toml`
    #[command(
        after_help = "Example:\n  portway schema > portway.schema.json    Save the schema for an editor"
    )]
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

/// Parses the command line. Prints the help or the version on request, and then exits the process.
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
        let line = "portway up backend --with redis --without mail --port backend=9005 --lan \
                    --abort-on-failure";
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
