//! Allocation inside one transaction.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rusqlite::{Transaction, params};

use super::checkout_state;
use super::rows::{DIRECTORY, directory, leases};
use crate::choose::choose;
use crate::error::{AllocateError, RegistryError};
use crate::request::{AllocatedPort, AllocationRequest, HoldFn, PortRequest};
use crate::{CheckoutState, Lease, Millis};

/// For how long a use that changes no lease may go unrecorded. The time of the last use only orders
/// the leases of stopped instances, and every write waits several milliseconds for the disk.
const MIN_RECORD_INTERVAL: Millis = 60_000;

/// Chooses ports and records them. Returns the ports and whether anything was written.
pub(super) fn allocate(
    transaction: &Transaction<'_>,
    state_dir: &Path,
    file: &Path,
    request: &AllocationRequest<'_>,
    hold: &mut HoldFn<'_>,
    now: Millis,
) -> Result<(Vec<AllocatedPort>, bool), AllocateError> {
    let sqlite = |error| RegistryError::sqlite(file, error);
    let leases = leases(transaction).map_err(sqlite)?;
    let siblings = match request.ports.iter().any(|port| port.is_called) {
        true => siblings(transaction, request.instance).map_err(sqlite)?,
        false => HashSet::new(),
    };
    // Only directories of instances whose leases are candidates are read: there may be thousands
    // of others.
    let mut find_dir = transaction.prepare(DIRECTORY).map_err(sqlite)?;
    let mut known: HashMap<String, CheckoutState> = HashMap::new();
    let mut failure = None;
    let mut state = |id: &str| {
        *known
            .entry(id.to_owned())
            .or_insert_with(|| match directory(&mut find_dir, id) {
                Ok(Some((dir, device))) => checkout_state(state_dir, id, Some((&dir, device))),
                Ok(None) => checkout_state(state_dir, id, None),
                Err(error) => {
                    failure.get_or_insert(error);
                    CheckoutState::Running
                }
            })
    };
    let allocated = choose(request, &leases, &siblings, &mut state, hold);
    if let Some(error) = failure {
        return Err(sqlite(error).into());
    }
    let allocated = allocated?;
    let is_written = record(transaction, request, &allocated, &leases, now).map_err(sqlite)?;
    Ok((allocated, is_written))
}

/// Returns the ids of the instances of the same project.
fn siblings(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<HashSet<String>> {
    let mut find = transaction.prepare(
        "SELECT id FROM instances WHERE project = (SELECT project FROM instances WHERE id = ?1)",
    )?;
    let ids = find.query_map([id], |row| row.get(0))?;
    ids.collect()
}

/// Records the allocated ports; returns whether that changed anything.
fn record(
    transaction: &Transaction<'_>,
    request: &AllocationRequest<'_>,
    allocated: &[AllocatedPort],
    leases: &[Lease],
    now: Millis,
) -> rusqlite::Result<bool> {
    let id = request.instance;
    if is_recorded(request, allocated, leases, now) {
        return Ok(false);
    }
    if request.is_complete {
        // Ports that were observed keep their leases.
        transaction.execute(
            "DELETE FROM leases WHERE instance = ?1 AND name NOT GLOB '[0-9]*'",
            [id],
        )?;
    }
    for (port, wanted) in allocated.iter().zip(&request.ports) {
        transaction.execute(
            "DELETE FROM leases WHERE port = ?1
             OR (instance = ?2 AND service = ?3 AND name = ?4)",
            params![port.port, id, port.service, port.name],
        )?;
        let lease = Lease {
            port: port.port,
            instance: id.to_owned(),
            service: port.service.clone(),
            name: port.name.clone(),
            forced_port: wanted.forced,
            yielded_port: port.yielded,
            last_used: now,
        };
        insert(transaction, id, &lease, now)?;
    }
    transaction
        .execute(
            "UPDATE instances SET last_used = ?2 WHERE id = ?1",
            params![id, now],
        )
        .map(|_| true)
}

/// Records the leases of a running instance again, in place of any others.
pub(super) fn restore(
    transaction: &Transaction<'_>,
    id: &str,
    leases: &[Lease],
    now: Millis,
) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM leases WHERE instance = ?1", [id])?;
    for lease in leases {
        transaction.execute("DELETE FROM leases WHERE port = ?1", [lease.port])?;
        insert(transaction, id, lease, now)?;
    }
    Ok(())
}

/// Records a lease of the instance `id` as used now.
fn insert(
    transaction: &Transaction<'_>,
    id: &str,
    lease: &Lease,
    now: Millis,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO leases (port, instance, service, name, wish, yielded, last_used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            lease.port,
            id,
            lease.service,
            lease.name,
            lease.forced_port,
            lease.yielded_port,
            now
        ],
    )?;
    Ok(())
}

/// Returns whether exactly these leases are recorded and were used recently.
fn is_recorded(
    request: &AllocationRequest<'_>,
    allocated: &[AllocatedPort],
    leases: &[Lease],
    now: Millis,
) -> bool {
    let is_own = |lease: &&Lease| lease.instance == request.instance;
    let is_leased = |(port, wanted): (&AllocatedPort, &PortRequest)| {
        leases.iter().filter(is_own).any(|lease| {
            (lease.port, &lease.service, &lease.name) == (port.port, &port.service, &port.name)
                && (lease.forced_port, lease.yielded_port) == (wanted.forced, port.yielded)
                && now.abs_diff(lease.last_used) < MIN_RECORD_INTERVAL
        })
    };
    allocated.iter().zip(&request.ports).all(is_leased)
        && (!request.is_complete
            || leases
                .iter()
                .filter(is_own)
                .filter(|lease| !lease.is_observed())
                .count()
                == allocated.len())
}
