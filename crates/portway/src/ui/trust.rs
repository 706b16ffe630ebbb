//! The local CA, and who trusts it.

use portway_api::{TrustReport, TrustState, TrustStep};
use portway_app::trust::Direction;

use super::{BOLD, DIM, GREEN, RED, YELLOW, styled, talk};

/// What is going to be done, before anybody is asked.
pub(crate) fn trust_plan(report: &TrustReport, direction: Direction) {
    let mut text = String::new();
    match direction {
        Direction::Install { creates } => {
            text += &format!(
                "{}: can vouch for names below localhost, and for nothing else\n",
                styled(BOLD, &report.root.name)
            );
            if report.root.fingerprint.is_empty() {
                text += "  ID is made with the CA\n";
            }
            if creates {
                let kept =
                    "the key of its root is thrown away, that of its intermediate is yours alone";
                text += &line("make", &report.directory, kept);
            }
        }
        Direction::Undo { exists } => {
            text += &format!(
                "{}: to be trusted by nobody any more\n",
                styled(BOLD, &report.root.name)
            );
            if exists {
                text += &line("remove", &report.directory, "");
            }
        }
    }
    let doing = match direction {
        Direction::Install { .. } => "tell",
        Direction::Undo { .. } => "take out of",
    };
    for step in &report.steps {
        let note = match step.state {
            TrustState::AlreadyDone => "already so",
            TrustState::NeedsRoot => "takes root rights: you will be shown the command",
            _ => step.message.as_deref().unwrap_or_default(),
        };
        let doing = match &step.former {
            Some(former) => format!("take {former} out of"),
            None => doing.to_owned(),
        };
        text += &line(&doing, &step.store, note);
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
                "  no store of the system or of a browser was found here\n"
            }
            Direction::Undo { .. } => "  no store of the system or of a browser here has it\n",
        };
    }
    talk(&text);
}

fn line(doing: &str, what: &str, note: &str) -> String {
    let note = match note {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    format!("  {doing} {what}{note}\n")
}

/// What became of it.
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
        text += "this takes root rights, so run it yourself:\n";
        text += &by_root.concat();
    }
    talk(&text);
}

fn outcome(step: &TrustStep) -> String {
    let (style, word) = match step.state {
        TrustState::Done => (GREEN, "done"),
        TrustState::AlreadyDone => (GREEN, "already so"),
        TrustState::NeedsRoot => (YELLOW, "left to you"),
        TrustState::Planned | TrustState::Unavailable => (YELLOW, "left out"),
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
