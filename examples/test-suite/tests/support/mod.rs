//! Starts one server per test, each on a held port.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use portway_ports::{Families, Hold, owners};

/// How long a server may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between two checks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running server. Dropping it stops the server and releases the port.
pub(crate) struct TestServer {
    hold: Hold,
    process: Child,
}

impl TestServer {
    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn start() -> Self {
        let hold = Hold::any().expect("no port is free");
        let process = start_on(&hold);
        Self { hold, process }
    }

    /// Returns the port.
    pub(crate) fn port(&self) -> u16 {
        self.hold.port()
    }

    /// Stops the server. The port stays held, so no other process can bind it.
    pub(crate) fn stop(&mut self) {
        self.process.kill().expect("cannot kill the server");
        self.process.wait().expect("cannot wait for the server");
        self.hold.harden().expect("another process took the port");
    }

    /// Starts the server again on the same port, after [`TestServer::stop`].
    pub(crate) fn start_again(&mut self) {
        self.process = start_on(&self.hold);
    }

    /// Sends a request and returns the body of the response.
    pub(crate) fn get(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).expect("cannot connect");
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .expect("cannot send the request");
        let mut response = String::new();
        stream
            .read_to_string(&mut response)
            .expect("cannot read the response");
        let (_, body) = response.split_once("\r\n\r\n").expect("not HTTP");
        body.to_owned()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // The server may already be stopped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a server on a held port and waits until it listens.
fn start_on(hold: &Hold) -> Child {
    // From here the server can bind the port.
    hold.soften().expect("cannot soften the hold");
    let mut process = Command::new(env!("CARGO_BIN_EXE_visits"))
        .env("PORT", hold.port().to_string())
        .spawn()
        .expect("cannot start the server");
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        // Connecting would not show whose server responds. The owner of the socket does.
        let owners = owners(hold.port()).expect("cannot read the listening sockets");
        let is_own = owners.iter().any(|owner| {
            let owner = owner.process.as_ref();
            owner.is_some_and(|owner| owner.id.pid == process.id())
        });
        if is_own {
            // From here no other process can listen on this port of `localhost`.
            hold.settle(Families::of(owners.iter().map(|owner| &owner.listener)))
                .expect("cannot settle the hold");
            return process;
        }
        if let Some(status) = process.try_wait().expect("cannot check the server") {
            panic!("the server exited with {status}");
        }
        assert!(Instant::now() < deadline, "the server does not listen");
        thread::sleep(POLL_INTERVAL);
    }
}
