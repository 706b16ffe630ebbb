//! A process that competes for ports: it binds exact numbers, with SO_REUSEADDR, in both address
//! families. It prefers ports that are held softly while a service is about to bind them: there, a
//! bind fails without the option and succeeds with it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::env::ChaosEnv;
use crate::plan::PORTS;

/// Maximum number of free ports in use at the same time. With more, ranges would become full, which
/// is not an error of Portway.
const MAX_LISTENERS: usize = 8;
/// How long a port stays in use.
const LISTEN_TIME: Duration = Duration::from_millis(300);

/// What it sends as `run`, where a service sends its mark.
const NAME: &str = "competitor";

/// Takes ports between [`PortCompetitor::resume`] and [`PortCompetitor::pause`].
#[derive(Debug)]
pub(crate) struct PortCompetitor {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    is_active: AtomicBool,
    must_exit: AtomicBool,
    has_released_all: AtomicBool,
    /// How often a free port was taken.
    free: AtomicU64,
    /// How often a held port was taken.
    held: AtomicU64,
}

impl PortCompetitor {
    pub(crate) fn new(env: &ChaosEnv, seed: u64) -> Self {
        let state = Arc::new(State::default());
        let ports = (0..PORTS).map(|index| env.ports.port(index)).collect();
        let thread = {
            let state = Arc::clone(&state);
            thread::spawn(move || compete(&state, ports, seed))
        };
        Self {
            state,
            thread: Some(thread),
        }
    }

    pub(crate) fn resume(&self) {
        self.state.has_released_all.store(false, Ordering::SeqCst);
        self.state.is_active.store(true, Ordering::SeqCst);
    }

    /// Returns after all ports have been released.
    pub(crate) fn pause(&self) {
        self.state.is_active.store(false, Ordering::SeqCst);
        while !self.state.has_released_all.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Format how often it took a free port and a held port.
    pub(crate) fn summary(&self) -> String {
        let free = self.state.free.load(Ordering::Relaxed);
        let held = self.state.held.load(Ordering::Relaxed);
        format!("{free} free and {held} held ports taken by another process")
    }
}

impl Drop for PortCompetitor {
    fn drop(&mut self) {
        self.state.must_exit.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // After a panic there is nothing to stop.
            let _ = thread.join();
        }
    }
}

fn compete(state: &State, ports: Vec<u16>, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut taken: Vec<(TcpListener, Instant)> = Vec::new();
    while !state.must_exit.load(Ordering::SeqCst) {
        if state.is_active.load(Ordering::SeqCst) {
            // Many attempts without a pause, because a port is softly held only for a short time.
            for _ in 0..40 {
                let port = ports[rng.usize(..ports.len())];
                let host = ["127.0.0.1", "0.0.0.0", "::1"][rng.usize(..3)];
                let is_free = listen(host, port, false).is_some();
                if is_free && (taken.len() >= MAX_LISTENERS || rng.u8(..8) != 0) {
                    continue;
                }
                if let Some(socket) = listen(host, port, true) {
                    taken.push((socket, Instant::now()));
                    let count = if is_free { &state.free } else { &state.held };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            taken.retain(|(_, since)| since.elapsed() < LISTEN_TIME);
        } else {
            taken.clear();
            state.has_released_all.store(true, Ordering::SeqCst);
        }
        for (listener, _) in &taken {
            if let Ok((mut stream, _)) = listener.accept() {
                let body = format!("{{\"run\": \"{NAME}\", \"pid\": 0}}");
                let length = body.len();
                // The client may have closed the connection.
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn listen(host: &str, port: u16, reuse: bool) -> Option<TcpListener> {
    let address = SocketAddr::new(host.parse().ok()?, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).ok()?;
    socket.set_reuse_address(reuse).ok()?;
    socket.bind(&address.into()).ok()?;
    socket.listen(16).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket.into())
}
