//! Children of this process that it did not start: orphans of services whose keeper was lost, which it
//! stops, and those that it leaves alone.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::mark;
use crate::platform;
use crate::process::{Process, ProcessId, descendants, env_var};
use crate::stuck::{KillWatch, StuckProcess};

/// How often [`stop`] checks which processes are left.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long a child stays a zombie before it is reaped, so that its owner can wait for it.
const ZOMBIE_AGE: Duration = Duration::from_secs(1);

/// The keepers (and the announcer) that this process started and that may still be running. Every
/// other child of this process is an orphan. There is one set because children belong to the
/// process.
static KEEPERS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Returns the pids of the keepers that may still be running.
pub(crate) fn keepers() -> MutexGuard<'static, BTreeSet<u32>> {
    KEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The processes that are not stopped. There is one set because children belong to the process.
static SPARED: Mutex<Spared> = Mutex::new(Spared {
    processes: BTreeSet::new(),
    earlier_children: false,
    sessions: BTreeSet::new(),
});

struct Spared {
    processes: BTreeSet<ProcessId>,
    /// Whether this process had children before it started any: the program that it replaced left
    /// them (`job & exec portway up`).
    earlier_children: bool,
    /// The sessions of all keepers so far.
    sessions: BTreeSet<u32>,
}

fn spared() -> MutexGuard<'static, Spared> {
    SPARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Spares the present children of this process.
pub(crate) fn spare_children() {
    let own = std::process::id();
    let below = descendants(own).into_iter();
    let children: Vec<ProcessId> = below
        .filter(|child| !keepers().contains(&child.pid) && !spared().processes.contains(child))
        .filter(|child| Process::read(child.pid).is_some_and(|process| process.parent == own))
        .collect();
    let mut spared = spared();
    spared.earlier_children |= !children.is_empty();
    spared.processes.extend(children);
}

/// Spares a process: one of Portway's own, or one that cannot be stopped.
pub(crate) fn spare(pid: u32) {
    spared().processes.extend(ProcessId::read(pid));
}

/// Starts a process of Portway's own that is neither a keeper nor an orphan.
///
/// # Errors
/// When the process cannot be started.
pub(crate) fn spawn_spared(command: &mut Command) -> io::Result<Child> {
    // Locked until the process is known, so that it does not count as an orphan meanwhile.
    let mut spared = spared();
    let child = command.spawn()?;
    spared.processes.extend(ProcessId::read(child.id()));
    Ok(child)
}

/// Adds the session of a keeper.
pub(crate) fn add_session(keeper: u32) {
    spared().sessions.insert(keeper);
}

/// Returns whether a child of this process is an orphan of a service.
fn is_orphan(child: ProcessId) -> bool {
    if keepers().contains(&child.pid) {
        return false;
    }
    let spared = spared();
    if spared.processes.contains(&child) {
        return false;
    }
    if !spared.earlier_children {
        return true;
    }
    // It may be an orphan of an earlier child.
    let value = env_var(child.pid, mark::KEEPER_NAME);
    (value.is_some() && value != std::env::var(mark::KEEPER_NAME).ok())
        || platform::session(child.pid).is_some_and(|session| spared.sessions.contains(&session))
}

/// Stops the orphans with their descendants. Kills those that are left after `grace`, or as soon as
/// `is_urgent` returns true. Returns those that cannot be stopped.
pub(crate) async fn stop(grace: Duration, is_urgent: impl Fn() -> bool) -> Vec<StuckProcess> {
    let deadline = Instant::now() + grace;
    let mut watch = KillWatch::default();
    loop {
        let must_kill = is_urgent() || Instant::now() >= deadline;
        // Other services keep running and may get new keepers, so the keepers are read each time.
        let left = platform::stop_orphans(must_kill, &is_orphan);
        if left.is_empty() {
            return Vec::new();
        }
        if must_kill && watch.is_stuck(&left) {
            return give_up(&left);
        }
        tokio::time::sleep(STOP_POLL_INTERVAL).await;
    }
}

/// Spares processes that cannot be stopped, and describes them.
fn give_up(left: &[ProcessId]) -> Vec<StuckProcess> {
    spared().processes.extend(left);
    left.iter()
        .copied()
        .filter_map(StuckProcess::read)
        .collect()
}

/// Kills the orphans until none is left. Also waits for the last keepers, and kills those that do not
/// exit within `limit`. Returns the processes that cannot be stopped.
pub(crate) async fn finish(limit: Duration) -> Vec<StuckProcess> {
    const POLL_INTERVAL: Duration = Duration::from_millis(5);
    let deadline = Instant::now() + limit;
    let mut stuck = Vec::new();
    let mut watch = KillWatch::default();
    loop {
        let left = platform::stop_orphans(true, &is_orphan);
        let keepers: Vec<u32> = keepers().iter().copied().collect();
        if left.is_empty() && keepers.is_empty() {
            return stuck;
        }
        if watch.is_stuck(&left) {
            stuck.extend(give_up(&left));
        }
        if Instant::now() >= deadline {
            if left.is_empty() && Instant::now() >= deadline + limit {
                return stuck;
            }
            for keeper in keepers {
                platform::kill_child(keeper);
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Reaps orphans that have exited. As process 1 of a container, or as a subreaper, this process is the
/// parent of every orphan, and no one else waits for them. Never returns.
pub(crate) async fn reap() {
    let Ok(mut exits) = platform::ChildExits::new() else {
        return;
    };
    // Some may have exited before their exits were reported.
    let mut previous = zombies();
    loop {
        if previous.is_empty() {
            exits.next().await;
        }
        tokio::time::sleep(ZOMBIE_AGE).await;
        let mut present = zombies();
        for &pid in present.intersection(&previous) {
            platform::reap(pid);
        }
        present.retain(|pid| !previous.contains(pid));
        previous = present;
    }
}

/// Returns the pids of children that have exited and are not keepers.
fn zombies() -> BTreeSet<u32> {
    let mut zombies = platform::zombies();
    zombies.retain(|pid| !keepers().contains(pid));
    zombies
}
