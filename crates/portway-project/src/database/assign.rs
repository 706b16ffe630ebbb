//! Points the variables of a linked worktree's services to databases of its own.

use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;

use super::address::{DatabaseAddress, Engine, Server};
use super::{DatabaseSetup, DatabaseToCreate, is_file};
use crate::wiring::Wiring;

/// Values of variables by service and name.
pub type Values = IndexMap<String, IndexMap<String, String>>;

/// What the databases of a checkout depend on in addition to its wiring.
pub struct Assignment<'a> {
    /// The project's root.
    pub root: &'a Path,
    /// The project's root in the main checkout; `None` if the repository is bare.
    pub main: Option<&'a Path>,
    /// Whether this is a linked worktree.
    pub is_worktree: bool,
    /// The values that the files of each service's application set.
    pub files: &'a Values,
    /// Returns a variable of the environment that services inherit.
    pub inherited: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the name of the database that is made from a template; the server is `None` for SQLite.
    pub name: &'a dyn Fn(Engine, Option<&Server>, &str) -> String,
}

/// A database of a worktree.
#[derive(Clone, PartialEq, Eq)]
pub struct AssignedDatabase {
    /// What the step that creates it needs.
    pub database: DatabaseToCreate,
    /// The server; `None` for SQLite.
    pub server: Option<Server>,
}

/// Why a database that a manifest declares cannot be assigned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DatabaseProblem {
    /// The error.
    pub message: String,
    /// How to fix it.
    pub help: String,
}

/// Rewrites the variables of `wiring` that refer to a template and returns the databases to create. In a
/// main checkout, only sets variables that have no value and whose address the manifest declares.
///
/// In a worktree, every variable of every service that refers to a template on its server is rewritten,
/// declared or not: a migration must not run on the template because its service does not declare it.
///
/// # Errors
/// When the server of a database is not known.
pub fn assign(
    wiring: &mut Wiring,
    assignment: &Assignment<'_>,
) -> Result<Vec<AssignedDatabase>, DatabaseProblem> {
    let setups: Vec<(String, DatabaseSetup)> = wiring
        .databases
        .iter()
        .map(|(service, setup)| (service.clone(), setup.clone()))
        .collect();
    let mut databases: Vec<AssignedDatabase> = Vec::new();
    for (service, setup) in &setups {
        if !assignment.is_worktree {
            set_missing(wiring, assignment, service, setup);
            continue;
        }
        let assigned = if is_file(&setup.template) {
            Some(file(assignment, setup)?)
        } else {
            Some(on_server(wiring, assignment, service, setup)?)
        };
        databases.extend(assigned.filter(|one| !databases.contains(one)));
    }
    for database in &databases {
        rewrite(wiring, assignment, database);
    }
    Ok(databases)
}

/// Returns the value that a service's application sees: Portway's, the inherited one, or that of a file.
fn value(
    wiring: &Wiring,
    assignment: &Assignment<'_>,
    service: &str,
    variable: &str,
) -> Option<String> {
    let launch = wiring.services.get(service);
    let set = launch.and_then(|launch| launch.env.get(variable).cloned());
    let of_file = || assignment.files.get(service)?.get(variable).cloned();
    let found = set.or_else(|| (assignment.inherited)(variable));
    found.or_else(of_file).filter(|value| !value.is_empty())
}

fn set(wiring: &mut Wiring, service: &str, variable: &str, value: String) {
    if let Some(launch) = wiring.services.get_mut(service) {
        launch.env.insert(variable.to_owned(), value);
    }
}

/// Gives variables without a value the declared address of the template.
fn set_missing(
    wiring: &mut Wiring,
    assignment: &Assignment<'_>,
    service: &str,
    setup: &DatabaseSetup,
) {
    let Some(url) = &setup.url else { return };
    for variable in &setup.variables {
        if value(wiring, assignment, service, variable).is_none() {
            let address = DatabaseAddress::parse(url);
            let own = address.map_or_else(|| url.clone(), |one| one.with_name(&setup.template));
            set(wiring, service, variable, own);
        }
    }
}

/// Returns the template's file and the file of this worktree, and declares nothing: relative paths in
/// variables are the worktree's own already.
fn file(
    assignment: &Assignment<'_>,
    setup: &DatabaseSetup,
) -> Result<AssignedDatabase, DatabaseProblem> {
    let name = (assignment.name)(Engine::Sqlite, None, &stem(&setup.template));
    let paths = sqlite_paths(&setup.template, assignment.root, assignment.main, &name);
    let (template, own) = paths.ok_or_else(|| DatabaseProblem {
        message: format!(
            "the template `{}` is a relative path, and the repository has no main checkout",
            setup.template
        ),
        help: "write the absolute path of the template".into(),
    })?;
    Ok(AssignedDatabase {
        database: DatabaseToCreate {
            engine: Engine::Sqlite,
            template: template.display().to_string(),
            name: own.display().to_string(),
            url: String::new(),
        },
        server: None,
    })
}

fn stem(path: &str) -> String {
    let stem = Path::new(path).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// Returns the file of a template and that of a worktree's copy. A template in the project has the same
/// relative path in each checkout. The copy of any other is beside it and named `name`. `None` if the
/// template is relative and there is no main checkout.
pub fn sqlite_paths(
    template: &str,
    root: &Path,
    main: Option<&Path>,
    name: &str,
) -> Option<(PathBuf, PathBuf)> {
    let absolute = match main {
        _ if Path::new(template).is_absolute() => normalized(Path::new(template)),
        Some(main) => normalized(&main.join(template)),
        None => return None,
    };
    if let Some(inside) = main.and_then(|main| absolute.strip_prefix(main).ok()) {
        let own = root.join(inside);
        return Some((absolute, own));
    }
    let file = match absolute.extension() {
        Some(extension) => format!("{name}.{}", extension.to_string_lossy()),
        None => name.to_owned(),
    };
    let own = absolute.with_file_name(file);
    Some((absolute, own))
}

/// Resolves `.` and `..` without reading the disk.
fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Finds the server of a database, and points its declared variables to the worktree's own.
fn on_server(
    wiring: &mut Wiring,
    assignment: &Assignment<'_>,
    service: &str,
    setup: &DatabaseSetup,
) -> Result<AssignedDatabase, DatabaseProblem> {
    let values: Vec<(&String, Option<String>)> = setup
        .variables
        .iter()
        .map(|name| (name, value(wiring, assignment, service, name)))
        .collect();
    let declared = setup.url.as_deref();
    let mut texts = declared
        .into_iter()
        .chain(values.iter().filter_map(|(_, value)| value.as_deref()));
    let base = texts
        .find_map(DatabaseAddress::parse)
        .ok_or_else(|| unknown_server(service, setup, &values))?;
    let name = (assignment.name)(base.server.engine, Some(&base.server), &setup.template);
    let url = base.with_name(&setup.template);
    for (variable, value) in values {
        let own = match value
            .as_deref()
            .map(|text| (text, DatabaseAddress::parse(text)))
        {
            None => base.with_name(&name),
            Some((_, Some(address))) if address.server == base.server => address.with_name(&name),
            // The variable has the name alone.
            Some((text, None)) if is_name(text) => name.clone(),
            Some((_, address)) => return Err(other_server(service, variable, address, &base)),
        };
        set(wiring, service, variable, own);
    }
    Ok(AssignedDatabase {
        server: Some(base.server.clone()),
        database: DatabaseToCreate {
            engine: base.server.engine,
            template: setup.template.clone(),
            name,
            url,
        },
    })
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.chars().all(is_part)
}

fn unknown_server(
    service: &str,
    setup: &DatabaseSetup,
    values: &[(&String, Option<String>)],
) -> DatabaseProblem {
    let names: Vec<&str> = setup.variables.iter().map(String::as_str).collect();
    let why = match values.iter().any(|(_, value)| value.is_some()) {
        true => "is not the address of a PostgreSQL or MySQL server",
        false if names.len() > 1 => "have no value",
        false => "has no value",
    };
    DatabaseProblem {
        message: format!(
            "the server of the database `{}` of `{service}` is not known: `{}` {why}",
            setup.template,
            names.join("` and `"),
        ),
        help: format!(
            "set the variable in `.env`, name another one, or write the address: \
             `database = {{ template = \"{}\", url = \"postgresql://localhost:5432/{}\" }}`",
            setup.template, setup.template
        ),
    }
}

fn other_server(
    service: &str,
    variable: &str,
    address: Option<DatabaseAddress>,
    base: &DatabaseAddress,
) -> DatabaseProblem {
    let refers = match address {
        Some(address) => format!("refers to {}", address.server),
        None => "is neither an address nor a name".to_owned(),
    };
    DatabaseProblem {
        message: format!(
            "`{variable}` of `{service}` {refers}, but its template is on {}",
            base.server
        ),
        help: format!(
            "fix the variable or `url`, or remove `{variable}` from `env` of the database"
        ),
    }
}

/// Points every variable that refers to the template to the worktree's database.
fn rewrite(wiring: &mut Wiring, assignment: &Assignment<'_>, assigned: &AssignedDatabase) {
    let services: Vec<String> = wiring.services.keys().cloned().collect();
    for service in services {
        let launch = &wiring.services[&service];
        let of_files = assignment.files.get(&service);
        let names = launch
            .env
            .keys()
            .chain(of_files.into_iter().flat_map(IndexMap::keys));
        let declared = wiring.databases.values().flat_map(|setup| &setup.variables);
        let mut names: Vec<String> = names.chain(declared).cloned().collect();
        names.sort();
        names.dedup();
        for variable in names {
            let Some(value) = value(wiring, assignment, &service, &variable) else {
                continue;
            };
            if let Some(own) = rewritten(&value, assigned) {
                set(wiring, &service, &variable, own);
            }
        }
    }
}

/// Returns a value with the template replaced; `None` if it does not refer to it.
fn rewritten(value: &str, assigned: &AssignedDatabase) -> Option<String> {
    let AssignedDatabase { database, server } = assigned;
    let Some(server) = server else {
        let is_same = database.template == database.name;
        return (!is_same && has_path(value, &database.template))
            .then(|| value.replacen(&database.template, &database.name, 1));
    };
    let address = DatabaseAddress::parse(value)?;
    let is_template = address.server == *server && address.name == database.template;
    is_template.then(|| address.with_name(&database.name))
}

/// Returns whether a text contains the whole path of a file.
fn has_path(text: &str, path: &str) -> bool {
    text.split_once(path).is_some_and(|(_, after)| {
        !after.starts_with(|c: char| c.is_alphanumeric() || "._-/".contains(c))
    })
}

#[cfg(test)]
mod tests;
