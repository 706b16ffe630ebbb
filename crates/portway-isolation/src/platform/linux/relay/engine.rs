//! The loop of the relay's thread, and what it waits for.

mod tcp;
mod token;
mod udp;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::connection::Connection;
use super::flow::Buffers;
use super::pool::{Pool, Waiter};
use super::processes::Processes;
use super::{Command, Shared, Source};
use crate::network::NetworkConfig;
use crate::platform::linux::control;
use crate::platform::linux::namespace::Namespace;
use crate::platform::linux::start::Helper;
use tcp::Listening;
use token::Token;
use udp::{Receiving, Session};

/// How many events one call returns.
const MAX_EVENTS: usize = 128;

/// The pause after a response without sockets, for example because no descriptor is free.
const REFILL_DELAY: Duration = Duration::from_millis(50);

/// A relayed socket.
#[derive(Debug)]
enum Forwarded {
    Tcp(Listening),
    Udp(Receiving),
}

/// The state of the thread.
pub(super) struct Engine {
    epoll: OwnedFd,
    wake: OwnedFd,
    commands: mpsc::Receiver<Command>,
    processes: Processes,
    pool: Pool,
    buffers: Buffers,
    forwards: HashMap<u32, Forwarded>,
    connections: HashMap<u32, Connection>,
    sessions: HashMap<u32, Session>,
    /// Connections that have more to do.
    busy: VecDeque<u32>,
    /// When accepting is tried again, after no descriptor was free or there were too many connections.
    accept_at: Option<Instant>,
    /// When sockets are requested again, after a response without sockets.
    refill_at: Option<Instant>,
    /// When silent sessions are closed.
    sweep_at: Option<Instant>,
    next: u32,
}

impl Engine {
    pub(super) fn new(
        config: NetworkConfig,
        namespace: Namespace,
        commands: mpsc::Receiver<Command>,
        wake: OwnedFd,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let engine = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            wake,
            commands,
            processes: Processes::new(config, namespace, shared),
            pool: Pool::new(),
            buffers: Buffers::new(),
            forwards: HashMap::new(),
            connections: HashMap::new(),
            sessions: HashMap::new(),
            busy: VecDeque::new(),
            accept_at: None,
            refill_at: None,
            sweep_at: None,
            next: 0,
        };
        engine.watch(&engine.wake, Token::Wake, epoll::EventFlags::IN)?;
        Ok(engine)
    }

    /// Takes over a helper.
    pub(super) fn adopt(&mut self, helper: Helper) -> io::Result<()> {
        let connection = self.processes.adopt(helper);
        epoll::add(
            &self.epoll,
            connection,
            Token::Helper.data(),
            epoll::EventFlags::IN,
        )?;
        self.refill();
        Ok(())
    }

    pub(super) fn run(mut self) {
        self.start_outbound();
        let mut events = Vec::with_capacity(MAX_EVENTS);
        loop {
            let timeout = self.timeout();
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "the relay of a network cannot wait for events");
                    break;
                }
            }
            let mut is_running = true;
            for event in &events {
                is_running &= self.handle(*event);
            }
            if !is_running {
                break;
            }
            for _ in 0..self.busy.len() {
                if let Some(id) = self.busy.pop_front() {
                    self.run_connection(id);
                }
            }
            self.run_timers();
        }
        self.processes.end();
    }

    /// Handles an event. Returns false when the thread must end.
    fn handle(&mut self, event: epoll::Event) -> bool {
        let flags = event.flags;
        match Token::of(event.data) {
            Some(Token::Wake) => return self.run_commands(),
            Some(Token::Helper) => self.receive_sockets(),
            Some(Token::Outbound) => self.processes.outbound_exited(),
            Some(Token::Forward(id)) => self.receive(id),
            Some(Token::Client(id)) => self.connection_event(id, false, flags),
            Some(Token::Target(id)) => self.connection_event(id, true, flags),
            Some(Token::Session(id)) => self.reply(id),
            None => {}
        }
        true
    }

    /// Returns how long to wait for an event. `None` means no limit.
    fn timeout(&self) -> Option<Timespec> {
        if !self.busy.is_empty() {
            return Some(Timespec::default());
        }
        let next = [
            self.accept_at,
            self.refill_at,
            self.sweep_at,
            self.processes.restart_helper_at,
            self.processes.restart_outbound_at,
        ];
        let next = next.into_iter().flatten().min()?;
        let timeout = next.saturating_duration_since(Instant::now());
        // The kernel rounds down to milliseconds.
        Timespec::try_from(timeout + Duration::from_millis(1)).ok()
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.accept_at) {
            self.accept_at = None;
            self.resume_accepting();
        }
        if is_due(self.refill_at) {
            self.refill_at = None;
            self.refill();
        }
        if is_due(self.sweep_at) {
            self.close_silent_sessions(now);
        }
        if is_due(self.processes.restart_helper_at) {
            let adopted = self.processes.restart_helper().map(|it| self.adopt(it));
            if let Some(Err(error)) = adopted {
                tracing::error!(%error, "cannot use a restarted network helper");
            }
        }
        if is_due(self.processes.restart_outbound_at) {
            self.start_outbound();
        }
    }

    fn start_outbound(&mut self) {
        if let Some(exit) = self.processes.start_outbound() {
            // Without it, the program is not restarted.
            let _ = epoll::add(
                &self.epoll,
                exit,
                Token::Outbound.data(),
                epoll::EventFlags::IN,
            );
        }
    }

    /// Carries out the commands of the handle. Returns false when the thread must end.
    fn run_commands(&mut self) -> bool {
        // Only an empty counter cannot be read.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Add(id, source, route) => {
                    let forwarded = match source {
                        Source::Tcp(socket) => Forwarded::Tcp(Listening::new(socket, route)),
                        Source::Udp(socket) => Forwarded::Udp(Receiving::new(socket, route)),
                    };
                    let socket = match &forwarded {
                        Forwarded::Tcp(listening) => listening.socket.as_fd(),
                        Forwarded::Udp(receiving) => receiving.socket.as_fd(),
                    };
                    let added = self.watch(socket, Token::Forward(id), epoll::EventFlags::IN);
                    if let Err(error) = added {
                        tracing::error!(%error, "cannot relay a socket");
                    }
                    self.forwards.insert(id, forwarded);
                }
                Command::Remove(id, closed) => {
                    if let Some(forwarded) = self.forwards.remove(&id) {
                        self.remove(id, forwarded);
                    }
                    drop(closed);
                }
                Command::Stop => return false,
            }
        }
        true
    }

    /// Closes a relayed socket. Its connections continue.
    fn remove(&mut self, id: u32, forwarded: Forwarded) {
        match forwarded {
            Forwarded::Tcp(listening) => {
                // The caller may have another descriptor of the socket.
                let _ = epoll::delete(&self.epoll, &listening.socket);
            }
            Forwarded::Udp(receiving) => {
                let _ = epoll::delete(&self.epoll, &receiving.socket);
                self.sessions.retain(|_, session| session.forward != id);
            }
        }
    }

    /// Receives sockets from the helper.
    fn receive_sockets(&mut self) {
        loop {
            let Some(helper) = self.processes.connection() else {
                return;
            };
            match control::receive_response(helper, RecvFlags::DONTWAIT) {
                Ok(Ok(sockets)) if !sockets.is_empty() => {
                    for waiter in self.pool.add(sockets) {
                        match waiter {
                            Waiter::Connection(id) => self.connect(id),
                            Waiter::Session(id) => self.open_session(id),
                        }
                    }
                }
                // Without a free descriptor here, a response arrives without its sockets.
                Ok(response) => {
                    let error = response
                        .err()
                        .map_or(Errno::MFILE.raw_os_error(), |it| it.error);
                    let error = io::Error::from_raw_os_error(error);
                    tracing::warn!(%error, "the network helper cannot create sockets");
                    self.refill_at = Some(Instant::now() + REFILL_DELAY);
                    for waiter in self.pool.fail() {
                        match waiter {
                            Waiter::Connection(id) => self.refuse(id),
                            Waiter::Session(id) => self.close_session(id),
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.processes.helper_gone();
                    self.pool.forget_requests();
                    return;
                }
            }
        }
        self.refill();
    }

    /// Requests the sockets that are missing.
    fn refill(&mut self) {
        if self.refill_at.is_some() {
            return;
        }
        if let Some(helper) = self.processes.connection() {
            self.pool.refill(helper);
        }
    }

    /// Returns a new number.
    fn number(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Waits for events of a descriptor until it is closed.
    fn watch(
        &self,
        descriptor: impl AsFd,
        token: Token,
        flags: epoll::EventFlags,
    ) -> rustix::io::Result<()> {
        epoll::add(&self.epoll, descriptor, token.data(), flags)
    }

    /// Changes the events of a descriptor.
    fn change_watch(
        &self,
        descriptor: impl AsFd,
        token: Token,
        flags: epoll::EventFlags,
    ) -> rustix::io::Result<()> {
        epoll::modify(&self.epoll, descriptor, token.data(), flags)
    }
}
