//! `cargo xtask corpus`: run Portway on public repositories and measure what works.
//!
//! Input: `xtask/corpus.toml`, a list of repositories with what a person who knows them expects.
//! Output: `target/corpus/results.json` and the table in `docs/compatibility.md`.

mod attempt;
mod checkout;
mod compare;
mod engine;
mod list;
mod measure;
mod options;
mod processes;
mod record;
mod sandbox;
mod table;
mod toolchain;
mod versions;
mod wiring;

use std::fs;

use self::list::Repository;
use self::measure::measure;
use self::options::Options;
use self::record::Record;
use self::toolchain::Machine;
use crate::command::root;

/// Measure the requested repositories one after the other, then write the table.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    let options = options::parse(arguments)?;
    // Also for the plan: without an engine, services in containers are optional.
    if engine::enter(arguments)? {
        return Ok(());
    }
    let target = root().join("target/corpus");
    fs::create_dir_all(&target)
        .map_err(|error| format!("cannot create `{}`: {error}", target.display()))?;
    let text = fs::read_to_string(root().join("xtask/corpus.toml"))
        .map_err(|error| format!("cannot read `xtask/corpus.toml`: {error}"))?;
    let list = list::parse(&text)?.repository;
    let chosen = choose(&list, &options)?;
    let results = target.join("results.json");
    let mut records = record::read(&results)?;
    let machine = Machine::read();
    for repository in chosen.into_iter().filter(|_| !options.table_only) {
        let title = repository.title();
        let known = records.get(&title);
        if !options.again && known.is_some_and(|record| is_complete(record, options.plan_only)) {
            continue;
        }
        println!("== {title}");
        // A failure of one repository must not end the measurement of the others.
        match measure(repository, &options, &machine, &target) {
            Ok(mut record) => {
                // A new plan does not make the last run void.
                let known = known.filter(|known| options.plan_only && known.run.is_some());
                if let Some(known) = known {
                    record.run.clone_from(&known.run);
                    record.lacks.clone_from(&known.lacks);
                }
                print!("{}", summary(&record));
                records = record::add(&results, title, record)?;
            }
            Err(error) => println!("   not measured: {error}"),
        }
    }
    if !options.plan_only {
        let page = root().join("docs/compatibility.md");
        fs::write(&page, table::page(&list, &records, &machine.describe()))
            .map_err(|error| format!("cannot write `{}`: {error}", page.display()))?;
    }
    Ok(())
}

/// Whether a record needs nothing more.
fn is_complete(record: &Record, plan_only: bool) -> bool {
    plan_only || record.run.is_some() || !record.lacks.is_empty()
}

/// The repositories that the arguments name, or all of the requested half.
fn choose<'a>(list: &'a [Repository], options: &Options) -> Result<Vec<&'a Repository>, String> {
    let is_named = |name: &String, r: &Repository| r.name == *name || r.title() == *name;
    for name in &options.names {
        if !list.iter().any(|repository| is_named(name, repository)) {
            return Err(format!("`{name}` is not in `xtask/corpus.toml`"));
        }
    }
    let is_chosen = |repository: &&Repository| {
        let names = &options.names;
        options.set.is_none_or(|set| repository.set == set)
            && (names.is_empty() || names.iter().any(|name| is_named(name, repository)))
    };
    Ok(list.iter().filter(is_chosen).collect())
}

/// A record in a few lines.
fn summary(record: &Record) -> String {
    let mut lines: Vec<String> = record.differences.clone();
    lines.extend(
        record
            .lacks
            .iter()
            .map(|reason| format!("cannot run here: {reason}")),
    );
    if let Some(run) = &record.run {
        for (name, attempt) in [("main", &run.main), ("worktree", &run.worktree)] {
            let state = match (attempt.up, attempt.is_wired(), attempt.by_name) {
                (false, ..) => "not up",
                (true, false, _) => "up, not wired",
                (true, true, true) => "wired by name",
                (true, true, false) => "wired",
            };
            lines.push(format!("{name}: {state} ({} s)", attempt.seconds));
            lines.extend(
                attempt
                    .problems
                    .iter()
                    .map(|problem| format!("  {problem}")),
            );
        }
        lines.extend(run.left.iter().map(|left| format!("left: {left}")));
    }
    lines.iter().map(|line| format!("   {line}\n")).collect()
}
