//! Finds and drops the databases of checkouts that no longer exist. Only a database that Portway has
//! recorded is dropped, and never a template. If that cannot be checked, nothing is dropped.

use std::path::{Path, PathBuf};

use portway_api::{ErrorCode, StaleDatabase};
use portway_project::Plan;
use portway_project::database::{DatabaseAddress, Engine, is_file};
use portway_registry::CheckoutState;

use crate::database::drop_one;
use crate::database::record::{self, Record, RecordedDatabase};
use crate::error::CommandError;
use crate::mapping::{environment, mappings};
use crate::project::{Described, describe};
use crate::registry::RegistryReader;

/// The databases of one checkout that no longer exists.
struct Stale {
    file: PathBuf,
    record: Record,
}

/// The databases of checkouts that no longer exist.
#[derive(Default)]
pub(super) struct StaleDatabases {
    stale: Vec<Stale>,
    /// The records of checkouts that exist.
    others: Vec<Record>,
}

impl StaleDatabases {
    /// Finds them. Connects to no server.
    ///
    /// # Errors
    /// When the registry or a record cannot be read.
    pub(super) fn find() -> Result<Self, CommandError> {
        let mut registry = RegistryReader::open()?;
        let known = registry.instances()?;
        let mut found = Self {
            stale: Vec::new(),
            others: Vec::new(),
        };
        for id in registry.instance_ids() {
            let file = record::path(&registry.instance_dir(&id));
            let Some(record) = Record::read(&file)? else {
                continue;
            };
            let is_known = known
                .iter()
                .any(|(instance, _, state)| instance.id == id && *state != CheckoutState::Missing);
            let is_deleted = is_missing(&record.checkout);
            if is_known || !is_deleted {
                found.others.push(record);
            } else {
                found.stale.push(Stale { file, record });
            }
        }
        Ok(found)
    }

    /// Returns the databases.
    pub(super) fn list(&self) -> Vec<StaleDatabase> {
        let all = self.stale.iter().flat_map(|stale| {
            let databases = stale.record.databases.iter();
            let existing =
                databases.filter(|one| one.server.is_some() || !is_missing(Path::new(&one.name)));
            existing.map(|one| describe_stale(&stale.record, one))
        });
        all.collect()
    }

    /// Drops the databases and returns what was done.
    pub(super) fn drop_all(self) -> Vec<StaleDatabase> {
        let mut report = Vec::new();
        for Stale { file, mut record } in self.stale {
            for one in record.databases.clone() {
                let mut entry = describe_stale(&record, &one);
                let dropped = check(&record, &one, &self.others)
                    .and_then(|addresses| drop_one(&record, &one, &addresses));
                let done = dropped.and_then(|()| {
                    record.remove(one.server.as_ref(), &one.name);
                    record.write(&file)
                });
                match done {
                    Ok(()) => entry.dropped = true,
                    Err(error) => {
                        let hints = error.info.hints.iter().map(|hint| format!("; {hint}"));
                        entry.problem = Some(error.text() + &hints.collect::<String>());
                    }
                }
                report.push(entry);
            }
            if record.databases.is_empty() {
                // It is empty unless the instance still has other files.
                let _ = file.parent().map(std::fs::remove_dir);
            }
        }
        report
    }
}

/// Returns whether a path certainly does not exist.
fn is_missing(path: &Path) -> bool {
    path.symlink_metadata()
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn describe_stale(record: &Record, one: &RecordedDatabase) -> StaleDatabase {
    StaleDatabase {
        name: one.name.clone(),
        server: match &one.server {
            Some(server) => server.to_string(),
            None => one.engine.label().to_owned(),
        },
        template: one.template.clone(),
        directory: record.checkout.display().to_string(),
        dropped: false,
        problem: None,
    }
}

/// Checks that a database is no template and belongs to no other checkout, with the manifest of the main
/// checkout as it is now. Returns the addresses that the main checkout uses.
fn check(
    record: &Record,
    one: &RecordedDatabase,
    others: &[Record],
) -> Result<Vec<DatabaseAddress>, CommandError> {
    let refuse = |why: String| {
        CommandError::new(ErrorCode::Refused, why)
            .hint(format!("drop `{}` yourself if it is not needed", one.name))
    };
    let recorded = others.iter().flat_map(|other| &other.databases);
    let mut recorded = recorded.chain(&record.databases);
    if recorded.any(|other| other.template == one.name && other.engine == one.engine) {
        return Err(refuse("it is the template of other databases".into()));
    }
    let of_others = others.iter().flat_map(|other| &other.databases);
    let mut of_others = of_others.filter(|other| other.server == one.server);
    if of_others.any(|other| other.name == one.name) {
        return Err(refuse("another checkout uses it".into()));
    }
    let main = record.main.as_deref();
    let main =
        main.ok_or_else(|| refuse("the main checkout with its template is not known".into()))?;
    let Described {
        manifest,
        found,
        preferences,
    } = describe(main).map_err(|error| {
        refuse(format!(
            "the template cannot be compared with the manifest of the main checkout `{}`: {}",
            main.display(),
            error.text()
        ))
    })?;
    let plan = Plan::with_all_services(&manifest, &preferences)?;
    let mappings = mappings(manifest.root(), &plan, found.is_some(), &[]);
    let mut texts: Vec<String> = Vec::new();
    for service in plan.services.values() {
        texts.extend(service.env.values().cloned());
        if let Some(setup) = &service.database {
            if is_template(&setup.template, one, main) {
                return Err(refuse("the manifest names it as a template".into()));
            }
            texts.extend(setup.url.clone());
            texts.extend(setup.variables.iter().filter_map(|name| environment(name)));
        }
        let of_files = mappings
            .get(&service.name)
            .into_iter()
            .flat_map(|one| &one.in_use);
        texts.extend(of_files.into_iter().map(|variable| variable.value.clone()));
    }
    if one.engine == Engine::Sqlite && texts.iter().any(|text| text.contains(&one.name)) {
        return Err(refuse("the main checkout uses it".into()));
    }
    let addresses: Vec<DatabaseAddress> = texts
        .iter()
        .filter_map(|text| DatabaseAddress::parse(text))
        .filter(|address| address.server.engine == one.engine)
        .collect();
    if addresses.iter().any(|address| address.name == one.name) {
        return Err(refuse("the main checkout uses it".into()));
    }
    Ok(addresses)
}

fn is_template(template: &str, one: &RecordedDatabase, main: &Path) -> bool {
    match is_file(template) {
        true => main.join(template) == Path::new(&one.name),
        false => template == one.name,
    }
}
