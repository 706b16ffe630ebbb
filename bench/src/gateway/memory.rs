//! Memory and connections of a proxy: idle, under load, and after the load.

use std::process::Stdio;
use std::time::Duration;

use super::load;
use super::proxy::Proxy;
use super::tools::Tools;
use crate::Result;
use crate::env::BenchEnv;

/// The connections of the load, and its duration in seconds.
const CONNECTIONS: u16 = 128;
const SECONDS: u32 = 3;

/// Pause between two samples under load.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// Time between the load and the last sample. Portway closes unused connections earlier.
const IDLE_TIME: Duration = Duration::from_secs(8);

/// Memory and connections to the service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Idle, the maximum under load, and after the load.
    pub(super) megabytes: [f64; 3],
    /// The maximum under load, and after the load.
    pub(super) connections: [usize; 2],
}

/// Measure a proxy that has not served requests yet.
pub(super) fn measure(env: &BenchEnv, tools: &Tools, proxy: &Proxy) -> Result<Usage> {
    let idle = proxy.memory();
    let mut command = load::wrk(env, tools, proxy.endpoints.port, CONNECTIONS, SECONDS);
    // Browsers send this header, wrk does not.
    command.arg("--header=Connection: keep-alive");
    command.stdout(Stdio::null());
    let child = command.spawn();
    let mut child = child.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let (mut maximum, mut connections) = (idle, 0);
    while matches!(child.try_wait(), Ok(None)) {
        maximum = maximum.max(proxy.memory());
        connections = connections.max(proxy.connections());
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    std::thread::sleep(IDLE_TIME);
    Ok(Usage {
        megabytes: [idle, maximum, proxy.memory()],
        connections: [connections, proxy.connections()],
    })
}
