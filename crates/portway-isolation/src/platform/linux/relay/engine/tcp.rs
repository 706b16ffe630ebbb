//! TCP: accepts clients and connects them to their targets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::sockopt::{set_tcp_nodelay, socket_error};
use rustix::net::{SocketFlags, SocketType, accept_with, connect};

use super::{Engine, Forwarded, Token};
use crate::platform::linux::control::socket_kind;
use crate::platform::linux::relay::connection::{Connection, Next};
use crate::platform::linux::relay::flow::End;
use crate::platform::linux::relay::pool::Waiter;
use crate::platform::linux::relay::{Route, Side};

/// The maximum number of connections at the same time. Each uses two descriptors, and six while it
/// moves bulk data.
const MAX_CONNECTIONS: usize = 4096;

/// How many clients are accepted before others have their turn.
const MAX_ACCEPTED: usize = 32;

/// The pause after a client could not be accepted.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// The events of a connection's sockets, each reported once.
const EVENTS: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) socket: TcpListener,
    route: Arc<Route>,
}

impl Listening {
    pub(super) fn new(socket: TcpListener, route: Route) -> Self {
        let route = Arc::new(route);
        Self { socket, route }
    }
}

impl Engine {
    /// Handles an event of a relayed socket.
    pub(super) fn receive(&mut self, id: u32) {
        match self.forwards.get(&id) {
            Some(Forwarded::Tcp(_)) => self.accept(id),
            Some(Forwarded::Udp(_)) => self.receive_datagrams(id),
            None => {}
        }
    }

    fn accept(&mut self, id: u32) {
        for _ in 0..MAX_ACCEPTED {
            let Some(Forwarded::Tcp(listening)) = self.forwards.get(&id) else {
                return;
            };
            if self.connections.len() >= MAX_CONNECTIONS {
                self.pause_accepting();
                return;
            }
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match accept_with(&listening.socket, flags) {
                Ok(client) => {
                    let route = listening.route.clone();
                    self.add_connection(client, route);
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.pause_accepting();
                    return;
                }
                // The client is gone already.
                Err(_) => {}
            }
        }
    }

    fn add_connection(&mut self, client: OwnedFd, route: Arc<Route>) {
        // Without the option the connection works too, only slower.
        let _ = set_tcp_nodelay(&client, true);
        let id = self.number();
        if self.watch(&client, Token::Client(id), EVENTS).is_err() {
            return;
        }
        self.connections.insert(id, Connection::new(client, route));
        self.connect(id);
        self.refill();
    }

    /// Stops accepting on all sockets for a moment.
    fn pause_accepting(&mut self) {
        self.set_accepting(EventFlags::empty());
        self.accept_at = Some(Instant::now() + ACCEPT_DELAY);
    }

    pub(super) fn resume_accepting(&mut self) {
        self.set_accepting(EventFlags::IN);
    }

    fn set_accepting(&self, flags: EventFlags) {
        for (id, forwarded) in &self.forwards {
            if let Forwarded::Tcp(listening) = forwarded {
                let _ = self.change_watch(&listening.socket, Token::Forward(*id), flags);
            }
        }
    }

    /// Connects a client to the next target that has not refused.
    pub(super) fn connect(&mut self, id: u32) {
        loop {
            let Some(connection) = self.connections.get(&id) else {
                return;
            };
            let (side, target) = (
                connection.route.side,
                connection.route.target(connection.attempts),
            );
            let Some(target) = target else {
                return self.refuse(id);
            };
            let kind = socket_kind(target, SocketType::STREAM);
            let socket = match side {
                Side::Outside => kind.create().map(Some),
                Side::Inside => Ok(self.pool.take(kind, Waiter::Connection(id))),
            };
            let result = match socket {
                // The helper sends one.
                Ok(None) => return self.refill(),
                Ok(Some(socket)) => self.connect_socket(id, socket, target),
                Err(error) => Err(error),
            };
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            match result {
                Ok(()) => return self.connected(id),
                Err(Errno::INPROGRESS | Errno::INTR) => return,
                Err(_) => {
                    connection.target = None;
                    connection.attempts.refused += 1;
                }
            }
        }
    }

    fn connect_socket(
        &mut self,
        id: u32,
        socket: OwnedFd,
        target: SocketAddr,
    ) -> rustix::io::Result<()> {
        let _ = set_tcp_nodelay(&socket, true);
        let result = connect(&socket, &target);
        if matches!(result, Ok(()) | Err(Errno::INPROGRESS | Errno::INTR)) {
            self.watch(&socket, Token::Target(id), EVENTS)?;
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.target = Some(End::new(socket));
            }
        }
        result
    }

    fn connected(&mut self, id: u32) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.is_connected = true;
            connection.route.prefer(connection.attempts);
            self.run_connection(id);
        }
    }

    /// Closes a client's connection, because no target accepts it. The client sees a reset.
    pub(super) fn refuse(&mut self, id: u32) {
        if let Some(connection) = self.connections.remove(&id) {
            connection.reset();
        }
    }

    pub(super) fn connection_event(&mut self, id: u32, is_target: bool, flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.record(is_target, flags);
        if connection.is_connected {
            return self.run_connection(id);
        }
        let Some(target) = connection.target.as_ref().filter(|_| is_target) else {
            return;
        };
        let result = socket_error(&target.socket).map_err(io::Error::from);
        if matches!(result, Ok(Ok(()))) {
            if flags.intersects(EventFlags::OUT) {
                self.connected(id);
            }
        } else {
            connection.target = None;
            connection.attempts.refused += 1;
            self.connect(id);
        }
    }

    /// Moves the data of a connection.
    pub(super) fn run_connection(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match connection.run(&mut self.buffers) {
            Next::Wait => {}
            Next::Again => self.busy.push_back(id),
            Next::Close => {
                self.connections.remove(&id);
                if self.accept_at.take().is_some() {
                    self.resume_accepting();
                }
            }
        }
    }
}
