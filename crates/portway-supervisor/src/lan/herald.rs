//! The supervisor's side of its herald.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use portway_api::{Event, Notice, NoticeLevel};
use portway_lan::Announcement;
use portway_lan::announcer::{AnnouncerEvent, COMMAND};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{broadcast, watch};
use tokio::time::{sleep, timeout};

use crate::keeper::keepers;
use crate::platform;

/// The pause before a herald that was lost is replaced.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a herald may take to listen, or to withdraw everything.
const FAREWELL: Duration = Duration::from_secs(2);

/// Has announced what it is told. Dropping it withdraws everything.
pub(super) struct Herald(watch::Sender<Vec<Announcement>>);

impl Herald {
    /// Announces nothing yet; the process is started when there is something. What it has to tell
    /// becomes `events`.
    pub(super) fn new(events: broadcast::Sender<Event>) -> Self {
        let (wanted, receiver) = watch::channel(Vec::new());
        tokio::spawn(attend(receiver, events));
        Self(wanted)
    }

    /// From now on this and nothing else is announced.
    pub(super) fn announce(&self, announcements: Vec<Announcement>) {
        self.0.send_replace(announcements);
    }
}

/// Keeps a herald for as long as there may be something to announce.
async fn attend(mut wanted: watch::Receiver<Vec<Announcement>>, events: broadcast::Sender<Event>) {
    let mut said = false;
    while wanted.wait_for(|wanted| !wanted.is_empty()).await.is_ok() {
        let lost = match Process::start() {
            Ok(process) => process.serve(&mut wanted, &events).await,
            Err(error) => Some(format!("its herald cannot be started: {error}")),
        };
        let Some(why) = lost else {
            return;
        };
        if !said {
            said = true;
            warn(
                &events,
                format!("nothing is announced on the local network: {why}"),
            );
        }
        sleep(AGAIN).await;
    }
}

struct Process {
    pid: u32,
    child: Child,
    input: ChildStdin,
    notes: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(platform::own_binary()?);
        command
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        platform::aside(&mut command);
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a herald without its pipes");
        let pid = child.id().ok_or_else(missing)?;
        keepers().insert(pid);
        Ok(Self {
            pid,
            input: child.stdin.take().ok_or_else(missing)?,
            notes: BufReader::new(child.stdout.take().ok_or_else(missing)?).lines(),
            child,
        })
    }

    /// Tells it what is wanted, until nothing is any more or it is lost; then answers why.
    async fn serve(
        mut self,
        wanted: &mut watch::Receiver<Vec<Announcement>>,
        events: &broadcast::Sender<Event>,
    ) -> Option<String> {
        let mut lost = None;
        loop {
            let mut line = serde_json::to_vec(&*wanted.borrow_and_update()).unwrap_or_default();
            line.push(b'\n');
            // One that is gone is noticed by its output, and one that hangs must hold up nobody.
            let _ = timeout(FAREWELL, self.input.write_all(&line)).await;
            let go_on = loop {
                tokio::select! {
                    changed = wanted.changed() => break changed.is_ok(),
                    note = self.notes.next_line() => match note {
                        Ok(Some(note)) => tell(&note, events),
                        _ => {
                            lost = Some("its herald has ended".to_owned());
                            break false;
                        }
                    },
                }
            };
            if !go_on {
                break;
            }
        }
        drop(self.input);
        if timeout(FAREWELL, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        keepers().remove(&self.pid);
        lost
    }
}

fn tell(note: &str, events: &broadcast::Sender<Event>) {
    match serde_json::from_str(note) {
        Ok(AnnouncerEvent::Renamed { from, to }) => warn(
            events,
            format!("`{from}` is taken on the local network; announced as `{to}`"),
        ),
        Ok(AnnouncerEvent::Failed(why)) => {
            warn(
                events,
                format!("not everything is announced on the local network: {why}"),
            );
        }
        Err(_) => {}
    }
}

fn warn(events: &broadcast::Sender<Event>, text: String) {
    // Nobody may be listening.
    let _ = events.send(Event::Notice(Notice {
        level: NoticeLevel::Warning,
        service: None,
        text,
    }));
}
