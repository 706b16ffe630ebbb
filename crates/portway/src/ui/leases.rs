//! Prints leases and the result of `portway prune`.

use portway_api::{LeaseEntry, LeaseState, PruneReport, StaleDatabase};

use super::sanitize::one_line;
use super::status::ago;
use super::table::{Flexible, columns};
use super::{message, out};

/// Describes a database of a deleted checkout.
fn stale_database(database: &StaleDatabase) -> String {
    let action = match (database.dropped, &database.problem) {
        (true, _) => "dropped the database".to_owned(),
        (false, Some(problem)) => {
            let name = one_line(&database.name);
            return format!(
                "did not drop the database `{name}`: {}\n",
                one_line(problem)
            );
        }
        (false, None) => "stale database".to_owned(),
    };
    format!(
        "{action} `{}` ({}), made from `{}`: {} was deleted\n",
        one_line(&database.name),
        one_line(&database.server),
        one_line(&database.template),
        one_line(&database.directory)
    )
}

/// Prints one lease per line.
pub(crate) fn leases(entries: &[LeaseEntry], now: u64) -> bool {
    let head = [
        "PORT",
        "STATE",
        "SERVICE",
        "INSTANCE",
        "LAST USED",
        "DIRECTORY",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for entry in entries {
        let lease = &entry.lease;
        let service = match &lease.name {
            Some(name) => format!("{}.{name}", lease.owner.service),
            None => lease.owner.service.clone(),
        };
        let state = match lease.state {
            LeaseState::Live => "live",
            LeaseState::Kept => "kept",
            LeaseState::Gone => "gone",
        };
        rows.push(vec![
            entry.port.to_string(),
            state.to_owned(),
            service,
            lease.owner.instance.clone(),
            format!("{} ago", ago(now.saturating_sub(lease.last_used))),
            one_line(&lease.owner.directory),
        ]);
    }
    out(&columns(rows, "", &[Flexible::path(5, 20)]))
}

/// Reports released leases.
pub(crate) fn released_leases(entries: &[LeaseEntry]) {
    for entry in entries {
        let owner = &entry.lease.owner;
        message(&format!(
            "released port {} of `{}` in `{}`\n",
            entry.port, owner.service, owner.instance
        ));
    }
}

/// Reports released leases and leftover processes.
pub(crate) fn pruned(pruned: &PruneReport, dry_run: bool) {
    let action = if dry_run { "would release" } else { "released" };
    for entry in &pruned.leases {
        let owner = &entry.lease.owner;
        out(&format!(
            "{action} port {} of `{}` in `{}`: {} was deleted\n",
            entry.port,
            owner.service,
            owner.instance,
            one_line(&owner.directory)
        ));
    }
    let rows = pruned
        .processes
        .iter()
        .map(|left| {
            let instance = left.instance.as_deref().unwrap_or(&left.id);
            vec![
                format!("leftover process {}", left.process.pid),
                format!("`{}` in `{instance}`", left.service),
                one_line(&left.process.command),
            ]
        })
        .collect();
    if !pruned.processes.is_empty() {
        out(&columns(rows, "", &[Flexible::text(2, 20)]));
    }
    for left in &pruned.containers {
        out(&format!(
            "leftover container {}, `{}` in `{}`\n",
            one_line(&left.container),
            one_line(&left.service),
            left.id
        ));
    }
    for directory in &pruned.running {
        out(&format!(
            "running, but its directory was deleted: {0}; run `portway -C {0} down` to stop it\n",
            one_line(directory)
        ));
    }
    let mut is_dropping = true;
    for database in &pruned.databases {
        out(&stale_database(database));
        is_dropping &= database.dropped || database.problem.is_some();
    }
    if !is_dropping && !dry_run {
        message("no databases were dropped; run `portway prune --yes` to drop them\n");
    }
    let has_leftovers = !pruned.processes.is_empty() || !pruned.containers.is_empty();
    let is_empty = pruned.leases.is_empty() && pruned.databases.is_empty();
    if is_empty && !has_leftovers && pruned.running.is_empty() {
        message("nothing to prune\n");
    }
}
