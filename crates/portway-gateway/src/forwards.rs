//! Fixed ports: each leads to one service of one checkout at a time, whatever name is asked for.
//!
//! Some can be told only one address, and never hear of another checkout: the page to which a login
//! elsewhere sends back, whoever calls a webhook. Where such a port leads can change while requests
//! come; connections stay, and the next request goes to the new service.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_api::{ErrorInfo, Forward};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Accepts on listeners until that is ended.
pub(crate) type Open = Arc<dyn Fn(TcpListener) -> AbortHandle + Send + Sync>;

/// The fixed ports of a gateway.
#[derive(Clone)]
pub(crate) struct Forwards {
    state: Arc<Mutex<State>>,
    /// Whoever changes where ports lead has it: to listen may take its time, and requests read the
    /// state meanwhile. These methods block.
    turn: Arc<Mutex<()>>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    ports: BTreeMap<u16, Entry>,
    /// What accepts; nothing before the gateway serves.
    open: Option<Open>,
}

struct Entry {
    forward: Forward,
    /// Listeners that nobody accepts on yet.
    waiting: Vec<TcpListener>,
    accepting: Vec<AbortHandle>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        for one in &self.accepting {
            one.abort();
        }
    }
}

impl Forwards {
    /// Those that are remembered. `listen` listens on a port; one that cannot be had is kept, with
    /// the reason.
    pub(crate) fn remembered(
        forwards: Vec<Forward>,
        listen: impl Fn(u16) -> Result<Vec<TcpListener>, ErrorInfo>,
    ) -> Self {
        let entries = forwards.into_iter().map(|mut forward| {
            let (waiting, trouble) = match listen(forward.port) {
                Ok(listeners) => (listeners, None),
                Err(error) => (Vec::new(), Some(error.message)),
            };
            forward.trouble = trouble;
            let accepting = Vec::new();
            let entry = Entry {
                forward,
                waiting,
                accepting,
            };
            (entry.forward.port, entry)
        });
        Self {
            state: Arc::new(Mutex::new(State {
                ports: entries.collect(),
                open: None,
            })),
            turn: Arc::default(),
            changed: watch::Sender::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, by port.
    pub(crate) fn all(&self) -> Vec<Forward> {
        let state = self.state();
        let entries = state.ports.values();
        entries.map(|entry| entry.forward.clone()).collect()
    }

    /// Where a port leads.
    pub(crate) fn find(&self, port: u16) -> Option<Forward> {
        self.state().ports.get(&port).map(|one| one.forward.clone())
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Has a port lead to a service; `listen` listens on it where that is not done yet.
    pub(crate) fn lead(
        &self,
        forward: Forward,
        listen: impl FnOnce(u16) -> Result<Vec<TcpListener>, ErrorInfo>,
    ) -> Result<(), ErrorInfo> {
        let _turn = self.turn.lock();
        let port = forward.port;
        let is_open = self.find(port).is_some_and(|now| now.trouble.is_none());
        let waiting = if is_open { Vec::new() } else { listen(port)? };
        let mut state = self.state();
        match state.ports.get_mut(&port) {
            Some(entry) if is_open => entry.forward = forward,
            _ => state.listen(forward, waiting),
        }
        drop(state);
        self.changed.send_replace(());
        Ok(())
    }

    /// Tries those again that could not be had.
    pub(crate) fn retry(&self, listen: impl Fn(u16) -> Result<Vec<TcpListener>, ErrorInfo>) {
        let _turn = self.turn.lock();
        let troubled = self.all().into_iter().filter(|one| one.trouble.is_some());
        for mut forward in troubled {
            let Ok(listeners) = listen(forward.port) else {
                continue;
            };
            forward.trouble = None;
            self.state().listen(forward, listeners);
            self.changed.send_replace(());
        }
    }

    /// Lets a port go; answers where it led.
    pub(crate) fn end(&self, port: u16) -> Option<Forward> {
        let _turn = self.turn.lock();
        let entry = self.state().ports.remove(&port)?;
        self.changed.send_replace(());
        Some(entry.forward.clone())
    }

    /// Accepts from now on.
    pub(crate) fn open(&self, open: Open) {
        let mut state = self.state();
        state.open = Some(open);
        state.accept();
    }

    /// Accepts no more.
    pub(crate) fn close(&self) {
        *self.state() = State::default();
    }
}

impl State {
    fn listen(&mut self, forward: Forward, waiting: Vec<TcpListener>) {
        let entry = Entry {
            forward,
            waiting,
            accepting: Vec::new(),
        };
        self.ports.insert(entry.forward.port, entry);
        self.accept();
    }

    fn accept(&mut self) {
        let Some(open) = &self.open else { return };
        for entry in self.ports.values_mut() {
            let waiting = entry.waiting.drain(..);
            entry
                .accepting
                .extend(waiting.map(|listener| open(listener)));
        }
    }
}
