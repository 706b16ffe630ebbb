//! Fault injection: `cargo xtask chaos`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

const USAGE: &str = "\
Inject faults into many Portway instances and check invariants

usage: cargo xtask chaos [--seed N] [--minutes M]

options:
  --seed N     repeat the plan of a seed [default: a random seed]
  --minutes M  run long plans, each with 1000 restarts, until M minutes have passed
               [default: one short plan]

A run that violates an invariant prints its seed and its plan. See chaos/README.md.";

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

#[cfg(target_os = "linux")]
fn run(arguments: &[&str]) -> Result<(), String> {
    use std::time::{Duration, Instant};

    use portway_chaos::{DISK_FULL, Length, Tools, run, run_on_full_disk};

    if let [DISK_FULL, rest @ ..] = arguments {
        return run_on_full_disk(rest);
    }
    let (mut seed, mut minutes) = (None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || rest.next().and_then(|text| text.parse::<u64>().ok());
        match (*argument, number()) {
            ("--seed", Some(number)) => seed = Some(number),
            ("--minutes", Some(number)) => minutes = Some(number),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let mut seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let tools = Tools::find(&own)?;
    let length = match minutes {
        Some(_) => Length::Long,
        None => Length::Short,
    };
    let time = Duration::from_secs(60 * minutes.unwrap_or(0));
    let started = Instant::now();
    loop {
        println!("seed {seed}");
        println!("  {}", run(seed, length, &tools)?);
        seed += 1;
        if started.elapsed() >= time {
            return Ok(());
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn run(_: &[&str]) -> Result<(), String> {
    Err(format!("fault injection runs on Linux only\n\n{USAGE}"))
}
