//! Prints the local CA and the trust stores.

use portway_api::{TrustReport, TrustState, TrustStep};
use portway_app::trust::Direction;

use super::{BOLD, DIM, GREEN, RED, YELLOW, message, styled};

/// Prints the planned changes.
pub(crate) fn trust_plan(report: &TrustReport, direction: Direction) {
    let mut text = String::new();
    match direction {
        Direction::Install { creates } => {
            text += &format!(
                "{}: limited to names below `localhost`\n",
                styled(BOLD, &report.root.name)
            );
            if report.root.fingerprint.is_empty() {
                text += "  Portway generates the ID when it creates the CA\n";
            }
            if creates {
                let keys = "discards the root's key; only you can read the intermediate's key";
                text += &line("create", &report.directory, keys);
            }
        }
        Direction::Undo { exists } => {
            text += &format!("{}: will be removed\n", styled(BOLD, &report.root.name));
            if exists {
                text += &line("remove", &report.directory, "");
            }
        }
    }
    let action = match direction {
        Direction::Install { .. } => "add to",
        Direction::Undo { .. } => "remove from",
    };
    for step in &report.steps {
        let note = match step.state {
            TrustState::AlreadyDone => "no change needed",
            TrustState::NeedsRoot => "requires root: Portway prints the command",
            _ => step.message.as_deref().unwrap_or_default(),
        };
        let action = match &step.former {
            Some(former) => format!("remove {former} from"),
            None => action.to_owned(),
        };
        text += &line(&action, &step.store, note);
        let commands = match step.state {
            TrustState::AlreadyDone => &[][..],
            _ => &step.commands,
        };
        for command in commands {
            text += &format!("      {}\n", styled(DIM, command));
        }
    }
    if report.steps.is_empty() {
        text += match direction {
            Direction::Install { .. } => {
                "  no trust store of the system or of a browser was found\n"
            }
            Direction::Undo { .. } => {
                "  no trust store of the system or of a browser contains it\n"
            }
        };
    }
    message(&text);
}

fn line(action: &str, target: &str, note: &str) -> String {
    let note = match note {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    format!("  {action} {target}{note}\n")
}

/// Reports what was changed.
pub(crate) fn trusted(report: &TrustReport) {
    let mut text = String::new();
    for step in &report.steps {
        text += &outcome(step);
    }
    let by_root: Vec<String> = report
        .steps
        .iter()
        .filter(|step| step.state == TrustState::NeedsRoot)
        .flat_map(|step| &step.commands)
        .map(|command| format!("  sudo {command}\n"))
        .collect();
    if !by_root.is_empty() {
        text += "these commands require root; run them yourself:\n";
        text += &by_root.concat();
    }
    message(&text);
}

fn outcome(step: &TrustStep) -> String {
    let (style, word) = match step.state {
        TrustState::Done => (GREEN, "done"),
        TrustState::AlreadyDone => (GREEN, "unchanged"),
        TrustState::NeedsRoot => (YELLOW, "skipped (requires root)"),
        TrustState::Planned | TrustState::Unavailable => (YELLOW, "skipped"),
        TrustState::Failed => (RED, "failed"),
    };
    let why = step.message.as_deref();
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!(
        "{} {}{why}\n",
        styled(style, &format!("{word}:")),
        step.store
    )
}
