//! Project tasks: `cargo xtask`.
//!
//! Each task calls ordinary tools such as cargo, npm, and apt-get. Nothing here is shipped.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod chaos;
mod command;
mod conformance;
mod corpus;
mod cross;
mod debian;
mod dependencies;
mod docker;
mod docs;
mod editors;
mod fuzz;
mod generate;
mod layout;
mod man;
mod package;
mod python;
mod release;
mod setup;
mod steps;
mod system;
mod tools;
mod windows;
mod wine;
mod wstest;

use std::process::ExitCode;

const USAGE: &str = "\
Run a task of the project

usage: cargo xtask TASK

tasks:
  test        install what the tests need, then run all checks and tests
  setup       install what the tests need
  layout      check the dependency rules of the workspace
  dependencies
              check licenses, banned crates, sources, and unused dependencies
  docs        generate the reference pages from the code, then check and build the book
                --check        only check the links and build the book
  frameworks  run the tests with projects made by framework generators
  windows     run the tests as Windows programs under Wine
                [WORD…]        only tests whose name contains a word
                --check        check types and lints for Windows and macOS instead
  api         send random requests to the API; needs Python 3.11
  conformance run suites that others wrote for HTTP/2 and WebSocket; needs h2spec or Go, and Debian
  corpus      run Portway on public repositories; see `cargo xtask corpus help`
  package     build the packages for npm, PyPI and others; `package help` shows the options
                vscode         pack the extension for VS Code instead
  man         write the man pages into `target/man`
  release     check a release and make everything that is published; `release help` shows the options
  schema      update schema/portway.schema.json and schema/openapi.json
  fuzz        run the fuzz targets
                [TARGET…]      only these targets
                --seconds N    time for each target [default: 20]
  chaos       run fault injection
                --seed N       repeat the plan of a seed [default: random]
                --minutes M    run long plans, one after the other, for M minutes
  users       run Portway as 12 users, 20 times each, at the same time; needs root
  bench       compare Portway with other tools; `bench help` shows the tables
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => steps::test(),
        ["setup"] => setup::all(),
        ["layout"] => layout::check(),
        ["dependencies"] => dependencies::check(),
        ["docs"] => docs::update(),
        ["docs", "--check"] => docs::check(),
        ["frameworks"] => steps::frameworks(),
        ["windows", "--check"] => cross::check(),
        ["windows", ref filter @ ..] => windows::test(filter),
        [windows::RUNNER, program, ref filter @ ..] => windows::run_program(program, filter),
        ["api"] => steps::api(),
        ["conformance"] => conformance::run_suites(),
        ["corpus", ref rest @ ..] => corpus::run(rest),
        ["package", "vscode"] => editors::package(),
        ["package", ref rest @ ..] => package::run(rest),
        ["man"] => man::update(),
        ["release", ref rest @ ..] => release::run(rest),
        ["schema"] => generate::schema(),
        ["fuzz", ref rest @ ..] => fuzz::fuzz(rest),
        ["chaos", ref rest @ ..] => chaos::run_harness(rest),
        ["users"] => steps::users(),
        ["bench", ref rest @ ..] => bench::run_harness(rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
