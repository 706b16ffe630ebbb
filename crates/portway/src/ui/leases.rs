//! Leases, and what was left of others.

use portway_api::{LeaseEntry, LeaseState, PruneReport};

use super::sanitize::one_line;
use super::status::{ago, columns};
use super::{out, talk};

/// Every lease in a row.
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
    out(&columns(rows, ""))
}

/// Leases that were released.
pub(crate) fn forgotten(entries: &[LeaseEntry]) {
    for entry in entries {
        let owner = &entry.lease.owner;
        talk(&format!(
            "port {} is no longer kept for `{}` of {}\n",
            entry.port, owner.service, owner.instance
        ));
    }
}

/// What was dropped, and which processes were found.
pub(crate) fn pruned(pruned: &PruneReport, dry_run: bool) {
    let verb = if dry_run { "would drop" } else { "dropped" };
    for entry in &pruned.leases {
        let owner = &entry.lease.owner;
        out(&format!(
            "{verb} port {} of `{}` of {}: {} is gone\n",
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
                format!("left: pid {}", left.process.pid),
                format!("`{}` of {instance}", left.service),
                one_line(&left.process.command),
            ]
        })
        .collect();
    if !pruned.processes.is_empty() {
        out(&columns(rows, ""));
    }
    for directory in &pruned.running {
        out(&format!(
            "runs, and its directory is gone: {}\n",
            one_line(directory)
        ));
    }
    if pruned.leases.is_empty() && pruned.processes.is_empty() && pruned.running.is_empty() {
        talk("there is nothing to prune\n");
    }
}
