//! Records of successful prepare steps.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows::list;

/// Returns the digest and the outputs of a service's last successful prepare step.
pub(super) fn last(
    connection: &Connection,
    instance: &str,
    service: &str,
) -> rusqlite::Result<Option<(String, Vec<String>)>> {
    connection
        .query_row(
            "SELECT digest, outputs FROM prepared WHERE instance = ?1 AND service = ?2",
            params![instance, service],
            |row| Ok((row.get(0)?, list(row.get(1)?))),
        )
        .optional()
}

/// Removes the records of the prepare steps of `services`.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    instance: &str,
    services: &[String],
) -> rusqlite::Result<()> {
    let mut delete =
        transaction.prepare("DELETE FROM prepared WHERE instance = ?1 AND service = ?2")?;
    for service in services {
        delete.execute(params![instance, service])?;
    }
    Ok(())
}

/// Records a successful prepare step.
pub(super) fn record(
    transaction: &Transaction<'_>,
    instance: &str,
    service: &str,
    digest: &str,
    outputs: &[String],
) -> rusqlite::Result<()> {
    let outputs = serde_json::to_string(outputs).unwrap_or_default();
    transaction
        .execute(
            "INSERT INTO prepared (instance, service, digest, outputs)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (instance, service) DO UPDATE SET digest = ?3, outputs = ?4",
            params![instance, service, digest, outputs],
        )
        .map(drop)
}
