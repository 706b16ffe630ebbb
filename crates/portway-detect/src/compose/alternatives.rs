//! Databases of a compose file from which a developer chooses one.

use portway_project::kind::Kind;

use super::{Container, File};

/// Makes the databases of several engines optional if no service of the compose files waits for one: the
/// application works with each of them, and with none.
pub(super) fn make_optional(files: &[File<'_>], containers: &mut [Container]) {
    let is_relational = |one: &&mut Container| {
        matches!(one.found.kind, Kind::Postgres | Kind::Mysql) && !one.found.optional
    };
    let is_needed = |name: &String| {
        let mut services = files.iter().flat_map(|file| file.compose.services.values());
        services.any(|service| service.depends_on.contains_key(name))
    };
    let databases: Vec<&mut Container> = containers.iter_mut().filter(is_relational).collect();
    let is_choice = databases
        .windows(2)
        .any(|pair| pair[0].found.kind != pair[1].found.kind);
    if !is_choice || databases.iter().any(|database| is_needed(&database.name)) {
        return;
    }
    for database in databases {
        database.found.optional = true;
        database.found.evidence.push(
            "the compose file has databases of several kinds, and no service waits for one of them, so it is optional"
                .into(),
        );
    }
}
