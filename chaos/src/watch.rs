//! Judging the invariants all the time, beside whatever happens.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::invariants::notice::Notice;
use crate::invariants::own_url::OwnUrl;
use crate::invariants::{one_owner, ports_file, ready};
use crate::look;
use crate::plan::PORTS;
use crate::verdict::Verdict;
use crate::world::{QUIET, World};

/// Between two looks at all instances.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two readings of the files, each of microseconds.
const READ_AGAIN: Duration = Duration::from_micros(500);

/// What is done again and again.
type Work = Box<dyn FnMut(&World, &Verdict) + Send>;

/// Looks until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn begin(
        world: &Arc<World>,
        lanes: usize,
        notice: Arc<Notice>,
        verdict: &Arc<Verdict>,
    ) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let start = |work: Work, pause: Duration| {
            let (world, verdict) = (Arc::clone(world), Arc::clone(verdict));
            let (ends, mut work) = (Arc::clone(&ends), work);
            thread::spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    work(&world, &verdict);
                    thread::sleep(pause);
                }
            })
        };
        let mut own_url = OwnUrl::default();
        let instances = move |world: &World, verdict: &Verdict| {
            look_at_instances(world, &notice, &mut own_url, verdict);
        };
        let files = move |world: &World, verdict: &Verdict| read_files(world, lanes, verdict);
        Self {
            threads: vec![
                start(Box::new(instances), PAUSE),
                start(Box::new(files), READ_AGAIN),
            ],
            ends,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn look_at_instances(world: &World, notice: &Notice, own_url: &mut OwnUrl, verdict: &Verdict) {
    let before = world.instances_now();
    verdict.note("other instances never notice", notice.judge(&before));
    let was_ready = ready(&before);
    let answers: Vec<_> = was_ready.iter().map(look::answer).collect();
    let after = ready(&world.instances_now());
    let steady: Vec<_> = was_ready
        .into_iter()
        .filter(|one| after.contains(one))
        .collect();
    verdict.note("one port, one service", one_owner::judge(&steady));
    let answers: Vec<_> = answers
        .into_iter()
        .filter(|answer| steady.contains(&answer.service))
        .collect();
    let wrong = own_url.judge(&answers, Instant::now());
    verdict.note("a ready URL is served by its service", wrong);
}

fn read_files(world: &World, lanes: usize, verdict: &Verdict) {
    let ports = world.ports.port(0)..=world.ports.port(PORTS - 1);
    let checkouts = (0..lanes).map(|lane| world.lane(lane));
    for checkout in checkouts.chain([world.checkout(QUIET)]) {
        // Not there before the first time, nor while a checkout is deleted.
        if let Ok(bytes) = fs::read(checkout.join(".ports.json")) {
            verdict.note(".ports.json is whole", ports_file::judge(&bytes, &ports));
        }
    }
}
