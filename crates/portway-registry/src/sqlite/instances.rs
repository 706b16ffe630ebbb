//! Registered instances: their records, names and removal.

use std::path::Path;
use std::{fs, io};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows::{INSTANCE, directories, identity_columns, instance, instance_by_id, leases};
use crate::running::is_deleted;
use crate::{CheckoutState, DATABASES_FILE, Instance, Lease, Millis, NewInstance, lock};

/// Writes the record of a checkout and decides its name.
pub(super) fn register(
    transaction: &Transaction<'_>,
    state_dir: &Path,
    new: &NewInstance,
    now: Millis,
) -> rusqlite::Result<Instance> {
    let dir = new.dir.as_os_str().as_encoded_bytes();
    // A directory belongs to one checkout: a record with another id is stale.
    transaction.execute(
        "DELETE FROM instances WHERE dir = ?1 AND id <> ?2",
        params![dir, new.id],
    )?;
    let other = transaction
        .query_row(
            &format!("SELECT {INSTANCE} FROM instances WHERE name = ?1 AND id <> ?2"),
            params![new.name, new.id],
            instance,
        )
        .optional()?;
    let name = match other {
        None => &new.name,
        Some(other) if instance_state(state_dir, &other) != CheckoutState::Missing => {
            &new.fallback_name
        }
        Some(missing) => {
            // The name and the ports of a checkout whose directory is gone are free.
            transaction.execute("DELETE FROM instances WHERE id = ?1", [missing.id])?;
            &new.name
        }
    };
    let (device, inode) = identity_columns(new.identity);
    transaction.execute(
        "INSERT INTO instances (id, dir, project, name, branch, main, last_used, device, inode)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET project = ?3, name = ?4, branch = ?5, main = ?6,
             last_used = ?7, device = ?8, inode = ?9",
        params![
            new.id,
            dir,
            new.project,
            name,
            new.branch,
            new.is_main,
            now,
            device,
            inode
        ],
    )?;
    instance_by_id(transaction, &new.id)
}

/// Records a running instance again, with the name under which it started if that is free.
pub(super) fn restore(
    transaction: &Transaction<'_>,
    state_dir: &Path,
    instance: &Instance,
    is_missing: bool,
    now: Millis,
) -> rusqlite::Result<()> {
    if !is_missing {
        return Ok(());
    }
    let (first, rest) = match instance.name.split_once('.') {
        Some((first, rest)) => (first, format!(".{rest}")),
        None => (instance.name.as_str(), String::new()),
    };
    let digits: String = instance.id.chars().take(6).collect();
    let new = NewInstance {
        id: instance.id.clone(),
        dir: instance.dir.clone(),
        project: instance.project.clone(),
        name: instance.name.clone(),
        fallback_name: format!("{first}-{digits}{rest}"),
        branch: instance.branch.clone(),
        is_main: instance.is_main,
        identity: instance.identity,
    };
    register(transaction, state_dir, &new, now)?;
    let options = serde_json::to_string(&instance.options).unwrap_or_default();
    let gateway = instance.gateway.as_ref();
    let gateway = gateway.and_then(|gateway| serde_json::to_string(gateway).ok());
    transaction
        .execute(
            "UPDATE instances SET options = ?2, gateway = ?3 WHERE id = ?1",
            params![instance.id, options, gateway],
        )
        .map(drop)
}

/// Returns whether the record of a checkout is up to date.
pub(super) fn is_registered(known: &Instance, new: &NewInstance) -> bool {
    (
        &known.dir,
        &known.project,
        &known.name,
        &known.branch,
        known.is_main,
        known.identity,
    ) == (
        &new.dir,
        &new.project,
        &new.name,
        &new.branch,
        new.is_main,
        new.identity,
    )
}

/// Returns the state of an instance's checkout.
fn instance_state(state_dir: &Path, instance: &Instance) -> CheckoutState {
    let device = instance.identity.map(|identity| identity.device);
    checkout_state(state_dir, &instance.id, Some((&instance.dir, device)))
}

/// Returns all instances with their leases and states.
pub(super) fn list(
    connection: &Connection,
    state_dir: &Path,
) -> rusqlite::Result<Vec<(Instance, Vec<Lease>, CheckoutState)>> {
    let mut statement = connection.prepare(&format!(
        "SELECT {INSTANCE} FROM instances ORDER BY project, main DESC, name"
    ))?;
    let instances: Vec<Instance> = statement
        .query_map([], instance)?
        .collect::<Result<_, _>>()?;
    let leases = leases(connection)?;
    let with_leases = |instance: Instance| {
        let own = leases.iter().filter(|lease| lease.instance == instance.id);
        let state = instance_state(state_dir, &instance);
        (instance.clone(), own.cloned().collect(), state)
    };
    Ok(instances.into_iter().map(with_leases).collect())
}

/// Deletes the leases of `ports`, or none if the instance of one is running. Returns them.
pub(super) fn release(
    transaction: &Transaction<'_>,
    state_dir: &Path,
    ports: &[u16],
) -> rusqlite::Result<Vec<(Instance, Lease, CheckoutState)>> {
    let mut found = Vec::new();
    for lease in leases(transaction)? {
        if ports.contains(&lease.port) {
            let owner = instance_by_id(transaction, &lease.instance)?;
            let state = instance_state(state_dir, &owner);
            found.push((owner, lease, state));
        }
    }
    let is_running = |state: CheckoutState| state == CheckoutState::Running;
    if !found.iter().any(|(.., state)| is_running(*state)) {
        for (_, lease, _) in &found {
            transaction.execute("DELETE FROM leases WHERE port = ?1", [lease.port])?;
        }
    }
    Ok(found)
}

/// Deletes the records of instances, and the directories of all instances that have no record.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    state_dir: &Path,
    gone: &[(Instance, Vec<Lease>)],
) -> rusqlite::Result<()> {
    for (instance, _) in gone {
        transaction.execute("DELETE FROM instances WHERE id = ?1", [&instance.id])?;
    }
    let known = directories(transaction)?;
    for id in lock::instance_ids(state_dir) {
        let dir = lock::instance_dir(state_dir, &id);
        if !known.contains_key(&id) && !lock::has_supervisor(&dir) && !lock::has_users(&dir) {
            // The next call tries again.
            let _ = remove_directory(&dir);
        }
    }
    Ok(())
}

/// Removes the directory of an instance. The record of its databases stays until they are dropped.
fn remove_directory(dir: &Path) -> io::Result<()> {
    if dir.join(DATABASES_FILE).symlink_metadata().is_err() {
        return fs::remove_dir_all(dir);
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != DATABASES_FILE {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Returns the state of an instance's checkout. `dir` is its directory with the device on which it
/// was, `None` if the instance has no record.
pub(super) fn checkout_state(
    state_dir: &Path,
    id: &str,
    dir: Option<(&Path, Option<u64>)>,
) -> CheckoutState {
    let own = lock::instance_dir(state_dir, id);
    if lock::has_supervisor(&own) || lock::has_users(&own) {
        return CheckoutState::Running;
    }
    match dir {
        Some((dir, device)) if !is_deleted(dir, device) => CheckoutState::Stopped,
        _ => CheckoutState::Missing,
    }
}
