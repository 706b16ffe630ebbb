//! The announcer: a process that announces the services of one instance by mDNS.
//!
//! It reads lines of JSON from standard input, each the complete list of announcements, and writes
//! [`AnnouncerEvent`]s as lines of JSON to standard output.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::thread;
use std::time::Duration;

use mdns_sd::{DaemonEvent, Error, ServiceDaemon};
use serde::{Deserialize, Serialize};

use crate::{Announcement, SERVICE_TYPE, platform};

/// The hidden command that runs the announcer.
pub const COMMAND: &str = "__mdns-announcer";

/// The library sends a withdrawal a second time after 120 ms; the announcer exits after this time.
const WITHDRAWAL_DELAY: Duration = Duration::from_millis(200);

/// An event that an announcer reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnouncerEvent {
    /// Another device on the network uses the name, and the service is announced under a new one.
    Renamed {
        /// The name that is in use.
        from: String,
        /// The new name.
        to: String,
    },
    /// Announcing failed, with the reason.
    Failed(String),
}

/// Runs the announcer in this process until standard input ends, withdraws everything and returns
/// the exit code.
pub fn run() -> u8 {
    platform::ignore_stop_requests();
    let daemon = match ServiceDaemon::new() {
        Ok(daemon) => daemon,
        Err(error) => {
            report(&AnnouncerEvent::Failed(error.to_string()));
            return 1;
        }
    };
    if let Ok(events) = daemon.monitor() {
        thread::spawn(move || {
            let mut reported = Vec::new();
            while let Ok(event) = events.recv() {
                // The library reports every record of a name on every interface.
                if let Some(event) = event_of(event).filter(|event| !reported.contains(event)) {
                    report(&event);
                    reported.push(event);
                }
            }
        });
    }
    let mut announcer = MdnsAnnouncer {
        daemon,
        announced: HashMap::new(),
    };
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(wanted) = serde_json::from_str::<Vec<Announcement>>(&line) else {
            continue;
        };
        if let Err(error) = announcer.announce(wanted) {
            report(&AnnouncerEvent::Failed(error.to_string()));
        }
    }
    // Withdrawing does not fail: `announce` only returns errors of new announcements.
    let _ = announcer.announce(Vec::new());
    thread::sleep(WITHDRAWAL_DELAY);
    if let Ok(done) = announcer.daemon.shutdown() {
        let _ = done.recv_timeout(WITHDRAWAL_DELAY);
    }
    0
}

/// The announcements of this process.
struct MdnsAnnouncer {
    daemon: ServiceDaemon,
    /// What is announced, by the full name that the library uses.
    announced: HashMap<String, Announcement>,
}

impl MdnsAnnouncer {
    /// Withdraws what is not in `wanted` and announces what is new.
    fn announce(&mut self, wanted: Vec<Announcement>) -> Result<(), Error> {
        let mut next = HashMap::new();
        let mut new = Vec::new();
        for announcement in wanted {
            let info = announcement.service_info()?;
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
                // Without a reply the records expire by themselves.
                let _ = withdrawn.recv_timeout(WITHDRAWAL_DELAY);
            }
        }
        self.announced = next;
        for info in new {
            self.daemon.register(info)?;
        }
        Ok(())
    }
}

fn event_of(event: DaemonEvent) -> Option<AnnouncerEvent> {
    match event {
        DaemonEvent::NameChange(change) => Some(AnnouncerEvent::Renamed {
            from: short_name(&change.original),
            to: short_name(&change.new_name),
        }),
        DaemonEvent::Error(error) => Some(AnnouncerEvent::Failed(error.to_string())),
        _ => None,
    }
}

/// Returns a full name without the service type.
fn short_name(name: &str) -> String {
    let name = name.strip_suffix(SERVICE_TYPE).unwrap_or(name);
    name.trim_end_matches('.').to_owned()
}

fn report(event: &AnnouncerEvent) {
    let Ok(mut line) = serde_json::to_string(event) else {
        return;
    };
    line.push('\n');
    // The supervisor may already have exited.
    let mut out = io::stdout();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
