//! A gateway with few descriptors, and clients that connect to it and stay silent.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portway_testing::PortBlock;
use rustix::process::Signal;

use crate::Result;
use crate::env::{CONTROL, ChaosEnv, RunningCommand, TIMEOUT};
use crate::invariants::gateway::{Answer, GatewayAnswers};
use crate::plan::{GATEWAY_DESCRIPTORS, SERVICES};
use crate::violations::Violations;

/// How long a client waits for a response.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between two requests.
const REQUEST_INTERVAL: Duration = Duration::from_millis(100);
/// The number of silent connections that are opened at once.
const BURST: usize = 50;

/// A running gateway with its clients. Dropping it stops them.
#[derive(Debug)]
pub(crate) struct Gateway {
    command: Option<RunningCommand>,
    port: u16,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
    /// Keeps the port for this run.
    _ports: PortBlock,
}

#[derive(Debug, Default)]
struct State {
    must_exit: AtomicBool,
    /// The number of connections to keep open.
    silent: AtomicUsize,
}

impl Gateway {
    /// Start the gateway. Its clients request a service of the control instance, which is ready.
    pub(crate) fn start(env: &Arc<ChaosEnv>, violations: &Arc<Violations>) -> Result<Self> {
        let ports = PortBlock::claim(&env.tools.scratch.display().to_string(), 1);
        let port = ports.port(0);
        let arguments = ["gateway", "--port", &port.to_string()].map(str::to_owned);
        let limit = GATEWAY_DESCRIPTORS as u64;
        let command = env.start_limited(&env.path(CONTROL), &arguments, limit)?;
        let state = Arc::new(State::default());
        let thread = {
            let (state, violations) = (Arc::clone(&state), Arc::clone(violations));
            thread::spawn(move || use_gateway(port, &state, &violations))
        };
        let gateway = Self {
            command: Some(command),
            port,
            state,
            thread: Some(thread),
            _ports: ports,
        };
        gateway.wait_until_served()?;
        Ok(gateway)
    }

    /// Set how many clients stay silent.
    pub(crate) fn set_silent_clients(&self, count: usize) {
        self.state.silent.store(count, Ordering::SeqCst);
    }

    /// Wait until a request is served.
    pub(crate) fn wait_until_served(&self) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let answer = request(self.port);
            match answer {
                Answer::Service(_) => return Ok(()),
                _ if Instant::now() > deadline => {
                    return Err(format!("the gateway does not serve: {answer:?}"));
                }
                _ => thread::sleep(REQUEST_INTERVAL),
            }
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.state.must_exit.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // After a panic there is nothing to stop.
            let _ = thread.join();
        }
        if let Some(command) = self.command.take() {
            command.signal(Signal::TERM);
            // An error means that it has exited. The end of the run finds a gateway that is left.
            let _ = command.finish();
        }
    }
}

/// Keep silent connections open, and send requests.
fn use_gateway(port: u16, state: &State, violations: &Violations) {
    let mut silent: Vec<TcpStream> = Vec::new();
    let mut answers = GatewayAnswers::default();
    while !state.must_exit.load(Ordering::SeqCst) {
        silent.retain(is_open);
        let wanted = state.silent.load(Ordering::SeqCst);
        silent.truncate(wanted);
        for number in silent.len()..wanted.min(silent.len() + BURST) {
            let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                break;
            };
            // Some of them start a request or a TLS handshake. An error means that it was rejected.
            let _ = stream.write_all([&b""[..], b"GET / HT", b"\x16\x03\x01"][number % 3]);
            silent.push(stream);
        }
        let violation = answers.evaluate(&request(port), Instant::now());
        violations.record("the gateway serves everyone", violation);
        thread::sleep(REQUEST_INTERVAL);
    }
}

/// Whether the gateway has not closed a connection.
fn is_open(stream: &TcpStream) -> bool {
    let is_set = stream.set_nonblocking(true).is_ok();
    let result = stream.peek(&mut [0]);
    is_set && result.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Request a service of the control instance.
fn request(port: u16) -> Answer {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let host = format!("{}.{CONTROL}.localhost", SERVICES[0]);
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        // A rejected connection may be reset after its response.
        let _ = stream.read_to_end(&mut bytes);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match exchange() {
        Ok(response) => Answer::read(&response),
        Err(error) => Answer::None(error.to_string()),
    }
}
