//! Who is there: the instances of this machine, as they are now.
//!
//! One task owns what is known. It asks its source (the registry) every second which instances
//! there are, follows each one that runs by its events, and publishes a new [`Roster`] after every
//! change; all others only read.

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

/// How often the source is asked.
const EVERY: Duration = Duration::from_secs(1);

/// How soon it is asked again for an instance that runs and cannot be reached yet.
const SOON: Duration = Duration::from_millis(50);

/// The shortest pause between two looks, however many ask for one.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the first word of an instance is waited for.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// An instance as the source knows it.
#[derive(Clone, Debug)]
pub struct Known {
    /// What is known of it when it does not run.
    pub status: InstanceStatus,
    /// Its control socket, when it runs.
    pub socket: Option<PathBuf>,
    /// Where its logs are kept.
    pub logs: PathBuf,
}

/// Tells which instances there are. It may block.
pub type Source = Arc<dyn Fn() -> io::Result<Vec<Known>> + Send + Sync>;

/// The instances, at one moment.
#[derive(Debug, Default)]
pub struct Roster {
    members: HashMap<String, Member>,
    /// Their names.
    pub names: Names,
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its state.
    pub status: Arc<InstanceStatus>,
    /// Its control socket, when it runs.
    pub socket: Option<PathBuf>,
    /// Where its logs are kept.
    pub logs: PathBuf,
    /// Whether it runs and has not said yet how it is: then its state is that of its last rest.
    pub silent: bool,
}

impl Roster {
    /// The instance of this id.
    pub fn get(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// All instances, by name.
    pub fn all(&self) -> Vec<&Member> {
        let mut all: Vec<&Member> = self.members.values().collect();
        all.sort_by(|a, b| a.status.name.cmp(&b.status.name));
        all
    }
}

/// Reads the roster, and asks for a fresh look.
#[derive(Clone, Debug)]
pub struct Reader {
    latest: watch::Receiver<Arc<Roster>>,
    inputs: mpsc::UnboundedSender<Input>,
}

impl Reader {
    /// The roster as it is now.
    pub fn now(&self) -> Arc<Roster> {
        self.latest.borrow().clone()
    }

    /// A receiver that is told of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Roster>> {
        self.latest.clone()
    }

    /// The roster after a look at what there is: for a name that is not known, of an instance that
    /// may just have come.
    pub async fn fresh(&self) -> Arc<Roster> {
        let (done, seen) = oneshot::channel();
        if self.inputs.send(Input::Look(done)).is_ok() {
            let _ = seen.await;
        }
        self.now()
    }
}

#[derive(Debug)]
enum Input {
    /// Look now; the answer comes when it is done.
    Look(oneshot::Sender<()>),
    /// What an instance says.
    Says(InstanceStatus),
    /// An instance does not answer any more.
    Silent(String),
}

/// Begins to follow what `source` tells. It ends with its last reader.
pub fn follow(source: Source) -> Reader {
    let (publish, latest) = watch::channel(Arc::default());
    let (inputs, received) = mpsc::unbounded_channel();
    let keeper = Keeper {
        source,
        publish,
        inputs: inputs.downgrade(),
        known: HashMap::new(),
        followed: HashMap::new(),
        looked: None,
        askers: Vec::new(),
    };
    tokio::spawn(keeper.run(received));
    Reader { latest, inputs }
}

/// Owns what is known.
struct Keeper {
    source: Source,
    publish: watch::Sender<Arc<Roster>>,
    inputs: mpsc::WeakUnboundedSender<Input>,
    known: HashMap<String, Known>,
    followed: HashMap<String, Followed>,
    /// When the source was asked last.
    looked: Option<Instant>,
    /// Who waits for a look, since when.
    askers: Vec<(Instant, oneshot::Sender<()>)>,
}

/// An instance whose events are followed.
struct Followed {
    task: JoinHandle<()>,
    since: Instant,
    /// What it said last.
    says: Option<Arc<InstanceStatus>>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>) {
        let mut next = Instant::now();
        loop {
            match tokio::time::timeout_at(next.into(), inputs.recv()).await {
                Ok(None) => return,
                Ok(Some(Input::Look(asker))) => {
                    let now = Instant::now();
                    self.askers.push((now, asker));
                    next = self.looked.map_or(now, |at| now.max(at + PAUSE));
                }
                Ok(Some(Input::Says(status))) => {
                    if let Some(followed) = self.followed.get_mut(&status.id) {
                        followed.says = Some(Arc::new(status));
                        self.publish();
                    }
                }
                Ok(Some(Input::Silent(id))) => {
                    // Ended; or it runs and cannot be reached, which is not asked without pause.
                    self.followed.remove(&id);
                    next = Instant::now() + SOON;
                }
                Err(_) => {
                    self.look().await;
                    self.publish();
                    let pause = if self.all_have_spoken() { EVERY } else { SOON };
                    next = Instant::now() + pause;
                }
            }
            self.answer();
        }
    }

    /// Answers those for whom a look has been taken since they asked.
    fn answer(&mut self) {
        let Some(looked) = self.looked.filter(|_| self.all_have_spoken()) else {
            return;
        };
        let askers = std::mem::take(&mut self.askers).into_iter();
        let (answered, later): (Vec<_>, Vec<_>) = askers.partition(|(asked, _)| *asked <= looked);
        self.askers = later;
        for (_, asker) in answered {
            // It may have gone.
            let _ = asker.send(());
        }
    }

    /// Whether every instance that runs has said something, or has had its time for that.
    fn all_have_spoken(&self) -> bool {
        let mut running = self
            .known
            .iter()
            .filter(|(_, known)| known.socket.is_some());
        running.all(|(id, _)| {
            let followed = self.followed.get(id);
            followed.is_some_and(|one| one.says.is_some() || one.since.elapsed() > FIRST_WORD)
        })
    }

    /// Asks the source, and follows whoever is new.
    async fn look(&mut self) {
        let source = self.source.clone();
        self.looked = Some(Instant::now());
        let answer = tokio::task::spawn_blocking(move || source()).await;
        // What cannot be read now is read a second later; until then what was known counts.
        let Ok(Ok(known)) = answer else { return };
        self.known = known
            .into_iter()
            .map(|known| (known.status.id.clone(), known))
            .collect();
        self.followed.retain(|id, _| {
            let known = self.known.get(id);
            known.is_some_and(|known| known.socket.is_some())
        });
        for (id, known) in &self.known {
            let Some(socket) = &known.socket else {
                continue;
            };
            let Some(inputs) = self.inputs.upgrade() else {
                return;
            };
            self.followed.entry(id.clone()).or_insert_with(|| Followed {
                task: tokio::spawn(follow_one(id.clone(), socket.clone(), inputs)),
                since: Instant::now(),
                says: None,
            });
        }
    }

    fn publish(&self) {
        let members: HashMap<String, Member> = self
            .known
            .iter()
            .map(|(id, known)| {
                let says = self.followed.get(id).and_then(|one| one.says.clone());
                let member = Member {
                    silent: known.socket.is_some() && says.is_none(),
                    status: says.unwrap_or_else(|| Arc::new(known.status.clone())),
                    socket: known.socket.clone(),
                    logs: known.logs.clone(),
                };
                (id.clone(), member)
            })
            .collect();
        // By name, so that of two that would have the same the same one always has it.
        let mut statuses: Vec<&InstanceStatus> =
            members.values().map(|member| &*member.status).collect();
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        let names = Names::of(statuses);
        self.publish
            .send_replace(Arc::new(Roster { members, names }));
    }
}

/// Passes on what an instance says until it says no more.
async fn follow_one(id: String, socket: PathBuf, inputs: mpsc::UnboundedSender<Input>) {
    if let Ok(mut events) = Client::new(&socket).changes().await {
        while let Some(event) = events.next().await {
            if let Event::Status(status) = event
                && (status.id != id || inputs.send(Input::Says(status)).is_err())
            {
                break;
            }
        }
    }
    let _ = inputs.send(Input::Silent(id));
}
