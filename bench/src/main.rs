//! Portway measured beside its peers, in one run, with every answer checked.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod chart;
mod gateway;
mod helper;
mod machine;
mod peers;
mod plot;
mod ports;
mod readme;
mod sample;
mod scale;
mod stats;
mod table;
mod up;
mod who;
mod world;

use std::process::ExitCode;

/// What goes wrong is told in words and ends the run.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask bench [ports|up|who|scale|gateway] [--rounds N]

  ports      two ports in a fresh process; fifty processes at once; what each tool calls free
  up         until 2 and 20 services accept; memory; what is left after each kind of stop
  who        who has a port, among 300 processes
  scale      commands beside 1, 10, 100 and 500 running instances
  gateway    requests through the gateway and through other proxies; memory; connections left
  --rounds   how often each thing is measured (default 25, gateway 5; the crowd is always 20, up 5)

Without a name: all. Results go into bench/README.md and bench/pictures/.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    let (names, rounds) = match arguments {
        ["help:serve", rest @ ..] => return helper::serve(rest),
        ["help:idle", rest @ ..] => return helper::idle(rest),
        ["help:listen", rest @ ..] => return helper::listen(rest),
        ["help:family", rest @ ..] => return helper::family(rest),
        ["help:linger", ..] => return helper::linger(),
        [names @ .., "--rounds", rounds] => {
            let rounds = rounds.parse().map_err(|_| USAGE.to_owned())?;
            (names, Some(rounds))
        }
        names => (names, None),
    };
    let wants = |name| names.is_empty() || names.contains(&name);
    if names
        .iter()
        .any(|name| !["ports", "up", "who", "scale", "gateway"].contains(name))
    {
        return Err(USAGE.to_owned());
    }
    let world = world::World::new()?;
    if wants("ports") {
        ports::run(&world, rounds.unwrap_or(25))?;
    }
    if wants("up") {
        up::run(&world)?;
    }
    if wants("who") {
        who::run(&world, rounds.unwrap_or(25))?;
    }
    if wants("scale") {
        scale::run(&world, rounds.unwrap_or(25))?;
    }
    if wants("gateway") {
        gateway::run(&world, rounds.unwrap_or(5))?;
    }
    Ok(())
}
