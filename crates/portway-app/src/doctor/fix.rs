//! Applies safe fixes, which other commands also perform. Edits no source file and stops no process.

use std::path::Path;

use portway_api::{AppliedFix, Check, Finding};
use portway_project::ports_file;
use portway_registry::{Registry, SqliteRegistry};

use super::finding_builder::error;
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::LoadedProject;
use crate::{allocation, dirs};

/// Applies the fixes of fixable findings. Returns the applied fixes, and a finding per failed one.
pub(super) fn apply(
    directory: Option<&Path>,
    findings: &[Finding],
) -> (Vec<AppliedFix>, Vec<Finding>) {
    let (mut fixed, mut failed) = (Vec::new(), Vec::new());
    for check in [Check::Lease, Check::PortsFile] {
        let mut fixable = findings
            .iter()
            .filter(|one| one.check == check && one.fixable);
        let Some(first) = fixable.next() else {
            continue;
        };
        let done = match check {
            Check::Lease => prune(),
            _ => rewrite(directory),
        };
        match done {
            Ok(message) => fixed.push(AppliedFix {
                check,
                subject: first.subject.clone(),
                message,
            }),
            Err(wrong) => {
                let message = format!("could not be fixed: {}", wrong.info.message);
                let repair = wrong.info.hints.join("; ");
                failed.push(error(check, &first.subject, message, repair));
            }
        }
    }
    (fixed, failed)
}

fn prune() -> Result<String, CommandError> {
    let gone = SqliteRegistry::open(&dirs::state_dir()?)?.prune()?;
    let leases: usize = gone.iter().map(|(_, leases)| leases.len()).sum();
    let plural = if leases == 1 { "lease" } else { "leases" };
    Ok(format!("released {leases} {plural} of deleted directories"))
}

fn rewrite(directory: Option<&Path>) -> Result<String, CommandError> {
    let mut registered = LoadedProject::load(directory, &Selection::default())?.register()?;
    allocation::rewrite(&mut registered)?;
    Ok(format!("rewrote `{}`", ports_file::FILE_NAME))
}
