//! The step that creates the databases of a worktree. It runs as a service of the instance, when the
//! server is ready and before the services that use the databases.

use std::path::{Path, PathBuf};

use portway_api::ErrorCode;
use portway_project::database::{DatabaseAddress, DatabaseToCreate, Engine, Server};
use serde::{Deserialize, Serialize};

use super::mysql::Mysql;
use super::postgres::Postgres;
use super::record::{CreationState, Record, RecordedDatabase};
use super::sqlite;
use crate::error::CommandError;

/// The hidden command that creates the databases of an instance.
pub const COMMAND: &str = "__databases";

/// The variable with what the command needs.
pub(super) const VARIABLE: &str = "PORTWAY_DATABASES";

/// What the command needs.
#[derive(Serialize, Deserialize)]
pub(super) struct StepInput {
    /// The record of the instance.
    pub(super) record: PathBuf,
    /// The root of the project in the worktree.
    pub(super) checkout: PathBuf,
    /// The root of the project in the main checkout, if there is one.
    pub(super) main: Option<PathBuf>,
    /// The databases.
    pub(super) databases: Vec<DatabaseToCreate>,
}

/// Creates the databases that do not exist yet. `report` receives a line for each.
///
/// # Errors
/// When a server cannot be used, a template does not exist, or a database exists that Portway did not
/// create.
pub fn create(report: &dyn Fn(&str)) -> Result<(), CommandError> {
    let input: StepInput = std::env::var(VARIABLE)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or_else(|| {
            let message = format!("`{COMMAND}` runs only as a part of `portway up`");
            CommandError::new(ErrorCode::Usage, message)
        })?;
    let mut record = Record::read(&input.record)?.unwrap_or_default();
    record.checkout.clone_from(&input.checkout);
    record.main.clone_from(&input.main);
    let mut creation = Creation {
        record,
        file: &input.record,
        report,
    };
    for database in &input.databases {
        match database.engine {
            Engine::Postgres => creation.postgres(database)?,
            Engine::Mysql => creation.mysql(database)?,
            Engine::Sqlite => creation.sqlite(database, &input.checkout)?,
        }
    }
    Ok(())
}

struct Creation<'a> {
    record: Record,
    file: &'a Path,
    report: &'a dyn Fn(&str),
}

impl Creation<'_> {
    fn postgres(&mut self, database: &DatabaseToCreate) -> Result<(), CommandError> {
        let DatabaseToCreate { template, name, .. } = database;
        let address = address(database)?;
        let server = &address.server;
        let postgres = Postgres::new(&address);
        let recorded = self.record.find(Some(server), name).cloned();
        if let Some(comment) = postgres.comment(name)? {
            let is_ours = recorded.as_ref().is_some_and(|entry| {
                entry.state == CreationState::Created
                    && (entry.server.as_ref() == Some(server) || comment == self.mark())
            });
            // Only a complete copy gets the comment and then this name.
            let was_renamed = comment == self.mark();
            if !is_ours && !was_renamed {
                return Err(exists(database, Some(server)));
            }
            return self.keep(database, &address, recorded);
        }
        if let Some(CreationState::Copying { temporary }) = recorded.map(|entry| entry.state) {
            postgres.drop(&temporary)?;
        }
        if postgres.comment(template)?.is_none() {
            return Err(no_template(template, &server.to_string()));
        }
        let temporary = temporary_name();
        let state = CreationState::Copying {
            temporary: temporary.clone(),
        };
        self.write(database, Some(&address), state)?;
        let how = postgres.copy(template, &temporary).inspect_err(|_| {
            // The error that is returned is more useful.
            let _ = postgres.drop(&temporary);
        })?;
        postgres.rename(&temporary, name, &self.mark())?;
        self.created(database, Some(&address), how)
    }

    fn mysql(&mut self, database: &DatabaseToCreate) -> Result<(), CommandError> {
        let DatabaseToCreate { template, name, .. } = database;
        let address = address(database)?;
        let server = &address.server;
        let mysql = Mysql::new(&address);
        let recorded = self.record.find(Some(server), name);
        let recorded = recorded
            .filter(|entry| entry.server.as_ref() == Some(server))
            .cloned();
        if mysql.exists(name)? {
            match recorded.as_ref().map(|entry| &entry.state) {
                Some(CreationState::Created) => return self.keep(database, &address, recorded),
                // Its creation was interrupted.
                Some(CreationState::Filling) => mysql.drop(name)?,
                _ => return Err(exists(database, Some(server))),
            }
        }
        if !mysql.exists(template)? {
            return Err(no_template(template, &server.to_string()));
        }
        mysql.create(template, name)?;
        self.write(database, Some(&address), CreationState::Filling)?;
        mysql.fill(template, name).inspect_err(|_| {
            // The error that is returned is more useful.
            let _ = mysql.drop(name);
        })?;
        self.created(database, Some(&address), "copied it with `mysqldump`")
    }

    fn sqlite(&mut self, database: &DatabaseToCreate, checkout: &Path) -> Result<(), CommandError> {
        let (template, own) = (Path::new(&database.template), Path::new(&database.name));
        let recorded = self.record.find(None, &database.name).cloned();
        if own.symlink_metadata().is_ok() {
            if recorded.is_some_and(|entry| entry.state == CreationState::Created) {
                (self.report)(&format!("`{}` exists", own.display()));
                return Ok(());
            }
            // A file of the worktree belongs to this checkout, whoever created it.
            if own.starts_with(checkout) {
                (self.report)(&format!(
                    "`{}` exists and was not created by Portway; it is used as it is",
                    own.display()
                ));
                return Ok(());
            }
            return Err(exists(database, None));
        }
        if !template.is_file() {
            return Err(no_template(&database.template, "this machine"));
        }
        if let Some(CreationState::Copying { temporary }) = recorded.map(|entry| entry.state) {
            // A leftover does no harm.
            let _ = sqlite::remove(Path::new(&temporary));
        }
        let dir = own.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(|error| CommandError::file("create", dir, error))?;
        let mut temporary = own.as_os_str().to_owned();
        temporary.push(format!(".{}", temporary_name()));
        let temporary = PathBuf::from(temporary);
        let state = CreationState::Copying {
            temporary: temporary.display().to_string(),
        };
        self.write(database, None, state)?;
        let how = sqlite::copy(template, &temporary).inspect_err(|_| {
            // The error that is returned is more useful.
            let _ = sqlite::remove(&temporary);
        })?;
        sqlite::publish(&temporary, own)
            .map_err(|error| CommandError::file("create", own, error))?;
        self.created(database, None, how)
    }

    fn mark(&self) -> String {
        mark(&self.record.checkout)
    }

    fn keep(
        &mut self,
        database: &DatabaseToCreate,
        address: &DatabaseAddress,
        recorded: Option<RecordedDatabase>,
    ) -> Result<(), CommandError> {
        if let Some(old) = recorded {
            // Its server may have another port now.
            self.record.remove(old.server.as_ref(), &old.name);
        }
        self.write(database, Some(address), CreationState::Created)?;
        (self.report)(&format!("the database `{}` exists", database.name));
        Ok(())
    }

    fn created(
        &mut self,
        database: &DatabaseToCreate,
        address: Option<&DatabaseAddress>,
        how: &str,
    ) -> Result<(), CommandError> {
        self.write(database, address, CreationState::Created)?;
        (self.report)(&format!(
            "created the database `{}` from the template `{}` ({how})",
            database.name, database.template
        ));
        Ok(())
    }

    fn write(
        &mut self,
        database: &DatabaseToCreate,
        address: Option<&DatabaseAddress>,
        state: CreationState,
    ) -> Result<(), CommandError> {
        self.record.set(RecordedDatabase {
            engine: database.engine,
            server: address.map(|address| address.server.clone()),
            user: address
                .map(|address| address.user.clone())
                .unwrap_or_default(),
            template: database.template.clone(),
            name: database.name.clone(),
            state,
        });
        self.record.write(self.file)
    }
}

/// The comment of the databases that belong to a checkout.
pub(super) fn mark(checkout: &Path) -> String {
    format!("created by Portway for {}", checkout.display())
}

fn address(database: &DatabaseToCreate) -> Result<DatabaseAddress, CommandError> {
    DatabaseAddress::parse(&database.url).ok_or_else(|| {
        let message = format!("the address of `{}` is invalid", database.template);
        CommandError::new(ErrorCode::Usage, message)
    })
}

/// Returns a name that no other program uses.
fn temporary_name() -> String {
    let mut bytes = [0; 8];
    // Without random bytes, the process and the time still make it unique.
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..4].copy_from_slice(&std::process::id().to_le_bytes());
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("portway_{digits}")
}

fn exists(database: &DatabaseToCreate, server: Option<&Server>) -> CommandError {
    let name = &database.name;
    let place = server.map_or_else(String::new, |server| format!(" on {server}"));
    let message = format!("`{name}` exists already{place}, and Portway did not create it");
    let help = match database.engine {
        Engine::Postgres => format!("if it is not needed, drop it: `dropdb {name}`"),
        Engine::Mysql => format!("if it is not needed, drop it: `mysqladmin drop {name}`"),
        Engine::Sqlite => "if it is not needed, delete it".to_owned(),
    };
    CommandError::new(ErrorCode::Refused, message).hint(format!(
        "{help}; `portway prune --yes` drops the databases of deleted worktrees; otherwise rename it"
    ))
}

fn no_template(template: &str, place: &str) -> CommandError {
    let message = format!("there is no database `{template}` on {place} to copy");
    CommandError::new(ErrorCode::NotFound, message).hint(
        "start the main checkout once so that it creates the database, or fix `template` of the \
         `database` in `portway.toml`",
    )
}
