//! Checks invariants all the time while faults are injected.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::env::{CONTROL, ChaosEnv};
use crate::invariants::control::ControlInstance;
use crate::invariants::own_url::OwnUrl;
use crate::invariants::{one_owner, ports_file, ready_services};
use crate::plan::PORTS;
use crate::probe;
use crate::violations::Violations;

/// Pause between two checks of all instances.
const INSTANCE_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Pause between two checks of all files. Reading them takes microseconds.
const FILE_POLL_INTERVAL: Duration = Duration::from_micros(500);

/// A repeated check.
type Check = Box<dyn FnMut(&ChaosEnv, &Violations) + Send>;

/// Checks until it is dropped.
#[derive(Debug)]
pub(crate) struct Monitor {
    must_exit: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Monitor {
    pub(crate) fn start(
        env: &Arc<ChaosEnv>,
        checkouts: usize,
        control: Arc<ControlInstance>,
        violations: &Arc<Violations>,
    ) -> Self {
        let must_exit = Arc::new(AtomicBool::new(false));
        let repeat = |mut check: Check, interval: Duration| {
            let (env, violations) = (Arc::clone(env), Arc::clone(violations));
            let must_exit = Arc::clone(&must_exit);
            thread::spawn(move || {
                while !must_exit.load(Ordering::Relaxed) {
                    check(&env, &violations);
                    thread::sleep(interval);
                }
            })
        };
        let mut own_url = OwnUrl::default();
        let instances = move |env: &ChaosEnv, violations: &Violations| {
            check_instances(env, &control, &mut own_url, violations);
        };
        let files = move |env: &ChaosEnv, violations: &Violations| {
            check_files(env, checkouts, violations);
        };
        Self {
            threads: vec![
                repeat(Box::new(instances), INSTANCE_POLL_INTERVAL),
                repeat(Box::new(files), FILE_POLL_INTERVAL),
            ],
            must_exit,
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.must_exit.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // After a panic there is nothing to stop.
            let _ = thread.join();
        }
    }
}

fn check_instances(
    env: &ChaosEnv,
    control: &ControlInstance,
    own_url: &mut OwnUrl,
    violations: &Violations,
) {
    let before = env.instances();
    let violation = control.evaluate(&before);
    violations.record("other instances are not affected", violation);
    let ready_before = ready_services(&before);
    let probes: Vec<_> = ready_before.iter().map(probe::probe).collect();
    let after = ready_services(&env.instances());
    // Ready before and after, without a restart: ready during the probes, too.
    let steady: Vec<_> = ready_before
        .into_iter()
        .filter(|service| after.contains(service))
        .collect();
    violations.record("a port has one service", one_owner::evaluate(&steady));
    let probes: Vec<_> = probes
        .into_iter()
        .filter(|probe| steady.contains(&probe.service))
        .collect();
    let violation = own_url.evaluate(&probes, Instant::now());
    violations.record("a ready URL is served by its service", violation);
}

fn check_files(env: &ChaosEnv, checkouts: usize, violations: &Violations) {
    let ports = env.ports.port(0)..=env.ports.port(PORTS - 1);
    let checkouts = (0..checkouts).map(|number| env.checkout(number));
    for checkout in checkouts.chain([env.path(CONTROL)]) {
        // Missing before the first start and while a checkout is deleted.
        if let Ok(bytes) = fs::read(checkout.join(".ports.json")) {
            let violation = ports_file::evaluate(&bytes, &ports);
            violations.record(".ports.json is complete", violation);
        }
    }
}
