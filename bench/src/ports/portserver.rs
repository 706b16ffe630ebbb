//! portpicker's server, for as long as a table needs it.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::peers::Peers;
use crate::world::World;

/// A running server; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Portserver {
    child: Child,
    /// What clients need in `PORTSERVER_ADDRESS`.
    pub(crate) address: String,
}

impl Portserver {
    /// Starts it with a pool of ports and waits until it answers.
    pub(crate) fn start(world: &World, peers: &Peers, (low, high): (u16, u16)) -> Result<Self> {
        let address = world.path("portserver.sock").display().to_string();
        let _ = std::fs::remove_file(&address);
        let child = world
            .bound(peers.python_program("python"), "portserver")
            .arg(peers.python_program("portserver.py"))
            .arg(format!("--portserver_static_pool={low}-{high}"))
            .arg(format!("--portserver_address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("portserver: {error}"))?;
        let server = Self { child, address };
        let until = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&server.address).is_err() {
            if Instant::now() > until {
                return Err("portserver does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Portserver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
