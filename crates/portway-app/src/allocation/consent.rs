//! Asks before services start on ports other than the preferred ones (`moved = "ask"`).

use portway_api::ErrorCode;
use portway_registry::DisplacementReason;

use super::{Chosen, Keep, choose_all, explain};
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::RegisteredProject;
use crate::reporter::Reporter;

/// Asks whether `services` may start on other ports, if the preference says so. Starts and writes
/// nothing before the answer, except the leases.
///
/// # Errors
/// If the answer is no, or if no user can answer, as in a script or in CI.
pub(crate) fn ask(
    registered: &mut RegisteredProject,
    services: &[String],
    selection: &Selection,
    reporter: &dyn Reporter,
) -> Result<(), CommandError> {
    if !registered.project.preferences.asks_when_moved() {
        return Ok(());
    }
    let Some(chosen) = choose_all(registered, selection, Keep::No)? else {
        return Ok(());
    };
    let sentences = moved(registered, &chosen, Some(services))?;
    if sentences.is_empty() {
        return Ok(());
    }
    let asked = reporter.can_ask();
    if asked {
        for sentence in &sentences {
            reporter.warning(sentence);
        }
        if reporter.confirm("start anyway?") {
            // The user may have edited the file before answering.
            registered.project.reload_ports_file();
            return Ok(());
        }
    }
    let reason = (!asked).then_some("standard input is not a terminal");
    Err(not_started(&sentences, reason))
}

/// Rejects a change of a running instance that needs consent: its supervisor cannot ask.
pub(super) fn check(
    registered: &mut RegisteredProject,
    chosen: &Chosen,
) -> Result<(), CommandError> {
    if !registered.project.preferences.asks_when_moved() {
        return Ok(());
    }
    let sentences = moved(registered, chosen, None)?;
    if sentences.is_empty() {
        return Ok(());
    }
    Err(not_started(&sentences, Some("the instance is running")))
}

/// The error of services that would start on other ports. `cannot_ask` is why no user was asked.
fn not_started(sentences: &[String], cannot_ask: Option<&str>) -> CommandError {
    let message = format!("not started: {}", sentences.join("; "));
    let mut error = CommandError::new(ErrorCode::PortTaken, message);
    if let Some(reason) = cannot_ask {
        error = error.hint(format!(
            "cannot ask for confirmation (the preference `moved` is `ask`): {reason}"
        ));
    }
    error.hint("add `--moved continue` or set `PORTWAY_MOVED=continue` to start anyway")
}

/// Returns which of `services`, or of all, would be on other ports, as sentences.
fn moved(
    registered: &mut RegisteredProject,
    chosen: &Chosen,
    services: Option<&[String]>,
) -> Result<Vec<String>, CommandError> {
    let reasons = explain::displaced(registered, chosen)?;
    let given = chosen.given.iter().filter(|one| {
        // The main checkout keeps the preferred ports, so a worktree has not been moved.
        let left = one.displacement.as_ref().is_none_or(|displacement| {
            matches!(
                displacement.reason,
                DisplacementReason::LeftToMain(_) | DisplacementReason::LeftToUser
            )
        });
        !left && services.is_none_or(|services| services.contains(&one.service))
    });
    let sentences = given.filter_map(|one| {
        let why = explain::describe(reasons.get(&one.port)?);
        Some(format!(
            "`{}` would use port {}: {why}",
            one.service, one.port
        ))
    });
    Ok(sentences.collect())
}
