//! Short runs, with fixed seeds and a fresh one. What is planned follows from the seed; what comes
//! of it, from the machine as well, so that each run tries something new.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout)]

use std::path::Path;

use portway_chaos::{Length, Tools, run};

fn short(seed: u64) {
    let tools = Tools::beside(Path::new(env!("CARGO_BIN_EXE_portway-chaos")));
    let tools = tools.unwrap_or_else(|why| panic!("{why}"));
    // A failure tells the seed.
    if let Err(why) = run(seed, Length::Short, &tools) {
        panic!("{why}");
    }
}

#[test]
fn a_fixed_seed() {
    short(1);
}

#[test]
fn another_fixed_seed() {
    short(2);
}

#[test]
fn a_fresh_seed() {
    let seed = fastrand::u64(..1_000_000);
    println!("seed {seed}");
    short(seed);
}
