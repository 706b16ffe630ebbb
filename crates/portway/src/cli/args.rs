//! The declaration of the command line. The options of one command are in `cli/COMMAND.rs`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Parser, Subcommand};

use portway_app::preferences;

use super::{
    agents, attach, candidates, completions, compose, config, dashboard, detect, discover, doctor,
    down, endpoint, env, exec, forget, forward, free, gateway, health, init, leases, logs, man,
    mcp, plan, prune, ps, restart, run, shell, trust, up, wait, who,
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
  portway up
      Start all services and follow their logs; Ctrl-C stops them
  portway up --detach
      Start them in the background and print their URLs
  portway ps
      List all instances on this machine
  eval \"$(portway env)\"
      Set the URLs and ports of this checkout in your shell
  portway exec -- npm test
      Run a command with these variables
  portway doctor
      Find out why services cannot reach each other
  portway who 9000
      Show which process is using port 9000
  portway free 9000
      Stop that process after asking

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
`portway exec` and `portway run` exit with the code of their command."
)]
pub(crate) struct Cli {
    /// Run as if started in this directory
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, add = candidates::directories())]
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
    /// Connect this terminal to a running service
    Attach(attach::Attach),
    /// Wait until services are ready
    Wait(wait::Wait),
    /// Use compose files with the ports of this checkout
    Compose(compose::Compose),
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
    Run(run::Run),
    /// Open a shell with the environment of this checkout
    Shell(shell::Shell),
    /// Print the port of a service
    #[command(
        after_help = "Example:\n  psql -p $(portway port db)\n      Connect to the database of this checkout"
    )]
    Port(endpoint::PortArgs),
    /// Print the URL of a service
    #[command(after_help = "\
Examples:
  curl $(portway url backend)/health
      Send a request to the backend
  open $(portway url --name frontend)
      Open the frontend under its name")]
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
    /// Serve coding agents through the Model Context Protocol
    Mcp(mcp::Mcp),
    /// Set up coding agents for this checkout
    Agents(agents::Agents),
    /// Complete commands and names in your shell
    Completions(completions::Completions),
    /// Print the JSON schema of `portway.toml`
    #[command(
        after_help = "Example:\n  portway schema > portway.schema.json\n      Save the schema for an editor"
    )]
    Schema,
    #[command(name = portway_app::instance::COMMAND, hide = true)]
    Supervise(up::Up),
    #[command(name = man::COMMAND, hide = true)]
    Man(man::ManArgs),
    #[command(name = portway_app::database::COMMAND, hide = true)]
    Databases,
    #[command(name = portway_app::database::RUN_IF_EMPTY, hide = true)]
    RunIfEmpty,
}

impl Command {
    /// Whether this process becomes a supervisor or a gateway, which log to a file.
    pub(crate) fn serves(&self) -> bool {
        matches!(
            self,
            Self::Up(_) | Self::Run(_) | Self::Supervise(_) | Self::Gateway(_)
        )
    }

    /// Whether the command only inspects or stops, so that no preference changes what it does.
    pub(crate) fn works_without_preferences(&self) -> bool {
        matches!(
            self,
            Self::Down(_)
                | Self::Restart(_)
                | Self::Ps(_)
                | Self::Logs(_)
                | Self::Attach(_)
                | Self::Wait(_)
                | Self::Who(_)
                | Self::Free(_)
                | Self::Leases(_)
                | Self::Forget(_)
                | Self::Prune(_)
                | Self::Trust(_)
                | Self::Doctor(_)
                | Self::Discover(_)
                | Self::Databases
                | Self::RunIfEmpty
                | Self::Compose(_)
                | Self::Completions(_)
        )
    }
}

/// Parses the command line. Prints the help or the version on request, and then exits the process.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    parse_from(std::env::args_os().collect()).map_err(|error| {
        if error.use_stderr() {
            error
        } else {
            error.exit()
        }
    })
}

/// Parses these arguments. clap reads the `--help` of `portway help --help` as a name of a command;
/// it means the help of the command before it.
fn parse_from(mut arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let error = match Cli::try_parse_from(&arguments) {
        Err(error) if error.kind() == ErrorKind::InvalidSubcommand => error,
        result => return result,
    };
    let is_help_flag = |argument: &OsString| argument == "--help" || argument == "-h";
    let Some(at) = arguments.iter().position(is_help_flag) else {
        return Err(error);
    };
    match arguments[..at].iter().any(|argument| argument == "help") {
        true if arguments[at - 1] == "help" => arguments[at] = "help".into(),
        true => drop(arguments.remove(at)),
        false => return Err(error),
    }
    parse_from(arguments)
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
    fn the_command_help_accepts_the_flag_help() {
        let help = |line: &str| {
            let arguments = line.split(' ').map(OsString::from).collect();
            let error = parse_from(arguments).unwrap_err();
            (error.kind() == ErrorKind::DisplayHelp).then(|| error.to_string())
        };
        for (line, usage) in [
            ("portway help --help", "Usage: portway help [COMMAND]..."),
            ("portway help -h", "Usage: portway help [COMMAND]..."),
            (
                "portway -C /tmp help up --help",
                "Usage: portway up [OPTIONS]",
            ),
            (
                "portway help config set -h",
                "Usage: portway config set [OPTIONS]",
            ),
            (
                "portway config help --help",
                "Usage: portway config help [COMMAND]...",
            ),
        ] {
            let text = help(line).unwrap_or_default();
            assert!(text.contains(usage), "{line}\n{text}");
        }
        assert_eq!(help("portway help nothing --help"), None);
        assert_eq!(help("portway nothing"), None);
    }

    #[test]
    fn help_texts_have_no_line_breaks_within_a_paragraph() {
        fn check(command: &clap::Command) {
            let text = command.get_after_help().map(ToString::to_string);
            let text = text.unwrap_or_default();
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2) {
                assert!(
                    !(is_prose(pair[0]) && is_prose(pair[1])),
                    "`{}`: {pair:?}",
                    command.get_name()
                );
            }
            for line in lines.iter().filter(|line| line.starts_with(' ')) {
                assert!(line.len() <= 80, "`{}`: {line}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
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
