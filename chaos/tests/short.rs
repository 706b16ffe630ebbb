//! Short runs, with fixed seeds and a random one. The plan depends only on the seed; the outcome
//! also depends on the machine, so each run tests something else.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout)]

use std::path::Path;

use portway_chaos::{Length, Tools, run};

fn run_short(seed: u64) {
    let tools = Tools::find(Path::new(env!("CARGO_BIN_EXE_portway-chaos")));
    let tools = tools.unwrap_or_else(|message| panic!("{message}"));
    // The message contains the seed.
    if let Err(message) = run(seed, Length::Short, &tools) {
        panic!("{message}");
    }
}

#[test]
fn seed_1() {
    run_short(1);
}

#[test]
fn seed_2() {
    run_short(2);
}

#[test]
fn a_random_seed() {
    let seed = fastrand::u64(..1_000_000);
    println!("seed {seed}");
    run_short(seed);
}
