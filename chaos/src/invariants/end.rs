//! At the end nothing is left.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use portway_api::LeaseEntry;
use portway_ports::Hold;

use crate::plan::PORTS;
use crate::world::{PATIENCE, World};

/// What is left after every instance was ended; empty when all is well. Waits for what is ending.
pub(crate) fn left(world: &World, checkouts: &[PathBuf]) -> Vec<String> {
    let mut left = Vec::new();
    if !until(|| world.processes().is_empty()) {
        let processes = world.processes();
        left.extend(
            processes
                .iter()
                .map(|process| format!("a process: {process:?}")),
        );
    }
    // A process closes its sockets a little after it has ceased to be seen.
    let free = |index| Hold::acquire(world.ports.port(index)).is_ok();
    if !until(|| (0..PORTS).all(free)) {
        let ports = (0..PORTS).filter(|index| !free(*index));
        left.extend(ports.map(|index| format!("port {}", world.ports.port(index))));
    }
    for checkout in checkouts {
        let files = world.untracked(checkout);
        left.extend(
            files
                .iter()
                .map(|file| format!("{}: {file}", checkout.display())),
        );
    }
    left
}

/// What is left of instances whose processes were ended and whose checkouts were deleted and
/// pruned.
pub(crate) fn left_of_deleted(world: &World) -> Vec<String> {
    let leases = world.run(&world.path(""), "leases --json");
    let leases = leases.map_or_else(|why| why, |ran| ran.out);
    let parsed: Result<Vec<LeaseEntry>, _> = serde_json::from_str(&leases);
    let mut left = Vec::new();
    if !parsed.is_ok_and(|leases| leases.is_empty()) {
        left.push(format!("leases: {leases}"));
    }
    let directories = fs::read_dir(world.instances())
        .into_iter()
        .flatten()
        .flatten();
    left.extend(directories.map(|entry| format!("{}", entry.path().display())));
    left
}

fn until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
