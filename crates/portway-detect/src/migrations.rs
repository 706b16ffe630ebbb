//! Adds the services that create the tables of databases which Portway starts, so that a fresh clone works.
//!
//! A migration runs only if its database is empty, so `only_if_empty` names the container or the file.

mod others;

use portway_project::kind::Kind;
use portway_project::plan::{MAX_SERVICES, identifier};

use super::migration::{MigratedDatabase, Migration};
use super::text::quoted;
use super::{DetectContext, DetectedService, Dir, node, python};

/// Finds how a directory creates tables, for a service that runs in it.
type Reader = fn(&Dir<'_>, &DetectedService, &DetectContext<'_>) -> Option<Migration>;

const READERS: [Reader; 5] = [
    python::migration,
    others::rails,
    others::laravel,
    others::ecto,
    node::migration,
];

/// The start of the sentence about a database that Portway leaves alone.
const UNTOUCHED: &str = "Portway does not touch its database";

/// Placeholders that only a service with a port has.
const OF_PORT: [&str; 5] = ["{port}", "{host}", "{url}", "{name}", "{ports."];

/// Adds a migration for each database that the services need. The first `programs` of `all` run code of the
/// checkout, the others containers. Returns the number of added services, which follow the programs.
pub(super) fn add(
    root: &Dir<'_>,
    all: &mut Vec<DetectedService>,
    programs: usize,
    context: &DetectContext<'_>,
) -> usize {
    let mut found: Vec<(DetectedService, String)> = Vec::new();
    let mut databases: Vec<String> = Vec::new();
    let mut dirs: Vec<String> = Vec::new();
    for service in all[..programs].iter().filter(|one| !one.optional) {
        let Some(dir) = root.below(&service.dir) else {
            continue;
        };
        if dirs.contains(&service.dir) {
            continue;
        }
        let migration = READERS
            .iter()
            .find_map(|reader| reader(&dir, service, context));
        let Some(migration) = migration else {
            continue;
        };
        dirs.push(service.dir.clone());
        // Another one, such as that of a compose file, creates the tables.
        let is_done = |one: &DetectedService| {
            let own = root.below(&one.dir);
            own.is_some_and(|own| one.creates_tables(&own)) || is_migration(one)
        };
        if all[..programs].iter().any(is_done) {
            continue;
        }
        let database = match &migration.database {
            MigratedDatabase::Server(kind) => server(&all[programs..], *kind),
            MigratedDatabase::File(file) => Some(file.clone()),
        };
        if let Some(database) = database.filter(|one| !databases.contains(one)) {
            let owner = service.dir.clone();
            let taken = all.iter().chain(found.iter().map(|(one, _)| one));
            let name = name(service, taken);
            let service = step(service, migration, &name, &database, &all[programs..]);
            found.push((service, owner));
            databases.push(database);
        }
    }
    found.truncate(MAX_SERVICES.saturating_sub(all.len()));
    for (migration, owner) in &found {
        for service in &mut all[..programs] {
            let is_of_same_dir = service.dir == *owner;
            if is_of_same_dir {
                service
                    .evidence
                    .retain(|sentence| !sentence.starts_with(UNTOUCHED));
            }
            if is_of_same_dir || service.kind != Kind::Frontend {
                service.after.push((migration.name.clone(), "finished"));
            }
        }
    }
    let count = found.len();
    let migrations = found.into_iter().map(|(one, _)| one);
    all.splice(programs..programs, migrations);
    count
}

/// Returns whether a service without a port has the name of a migration.
fn is_migration(service: &DetectedService) -> bool {
    let name = service.name.to_ascii_lowercase();
    service.port.is_none() && name.contains("migrat")
}

/// Returns the only server of a kind that Portway starts in a container.
fn server(containers: &[DetectedService], kind: Option<Kind>) -> Option<String> {
    let is_it = |one: &&DetectedService| {
        matches!(one.kind, Kind::Postgres | Kind::Mysql)
            && kind.is_none_or(|kind| kind == one.kind)
            && !one.optional
            && !one.name.to_ascii_lowercase().contains("test")
            && one.command.starts_with("portway compose run ")
    };
    let mut servers = containers.iter().filter(is_it);
    let only = servers.next()?;
    servers.next().is_none().then(|| only.name.clone())
}

fn name<'a>(owner: &DetectedService, taken: impl Iterator<Item = &'a DetectedService>) -> String {
    let taken: Vec<String> = taken.map(|one| identifier(&one.name)).collect();
    let candidates = ["migrate".to_owned(), format!("{}-migrate", owner.name)];
    let numbered = (2..).map(|number| format!("migrate-{number}"));
    let mut names = candidates.into_iter().chain(numbered);
    names
        .find(|name| !taken.contains(&identifier(name)))
        .unwrap_or_default()
}

/// Builds the service that runs a migration with the prepare step and the environment of its owner.
fn step(
    owner: &DetectedService,
    migration: Migration,
    name: &str,
    database: &str,
    containers: &[DetectedService],
) -> DetectedService {
    let mut step = owner.clone();
    step.name = name.to_owned();
    step.framework = migration.tool;
    step.command = migration.command;
    step.port = None;
    step.is_port_written = false;
    step.called_by = None;
    step.kind = Kind::Tcp;
    step.needs_broker = false;
    step.names_addresses = false;
    if let Some(dir) = &migration.dir {
        // The step stays where the owner has it.
        let before = std::mem::replace(&mut step.dir, dir.clone());
        if step.prepare.is_some() {
            step.prepare_dir.get_or_insert(before);
        }
    }
    let is_kept = |value: &String| !OF_PORT.iter().any(|mark| value.contains(mark));
    step.env.retain(|_, value| is_kept(value));
    for (name, value) in migration.env {
        step.env.insert((*name).to_owned(), (*value).to_owned());
    }
    let is_file = matches!(migration.database, MigratedDatabase::File(_));
    step.after.retain(|(other, _)| {
        let is_it = |one: &DetectedService| one.name == *other && !one.optional;
        !is_file && containers.iter().any(is_it)
    });
    let kept = ["compose = ", "env_file = "];
    step.more
        .retain(|line| kept.iter().any(|start| line.starts_with(start)));
    step.more
        .push(format!("only_if_empty = {}", quoted(database)));
    step.evidence = vec![migration.evidence];
    step
}

#[cfg(test)]
mod tests;
