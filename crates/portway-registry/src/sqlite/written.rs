//! Contents of `.ports.json` files that Portway wrote.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::Millis;

/// Maximum number of contents that are recorded, to distinguish a copied file from an edited one.
const MAX_WRITTEN: u32 = 2000;

/// Returns what was last written into an instance's file, as it is stored.
pub(super) fn last(connection: &Connection, instance: &str) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "SELECT written FROM instances WHERE id = ?1",
            [instance],
            |row| row.get(0),
        )
        .optional()
        .map(Option::flatten)
}

/// Returns whether this content was written on this machine.
pub(super) fn is_known(connection: &Connection, content: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM written WHERE content = ?1)",
        [content],
        |row| row.get(0),
    )
}

/// Records `text` for one instance, and `content` for the whole machine.
pub(super) fn record(
    transaction: &Transaction<'_>,
    instance: &str,
    text: &str,
    content: &str,
    now: Millis,
) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE instances SET written = ?2 WHERE id = ?1",
        params![instance, text],
    )?;
    transaction.execute(
        "INSERT INTO written (content, at) VALUES (?1, ?2)
         ON CONFLICT (content) DO UPDATE SET at = ?2",
        params![content, now],
    )?;
    transaction.execute(
        "DELETE FROM written WHERE content IN
         (SELECT content FROM written ORDER BY at DESC LIMIT -1 OFFSET ?1)",
        [MAX_WRITTEN],
    )?;
    Ok(())
}
