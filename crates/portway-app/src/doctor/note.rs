//! Making findings.

use portway_api::{Check, Finding, Severity};

use crate::error::CommandError;

/// A fact that is as it should be.
pub(super) fn fine(check: Check, subject: &str, message: impl Into<String>) -> Finding {
    Finding {
        check,
        severity: Severity::Fine,
        subject: subject.to_owned(),
        message: message.into(),
        place: None,
        repair: None,
        command: None,
        fixable: false,
    }
}

/// A fact that may be a reason for trouble; `repair` is what to do about it.
pub(super) fn warning(
    check: Check,
    subject: &str,
    message: impl Into<String>,
    repair: impl Into<String>,
) -> Finding {
    Finding {
        severity: Severity::Warning,
        repair: Some(repair.into()),
        ..fine(check, subject, message)
    }
}

/// Something that is wrong; `repair` is what to do about it.
pub(super) fn error(
    check: Check,
    subject: &str,
    message: impl Into<String>,
    repair: impl Into<String>,
) -> Finding {
    Finding {
        severity: Severity::Error,
        ..warning(check, subject, message, repair)
    }
}

/// What else there may be to say about a finding.
pub(super) trait Further {
    /// Where it is.
    fn at(self, place: impl Into<String>) -> Self;
    /// The command that mends it.
    fn command(self, command: impl Into<String>) -> Self;
    /// Whether `--fix` mends it.
    fn fixable(self, fixable: bool) -> Self;
}

impl Further for Finding {
    fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    fn fixable(mut self, fixable: bool) -> Self {
        self.fixable = fixable;
        self
    }
}

/// The error of another verb as a finding.
pub(super) fn from_error(check: Check, subject: &str, wrong: &CommandError) -> Finding {
    let info = &wrong.info;
    let repair = if info.hints.is_empty() {
        "mend it there".to_owned()
    } else {
        info.hints.join("; ")
    };
    let finding = error(check, subject, &info.message, repair);
    match &info.place {
        Some(place) => finding.at(place.clone()),
        None => finding,
    }
}

/// Names in a row: "`a`, `b`".
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
