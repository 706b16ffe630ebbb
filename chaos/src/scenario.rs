//! One run of a plan, from the first checkout to the final checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portway_api::LeaseEntry;

use crate::checkout::{Checkout, delete, panicked};
use crate::competitor::PortCompetitor;
use crate::env::{CONTROL, ChaosEnv, TIMEOUT};
use crate::gateway::Gateway;
use crate::invariants::consistent::{self, Snapshot};
use crate::invariants::control::ControlInstance;
use crate::invariants::{cleanup, ready_services};
use crate::monitor::Monitor;
use crate::plan::{Plan, Round};
use crate::violations::Violations;
use crate::{Result, Tools, probe};

/// Carry out a plan. Returns a summary.
pub(crate) fn run(plan: &Plan, tools: &Tools, root: &Path) -> Result<String> {
    let started = Instant::now();
    let env = Arc::new(ChaosEnv::new(tools, root, plan.checkouts)?);
    let violations = Arc::new(Violations::new(&tools.interrupted));
    let result = carry_out(plan, &env, &violations);
    if result.is_err() || violations.must_stop() {
        kill_all(&env);
    }
    let mut messages = violations.take();
    messages.extend(result.as_ref().err().cloned());
    match (result, messages.is_empty()) {
        (Ok(competitor), true) => Ok(format!(
            "{} rounds in {} checkouts, {} restarts, {competitor}, {} checks, {:.0} s{}",
            plan.rounds.len(),
            plan.checkouts,
            env.restarts.load(Ordering::Relaxed),
            violations.checks(),
            started.elapsed().as_secs_f64(),
            match env.clock {
                Some(_) => "",
                None => "; without clock jumps: libfaketime is not installed",
            }
        )),
        _ => {
            messages.truncate(10);
            Err(messages.join("\n"))
        }
    }
}

fn carry_out(plan: &Plan, env: &Arc<ChaosEnv>, violations: &Arc<Violations>) -> Result<String> {
    let control_dir = env.path(CONTROL);
    let result = env.run(&control_dir, "up --detach")?;
    if result.code != 0 {
        return Err(format!("the control instance does not start: {result:?}"));
    }
    let status = env
        .instance(&control_dir)
        .ok_or("the control instance is not listed")?;
    let control = Arc::new(ControlInstance::new(&status));
    let competitor = PortCompetitor::new(env, plan.seed);
    let gateway = Gateway::start(env, violations)?;
    let monitor = Monitor::start(env, plan.checkouts, Arc::clone(&control), violations);
    let mut checkouts: Vec<Checkout<'_>> = (0..plan.checkouts)
        .map(|number| Checkout::new(env, violations, number))
        .collect();
    for (number, round) in plan.rounds.iter().enumerate() {
        if violations.must_stop() {
            break;
        }
        gateway.set_silent_clients(round.silent_clients);
        inject_faults(round, env, &competitor, &mut checkouts)?;
        gateway.set_silent_clients(0);
        if !violations.must_stop() {
            recover(env, &mut checkouts, violations)
                .map_err(|message| format!("round {number}: {message}"))?;
        }
    }
    drop(monitor);
    if !violations.must_stop() {
        gateway.wait_until_served()?;
    }
    drop(gateway);
    if !violations.must_stop() {
        check_control(env, &control, violations);
        finish(env, &mut checkouts, violations)?;
    }
    Ok(competitor.summary())
}

/// Check that the control instance still responds and has not changed.
fn check_control(env: &ChaosEnv, control: &ControlInstance, violations: &Violations) {
    let status = || {
        let status = env.instance(&env.path(CONTROL));
        status.filter(|status| status.pid.is_some())
    };
    let deadline = Instant::now() + TIMEOUT;
    let mut last = status();
    while last.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
        last = status();
    }
    let violation = match last {
        Some(status) => control.evaluate(&[status]),
        None => Some("the control instance does not answer".to_owned()),
    };
    violations.record("other instances are not affected", violation);
}

/// Carry out the actions of a round, in all checkouts at the same time.
fn inject_faults(
    round: &Round,
    env: &ChaosEnv,
    competitor: &PortCompetitor,
    checkouts: &mut [Checkout<'_>],
) -> Result<()> {
    if let Some(clock) = &env.clock {
        clock.set_offset(round.clock_offset);
    }
    if round.has_competitor {
        competitor.resume();
    }
    let deadline = Instant::now() + round.limit;
    let result = for_each(checkouts, |checkout| {
        for action in &round.actions[checkout.number] {
            if checkout.violations.must_stop() || Instant::now() > deadline {
                break;
            }
            checkout.act(action, deadline)?;
        }
        Ok(())
    });
    if round.has_competitor {
        competitor.pause();
    }
    result
}

/// Do something in all checkouts at the same time.
fn for_each(
    checkouts: &mut [Checkout<'_>],
    work: impl Fn(&mut Checkout<'_>) -> Result<()> + Sync,
) -> Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = checkouts
            .iter_mut()
            .map(|checkout| scope.spawn(|| work(checkout)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(panicked))
    })
}

/// Bring all instances up without faults, and check that their state is consistent.
fn recover(env: &ChaosEnv, checkouts: &mut [Checkout<'_>], violations: &Violations) -> Result<()> {
    for_each(checkouts, |checkout| checkout.recover())?;
    env.mark_state_restored();
    for checkout in checkouts.iter() {
        if violations.must_stop() {
            break;
        }
        let instance = env.instance(&checkout.dir());
        let instance = instance.ok_or("an instance that was started is not listed")?;
        let leases = env.run(&env.path(""), "leases --json")?;
        let leases: Vec<LeaseEntry> =
            serde_json::from_str(&leases.stdout).map_err(|error| error.to_string())?;
        let services = ready_services(std::slice::from_ref(&instance));
        let snapshot = Snapshot {
            probes: services.iter().map(probe::probe).collect(),
            file: fs::read(checkout.dir().join(".ports.json")).unwrap_or_default(),
            instance,
            leases,
        };
        let violation = consistent::evaluate(&snapshot);
        let violation = violation.map(|message| format!("c{}: {message}", checkout.number));
        violations.record("after recovery, all state is consistent", violation);
    }
    Ok(())
}

/// Stop everything, in several ways, and check that nothing is left.
fn finish(env: &ChaosEnv, checkouts: &mut [Checkout<'_>], violations: &Violations) -> Result<()> {
    for_each(checkouts, |checkout| {
        checkout.run(["down", "down --now"][checkout.number % 2])?;
        checkout.stop_foreground()
    })?;
    env.run(&env.path(CONTROL), "down")?;
    stop_others(env, violations)?;
    let dirs = (0..checkouts.len()).map(|number| env.checkout(number));
    let dirs: Vec<PathBuf> = dirs.chain([env.path(CONTROL)]).collect();
    for violation in cleanup::leftovers(env, &dirs) {
        violations.record("nothing is left behind", Some(violation));
    }
    for dir in &dirs {
        delete(dir);
    }
    env.run(&env.path(""), "prune --yes")?;
    for violation in cleanup::leftovers_of_deleted(env) {
        violations.record("no lease is left behind", Some(violation));
    }
    Ok(())
}

/// Stop the instances by name that belong to no checkout: a directory was renamed while they ran, and
/// then deleted.
fn stop_others(env: &ChaosEnv, violations: &Violations) -> Result<()> {
    let running = env.instances().into_iter();
    for instance in running.filter(|instance| instance.pid.is_some()) {
        let result = env.run(&env.path(""), &format!("down {}", instance.name))?;
        let failed = (result.code != 0).then(|| format!("{result:?}"));
        violations.record("every instance can be stopped by its name", failed);
    }
    Ok(())
}

/// Kill every process of a run that failed.
fn kill_all(env: &ChaosEnv) {
    for _ in 0..100 {
        let processes = env.processes();
        if processes.is_empty() {
            return;
        }
        for process in processes {
            // An error means that it has exited.
            let _ = portway_supervisor::process::kill(process.id);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
