//! The chores of the project: `cargo xtask`.
//!
//! Plain functions over the ordinary tools; nothing here is shipped.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cross;
mod setup;
mod steps;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test        set up what the tests need, then format, lints, unit, integration, browser,
              real projects of real generators, types and lints for Windows and macOS
  setup       only set up what the tests need
  frameworks  only the real projects
  windows --check
              only types and lints for Windows and macOS
  schema      write schema/portway.schema.json from the types
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => steps::test(),
        ["setup"] => setup::all(),
        ["frameworks"] => steps::frameworks(),
        ["windows", "--check"] => cross::check(),
        ["schema"] => steps::schema(),
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
