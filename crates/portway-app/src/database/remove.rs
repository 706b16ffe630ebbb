//! Drops a database that Portway has recorded.

use std::path::Path;

use portway_api::ErrorCode;
use portway_project::database::{DatabaseAddress, Engine};

use super::create::mark;
use super::mysql::Mysql;
use super::postgres::Postgres;
use super::record::{CreationState, Record, RecordedDatabase};
use super::sqlite;
use crate::error::CommandError;

/// Drops a database of `record`. The caller has checked that it is no template. `addresses` are those of
/// the main checkout, from which the password is used.
///
/// # Errors
/// When the server cannot be used, or the database is no longer the one that Portway created.
pub(crate) fn drop_one(
    record: &Record,
    one: &RecordedDatabase,
    addresses: &[DatabaseAddress],
) -> Result<(), CommandError> {
    let temporary = match &one.state {
        CreationState::Copying { temporary } => Some(temporary),
        _ => None,
    };
    let Some(server) = &one.server else {
        let file = Path::new(temporary.unwrap_or(&one.name));
        return sqlite::remove(file).map_err(|error| CommandError::file("delete", file, error));
    };
    let same_user = addresses.iter().filter(|address| address.user == one.user);
    let on_server = same_user
        .clone()
        .filter(|address| address.server == *server);
    let password = on_server
        .chain(same_user)
        .find_map(|one| one.password.clone());
    let address = DatabaseAddress::of_server(server.clone(), one.user.clone(), password);
    match one.engine {
        Engine::Postgres => {
            let postgres = Postgres::new(&address);
            if let Some(temporary) = temporary {
                postgres.drop(temporary)?;
            }
            match postgres.comment(&one.name)? {
                Some(comment) if comment == mark(&record.checkout) => postgres.drop(&one.name),
                // It was never created, or it is gone already.
                None => Ok(()),
                Some(_) if temporary.is_some() => Ok(()),
                Some(_) => Err(CommandError::new(
                    ErrorCode::Refused,
                    "it no longer has the comment with which Portway created it",
                )
                .hint(format!("drop `{}` yourself if it is not needed", one.name))),
            }
        }
        Engine::Mysql => Mysql::new(&address).drop(&one.name),
        Engine::Sqlite => Ok(()),
    }
}
