//! Short runs, with fixed seeds and a fresh one. What is planned follows from the seed; what comes
//! of it, from the machine as well, so that each run tries something new.

#![cfg(target_os = "linux")]

use std::path::Path;

use portway_chaos::{Length, Tools, run};

fn short(seed: u64) {
    let tools = Tools::beside(Path::new(env!("CARGO_BIN_EXE_portway-chaos"))).unwrap();
    match run(seed, Length::Short, &tools) {
        Ok(done) => eprintln!("seed {seed}: {done}"),
        Err(why) => panic!("{why}"),
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
    short(fastrand::u64(..1_000_000));
}
