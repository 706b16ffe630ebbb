//! The herald: the process that announces what one instance serves.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::thread;
use std::time::Duration;

use mdns_sd::{DaemonEvent, Error, ServiceDaemon};
use serde::{Deserialize, Serialize};

use crate::{Announcement, TYPE, platform};

/// The hidden command that makes a herald of the binary.
pub const COMMAND: &str = "__herald";

/// A withdrawal is said twice, in case somebody missed it: the second time after this pause (the
/// library's 120 ms, and some).
const SAID_TWICE: Duration = Duration::from_millis(200);

/// What a herald has to tell, one JSON value a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Somebody else on the network has the name, and this is what is announced in its place.
    Renamed {
        /// The name that is taken.
        from: String,
        /// The one that took its place.
        to: String,
    },
    /// Nothing can be announced, and why.
    Failed(String),
}

/// Runs the herald in this process: each line of standard input is all that is to be announced from
/// now on, as JSON. Its end withdraws everything. Answers the process's exit code.
pub fn run() -> u8 {
    platform::stay();
    let daemon = match ServiceDaemon::new() {
        Ok(daemon) => daemon,
        Err(error) => {
            note(&Note::Failed(error.to_string()));
            return 1;
        }
    };
    if let Ok(events) = daemon.monitor() {
        thread::spawn(move || {
            let mut told = Vec::new();
            while let Ok(event) = events.recv() {
                // Each record of a name is told of on each interface.
                if let Some(new) = note_of(event).filter(|new| !told.contains(new)) {
                    note(&new);
                    told.push(new);
                }
            }
        });
    }
    let mut herald = Herald {
        daemon,
        announced: HashMap::new(),
    };
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(wanted) = serde_json::from_str::<Vec<Announcement>>(&line) else {
            continue;
        };
        if let Err(error) = herald.announce(wanted) {
            note(&Note::Failed(error.to_string()));
        }
    }
    let _ = herald.announce(Vec::new());
    thread::sleep(SAID_TWICE);
    if let Ok(done) = herald.daemon.shutdown() {
        let _ = done.recv_timeout(SAID_TWICE);
    }
    0
}

struct Herald {
    daemon: ServiceDaemon,
    /// What is announced, by its full name as the library knows it.
    announced: HashMap<String, Announcement>,
}

impl Herald {
    /// Withdraws what is not wanted any more and announces what is new.
    fn announce(&mut self, wanted: Vec<Announcement>) -> Result<(), Error> {
        let mut next = HashMap::new();
        let mut new = Vec::new();
        for announcement in wanted {
            let info = announcement.info()?;
            let name = info.get_fullname().to_owned();
            if self.announced.get(&name) != Some(&announcement) {
                new.push(info);
            }
            next.insert(name, announcement);
        }
        for name in self
            .announced
            .keys()
            .filter(|name| !next.contains_key(*name))
        {
            if let Ok(withdrawn) = self.daemon.unregister(name) {
                let _ = withdrawn.recv_timeout(SAID_TWICE);
            }
        }
        self.announced = next;
        for info in new {
            self.daemon.register(info)?;
        }
        Ok(())
    }
}

fn note_of(event: DaemonEvent) -> Option<Note> {
    match event {
        DaemonEvent::NameChange(change) => Some(Note::Renamed {
            from: shown(&change.original),
            to: shown(&change.new_name),
        }),
        DaemonEvent::Error(error) => Some(Note::Failed(error.to_string())),
        _ => None,
    }
}

/// A full name as people know it.
fn shown(name: &str) -> String {
    let name = name.strip_suffix(TYPE).unwrap_or(name);
    name.trim_end_matches('.').to_owned()
}

fn note(note: &Note) {
    let Ok(mut line) = serde_json::to_string(note) else {
        return;
    };
    line.push('\n');
    // Nobody may be listening any more.
    let mut out = io::stdout();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
