//! Builds findings.

use portway_api::{Check, Finding, Severity};

use crate::error::CommandError;

/// A finding without a problem.
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

/// A possible problem; `repair` says how to fix it.
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

/// A problem; `repair` says how to fix it.
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

/// Adds optional details to a finding.
pub(super) trait FindingExt {
    /// Sets the file and line.
    fn at(self, place: impl Into<String>) -> Self;
    /// Sets the command that fixes it.
    fn command(self, command: impl Into<String>) -> Self;
    /// Sets whether `--fix` fixes it.
    fn fixable(self, fixable: bool) -> Self;
}

impl FindingExt for Finding {
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

/// Converts the error of an operation to a finding.
pub(super) fn from_error(check: Check, subject: &str, wrong: &CommandError) -> Finding {
    let info = &wrong.info;
    let repair = if info.hints.is_empty() {
        "fix it at this location".to_owned()
    } else {
        info.hints.join("; ")
    };
    let finding = error(check, subject, &info.message, repair);
    match &info.place {
        Some(place) => finding.at(place.clone()),
        None => finding,
    }
}

/// Formats a list of names: "`a`, `b`".
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
