//! Measures one repository: the plan, and a run in the main checkout and in a worktree beside it.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use portway_api::ProjectPlan;

use super::attempt;
use super::checkout::Checkout;
use super::compare;
use super::engine;
use super::list::{Need, Repository};
use super::options::Options;
use super::processes;
use super::record::{Attempt, Record, Run};
use super::sandbox::Sandbox;
use super::toolchain::{self, Machine};
use crate::command::root;

/// The longest that a command that starts nothing may take.
const SHORT_LIMIT: Duration = Duration::from_secs(60);
/// How long processes of a stopped project may take to disappear.
const GONE_LIMIT: Duration = Duration::from_secs(5);

/// Measure a repository. Returns an error if it could not be fetched or Portway could not be run.
pub(super) fn measure(
    repository: &Repository,
    options: &Options,
    machine: &Machine,
    target: &Path,
) -> Result<Record, String> {
    let name = if options.plan_only { "plan" } else { "run" };
    let sandbox = Sandbox::create(&options.binary, target, name)?;
    let checkout = Checkout::create(repository, options.clones.as_deref(), &sandbox.dir)?;
    let (plan, differences) = plan(&sandbox, &checkout.main, repository)?;
    let mut record = Record {
        portway: printed(
            Command::new("git")
                .args(["log", "-1", "--format=%h", "--", "crates"])
                .current_dir(root()),
        ),
        date: printed(Command::new("date").args(["-u", "+%F"])),
        differences,
        ..Record::default()
    };
    if repository
        .services
        .iter()
        .all(|service| service.need != Need::Required)
    {
        // Whatever Portway finds there, nobody would start it.
        record.lacks.push("nothing is to be started".to_owned());
        return Ok(record);
    }
    let Some(plan) = plan.filter(|plan| plan.services.iter().any(|service| !service.optional))
    else {
        record.run = Some(nothing_to_start());
        return Ok(record);
    };
    if options.plan_only {
        return Ok(record);
    }
    record.lacks = toolchain::lacks(&plan, &checkout.main, machine);
    if record.lacks.is_empty() {
        engine::name_images(&checkout.main)?;
        let run = start_and_stop(&sandbox, &checkout, &plan);
        let left = stop(&sandbox, &checkout);
        engine::clean()?;
        let mut run = run?;
        run.left = left?;
        run.portway.clone_from(&record.portway);
        let mut output = run.main.output.iter().chain(&run.worktree.output);
        let lack = output.find_map(|line| toolchain::lack_in_output(line));
        if let (false, Some(lack)) = (run.worktree.is_wired(), lack) {
            record.lacks.push(lack);
        }
        record.run = Some(run);
    }
    Ok(record)
}

/// The run of a project of which Portway finds no service.
fn nothing_to_start() -> Run {
    let main = Attempt {
        problems: vec!["Portway finds no services".to_owned()],
        ..Attempt::default()
    };
    Run {
        main,
        ..Run::default()
    }
}

/// The plan of a checkout, and how it differs from the expectation.
fn plan(
    sandbox: &Sandbox,
    directory: &Path,
    repository: &Repository,
) -> Result<(Option<ProjectPlan>, Vec<String>), String> {
    let answer = sandbox.portway(directory, &["plan", "--json"], SHORT_LIMIT)?;
    if answer.timed_out {
        return Ok((None, vec!["`portway plan` took too long".to_owned()]));
    }
    if let Ok(plan) = serde_json::from_str::<ProjectPlan>(&answer.stdout) {
        let differences = compare::differences(&repository.services, &plan.services);
        return Ok((Some(plan), differences));
    }
    Ok((None, compare::differences(&repository.services, &[])))
}

/// Start both checkouts, the worktree while the main one runs, and check each.
fn start_and_stop(
    sandbox: &Sandbox,
    checkout: &Checkout,
    plan: &ProjectPlan,
) -> Result<Run, String> {
    let gateway = ["gateway", "--detach", "--port", "0", "--json"];
    let answer = sandbox.portway(&checkout.main, &gateway, SHORT_LIMIT)?;
    if answer.code != Some(0) {
        return Err(format!(
            "the gateway does not start: {}",
            answer.stderr.trim()
        ));
    }
    let mut run = Run::default();
    let (main, worktree) = (&checkout.main, &checkout.worktree);
    if !tried(sandbox, plan, main, worktree, &mut run.main)? {
        return Ok(run);
    }
    tried(sandbox, plan, worktree, main, &mut run.worktree)?;
    Ok(run)
}

/// Start one checkout and check it. Returns whether it is up.
fn tried(
    sandbox: &Sandbox,
    plan: &ProjectPlan,
    directory: &Path,
    other: &Path,
    result: &mut Attempt,
) -> Result<bool, String> {
    let (mut attempt, status) = attempt::start(sandbox, directory)?;
    if let Some(status) = &status {
        attempt::check(sandbox, plan, status, other, &mut attempt)?;
    }
    *result = attempt;
    Ok(result.up)
}

/// Stop everything. Returns what is left, and stops that too.
fn stop(sandbox: &Sandbox, checkout: &Checkout) -> Result<Vec<String>, String> {
    for directory in [&checkout.worktree, &checkout.main] {
        sandbox.portway(directory, &["down"], SHORT_LIMIT)?;
    }
    sandbox.portway(&checkout.main, &["gateway", "stop"], SHORT_LIMIT)?;
    let own = sandbox.dir.join("state").display().to_string();
    let deadline = Instant::now() + GONE_LIMIT;
    loop {
        let left = processes::with_variable("XDG_STATE_HOME", &own);
        if left.is_empty() || Instant::now() > deadline {
            let commands = left.iter().map(|pid| processes::command(*pid)).collect();
            for pid in left {
                printed(Command::new("kill").args(["-9", &pid.to_string()]));
            }
            return Ok(commands);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What a short command prints.
fn printed(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
