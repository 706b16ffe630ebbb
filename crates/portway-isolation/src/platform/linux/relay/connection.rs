//! A relayed connection: a client's socket, a socket to the target, and a flow in each direction.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::EventFlags;
use rustix::net::sockopt::set_socket_linger;

use super::flow::{Buffers, End, Flow, Stopped};
use super::{Attempts, Route};

/// A relayed connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) route: Arc<Route>,
    client: End,
    /// The socket to the target. `None` while the relay waits for a socket.
    pub(super) target: Option<End>,
    pub(super) attempts: Attempts,
    pub(super) is_connected: bool,
    up: Flow,
    down: Flow,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait for an event.
    Wait,
    /// Run it again after the others.
    Again,
    /// Close both sockets.
    Close,
}

impl Connection {
    pub(super) fn new(client: OwnedFd, route: Arc<Route>) -> Self {
        Self {
            attempts: route.attempts(),
            route,
            client: End::new(client),
            target: None,
            is_connected: false,
            up: Flow::default(),
            down: Flow::default(),
        }
    }

    /// Records an event of the client's socket or, if `is_target`, of the target's.
    pub(super) fn record(&mut self, is_target: bool, flags: EventFlags) {
        let end = match is_target {
            false => Some(&mut self.client),
            true => self.target.as_mut(),
        };
        let Some(end) = end else { return };
        let closing = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        let failed = EventFlags::HUP | EventFlags::ERR;
        end.is_readable |= flags.intersects(EventFlags::IN | closing);
        end.is_writable |= flags.intersects(EventFlags::OUT | failed);
        end.is_closing |= flags.intersects(closing);
    }

    /// Moves data in both directions.
    pub(super) fn run(&mut self, buffers: &mut Buffers) -> Next {
        let Some(target) = self.target.as_mut().filter(|_| self.is_connected) else {
            return Next::Wait;
        };
        let up = self.up.run(&mut self.client, target, buffers);
        let down = self.down.run(target, &mut self.client, buffers);
        // A reset replaces data that was not read yet, as it would without the relay.
        match (up, down) {
            (Stopped::Reset, _) | (_, Stopped::Reset) => {
                self.reset();
                Next::Close
            }
            _ if self.up.is_done && self.down.is_done => Next::Close,
            (Stopped::Busy, _) | (_, Stopped::Busy) => Next::Again,
            _ => Next::Wait,
        }
    }

    /// Makes the sockets reset their connections when they are closed.
    pub(super) fn reset(&self) {
        for end in [Some(&self.client), self.target.as_ref()]
            .into_iter()
            .flatten()
        {
            // Without the option, the other side sees a normal end.
            let _ = set_socket_linger(&end.socket, Some(Duration::ZERO));
        }
    }
}
