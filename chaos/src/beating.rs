//! One run of a plan, from the first checkout to the last look.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portway_api::LeaseEntry;

use crate::act::{Lane, delete, panicked};
use crate::grabber::Grabber;
use crate::invariants::notice::Notice;
use crate::invariants::settled::{self, Rest};
use crate::invariants::{end, ready};
use crate::plan::{Plan, Round};
use crate::verdict::Verdict;
use crate::watch::Watch;
use crate::world::{PATIENCE, QUIET, World};
use crate::{Result, Tools, look};

/// Carries a plan out; what it answers says what was done.
pub(crate) fn run(plan: &Plan, tools: &Tools, root: &Path) -> Result<String> {
    let began = Instant::now();
    let world = Arc::new(World::new(tools, root, plan.lanes)?);
    let verdict = Arc::new(Verdict::new(&tools.interrupted));
    let worked = beat(plan, &world, &verdict);
    if worked.is_err() || verdict.is_wrong() {
        tidy(&world);
    }
    let mut wrong = verdict.take();
    wrong.extend(worked.as_ref().err().cloned());
    match (worked, wrong.is_empty()) {
        (Ok(taken), true) => Ok(format!(
            "{} rounds in {} checkouts, {} restarts, {taken}, {} looks, {:.0} s{}",
            plan.rounds.len(),
            plan.lanes,
            world.restarts.load(Ordering::Relaxed),
            verdict.looks(),
            began.elapsed().as_secs_f64(),
            match world.clock {
                Some(_) => "",
                None => "; no clock jumps, for libfaketime is not installed",
            }
        )),
        _ => {
            wrong.truncate(10);
            Err(wrong.join("\n"))
        }
    }
}

fn beat(plan: &Plan, world: &Arc<World>, verdict: &Arc<Verdict>) -> Result<String> {
    let quiet = world.checkout(QUIET);
    let started = world.run(&quiet, "up --detach")?;
    if started.code != 0 {
        return Err(format!("the quiet instance does not start: {started:?}"));
    }
    let first = world
        .instance_now(&quiet)
        .ok_or("the quiet instance is not there")?;
    let notice = Arc::new(Notice::new(&first));
    let grabber = Grabber::new(world, plan.seed);
    let watch = Watch::begin(world, plan.lanes, Arc::clone(&notice), verdict);
    let mut lanes: Vec<Lane<'_>> = (0..plan.lanes)
        .map(|number| Lane::new(world, verdict, number))
        .collect();
    for (number, round) in plan.rounds.iter().enumerate() {
        if verdict.is_wrong() {
            break;
        }
        play(round, world, &grabber, &mut lanes)?;
        if !verdict.is_wrong() {
            rest(world, &mut lanes, verdict).map_err(|why| format!("round {number}: {why}"))?;
        }
    }
    drop(watch);
    if !verdict.is_wrong() {
        let until = Instant::now() + PATIENCE;
        while world
            .instance_now(&quiet)
            .is_none_or(|quiet| quiet.pid.is_none())
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        let last: Vec<_> = world.instance_now(&quiet).into_iter().collect();
        let there = last.iter().any(|quiet| quiet.pid.is_some());
        let found = (!there).then(|| "it does not answer any more".to_owned());
        verdict.note(
            "other instances never notice",
            found.or(notice.judge(&last)),
        );
        finish(world, &mut lanes, verdict)?;
    }
    Ok(grabber.words())
}

/// All checkouts at once, each with its own actions one after the other.
fn play(round: &Round, world: &World, grabber: &Grabber, lanes: &mut [Lane<'_>]) -> Result<()> {
    if let Some(clock) = &world.clock {
        clock.jump(round.clock);
    }
    if round.grabs {
        grabber.begin();
    }
    let until = Instant::now() + round.limit;
    let done = each(lanes, |lane| {
        for action in &round.lanes[lane.number] {
            if lane.verdict.is_wrong() || Instant::now() > until {
                break;
            }
            lane.act(action, until)?;
        }
        Ok(())
    });
    if round.grabs {
        grabber.rest();
    }
    done
}

/// Does something in all checkouts at once.
fn each(lanes: &mut [Lane<'_>], work: impl Fn(&mut Lane<'_>) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = lanes
            .iter_mut()
            .map(|lane| scope.spawn(|| work(lane)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(panicked))
    })
}

/// Everything is started, well, and looked at closely.
fn rest(world: &World, lanes: &mut [Lane<'_>], verdict: &Verdict) -> Result<()> {
    // What a supervisor and its keeper, killed in the same instant, have left is found by this.
    world.run(&world.path(""), "prune --yes")?;
    each(lanes, |lane| lane.rest())?;
    for lane in lanes.iter() {
        if verdict.is_wrong() {
            break;
        }
        let instance = world.instance_now(&lane.dir());
        let instance = instance.ok_or("an instance that was started is not listed")?;
        let leases = world.run(&world.path(""), "leases --json")?;
        let leases: Vec<LeaseEntry> =
            serde_json::from_str(&leases.out).map_err(|error| error.to_string())?;
        let services = ready(std::slice::from_ref(&instance));
        let rest = Rest {
            answers: services.iter().map(look::answer).collect(),
            file: fs::read(lane.dir().join(".ports.json")).unwrap_or_default(),
            instance,
            leases,
        };
        let found = settled::judge(&rest).map(|why| format!("c{}: {why}", lane.number));
        verdict.note("at rest all tell the same", found);
    }
    Ok(())
}

/// Ends everything, in several ways, and looks for what is left.
fn finish(world: &World, lanes: &mut [Lane<'_>], verdict: &Verdict) -> Result<()> {
    each(lanes, |lane| {
        let how = ["down", "down --now"][lane.number % 2];
        lane.run(how)?;
        lane.end_foreground()
    })?;
    world.run(&world.checkout(QUIET), "down")?;
    let names = (0..lanes.len()).map(|number| world.lane(number));
    let checkouts: Vec<PathBuf> = names.chain([world.checkout(QUIET)]).collect();
    for what in end::left(world, &checkouts) {
        verdict.note("nothing is left", Some(what));
    }
    for checkout in &checkouts {
        delete(checkout);
    }
    world.run(&world.path(""), "prune --yes")?;
    for what in end::left_of_deleted(world) {
        verdict.note("no lease is left", Some(what));
    }
    Ok(())
}

/// Ends what a run that failed has left running.
fn tidy(world: &World) {
    for _ in 0..100 {
        let processes = world.processes();
        if processes.is_empty() {
            return;
        }
        for process in processes {
            let _ = portway_supervisor::process::kill(process.id);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
