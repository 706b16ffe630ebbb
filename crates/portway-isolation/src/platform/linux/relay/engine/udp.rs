//! UDP: one socket to the target for each client, until it has been silent for a while.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, connect, recv, send};

use super::{Engine, Forwarded, Token};
use crate::platform::linux::control::socket_kind;
use crate::platform::linux::relay::pool::Waiter;
use crate::platform::linux::relay::{Attempts, Route, Side};

/// How long a client may be silent, in both directions.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The maximum number of clients of one socket.
const MAX_SESSIONS: usize = 1024;

/// How many datagrams of a new client wait for its socket.
const MAX_WAITING: usize = 16;

/// How many datagrams are moved before others have their turn.
const MAX_DATAGRAMS: usize = 64;

/// The longest datagram.
const MAX_LENGTH: usize = 65_536;

/// A bound socket.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) socket: UdpSocket,
    route: Arc<Route>,
    /// The sessions by client.
    sessions: HashMap<SocketAddr, u32>,
}

/// One client.
#[derive(Debug)]
pub(super) struct Session {
    /// The relayed socket.
    pub(super) forward: u32,
    client: SocketAddr,
    route: Arc<Route>,
    /// The socket to the target. `None` while the relay waits for one.
    target: Option<OwnedFd>,
    attempts: Attempts,
    /// Datagrams without a response. They are sent again if the target refuses.
    unanswered: Vec<Vec<u8>>,
    has_response: bool,
    last: Instant,
}

impl Receiving {
    pub(super) fn new(socket: UdpSocket, route: Route) -> Self {
        Self {
            socket,
            route: Arc::new(route),
            sessions: HashMap::new(),
        }
    }
}

impl Engine {
    pub(super) fn receive_datagrams(&mut self, forward: u32) {
        let mut bytes = vec![0; MAX_LENGTH];
        for _ in 0..MAX_DATAGRAMS {
            let Some(Forwarded::Udp(receiving)) = self.forwards.get(&forward) else {
                return;
            };
            match receiving.socket.recv_from(&mut bytes) {
                Ok((count, client)) => {
                    let datagram = bytes.get(..count).unwrap_or_default();
                    self.send_datagram(forward, client, datagram);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                // A client did not accept a response.
                Err(_) => {}
            }
        }
    }

    fn send_datagram(&mut self, forward: u32, client: SocketAddr, datagram: &[u8]) {
        let Some(id) = self.session(forward, client) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.last = Instant::now();
        if !session.has_response && session.unanswered.len() < MAX_WAITING {
            session.unanswered.push(datagram.to_vec());
        }
        let Some(target) = &session.target else {
            return;
        };
        // A full buffer loses the datagram, as a network does.
        if send(target, datagram, SendFlags::NOSIGNAL) == Err(Errno::CONNREFUSED) {
            self.refused(id);
        }
    }

    /// Returns the session of a client, a new one if there is none.
    fn session(&mut self, forward: u32, client: SocketAddr) -> Option<u32> {
        let Some(Forwarded::Udp(receiving)) = self.forwards.get(&forward) else {
            return None;
        };
        if let Some(id) = receiving.sessions.get(&client) {
            if self.sessions.contains_key(id) {
                return Some(*id);
            }
        } else if receiving.sessions.len() >= MAX_SESSIONS {
            return None;
        }
        let route = receiving.route.clone();
        let id = self.number();
        if let Some(Forwarded::Udp(receiving)) = self.forwards.get_mut(&forward) {
            receiving.sessions.insert(client, id);
        }
        let last = Instant::now();
        self.sessions.insert(
            id,
            Session {
                forward,
                client,
                attempts: route.attempts(),
                route,
                target: None,
                unanswered: Vec::new(),
                has_response: false,
                last,
            },
        );
        self.sweep_at.get_or_insert(last + IDLE_TIMEOUT);
        self.open_session(id);
        self.refill();
        Some(id)
    }

    /// Connects a session to the next target that has not refused, and sends what waits.
    pub(super) fn open_session(&mut self, id: u32) {
        loop {
            let Some(session) = self.sessions.get(&id) else {
                return;
            };
            let (side, target) = (session.route.side, session.route.target(session.attempts));
            let Some(target) = target else {
                return self.close_session(id);
            };
            let kind = socket_kind(target, SocketType::DGRAM);
            let socket = match side {
                Side::Outside => kind.create().ok(),
                Side::Inside => match self.pool.take(kind, Waiter::Session(id)) {
                    Some(socket) => Some(socket),
                    // The helper sends one.
                    None => return self.refill(),
                },
            };
            let socket = socket.filter(|socket| {
                let watched = self.watch(socket, Token::Session(id), EventFlags::IN);
                connect(socket, &target).is_ok() && watched.is_ok()
            });
            let Some(session) = self.sessions.get_mut(&id) else {
                return;
            };
            let Some(socket) = socket else {
                session.attempts.refused += 1;
                continue;
            };
            let mut is_refused = false;
            for datagram in &session.unanswered {
                let sent = send(&socket, datagram, SendFlags::NOSIGNAL);
                is_refused |= sent == Err(Errno::CONNREFUSED);
            }
            if is_refused {
                session.attempts.refused += 1;
                continue;
            }
            session.target = Some(socket);
            return;
        }
    }

    /// Passes the responses of a target to the client.
    pub(super) fn reply(&mut self, id: u32) {
        let mut bytes = vec![0; MAX_LENGTH];
        for _ in 0..MAX_DATAGRAMS {
            let Some(session) = self.sessions.get_mut(&id) else {
                return;
            };
            let Some(target) = &session.target else {
                return;
            };
            match recv(target, &mut bytes[..], RecvFlags::empty()) {
                Ok((count, _)) => {
                    session.last = Instant::now();
                    if !session.has_response {
                        session.has_response = true;
                        session.unanswered = Vec::new();
                        session.route.prefer(session.attempts);
                    }
                    let (forward, client) = (session.forward, session.client);
                    if let Some(Forwarded::Udp(receiving)) = self.forwards.get(&forward) {
                        let datagram = bytes.get(..count).unwrap_or_default();
                        // The client may be gone.
                        let _ = receiving.socket.send_to(datagram, client);
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::CONNREFUSED) => return self.refused(id),
                Err(Errno::INTR) => {}
                Err(_) => return self.close_session(id),
            }
        }
    }

    /// Tries the next target. A client of one that has responded keeps it: the program inside may be
    /// restarting.
    fn refused(&mut self, id: u32) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if session.has_response {
            return;
        }
        session.target = None;
        session.attempts.refused += 1;
        self.open_session(id);
    }

    pub(super) fn close_session(&mut self, id: u32) {
        if let Some(session) = self.sessions.remove(&id)
            && let Some(Forwarded::Udp(receiving)) = self.forwards.get_mut(&session.forward)
        {
            receiving.sessions.remove(&session.client);
        }
    }

    pub(super) fn close_silent_sessions(&mut self, now: Instant) {
        let silent = |session: &Session| now.saturating_duration_since(session.last);
        let closed: Vec<u32> = self
            .sessions
            .iter()
            .filter(|(_, session)| silent(session) >= IDLE_TIMEOUT)
            .map(|(id, _)| *id)
            .collect();
        for id in closed {
            self.close_session(id);
        }
        let next = self.sessions.values().map(|session| session.last).min();
        self.sweep_at = next.map(|last| last + IDLE_TIMEOUT);
    }
}
