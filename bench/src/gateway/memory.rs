//! What a proxy takes at rest and under load, and what it has left afterwards.

use std::process::Stdio;
use std::time::Duration;

use super::load;
use super::proxy::Proxy;
use super::tools::Tools;
use crate::Result;
use crate::world::World;

/// How many connections the load has, and for how long, in seconds.
const CONNECTIONS: u16 = 128;
const SECONDS: u32 = 3;

/// How often is looked meanwhile.
const EVERY: Duration = Duration::from_millis(100);

/// How long afterwards is looked once more: longer than Portway keeps a connection that nobody
/// uses.
const AFTERWARDS: Duration = Duration::from_secs(8);

/// Megabytes and connections to the service, before a load, at the most under it, and afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) megabytes: [f64; 3],
    pub(super) connections: [usize; 2],
}

/// Loads a proxy that has had no load yet.
pub(super) fn of(world: &World, tools: &Tools, proxy: &Proxy) -> Result<Cost> {
    let before = proxy.memory();
    let mut command = load::wrk(world, tools, proxy.place.port, CONNECTIONS, SECONDS);
    // As every browser says.
    command.arg("--header=Connection: keep-alive");
    command.stdout(Stdio::null());
    let child = command.spawn();
    let mut child = child.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let (mut most, mut connections) = (before, 0);
    while matches!(child.try_wait(), Ok(None)) {
        most = most.max(proxy.memory());
        connections = connections.max(proxy.connections());
        std::thread::sleep(EVERY);
    }
    std::thread::sleep(AFTERWARDS);
    Ok(Cost {
        megabytes: [before, most, proxy.memory()],
        connections: [connections, proxy.connections()],
    })
}
