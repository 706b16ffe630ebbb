//! Runs portpicker's server.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::env::BenchEnv;
use crate::peers::Peers;

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub(crate) struct Portserver {
    child: Child,
    /// The value of `PORTSERVER_ADDRESS` for clients.
    pub(crate) address: String,
}

impl Portserver {
    /// Start the server with a range of ports, and wait until it responds.
    pub(crate) fn start(env: &BenchEnv, peers: &Peers, (low, high): (u16, u16)) -> Result<Self> {
        let address = env.path("portserver.sock").display().to_string();
        let _ = std::fs::remove_file(&address);
        let child = env
            .child_command(peers.python_program("python"), "portserver")
            .arg(peers.python_program("portserver.py"))
            .arg(format!("--portserver_static_pool={low}-{high}"))
            .arg(format!("--portserver_address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("portserver: {error}"))?;
        let server = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&server.address).is_err() {
            if Instant::now() > deadline {
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
