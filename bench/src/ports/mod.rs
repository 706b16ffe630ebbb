//! `bench ports`: what it costs to get ports, and whether they are one's own.

mod crowd;
mod pair;
mod portserver;
pub(crate) mod ranges;
mod sight;

use crate::Result;
use crate::peers::Peers;
use crate::readme;
use crate::world::World;

/// Version of portool, from the Rust registry.
const PORTOOL: &str = "0.10.2";

/// Measures all three tables, each whole before it is written.
pub(crate) fn run(world: &World, rounds: usize) -> Result<()> {
    let peers = Peers::install(world)?;
    readme::write(&world.bench, "sight", &sight::run(world, &peers)?)?;
    readme::write(&world.bench, "pair", &pair::run(world, &peers, rounds)?)?;
    readme::write(&world.bench, "crowd", &crowd::run(world, &peers)?)
}

/// What could not be measured here, and why, one line each.
fn missing(peers: &Peers) -> Vec<String> {
    let reasons = [
        ("the Node tools", peers.node.as_ref().err()),
        ("the Python tools", peers.python.as_ref().err()),
    ];
    reasons
        .iter()
        .filter_map(|(name, why)| Some(format!("Not measured: {name} ({}).\n", (*why)?)))
        .collect()
}
