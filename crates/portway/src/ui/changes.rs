//! Prints what `portway up` changes.

use portway_api::{ChangeAction, ChangePlan, ServiceChange};

use super::sanitize::one_line;
use super::table::{Flexible, columns};
use super::{message, out};

/// Prints the plan of `portway up --dry-run`.
pub(crate) fn planned(plan: &ChangePlan) -> bool {
    let rows = plan.changes.iter().map(|change| {
        let action = match change.action {
            ChangeAction::Start => "start",
            ChangeAction::Restart => "restart",
            ChangeAction::Stop => "stop",
            ChangeAction::Keep => "keep",
        };
        vec![
            action.to_owned(),
            one_line(&change.service),
            reasons(change),
        ]
    });
    out(&columns(rows.collect(), "", &[Flexible::text(2, 20)]))
}

fn reasons(change: &ServiceChange) -> String {
    match change.action {
        ChangeAction::Keep => "unchanged".to_owned(),
        _ => one_line(&change.reasons.join("; ")),
    }
}

/// Reports the changes that are being applied, one line each.
pub(super) fn applied(plan: &ChangePlan) {
    for change in &plan.changes {
        let action = match change.action {
            ChangeAction::Start => "starting",
            ChangeAction::Restart => "restarting",
            ChangeAction::Stop => "stopping",
            ChangeAction::Keep => continue,
        };
        let service = one_line(&change.service);
        message(&format!("{action} `{service}`: {}\n", reasons(change)));
    }
}
