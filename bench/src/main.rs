//! Benchmarks: Portway and other tools, measured in one run, with every answer checked.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod chart;
mod env;
mod gateway;
mod helper;
mod isolation;
mod machine;
mod page;
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

use std::process::ExitCode;

/// The error is a message for the person who runs the benchmark. It stops the run.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
Compare Portway with other tools

usage: cargo xtask bench [ports|up|survival|who|scale|gateway|page|isolation] [--rounds N]

  ports      two ports in a new process; 50 processes at the same time; which ports each tool
             reports as free
  up         time until 2 and 20 services accept connections; memory
  survival   what is left after each kind of end, and whether the next start gets the same ports
  who        find the process that uses a port, among 300 processes
  scale      commands while 1, 10, 100, and 500 instances run
  gateway    requests through the gateway and through other proxies; memory; connections
  page       a page of 1,500 modules through the gateway in Chromium, with and without rewritten URLs
  isolation  requests and bulk data to a service in a network namespace; time and memory of a namespace
  --rounds   number of measurements [default: 25, gateway and isolation: 5, page: 10]; `up` always has 5, and the 50
             processes of `ports` always have 20

Without a name, all run. Results are written to bench/README.md and bench/pictures/.";

const NAMES: [&str; 8] = [
    "ports",
    "up",
    "survival",
    "who",
    "scale",
    "gateway",
    "page",
    "isolation",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    let (names, rounds) = match arguments {
        ["helper:serve", rest @ ..] => return helper::serve(rest),
        ["helper:idle", rest @ ..] => return helper::idle(rest),
        ["helper:listen", rest @ ..] => return helper::listen(rest),
        ["helper:parent", rest @ ..] => return helper::parent(rest),
        ["helper:chained", rest @ ..] => return helper::chained(rest),
        ["helper:flood", rest @ ..] => return helper::flood(rest),
        ["helper:child-chain", rest @ ..] => return helper::chain(rest),
        ["helper:child", ..] => return helper::child(),
        ["helper:http", rest @ ..] => return helper::http(rest),
        [portway_isolation::COMMAND] => {
            return match portway_isolation::run_helper() {
                0 => Ok(()),
                code => Err(format!("the network helper exited with code {code}")),
            };
        }
        ["helper:check-set-uid"] => return helper::check_set_uid(),
        [names @ .., "--rounds", rounds] => {
            let rounds = rounds.parse().map_err(|_| USAGE.to_owned())?;
            (names, Some(rounds))
        }
        names => (names, None),
    };
    let is_selected = |name| names.is_empty() || names.contains(&name);
    if names.iter().any(|name| !NAMES.contains(name)) {
        return Err(USAGE.to_owned());
    }
    let env = env::BenchEnv::new()?;
    if is_selected("ports") {
        ports::run(&env, rounds.unwrap_or(25))?;
    }
    if is_selected("up") {
        up::run(&env)?;
    }
    if is_selected("survival") {
        up::run_survival(&env)?;
    }
    if is_selected("who") {
        who::run(&env, rounds.unwrap_or(25))?;
    }
    if is_selected("scale") {
        scale::run(&env, rounds.unwrap_or(25))?;
    }
    if is_selected("gateway") {
        gateway::run(&env, rounds.unwrap_or(5))?;
    }
    if is_selected("page") {
        page::run(&env, rounds.unwrap_or(10))?;
    }
    if is_selected("isolation") {
        isolation::run(&env, rounds.unwrap_or(5))?;
    }
    Ok(())
}
