//! Mending what is safe to mend: only what other verbs do as well. No source is edited, nothing is
//! ended.

use std::path::Path;

use portway_api::{AppliedFix, Check, Finding};
use portway_project::ports_file;
use portway_registry::{Registry, SqliteRegistry};

use super::note::error;
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::LoadedProject;
use crate::{allocation, dirs};

/// Mends what can be mended. Answers what was done, and a finding for what failed.
pub(super) fn mend(
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
                let message = format!("could not be mended: {}", wrong.info.message);
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
    Ok(format!("dropped {leases} {plural} of vanished directories"))
}

fn rewrite(directory: Option<&Path>) -> Result<String, CommandError> {
    let mut registered = LoadedProject::load(directory, &Selection::default())?.register()?;
    allocation::rewrite(&mut registered)?;
    Ok(format!("wrote `{}` anew", ports_file::FILE_NAME))
}
