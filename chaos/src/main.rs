//! Beats Portway up: `cargo xtask chaos`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask chaos [--seed N] [--minutes M]

  --seed N     what happens follows from it (default: a fresh one, which is printed)
  --minutes M  long runs, with a thousand restarts each, seed after seed until the time is up;
               without it one short run

A run that finds something prints its seed and its plan. chaos/README.md says more.";

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

#[cfg(target_os = "linux")]
fn run(arguments: &[&str]) -> Result<(), String> {
    use std::time::{Duration, Instant};

    use portway_chaos::{INSIDE, Length, Tools, inside, run};

    if let [INSIDE, rest @ ..] = arguments {
        return inside(rest);
    }
    let (mut seed, mut minutes) = (None, None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse::<u64>().ok());
        match (*word, number()) {
            ("--seed", Some(number)) => seed = Some(number),
            ("--minutes", Some(number)) => minutes = Some(number),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let mut seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let tools = Tools::beside(&own)?;
    let length = match minutes {
        Some(_) => Length::Long,
        None => Length::Short,
    };
    let time = Duration::from_secs(60 * minutes.unwrap_or(0));
    let began = Instant::now();
    loop {
        println!("seed {seed}");
        println!("  {}", run(seed, length, &tools)?);
        seed += 1;
        if began.elapsed() >= time {
            return Ok(());
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn run(_: &[&str]) -> Result<(), String> {
    Err(format!("only Linux is beaten so far\n\n{USAGE}"))
}
