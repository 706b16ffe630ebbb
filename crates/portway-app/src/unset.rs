//! Variables that the code of a service that failed reads, and that nothing sets.

use std::error::Error;
use std::path::Path;

use portway_api::FailureReason;
use portway_detect::variables;
use portway_project::mapping::AppVariable;
use portway_project::shell::quote;

use crate::error::{CommandError, FailedServices};
use crate::explain::explain;
use crate::options::Selection;
use crate::project::LoadedProject;

/// Maximum number of variables that are named.
const MAX_NAMES: usize = 4;

/// Adds to the error of a command for the project in `root` which variables its failed services read that
/// nothing sets.
pub(crate) fn with_hints(
    mut error: CommandError,
    root: &Path,
    selection: &Selection,
) -> CommandError {
    let source = error.source();
    let Some(reasons) = source.and_then(|source| source.downcast_ref::<FailedServices>()) else {
        return error;
    };
    let Ok(loaded) = LoadedProject::load(Some(root), selection) else {
        return error;
    };
    let all = loaded.project.plan.services.values();
    let dirs: Vec<&str> = all
        .clone()
        .map(|service| service.dir.as_deref().unwrap_or(""))
        .collect();
    let failed = all.filter(|service| {
        let mut reasons = reasons.0.iter();
        service.map_env
            && reasons.any(|(name, reason)| *name == service.name && is_of_program(reason))
    });
    let mut hints = Vec::new();
    for service in failed {
        let dir = service.dir.as_deref().unwrap_or("");
        let others: Vec<&str> = dirs.iter().copied().filter(|other| *other != dir).collect();
        let required = variables::required(root, dir, &others);
        if required.is_empty() {
            continue;
        }
        let Ok(known) = explain(Some(root), Some(&service.name), selection) else {
            continue;
        };
        let is_set = |one: &AppVariable| {
            let mut known = known.iter();
            known.any(|other| other.name == one.name && !other.value.is_empty())
                || std::env::var_os(&one.name).is_some()
        };
        let unset: Vec<AppVariable> = required.into_iter().filter(|one| !is_set(one)).collect();
        let file = match dir {
            "" => ".env".to_owned(),
            dir => format!("{dir}/.env"),
        };
        hints.extend(hint(&service.name, unset, &file, &error.info.hints));
    }
    // What to write comes before where to look.
    let at = error
        .info
        .hints
        .iter()
        .position(|one| !one.starts_with("last "))
        .unwrap_or(error.info.hints.len());
    error.info.hints.splice(at..at, hints);
    error
}

/// Returns whether the program itself failed, for which a missing variable may be the cause.
fn is_of_program(reason: &FailureReason) -> bool {
    match reason {
        FailureReason::GaveUp { cause, .. } => is_of_program(cause),
        FailureReason::Exited { .. }
        | FailureReason::Signaled { .. }
        | FailureReason::ExitedBeforeListening
        | FailureReason::NotListening { .. }
        | FailureReason::NotReady { .. }
        | FailureReason::StoppedListening
        | FailureReason::LivenessFailed => true,
        _ => false,
    }
}

/// Says which variables a service reads; only those that its output names, if it names some.
fn hint(
    service: &str,
    mut unset: Vec<AppVariable>,
    file: &str,
    output: &[String],
) -> Option<String> {
    let is_named = |one: &AppVariable| output.iter().any(|text| text.contains(&one.name));
    if unset.iter().any(is_named) {
        unset.retain(is_named);
    }
    let first = unset.first()?;
    let named: Vec<String> = unset
        .iter()
        .take(MAX_NAMES)
        .map(|one| format!("`{}` ({}:{})", one.name, one.place.file, one.place.line))
        .collect();
    let more = match unset.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "nothing sets {}{more}, which the code of `{service}` reads; if it needs them, write lines such as `{}=…` into `{}`",
        named.join(", "),
        first.name,
        quote(file)
    ))
}

#[cfg(test)]
mod tests {
    use portway_project::mapping::{Origin, Place};

    use super::*;

    fn variables(names: &[&str]) -> Vec<AppVariable> {
        let one = |(line, name): (usize, &&str)| AppVariable {
            name: (*name).to_owned(),
            value: String::new(),
            place: Place {
                file: "src/db.js".to_owned(),
                line: line + 1,
            },
            origin: Origin::Code,
        };
        names.iter().enumerate().map(one).collect()
    }

    #[test]
    fn names_the_variables_of_the_output_or_the_first_ones() {
        let of = |names: &[&str], output: &str| {
            hint("api", variables(names), "api/.env", &[output.to_owned()])
        };
        assert_eq!(
            of(&["MONGO_URI", "JWT_SECRET"], "x").as_deref(),
            Some(
                "nothing sets `MONGO_URI` (src/db.js:1), `JWT_SECRET` (src/db.js:2), which the code of `api` reads; \
                 if it needs them, write lines such as `MONGO_URI=…` into `api/.env`"
            )
        );
        assert_eq!(
            of(
                &["MONGO_URI", "JWT_SECRET"],
                "Error: JWT_SECRET is required"
            )
            .as_deref(),
            Some(
                "nothing sets `JWT_SECRET` (src/db.js:2), which the code of `api` reads; \
                 if it needs them, write lines such as `JWT_SECRET=…` into `api/.env`"
            )
        );
        let many = of(&["A1", "A2", "A3", "A4", "A5"], "x").unwrap();
        assert!(
            many.contains("`A4` (src/db.js:4) and 1 more, which"),
            "{many}"
        );
        assert_eq!(of(&[], "x"), None);
    }

    #[test]
    fn a_step_or_a_program_that_is_missing_has_another_cause() {
        let exited = FailureReason::Exited {
            code: 1,
            line: None,
        };
        let gave_up = |cause: FailureReason| FailureReason::GaveUp {
            restarts: 5,
            cause: Box::new(cause),
        };
        let prepare = FailureReason::PrepareFailed {
            cause: Box::new(exited.clone()),
            shared_with: None,
        };
        let missing = FailureReason::ProgramNotFound {
            program: "nodemon".to_owned(),
        };
        for (reason, expected) in [
            (exited.clone(), true),
            (gave_up(exited), true),
            (FailureReason::StoppedListening, true),
            (prepare, false),
            (gave_up(missing), false),
        ] {
            assert_eq!(is_of_program(&reason), expected, "{reason}");
        }
    }
}
