//! The open connections of clients, and which of them to close when there are too many.
//!
//! A connection is idle while it has no request: before the first byte, during the TLS handshake,
//! and between requests. Only idle connections are closed to admit others. A connection that was
//! upgraded is never idle.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::peer::{ClientUser, Peer};

/// The maximum number of open connections.
const MAX_CONNECTIONS: usize = 8192;

/// How many file descriptors the gateway needs for everything but connections.
const RESERVED_DESCRIPTORS: u64 = 64;

/// How many file descriptors a connection needs: its own, and that of a connection to a service.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;

/// How long a connection must have been idle to be closed for want of a descriptor. The first request
/// of a new connection arrives within this time.
const MIN_IDLE_TIME: Duration = Duration::from_millis(100);

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    total: usize,
    per_client: usize,
}

impl Limits {
    /// Returns the limits for a process that may open this many files; `None` for no limit.
    ///
    /// A client may use half of the connections, so one client cannot exclude the others.
    pub(crate) fn for_descriptors(descriptors: Option<u64>) -> Self {
        let available = descriptors.map_or(u64::MAX, |descriptors| {
            descriptors.saturating_sub(RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION
        });
        let available = usize::try_from(available).unwrap_or(usize::MAX);
        let total = available.clamp(2, MAX_CONNECTIONS);
        let per_client = total / 2;
        Self { total, per_client }
    }
}

/// Whose connections are counted together: those of a user of this machine, or of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    User(ClientUser),
    Address(IpAddr),
}

impl From<Peer> for Client {
    fn from(peer: Peer) -> Self {
        match peer.user {
            ClientUser::NotReported => Self::Address(peer.address),
            user => Self::User(user),
        }
    }
}

/// The open connections of a gateway. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    limits: Limits,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    last_id: u64,
    connections: HashMap<u64, (Client, Arc<Activity>)>,
    per_client: HashMap<Client, usize>,
}

/// What a connection is doing.
#[derive(Debug)]
struct Activity {
    /// The number of requests without a complete response.
    requests: AtomicUsize,
    /// When the last request completed, or the connection was opened.
    idle_since: Mutex<Instant>,
    close: Notify,
}

/// An open connection. It counts until this value is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    id: u64,
    activity: Arc<Activity>,
    connections: Connections,
}

/// A request, from its head to the end of its response. Its connection is not idle.
#[derive(Debug)]
pub(crate) struct ActiveRequest(Arc<OpenConnection>);

impl Connections {
    pub(crate) fn new(limits: Limits) -> Self {
        let open = Arc::default();
        Self { limits, open }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection. At a limit, closes the connection that has been idle longest: one of
    /// this client if the client has too many, or one of any client.
    ///
    /// Returns `None` if none is idle.
    pub(crate) fn admit(&self, client: Client) -> Option<OpenConnection> {
        let mut open = self.open();
        let own = open.per_client.get(&client).copied().unwrap_or_default();
        if own >= self.limits.per_client {
            open.close_oldest_idle(Some(client), Duration::ZERO)?;
        } else if open.connections.len() >= self.limits.total {
            open.close_oldest_idle(None, Duration::ZERO)?;
        }
        open.last_id += 1;
        let id = open.last_id;
        let activity = Arc::new(Activity {
            requests: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            close: Notify::new(),
        });
        open.connections.insert(id, (client, activity.clone()));
        *open.per_client.entry(client).or_default() += 1;
        Some(OpenConnection {
            id,
            activity,
            connections: self.clone(),
        })
    }

    /// Closes up to `count` connections that have been idle for [`MIN_IDLE_TIME`], those first that
    /// have been idle longest. Returns how many were closed.
    pub(crate) fn close_idle(&self, count: usize) -> usize {
        let mut open = self.open();
        let closed = (0..count).map_while(|_| open.close_oldest_idle(None, MIN_IDLE_TIME));
        closed.count()
    }
}

impl Open {
    /// Closes the connection that has been idle longest, and at least for `min_idle_time`, of one
    /// client or of any.
    fn close_oldest_idle(&mut self, client: Option<Client>, min_idle_time: Duration) -> Option<()> {
        let candidates = self.connections.iter().filter(|(_, (owner, activity))| {
            client.is_none_or(|client| *owner == client) && activity.is_idle()
        });
        let (&id, (_, activity)) =
            candidates.min_by_key(|&(&id, (_, activity))| (activity.idle_since(), id))?;
        if activity.idle_since().elapsed() < min_idle_time {
            return None;
        }
        let activity = self.remove(id)?;
        activity.close.notify_one();
        Some(())
    }

    /// Stops counting a connection.
    fn remove(&mut self, id: u64) -> Option<Arc<Activity>> {
        let (client, activity) = self.connections.remove(&id)?;
        if let Some(count) = self.per_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.per_client.remove(&client);
            }
        }
        Some(activity)
    }
}

impl Activity {
    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0
    }

    fn idle_since(&self) -> Instant {
        *self.lock_idle_since()
    }

    fn lock_idle_since(&self) -> MutexGuard<'_, Instant> {
        self.idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnection {
    /// Records that a request has started.
    pub(crate) fn start_request(self: &Arc<Self>) -> ActiveRequest {
        self.activity.requests.fetch_add(1, Ordering::AcqRel);
        ActiveRequest(self.clone())
    }

    /// Waits until the connection must be closed, because others need its place.
    pub(crate) async fn must_close(&self) {
        self.activity.close.notified().await;
    }

    /// Whether the connection has no request.
    pub(crate) fn is_idle(&self) -> bool {
        self.activity.is_idle()
    }

    /// Closes up to `count` idle connections of the gateway.
    pub(crate) fn close_idle_connections(&self, count: usize) {
        self.connections.close_idle(count);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.open().remove(self.id);
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let activity = &self.0.activity;
        *activity.lock_idle_since() = Instant::now();
        activity.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Client = Client::User(ClientUser::Trusted);
    const OTHER: Client = Client::User(ClientUser::Another(1001));

    fn connections(total: usize, per_client: usize) -> Connections {
        Connections::new(Limits { total, per_client })
    }

    fn admit(connections: &Connections, client: Client) -> Arc<OpenConnection> {
        Arc::new(connections.admit(client).unwrap())
    }

    /// Whether a connection was told to close.
    fn is_closed(connection: &OpenConnection) -> bool {
        !connection
            .connections
            .open()
            .connections
            .contains_key(&connection.id)
    }

    #[test]
    fn limits_follow_the_descriptors() {
        for (descriptors, total, per_client) in [
            (None, 8192, 4096),
            (Some(1 << 20), 8192, 4096),
            (Some(1024), 480, 240),
            (Some(0), 2, 1),
        ] {
            let expected = Limits { total, per_client };
            assert_eq!(Limits::for_descriptors(descriptors), expected);
        }
    }

    #[test]
    fn closes_the_connection_that_is_idle_longest() {
        let connections = connections(3, 3);
        let all: Vec<_> = (0..3).map(|_| admit(&connections, OWN)).collect();
        // The first is busy, and the second has been idle for less time than the third.
        let _request = all[0].start_request();
        drop(all[1].start_request());
        let last = admit(&connections, OTHER);
        let closed: Vec<_> = all.iter().map(|one| is_closed(one)).collect();
        assert_eq!(closed, [false, false, true]);
        assert!(!is_closed(&last));
    }

    #[test]
    fn a_client_replaces_its_own_connections_at_its_limit() {
        let connections = connections(4, 2);
        let own = admit(&connections, OWN);
        let others: Vec<_> = (0..4).map(|_| admit(&connections, OTHER)).collect();
        assert!(!is_closed(&own));
        let closed: Vec<_> = others.iter().map(|one| is_closed(one)).collect();
        assert_eq!(closed, [true, true, false, false]);
    }

    #[test]
    fn rejects_a_connection_if_none_is_idle() {
        let connections = connections(3, 2);
        let mut busy: Vec<_> = [OTHER, OTHER].map(|one| admit(&connections, one)).to_vec();
        let mut requests: Vec<_> = busy.iter().map(OpenConnection::start_request).collect();
        assert!(connections.admit(OTHER).is_none());
        busy.push(admit(&connections, OWN));
        requests.push(busy[2].start_request());
        assert!(connections.admit(OWN).is_none());
        assert_eq!(connections.close_idle(9), 0);
        // A request that ends, and a connection that closes, make room.
        drop(requests.remove(0));
        assert!(connections.admit(OWN).is_some());
        drop((requests, busy));
        assert!(connections.admit(OWN).is_some());
        assert!(connections.open().connections.is_empty());
        assert!(connections.open().per_client.is_empty());
    }

    #[test]
    fn a_connection_with_several_requests_is_idle_after_the_last() {
        let connections = connections(1, 1);
        let connection = admit(&connections, OWN);
        let (one, two) = (connection.start_request(), connection.start_request());
        drop(one);
        assert!(connections.admit(OWN).is_none());
        drop(two);
        assert!(connections.admit(OWN).is_some());
    }
}
