//! Caches the state of every instance on this machine.
//!
//! Input: an [`InstanceSource`] that lists the registered instances, and the event stream of each
//! running one. Output: an [`InstanceSnapshot`], published after every change. One task owns the
//! data; everything else reads snapshots.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_api::{Event, InstanceStatus};
use portway_supervisor::control::Client;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::names::Names;

/// Interval between two reads of the source.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Interval between two reads while a running instance has not reported its status.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Minimum time between two reads, however many refreshes are requested.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_millis(50);

/// How long a refresh waits for the first status of a running instance.
const FIRST_STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// An instance as the registry records it.
#[derive(Clone, Debug)]
pub struct InstanceRecord {
    /// The status to report while the instance does not run.
    pub status: InstanceStatus,
    /// The control socket; `None` while the instance does not run.
    pub socket: Option<PathBuf>,
    /// The directory that contains the logs.
    pub log_dir: PathBuf,
}

/// Lists the instances of this user. The function may block.
pub type InstanceSource = Arc<dyn Fn() -> io::Result<Vec<InstanceRecord>> + Send + Sync>;

/// All instances at one moment.
#[derive(Debug, Default)]
pub struct InstanceSnapshot {
    instances: HashMap<String, CachedInstance>,
    /// The host names of these instances.
    pub names: Names,
}

/// One instance in a snapshot.
#[derive(Clone, Debug)]
pub struct CachedInstance {
    /// The latest known status.
    pub status: Arc<InstanceStatus>,
    /// The control socket; `None` while the instance does not run.
    pub socket: Option<PathBuf>,
    /// The directory that contains the logs.
    pub log_dir: PathBuf,
    /// Whether the instance runs but has not reported its status yet. `status` is then the
    /// recorded one.
    pub awaits_status: bool,
}

impl InstanceSnapshot {
    /// Returns the instance with this id.
    pub fn get(&self, id: &str) -> Option<&CachedInstance> {
        self.instances.get(id)
    }

    /// Returns all instances, sorted by name.
    pub fn all(&self) -> Vec<&CachedInstance> {
        let mut all: Vec<&CachedInstance> = self.instances.values().collect();
        all.sort_by(|a, b| a.status.name.cmp(&b.status.name));
        all
    }
}

/// A handle to the cached instances. Clones share one cache.
#[derive(Clone, Debug)]
pub struct InstanceCache {
    latest: watch::Receiver<Arc<InstanceSnapshot>>,
    messages: mpsc::UnboundedSender<Message>,
}

impl InstanceCache {
    /// Starts a task that keeps the cache current. The task ends when the last handle is dropped.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(source: InstanceSource) -> Self {
        let (publisher, latest) = watch::channel(Arc::default());
        let (messages, received) = mpsc::unbounded_channel();
        let task = CacheTask {
            source,
            publisher,
            messages: messages.downgrade(),
            records: HashMap::new(),
            subscriptions: HashMap::new(),
            last_read: None,
            pending_refreshes: Vec::new(),
        };
        tokio::spawn(task.run(received));
        Self { latest, messages }
    }

    /// Returns the latest snapshot without waiting.
    pub fn snapshot(&self) -> Arc<InstanceSnapshot> {
        self.latest.borrow().clone()
    }

    /// Returns a receiver that is notified of every new snapshot.
    pub fn changes(&self) -> watch::Receiver<Arc<InstanceSnapshot>> {
        self.latest.clone()
    }

    /// Reads the source now and returns the resulting snapshot.
    ///
    /// Use this when a name or an id is unknown: its instance may just have started.
    pub async fn refresh(&self) -> Arc<InstanceSnapshot> {
        let (done, refreshed) = oneshot::channel();
        if self.messages.send(Message::Refresh(done)).is_ok() {
            // The sender is dropped if the task has ended. The latest snapshot is returned then.
            let _ = refreshed.await;
        }
        self.snapshot()
    }
}

#[derive(Debug)]
enum Message {
    /// Read the source now and notify the sender afterwards.
    Refresh(oneshot::Sender<()>),
    /// An instance reported its status.
    Status(Box<InstanceStatus>),
    /// The event stream of the instance with this id ended.
    Disconnected(String),
}

/// Owns the cached data.
struct CacheTask {
    source: InstanceSource,
    publisher: watch::Sender<Arc<InstanceSnapshot>>,
    messages: mpsc::WeakUnboundedSender<Message>,
    records: HashMap<String, InstanceRecord>,
    subscriptions: HashMap<String, Subscription>,
    /// When the last read of the source started.
    last_read: Option<Instant>,
    /// Requested refreshes, each with the time of its request.
    pending_refreshes: Vec<(Instant, oneshot::Sender<()>)>,
}

/// A subscription to the events of one running instance.
struct Subscription {
    task: JoinHandle<()>,
    since: Instant,
    status: Option<Arc<InstanceStatus>>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl CacheTask {
    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut next_read = Instant::now();
        loop {
            match tokio::time::timeout_at(next_read.into(), messages.recv()).await {
                Ok(None) => return,
                Ok(Some(Message::Refresh(done))) => {
                    let now = Instant::now();
                    self.pending_refreshes.push((now, done));
                    let earliest = |at: Instant| now.max(at + MIN_REFRESH_INTERVAL);
                    next_read = self.last_read.map_or(now, earliest);
                }
                Ok(Some(Message::Status(status))) => {
                    if let Some(subscription) = self.subscriptions.get_mut(&status.id) {
                        subscription.status = Some(Arc::from(status));
                        self.publish();
                    }
                }
                Ok(Some(Message::Disconnected(id))) => {
                    // The instance stopped, or its socket cannot be reached. The delay prevents a
                    // busy loop in the second case.
                    self.subscriptions.remove(&id);
                    next_read = Instant::now() + RETRY_DELAY;
                }
                Err(_) => {
                    self.read_source().await;
                    self.publish();
                    let delay = if self.is_complete() {
                        POLL_INTERVAL
                    } else {
                        RETRY_DELAY
                    };
                    next_read = Instant::now() + delay;
                }
            }
            self.finish_refreshes();
        }
    }

    /// Completes the refreshes that were requested before the last read started.
    fn finish_refreshes(&mut self) {
        let Some(last_read) = self.last_read.filter(|_| self.is_complete()) else {
            return;
        };
        let pending = std::mem::take(&mut self.pending_refreshes).into_iter();
        let (done, later): (Vec<_>, Vec<_>) =
            pending.partition(|(requested, _)| *requested <= last_read);
        self.pending_refreshes = later;
        for (_, sender) in done {
            // The requester may have stopped waiting.
            let _ = sender.send(());
        }
    }

    /// Whether every running instance has reported its status or exceeded
    /// [`FIRST_STATUS_TIMEOUT`].
    fn is_complete(&self) -> bool {
        let mut running = self
            .records
            .iter()
            .filter(|(_, record)| record.socket.is_some());
        running.all(|(id, _)| {
            self.subscriptions.get(id).is_some_and(|one| {
                one.status.is_some() || one.since.elapsed() > FIRST_STATUS_TIMEOUT
            })
        })
    }

    /// Reads the source and subscribes to running instances that are new.
    async fn read_source(&mut self) {
        let source = self.source.clone();
        self.last_read = Some(Instant::now());
        let result = tokio::task::spawn_blocking(move || source()).await;
        // After a failure the previous records stay valid until the next read.
        let Ok(Ok(records)) = result else { return };
        self.records = records
            .into_iter()
            .map(|record| (record.status.id.clone(), record))
            .collect();
        self.subscriptions.retain(|id, _| {
            let record = self.records.get(id);
            record.is_some_and(|record| record.socket.is_some())
        });
        for (id, record) in &self.records {
            let Some(socket) = &record.socket else {
                continue;
            };
            let Some(messages) = self.messages.upgrade() else {
                return;
            };
            self.subscriptions
                .entry(id.clone())
                .or_insert_with(|| Subscription {
                    task: tokio::spawn(forward_events(id.clone(), socket.clone(), messages)),
                    since: Instant::now(),
                    status: None,
                });
        }
    }

    fn publish(&self) {
        let instances: HashMap<String, CachedInstance> = self
            .records
            .iter()
            .map(|(id, record)| {
                let reported = self
                    .subscriptions
                    .get(id)
                    .and_then(|one| one.status.clone());
                let instance = CachedInstance {
                    awaits_status: record.socket.is_some() && reported.is_none(),
                    status: reported.unwrap_or_else(|| Arc::new(record.status.clone())),
                    socket: record.socket.clone(),
                    log_dir: record.log_dir.clone(),
                };
                (id.clone(), instance)
            })
            .collect();
        // Sorting makes name conflicts resolve to the same instance every time.
        let mut statuses: Vec<&InstanceStatus> = instances
            .values()
            .map(|instance| &*instance.status)
            .collect();
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        let names = Names::new(statuses);
        self.publisher
            .send_replace(Arc::new(InstanceSnapshot { instances, names }));
    }
}

/// Forwards the status events of an instance to the cache task until the stream ends.
async fn forward_events(id: String, socket: PathBuf, messages: mpsc::UnboundedSender<Message>) {
    if let Ok(mut events) = Client::new(&socket).changes().await {
        while let Some(event) = events.next().await {
            if let Event::Status(status) = event
                && (status.id != id || messages.send(Message::Status(status)).is_err())
            {
                break;
            }
        }
    }
    // Fails only when the cache task has ended.
    let _ = messages.send(Message::Disconnected(id));
}
