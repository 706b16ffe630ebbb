//! Sockets inside that the helper has created in advance, so that a new connection needs no request.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType};

use crate::platform::linux::control::{self, MAX_SOCKETS, Request, SocketKind};

/// How many sockets a request asks for, if they are used for every connection.
const BATCH: u8 = 32;
/// How many sockets a request asks for otherwise.
const SMALL_BATCH: u8 = 4;
/// With fewer sockets, the next ones are requested.
const LOW: usize = 16;

/// What waits for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    Connection(u32),
    Session(u32),
}

/// The sockets of one kind.
#[derive(Debug)]
struct Kind {
    socket: SocketKind,
    batch: u8,
    low: usize,
    free: Vec<OwnedFd>,
    waiting: VecDeque<Waiter>,
    is_requested: bool,
}

/// Sockets of all kinds.
#[derive(Debug)]
pub(super) struct Pool {
    kinds: [Kind; 4],
    /// The kinds that were requested, in this order.
    requested: VecDeque<usize>,
}

impl Pool {
    pub(super) fn new() -> Self {
        let kind = |family, kind, batch: u8, low| Kind {
            socket: SocketKind::new(family, kind),
            batch: batch.min(MAX_SOCKETS),
            low,
            free: Vec::new(),
            waiting: VecDeque::new(),
            is_requested: false,
        };
        Self {
            kinds: [
                kind(AddressFamily::INET, SocketType::STREAM, BATCH, LOW),
                // Servers that only listen on ::1 are rare, and so is UDP.
                kind(AddressFamily::INET6, SocketType::STREAM, SMALL_BATCH, 0),
                kind(AddressFamily::INET, SocketType::DGRAM, SMALL_BATCH, 0),
                kind(AddressFamily::INET6, SocketType::DGRAM, SMALL_BATCH, 0),
            ],
            requested: VecDeque::new(),
        }
    }

    /// Takes a socket. If there is none, `waiter` gets one later.
    pub(super) fn take(&mut self, socket: SocketKind, waiter: Waiter) -> Option<OwnedFd> {
        let kind = self.kinds.iter_mut().find(|kind| kind.socket == socket)?;
        let free = kind.free.pop();
        if free.is_none() {
            kind.waiting.push_back(waiter);
        }
        free
    }

    /// Requests the sockets that are missing.
    pub(super) fn refill(&mut self, helper: &OwnedFd) {
        for (at, kind) in self.kinds.iter_mut().enumerate() {
            let is_low = kind.free.len() < kind.low || !kind.waiting.is_empty();
            if !is_low || kind.is_requested {
                continue;
            }
            let request = Request::Sockets(kind.socket, kind.batch);
            // If the helper is gone, the next one gets the request.
            if control::send_request(helper, request, &[]).is_ok() {
                kind.is_requested = true;
                self.requested.push_back(at);
            }
        }
    }

    /// Adds the sockets of a response. Returns what waits for them.
    pub(super) fn add(&mut self, sockets: Vec<OwnedFd>) -> Vec<Waiter> {
        let Some(kind) = self.take_requested() else {
            return Vec::new();
        };
        kind.free.extend(sockets);
        let count = kind.free.len().min(kind.waiting.len());
        kind.waiting.drain(..count).collect()
    }

    /// Records that the helper could not create sockets. Returns what waits for them in vain.
    pub(super) fn fail(&mut self) -> Vec<Waiter> {
        let waiting = self.take_requested().map(|kind| &mut kind.waiting);
        waiting.map(std::mem::take).unwrap_or_default().into()
    }

    fn take_requested(&mut self) -> Option<&mut Kind> {
        let at = self.requested.pop_front()?;
        let kind = self.kinds.get_mut(at)?;
        kind.is_requested = false;
        Some(kind)
    }

    /// Forgets the requests to a helper that is gone.
    pub(super) fn forget_requests(&mut self) {
        self.requested.clear();
        for kind in &mut self.kinds {
            kind.is_requested = false;
        }
    }
}
