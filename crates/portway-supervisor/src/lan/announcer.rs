//! The announcer process of a supervisor: starts it, sends it what to announce, restarts it.

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

use crate::orphans::keepers;
use crate::platform;

/// The delay before an announcer that exited is replaced.
const RESTART_DELAY: Duration = Duration::from_secs(1);
/// How long an announcer may take to accept a message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an announcer may take to withdraw everything and exit.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Announces services on the local network. Dropping it withdraws all announcements.
pub(super) struct Announcer(watch::Sender<Vec<Announcement>>);

impl Announcer {
    /// Creates an announcer without announcements. Its process starts with the first one. Problems
    /// are sent to `events`.
    pub(super) fn new(events: broadcast::Sender<Event>) -> Self {
        let (wanted, receiver) = watch::channel(Vec::new());
        tokio::spawn(run(receiver, events));
        Self(wanted)
    }

    /// Replaces all announcements.
    pub(super) fn announce(&self, announcements: Vec<Announcement>) {
        self.0.send_replace(announcements);
    }
}

/// Runs announcer processes until the sender of `wanted` is dropped.
async fn run(mut wanted: watch::Receiver<Vec<Announcement>>, events: broadcast::Sender<Event>) {
    let mut has_warned = false;
    while wanted.wait_for(|wanted| !wanted.is_empty()).await.is_ok() {
        let result = match Process::start() {
            Ok(process) => process.serve(&mut wanted, &events).await,
            Err(error) => Err(format!("the mDNS announcer cannot be started: {error}")),
        };
        let Err(problem) = result else {
            return;
        };
        if !has_warned {
            has_warned = true;
            let text = format!("no service is announced on the local network: {problem}");
            warn(&events, text);
        }
        sleep(RESTART_DELAY).await;
    }
}

struct Process {
    pid: u32,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(platform::own_binary()?);
        command
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        platform::detach_from_console(&mut command);
        let mut child = command.spawn()?;
        let missing = || io::Error::other("an announcer without its pipes");
        let pid = child.id().ok_or_else(missing)?;
        keepers().insert(pid);
        Ok(Self {
            pid,
            input: child.stdin.take().ok_or_else(missing)?,
            output: BufReader::new(child.stdout.take().ok_or_else(missing)?).lines(),
            child,
        })
    }

    /// Sends each change of `wanted` to the process until its sender is dropped. Then the process
    /// withdraws everything and exits.
    ///
    /// # Errors
    /// When the process exits earlier.
    async fn serve(
        mut self,
        wanted: &mut watch::Receiver<Vec<Announcement>>,
        events: &broadcast::Sender<Event>,
    ) -> Result<(), String> {
        let result = self.forward_changes(wanted, events).await;
        drop(self.input);
        if timeout(EXIT_TIMEOUT, self.child.wait()).await.is_err() {
            // A process that is already gone does not have to be killed.
            let _ = self.child.kill().await;
        }
        keepers().remove(&self.pid);
        result
    }

    async fn forward_changes(
        &mut self,
        wanted: &mut watch::Receiver<Vec<Announcement>>,
        events: &broadcast::Sender<Event>,
    ) -> Result<(), String> {
        loop {
            let mut line = serde_json::to_vec(&*wanted.borrow_and_update()).unwrap_or_default();
            line.push(b'\n');
            // A process that is gone is noticed by the end of its output. The timeout keeps a
            // process that hangs from blocking this task.
            let _ = timeout(WRITE_TIMEOUT, self.input.write_all(&line)).await;
            loop {
                tokio::select! {
                    changed = wanted.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return Ok(()),
                    },
                    line = self.output.next_line() => match line {
                        Ok(Some(line)) => report(&line, events),
                        _ => return Err("the mDNS announcer exited".to_owned()),
                    },
                }
            }
        }
    }
}

/// Reports an event of the announcer process.
fn report(line: &str, events: &broadcast::Sender<Event>) {
    let text = match serde_json::from_str(line) {
        Ok(AnnouncerEvent::Renamed { from, to }) => {
            format!("the name `{from}` is in use on the local network; announcing `{to}` instead")
        }
        Ok(AnnouncerEvent::Failed(error)) => {
            format!("some services are not announced on the local network: {error}")
        }
        // An unknown line is not an event.
        Err(_) => return,
    };
    warn(events, text);
}

fn warn(events: &broadcast::Sender<Event>, text: String) {
    // Sending fails only when there are no subscribers.
    let _ = events.send(Event::Notice(Notice {
        level: NoticeLevel::Warning,
        service: None,
        text,
    }));
}
