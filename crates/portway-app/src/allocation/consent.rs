//! Asks before services start on ports other than the preferred ones (`moved = "ask"`).

use portway_api::{ErrorCode, PortDisplacement};
use portway_registry::DisplacementReason;

use super::{Keep, choose_all, explain};
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::RegisteredProject;
use crate::reporter::Reporter;

/// A service on a port that is not the preferred one.
pub(crate) struct Moved {
    pub(crate) service: String,
    pub(crate) port: u16,
    pub(crate) why: PortDisplacement,
}

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
    let reasons = explain::displaced(registered, &chosen)?;
    let given = chosen.given.iter().filter(|one| {
        // The main checkout keeps the preferred ports, so a worktree has not been moved.
        let left = one.displacement.as_ref().is_none_or(|displacement| {
            matches!(displacement.reason, DisplacementReason::LeftToMain(_))
        });
        !left && services.contains(&one.service)
    });
    let moved: Vec<Moved> = given
        .filter_map(|one| {
            Some(Moved {
                service: one.service.clone(),
                port: one.port,
                why: reasons.get(&one.port)?.clone(),
            })
        })
        .collect();
    if moved.is_empty() {
        return Ok(());
    }
    let sentences: Vec<String> = moved
        .iter()
        .map(|one| {
            let why = explain::describe(&one.why);
            format!("`{}` would use port {}: {why}", one.service, one.port)
        })
        .collect();
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
    let message = format!("not started: {}", sentences.join("; "));
    let error = CommandError::new(ErrorCode::PortTaken, message);
    let error = if asked {
        error
    } else {
        error.hint("cannot ask for confirmation (the preference `moved` is `ask`): standard input is not a terminal")
    };
    Err(error.hint("add `--moved continue` or set `PORTWAY_MOVED=continue` to start anyway"))
}
