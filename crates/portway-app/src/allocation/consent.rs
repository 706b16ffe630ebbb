//! Asking before services start on other ports than those that were wanted (`moved = "ask"`).

use portway_api::{ErrorCode, PortDisplacement};
use portway_registry::DisplacementReason;

use super::{Keep, choose_all, words};
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::RegisteredProject;
use crate::reporter::Reporter;

/// One port that is not the wanted one.
pub(crate) struct Moved {
    pub(crate) service: String,
    pub(crate) port: u16,
    pub(crate) why: PortDisplacement,
}

/// Asks, where the user wants to be asked, whether `services` may start on other ports. Nothing is
/// started or written before that; the leases are made, and kept.
///
/// Where nobody can answer (a script, CI) the answer is no: whoever wants to be asked does not want
/// to find out afterwards, and a flag or a variable says otherwise for such a place.
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
    let reasons = words::displaced(registered, &chosen)?;
    let given = chosen.given.iter().filter(|one| {
        // A worktree leaves the preferred ports to the main checkout, and nobody moved it.
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
            let why = words::describe(&one.why);
            format!("{} would be on port {}: {why}", one.service, one.port)
        })
        .collect();
    let asked = reporter.can_ask();
    if asked {
        for sentence in &sentences {
            reporter.warning(sentence);
        }
        if reporter.confirm("start all the same?") {
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
        error.hint("the preference `moved` is `ask`, and nobody can be asked here")
    };
    Err(error.hint("`--moved go-on`, or `PORTWAY_MOVED=go-on`, starts all the same"))
}
