//! The command line, declared once: help and usage errors come from here. What belongs to one verb
//! alone is declared in its own file, `cli/VERB.rs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::cli::{
    config, dashboard, detect, discover, doctor, down, env, exec, forget, forward, free, gateway,
    health, init, leases, logs, one, plan, prune, ps, restart, trust, wait, who,
};
use crate::error::CommandError;
use crate::preferences;

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
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the services of this checkout
    Up(Up),
    /// Stop the services of this checkout
    Down(down::Down),
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
    Prune(prune::Prune),
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
    Init(init::Init),
    /// Print the JSON schema of `portway.toml`
    #[command(after_help = "Example:\n  portway schema > portway.schema.json")]
    Schema,
    #[command(name = crate::supervise::COMMAND, hide = true)]
    Supervise(Up),
}

impl Verb {
    /// Whether it looks at what is there or ends it, so that no preference changes what it does.
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

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway up                        everything but optional services
  portway up --with redis           with an optional one; remembered for this checkout
  portway up backend                this one and what it comes after
  portway up --port backend=9005    insist on a port
  portway up --lan                  for a phone: serve on the local network, and announce it there
  portway up --detach --json        for scripts: returns when ready, prints the status")]
pub(crate) struct Up {
    /// Services or groups; all where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Return when everything is ready, and leave it running
    #[arg(short, long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Serve what speaks HTTP on the local network, for every machine there, and announce it
    #[arg(long)]
    pub(crate) lan: bool,
    /// Serve nothing there, whatever the manifest says
    #[arg(long, conflicts_with = "lan")]
    pub(crate) no_lan: bool,
    /// What to do when a service would not be on the port that was wanted
    #[arg(
        long,
        value_name = "WHAT",
        value_parser = PossibleValuesParser::new(preferences::words("moved"))
    )]
    pub(crate) moved: Option<String>,
    /// Print the status as JSON when everything is ready
    #[arg(long)]
    pub(crate) json: bool,
}

/// What takes part, and on which ports.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Choice {
    /// Let an optional service take part; remembered for this checkout
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) with: Vec<String>,
    /// Let an optional service no longer take part
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Insist on a port
    #[arg(long = "port", value_name = "SERVICE=PORT", value_parser = forced_port)]
    pub(crate) ports: Vec<(String, u16)>,
}

/// Reads the command line. Help and version are printed, and end the process, here.
pub(crate) fn parse() -> Result<Cli, CommandError> {
    Cli::try_parse().map_err(|error| {
        if error.use_stderr() {
            CommandError::usage(error)
        } else {
            error.exit()
        }
    })
}

fn forced_port(text: &str) -> Result<(String, u16), String> {
    let (service, port) = text
        .split_once('=')
        .ok_or("write it as SERVICE=PORT, such as backend=9005")?;
    match port.parse() {
        Ok(0) | Err(_) => Err(format!("`{port}` is not a port; ports go from 1 to 65535")),
        Ok(port) => Ok((service.to_owned(), port)),
    }
}

pub(crate) fn span(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "write it as `30s`, `10m` or `2h`".to_owned())
}

/// A span of time that is not zero.
pub(crate) fn positive_span(text: &str) -> Result<Duration, String> {
    match span(text)? {
        Duration::ZERO => Err("it must be longer than nothing, such as `2s`".to_owned()),
        span => Ok(span),
    }
}

impl Up {
    /// The same as arguments, for starting a supervisor in the background.
    pub(crate) fn to_arguments(&self) -> Vec<String> {
        let mut arguments = self.services.clone();
        let choice = &self.choice;
        for (flag, names) in [("--with", &choice.with), ("--without", &choice.without)] {
            for name in names {
                arguments.extend([flag.to_owned(), name.clone()]);
            }
        }
        for (service, port) in &choice.ports {
            arguments.extend(["--port".to_owned(), format!("{service}={port}")]);
        }
        for (flag, is_set) in [("--lan", self.lan), ("--no-lan", self.no_lan)] {
            if is_set {
                arguments.push(flag.to_owned());
            }
        }
        arguments
    }

    /// Whether services are to be served on the local network; `None` leaves it to the manifest.
    pub(crate) fn on_lan(&self) -> Option<bool> {
        (self.lan || self.no_lan).then_some(self.lan)
    }
}

/// A port on the command line, 1 to 65535.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
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
    fn a_background_start_is_told_the_same() {
        let words = "portway up backend --with redis --without mail --port backend=9005 --lan";
        let Verb::Up(up) = Cli::try_parse_from(words.split(' ')).unwrap().verb else {
            panic!("another verb");
        };
        let again = ["portway".to_owned(), "up".to_owned()];
        let again = Cli::try_parse_from(again.into_iter().chain(up.to_arguments())).unwrap();
        assert!(matches!(again.verb, Verb::Up(other) if other.to_arguments() == up.to_arguments()));
    }

    #[test]
    fn forced_ports_and_spans_are_checked() {
        assert_eq!(forced_port("a=9000"), Ok(("a".into(), 9000)));
        for text in ["a", "a=", "a=0", "a=70000", "a=x"] {
            assert!(forced_port(text).is_err(), "{text}");
        }
        assert_eq!(port("65535"), Ok(65535));
        for text in ["", "0", "-1", "65536", "abc"] {
            assert!(port(text).is_err(), "{text}");
        }
        assert_eq!(span("10m"), Ok(Duration::from_secs(600)));
        assert!(span("soon").is_err());
    }
}
