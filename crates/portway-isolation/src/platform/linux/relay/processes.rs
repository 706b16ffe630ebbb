//! The processes of a network, which are restarted when they exit.

use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use crate::network::NetworkConfig;
use crate::platform::linux::namespace::Namespace;
use crate::platform::linux::start::{self, Helper};

/// The first pause before a process is restarted. It doubles with each restart.
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest pause.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// A process that ran this long is restarted after the first pause again.
const STABLE: Duration = Duration::from_secs(60);
/// How long a helper may take to exit after its connection is closed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The processes of a network.
pub(super) struct Processes {
    config: NetworkConfig,
    namespace: Namespace,
    shared: Arc<Shared>,
    helper: Option<(Child, OwnedFd)>,
    helper_delay: Backoff,
    pub(super) restart_helper_at: Option<Instant>,
    outbound: Option<(Child, OwnedFd)>,
    outbound_delay: Backoff,
    pub(super) restart_outbound_at: Option<Instant>,
}

/// The pauses between restarts.
#[derive(Debug)]
struct Backoff {
    next: Duration,
    started: Instant,
}

impl Backoff {
    fn new() -> Self {
        Self {
            next: FIRST_DELAY,
            started: Instant::now(),
        }
    }

    /// Returns when to restart a process that exited at `now`.
    fn restart_at(&mut self, now: Instant) -> Instant {
        if now.saturating_duration_since(self.started) >= STABLE {
            self.next = FIRST_DELAY;
        }
        let delay = self.next;
        self.next = (delay * 2).min(MAX_DELAY);
        now + delay
    }
}

impl Processes {
    pub(super) fn new(config: NetworkConfig, namespace: Namespace, shared: Arc<Shared>) -> Self {
        Self {
            config,
            namespace,
            shared,
            helper: None,
            helper_delay: Backoff::new(),
            restart_helper_at: None,
            outbound: None,
            outbound_delay: Backoff::new(),
            restart_outbound_at: None,
        }
    }

    /// Takes over a helper. Returns its connection.
    pub(super) fn adopt(&mut self, helper: Helper) -> &OwnedFd {
        self.shared.set(helper.child.id(), Some(helper.requests));
        self.helper_delay.started = Instant::now();
        let helper = self.helper.insert((helper.child, helper.connection));
        &helper.1
    }

    /// Returns the connection to the helper.
    pub(super) fn connection(&self) -> Option<&OwnedFd> {
        self.helper.as_ref().map(|(_, connection)| connection)
    }

    /// Cleans up after a helper that closed its connection, and plans a restart.
    pub(super) fn helper_gone(&mut self) {
        if let Some((mut child, connection)) = self.helper.take() {
            drop(connection);
            start::end(&mut child);
            self.shared.set(0, None);
            let at = self.helper_delay.restart_at(Instant::now());
            self.restart_helper_at = Some(at);
            tracing::warn!("the network helper exited; it is restarted");
        }
    }

    /// Starts another helper in the same namespace.
    pub(super) fn restart_helper(&mut self) -> Option<Helper> {
        self.restart_helper_at = None;
        match start::join(&self.config, &self.namespace) {
            Ok(helper) => Some(helper),
            Err(error) => {
                tracing::warn!(%error, "cannot restart the network helper");
                let at = self.helper_delay.restart_at(Instant::now());
                self.restart_helper_at = Some(at);
                None
            }
        }
    }

    /// Starts the program for the way out, if there is one. Returns what becomes readable when it exits.
    pub(super) fn start_outbound(&mut self) -> Option<&OwnedFd> {
        self.restart_outbound_at = None;
        if self.helper.is_none() {
            // It enters the namespace through the helper.
            self.plan_outbound();
            return None;
        }
        let started = start::outbound(&self.config, self.shared.helper(), &self.namespace)?;
        let watched = started.and_then(|mut child| match start::watch(&child) {
            Ok(exit) => Ok((child, exit)),
            Err(error) => {
                start::end(&mut child);
                Err(error)
            }
        });
        match watched {
            Ok(watched) => {
                self.outbound_delay.started = Instant::now();
                Some(&self.outbound.insert(watched).1)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot start the program for the way out");
                self.plan_outbound();
                None
            }
        }
    }

    /// Cleans up after the program for the way out, and plans a restart. Connections inside continue.
    pub(super) fn outbound_exited(&mut self) {
        if let Some((mut child, exit)) = self.outbound.take() {
            drop(exit);
            // It has exited; this only reads its status.
            let status = child.wait();
            tracing::warn!(?status, "the program for the way out exited");
            self.plan_outbound();
        }
    }

    fn plan_outbound(&mut self) {
        let at = self.outbound_delay.restart_at(Instant::now());
        self.restart_outbound_at = Some(at);
    }

    /// Ends all processes.
    pub(super) fn end(&mut self) {
        if let Some((mut child, _)) = self.outbound.take() {
            start::end(&mut child);
        }
        self.shared.set(0, None);
        if let Some((mut child, connection)) = self.helper.take() {
            // The helper exits by itself.
            drop(connection);
            start::wait(&mut child, EXIT_TIMEOUT);
            start::end(&mut child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_a_process_is_stable() {
        let start = Instant::now();
        let mut backoff = Backoff {
            next: FIRST_DELAY,
            started: start,
        };
        let delays: Vec<_> = (0..12).map(|_| backoff.restart_at(start) - start).collect();
        assert_eq!(delays[..3], [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]);
        assert_eq!(delays[11], MAX_DELAY);
        let later = start + STABLE;
        assert_eq!(backoff.restart_at(later) - later, FIRST_DELAY);
    }
}
