//! `bench ports`: the time to allocate ports, and whether the answers are correct.

mod accuracy;
mod concurrent;
mod pair;
mod portserver;
pub(crate) mod ranges;

use crate::Result;
use crate::env::BenchEnv;
use crate::peers::Peers;
use crate::readme;

/// The version of the crate portool.
const PORTOOL: &str = "0.10.2";

/// Measure all three tables. Each is written when it is complete.
pub(crate) fn run(env: &BenchEnv, rounds: usize) -> Result<()> {
    let peers = Peers::install(env)?;
    readme::write_section(&env.bench, "accuracy", &accuracy::run(env, &peers)?)?;
    readme::write_section(&env.bench, "pair", &pair::run(env, &peers, rounds)?)?;
    readme::write_section(&env.bench, "concurrent", &concurrent::run(env, &peers)?)
}

/// A line for each group of tools that is not available, with the reason.
fn missing(peers: &Peers) -> Vec<String> {
    let reasons = [
        ("the Node tools", peers.node.as_ref().err()),
        ("the Python tools", peers.python.as_ref().err()),
    ];
    reasons
        .iter()
        .filter_map(|(name, reason)| Some(format!("Not measured: {name} ({}).\n", (*reason)?)))
        .collect()
}
