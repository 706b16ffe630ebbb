//! Removes the containers that a killed supervisor left, before an instance starts and when it is stopped.

use std::path::Path;

use portway_supervisor::containers::{self, Container, Containers};

use crate::reporter::Reporter;

/// Removes the containers that the instance with the directory `dir` has left, and reports them. Returns
/// whether there were any. An engine that does not respond is reported and not waited for.
/// `is_supervised` returns whether the instance has a supervisor, whose containers are not touched.
pub(crate) fn remove(
    dir: &Path,
    reporter: &dyn Reporter,
    is_supervised: impl FnOnce() -> bool,
) -> bool {
    let Containers { found, silent } = containers::list(&[dir], containers::QUERY_TIMEOUT);
    for engine in silent {
        reporter.warning(&not_checked(engine));
    }
    // A supervisor that started after the list was read has no containers in it.
    if found.is_empty() || is_supervised() {
        return false;
    }
    reporter.info(&format!(
        "removing what a killed start left: {}",
        names(&found)
    ));
    let left = containers::remove(found);
    if !left.is_empty() {
        reporter.warning(&format!(
            "cannot remove {}; it may still use its ports",
            names(&left)
        ));
    }
    true
}

/// Explains that an engine did not list its containers.
pub(crate) fn not_checked(engine: &str) -> String {
    format!(
        "`{engine} ps` failed or did not respond within {} s, so containers that a killed start \
         left may still run",
        containers::QUERY_TIMEOUT.as_secs()
    )
}

/// Lists containers by name.
pub(crate) fn names(containers: &[Container]) -> String {
    let names = containers
        .iter()
        .map(|container| format!("container `{}`", container.name));
    names.collect::<Vec<_>>().join(", ")
}
