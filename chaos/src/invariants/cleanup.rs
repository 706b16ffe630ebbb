//! After everything was stopped, no process, port or file is left.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use portway_api::LeaseEntry;
use portway_ports::Hold;

use crate::env::{ChaosEnv, TIMEOUT};
use crate::plan::PORTS;

/// How long a process may take to disappear after the command that stopped it has exited.
pub(crate) const EXIT_GRACE: Duration = Duration::from_secs(5);

/// Processes, ports, and files that are left after every instance was stopped. Waits for processes
/// that are about to exit.
pub(crate) fn leftovers(env: &ChaosEnv, checkouts: &[PathBuf]) -> Vec<String> {
    let mut leftovers = Vec::new();
    if !wait_until(|| env.processes().is_empty()) {
        let processes = env.processes();
        leftovers.extend(
            processes
                .iter()
                .map(|process| format!("a process: {process:?}")),
        );
    }
    // The kernel closes a process's sockets shortly after the process has disappeared.
    let is_free = |index| Hold::acquire(env.ports.port(index)).is_ok();
    if !wait_until(|| (0..PORTS).all(is_free)) {
        let ports = (0..PORTS).filter(|index| !is_free(*index));
        leftovers.extend(ports.map(|index| format!("port {}", env.ports.port(index))));
    }
    for checkout in checkouts {
        let files = env.untracked(checkout);
        leftovers.extend(
            files
                .iter()
                .map(|file| format!("{}: {file}", checkout.display())),
        );
    }
    leftovers
}

/// Leases and directories that are left after all checkouts were deleted and pruned.
pub(crate) fn leftovers_of_deleted(env: &ChaosEnv) -> Vec<String> {
    let leases = env.run(&env.path(""), "leases --json");
    let leases = leases.map_or_else(|message| message, |result| result.stdout);
    let parsed: Result<Vec<LeaseEntry>, _> = serde_json::from_str(&leases);
    let mut leftovers = Vec::new();
    if !parsed.is_ok_and(|leases| leases.is_empty()) {
        leftovers.push(format!("leases: {leases}"));
    }
    let directories = fs::read_dir(env.instances_dir())
        .into_iter()
        .flatten()
        .flatten();
    leftovers.extend(directories.map(|entry| format!("{}", entry.path().display())));
    leftovers
}

/// Wait for a condition. Returns false after [`TIMEOUT`].
fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
