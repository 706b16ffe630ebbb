//! Somebody who takes ports: exact numbers, with SO_REUSEADDR, in either family. Most of all those
//! that somebody holds softly, in the instant in which a service is about to have them: a bind that
//! fails without the option and succeeds with it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::plan::PORTS;
use crate::world::World;

/// How many ports that nobody held it has at once at most: a range that is full is no finding.
const AT_ONCE: usize = 8;
/// How long it keeps one.
const KEEPS: Duration = Duration::from_millis(300);

/// What it answers, where a service would say whose it is.
pub(crate) const NAME: &str = "grabber";

/// It grabs between [`Grabber::begin`] and [`Grabber::rest`].
#[derive(Debug)]
pub(crate) struct Grabber {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    grabs: AtomicBool,
    ends: AtomicBool,
    has_nothing: AtomicBool,
    taken: AtomicU64,
    stolen: AtomicU64,
}

impl Grabber {
    pub(crate) fn new(world: &World, seed: u64) -> Self {
        let state = Arc::new(State::default());
        let ports = (0..PORTS).map(|index| world.ports.port(index)).collect();
        let thread = {
            let state = Arc::clone(&state);
            thread::spawn(move || grab(&state, ports, seed))
        };
        Self {
            state,
            thread: Some(thread),
        }
    }

    pub(crate) fn begin(&self) {
        self.state.has_nothing.store(false, Ordering::SeqCst);
        self.state.grabs.store(true, Ordering::SeqCst);
    }

    /// Returns when it has let go of everything.
    pub(crate) fn rest(&self) {
        self.state.grabs.store(false, Ordering::SeqCst);
        while !self.state.has_nothing.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How often it got a port, and how often one that was held.
    pub(crate) fn words(&self) -> String {
        let taken = self.state.taken.load(Ordering::Relaxed);
        let stolen = self.state.stolen.load(Ordering::Relaxed);
        format!("{taken} free ports and {stolen} held ones taken by a stranger")
    }
}

impl Drop for Grabber {
    fn drop(&mut self) {
        self.state.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn grab(state: &State, ports: Vec<u16>, seed: u64) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut taken: Vec<(TcpListener, Instant)> = Vec::new();
    while !state.ends.load(Ordering::SeqCst) {
        if state.grabs.load(Ordering::SeqCst) {
            // Without a pause for a while, then off the processor: the windows are short.
            for _ in 0..40 {
                let port = ports[dice.usize(..ports.len())];
                let host = ["127.0.0.1", "0.0.0.0", "::1"][dice.usize(..3)];
                let free = take(host, port, false).is_some();
                if free && (taken.len() >= AT_ONCE || dice.u8(..8) != 0) {
                    continue;
                }
                if let Some(socket) = take(host, port, true) {
                    taken.push((socket, Instant::now()));
                    let count = if free { &state.taken } else { &state.stolen };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            taken.retain(|(_, since)| since.elapsed() < KEEPS);
        } else {
            taken.clear();
            state.has_nothing.store(true, Ordering::SeqCst);
        }
        for (listener, _) in &taken {
            if let Ok((mut stream, _)) = listener.accept() {
                let body = format!("{{\"run\": \"{NAME}\", \"pid\": 0}}");
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn take(host: &str, port: u16, reuse: bool) -> Option<TcpListener> {
    let address = SocketAddr::new(host.parse().ok()?, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).ok()?;
    socket.set_reuse_address(reuse).ok()?;
    socket.bind(&address.into()).ok()?;
    socket.listen(16).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket.into())
}
