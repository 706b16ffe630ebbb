//! The chores of the project: `cargo xtask`.
//!
//! Plain functions over the ordinary tools; nothing here is shipped.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod chaos;
mod cross;
mod fuzz;
mod setup;
mod steps;
mod windows;
mod wine;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test        set up what the tests need, then format, lints, unit, integration, browser,
              and real projects of real generators
  setup       only set up what the tests need
  frameworks  only the real projects
  windows     the tests that can run there as Windows programs under Wine: [WORD…] for those with
              a word in their names; with --check, types and lints for Windows and macOS instead
  schema      write schema/portway.schema.json and schema/openapi.json from the types
  fuzz        run the fuzz targets for 20 s each: [TARGET…] [--seconds N]
  chaos       beat Portway up, by a seed: [--seed N] [--minutes M]
  bench       measure Portway beside its peers; `bench help` says more
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => steps::test(),
        ["setup"] => setup::all(),
        ["frameworks"] => steps::frameworks(),
        ["windows", "--check"] => cross::check(),
        ["windows", ref filter @ ..] => windows::test(filter),
        [windows::RUNNER, program, ref filter @ ..] => windows::run_program(program, filter),
        ["schema"] => steps::schema(),
        ["fuzz", ref rest @ ..] => fuzz::fuzz(rest),
        ["chaos", ref rest @ ..] => chaos::run_harness(rest),
        ["bench", ref rest @ ..] => bench::run_harness(rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
