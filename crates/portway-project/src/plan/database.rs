//! Checks the databases that a service declares.

use std::path::{Component, Path};

use super::{PlannedPort, ports};
use crate::database::{DatabaseAddress, EmptyDatabase, Engine, is_file};
use crate::diagnostic::Problem;
use crate::kind::Kind;
use crate::manifest::{Database, Manifest, Service};
use crate::suggest::suggestion;

/// Rejects a database that cannot be created or that no variable can refer to.
pub(super) fn check(database: &Database) -> Result<(), Problem> {
    let Database { template, url, env } = database;
    let name = template.get_ref();
    if name.trim().is_empty() || name.contains(char::is_control) {
        return Err(
            Problem::at(template.span(), "the template of the database has no name")
                .help("write the name of the database to copy: `template = \"shop_dev\"`"),
        );
    }
    if let Some(url) = url
        && !is_file(name)
        && DatabaseAddress::parse(url.get_ref()).is_none()
    {
        return Err(Problem::at(
            url.span(),
            "the `url` of the database is not the address of a PostgreSQL or MySQL server",
        )
        .help("write it as `postgresql://USER@HOST:PORT/NAME` or `mysql://USER@HOST:PORT/NAME`"));
    }
    for variable in env {
        let name = variable.get_ref();
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{}` is not a valid variable name", name.escape_debug());
            return Err(Problem::at(variable.span(), message).help(
                "use a name that is not empty and contains neither `=` nor a NUL character",
            ));
        }
    }
    Ok(())
}

/// Returns the database that must be empty. Rejects one that Portway does not start, and a service that serves
/// something.
pub(super) fn only_if_empty(
    manifest: &Manifest,
    name: &str,
    spec: &Service,
    own_ports: &[PlannedPort],
) -> Result<Option<EmptyDatabase>, Problem> {
    let Some(text) = &spec.only_if_empty else {
        return Ok(None);
    };
    let named = text.get_ref().as_str();
    let fail = |message: String| Problem::at(text.span(), message);
    if !own_ports.is_empty() {
        let message = format!("`{name}` has `only_if_empty` and a port");
        return Err(
            fail(message).help("write it for a command that creates the tables and then exits")
        );
    }
    if let Some(database) = manifest.services.get(named) {
        let engine = match ports::kind(named, database) {
            Kind::Postgres => Engine::Postgres,
            Kind::Mysql => Engine::Mysql,
            kind => {
                let message = format!("`{named}` is of the kind `{}`", kind.as_str());
                return Err(fail(message).help("name a service of the kind `postgres` or `mysql`"));
            }
        };
        if !database
            .command
            .get_ref()
            .trim_start()
            .starts_with("portway compose run ")
        {
            let message = format!("Portway cannot check whether `{named}` is empty");
            return Err(fail(message)
                .help("name a service whose command is `portway compose run`, or remove the key"));
        }
        return Ok(Some(EmptyDatabase::Container {
            service: named.to_owned(),
            engine,
        }));
    }
    if is_file(named) {
        let mut parts = Path::new(named).components();
        if parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Ok(Some(EmptyDatabase::File(named.to_owned())));
        }
        return Err(fail(format!("the file `{named}` is outside the project"))
            .help("write it relative to the directory of `portway.toml`, without `..`"));
    }
    let others = manifest.services.keys().map(String::as_str);
    let message = format!("`only_if_empty` names `{named}`, which is neither a service nor a file");
    Err(fail(message).help(suggestion(named, others.filter(|other| *other != name))))
}
