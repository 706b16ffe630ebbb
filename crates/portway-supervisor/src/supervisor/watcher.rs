//! Watches what changes without telling: which sockets the ports of ready services have, the branch, files of
//! the project, and what shows other processes that the instance runs.
//!
//! One thread does it all, and wakes the supervisor only if something has changed: many instances are idle most of
//! the time.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use portway_api::InstanceStatus;
use portway_project::Checkout;
use tokio::sync::{mpsc, watch};

use super::handle::{ChangedFiles, Message, Upkeep};
use super::quiet_ports::QuietPorts;

/// How often the sockets are checked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Branch and files, which no client waits for, are checked each time this number of intervals has passed. A request
/// for the status also checks the files.
const INTERVALS_FOR_FILES: u32 = 2;

/// The watching thread, which ends when this value is dropped.
pub(super) struct Watcher {
    /// `None` while the value is dropped.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    pub(super) fn start(watched: Watched) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = Builder::new()
            .name("watch".to_owned())
            .spawn(move || watched.run(&stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic was already reported.
            let _ = thread.join();
        }
    }
}

/// What is watched.
pub(super) struct Watched {
    /// The directory of the instance, as text.
    pub(super) directory: String,
    pub(super) changed_files: ChangedFiles,
    pub(super) upkeep: Upkeep,
    pub(super) ports: QuietPorts,
    pub(super) status: watch::Receiver<InstanceStatus>,
    pub(super) mailbox: mpsc::UnboundedSender<Message>,
}

impl Watched {
    fn run(mut self, stopped: &Receiver<()>) {
        let mut intervals = 0;
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(INTERVAL) {
            if self.ports.have_changed() && !self.send(Message::CheckPorts) {
                return;
            }
            let status = &self.status;
            (self.upkeep)(&|| status.borrow().clone());
            intervals += 1;
            if intervals == INTERVALS_FOR_FILES {
                intervals = 0;
                if !self.check_branch() || !self.check_files() {
                    return;
                }
            }
        }
    }

    /// Reports the branch if `git switch` has changed it. A checkout that cannot be read, or whose directory has a name
    /// that is not Unicode, is ignored.
    fn check_branch(&self) -> bool {
        let Ok(checkout) = Checkout::read(Path::new(&self.directory)) else {
            return true;
        };
        let is_known = self.status.borrow().branch.as_deref() == checkout.branch();
        is_known || self.send(Message::Branch(checkout.branch().map(str::to_owned)))
    }

    fn check_files(&self) -> bool {
        let changed = (self.changed_files)();
        let is_known = self.status.borrow().changed_files == changed;
        is_known || self.send(Message::ChangedFiles(changed))
    }

    /// Returns false if the supervisor has ended.
    fn send(&self, message: Message) -> bool {
        self.mailbox.send(message).is_ok()
    }
}
