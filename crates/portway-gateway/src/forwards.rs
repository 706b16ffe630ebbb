//! Fixed ports: each one routes to one service of one checkout, for any host name.
//!
//! Some clients support only one address that never changes, such as an OAuth redirect or a
//! webhook. The target of a fixed port can change at any time. Open connections stay, and the next
//! request goes to the new service.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_api::{ErrorInfo, Forward};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Starts a task that accepts connections on a listener.
pub(crate) type StartAccepting = Arc<dyn Fn(TcpListener) -> AbortHandle + Send + Sync>;

/// The fixed ports of a gateway. Clones share the same ports.
#[derive(Clone)]
pub(crate) struct Forwards {
    state: Arc<Mutex<State>>,
    /// Serializes changes. Opening a listener may block, and requests read `state` meanwhile.
    change_lock: Arc<Mutex<()>>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    ports: BTreeMap<u16, Entry>,
    /// `None` before the gateway serves and after it has stopped.
    start_accepting: Option<StartAccepting>,
}

struct Entry {
    forward: Forward,
    /// Listeners that do not accept connections yet.
    listeners: Vec<TcpListener>,
    accept_tasks: Vec<AbortHandle>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        for task in &self.accept_tasks {
            task.abort();
        }
    }
}

impl Forwards {
    /// Restores the fixed ports of the previous gateway. `listen` opens the listeners of a port. A
    /// port that cannot be opened is kept with the reason.
    ///
    /// This function blocks, and so do all methods that take `listen`.
    pub(crate) fn restore(
        forwards: Vec<Forward>,
        listen: impl Fn(u16) -> Result<Vec<TcpListener>, ErrorInfo>,
    ) -> Self {
        let entries = forwards.into_iter().map(|mut forward| {
            let (listeners, trouble) = match listen(forward.port) {
                Ok(listeners) => (listeners, None),
                Err(error) => (Vec::new(), Some(error.message)),
            };
            forward.trouble = trouble;
            let accept_tasks = Vec::new();
            let entry = Entry {
                forward,
                listeners,
                accept_tasks,
            };
            (entry.forward.port, entry)
        });
        Self {
            state: Arc::new(Mutex::new(State {
                ports: entries.collect(),
                start_accepting: None,
            })),
            change_lock: Arc::default(),
            changed: watch::Sender::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all fixed ports, sorted by port.
    pub(crate) fn all(&self) -> Vec<Forward> {
        let state = self.state();
        let entries = state.ports.values();
        entries.map(|entry| entry.forward.clone()).collect()
    }

    /// Returns the target of a fixed port.
    pub(crate) fn find(&self, port: u16) -> Option<Forward> {
        self.state().ports.get(&port).map(|one| one.forward.clone())
    }

    /// Returns a receiver that is notified of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Sets the target of a port. Opens its listeners with `listen` if it is new or has trouble.
    pub(crate) fn set(
        &self,
        forward: Forward,
        listen: impl FnOnce(u16) -> Result<Vec<TcpListener>, ErrorInfo>,
    ) -> Result<(), ErrorInfo> {
        let _lock = self.change_lock.lock();
        let port = forward.port;
        let is_open = self.find(port).is_some_and(|one| one.trouble.is_none());
        let listeners = if is_open { Vec::new() } else { listen(port)? };
        let mut state = self.state();
        match state.ports.get_mut(&port) {
            Some(entry) if is_open => entry.forward = forward,
            _ => state.insert(forward, listeners),
        }
        drop(state);
        self.changed.send_replace(());
        Ok(())
    }

    /// Tries again to open the ports that could not be opened.
    pub(crate) fn retry(&self, listen: impl Fn(u16) -> Result<Vec<TcpListener>, ErrorInfo>) {
        let _lock = self.change_lock.lock();
        let closed = self.all().into_iter().filter(|one| one.trouble.is_some());
        for mut forward in closed {
            let Ok(listeners) = listen(forward.port) else {
                continue;
            };
            forward.trouble = None;
            self.state().insert(forward, listeners);
            self.changed.send_replace(());
        }
    }

    /// Removes a fixed port and returns its last target.
    pub(crate) fn remove(&self, port: u16) -> Option<Forward> {
        let _lock = self.change_lock.lock();
        let entry = self.state().ports.remove(&port)?;
        self.changed.send_replace(());
        Some(entry.forward.clone())
    }

    /// Starts to accept connections.
    pub(crate) fn start(&self, start_accepting: StartAccepting) {
        let mut state = self.state();
        state.start_accepting = Some(start_accepting);
        state.accept();
    }

    /// Closes all listeners.
    pub(crate) fn close(&self) {
        *self.state() = State::default();
    }
}

impl State {
    fn insert(&mut self, forward: Forward, listeners: Vec<TcpListener>) {
        let entry = Entry {
            forward,
            listeners,
            accept_tasks: Vec::new(),
        };
        self.ports.insert(entry.forward.port, entry);
        self.accept();
    }

    fn accept(&mut self) {
        let Some(start_accepting) = &self.start_accepting else {
            return;
        };
        for entry in self.ports.values_mut() {
            let listeners = entry.listeners.drain(..);
            let tasks = listeners.map(|listener| start_accepting(listener));
            entry.accept_tasks.extend(tasks);
        }
    }
}
