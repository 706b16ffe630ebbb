//! The packages that commands of other readers need, such as those of a Procfile.

use super::manager::Managed;
use super::package::Package;
use super::programs::runs_program;
use crate::shell::script_commands;
use crate::{DetectContext, DetectedService, Dir};

/// Installs the packages of `dir` for commands of its own that other readers found.
pub(crate) fn provide(
    dir: &Dir<'_>,
    services: &mut [DetectedService],
    context: &DetectContext<'_>,
) {
    let is_own = |service: &DetectedService| {
        let runs = |command: &str| {
            runs_program(command)
                || script_commands(dir, command)
                    .iter()
                    .any(|one| runs_program(one))
        };
        service.dir == dir.path() && service.prepare.is_none() && runs(&service.command)
    };
    if !services.iter().any(is_own) {
        return;
    }
    let Some(package) = Package::read(dir).filter(Package::needs_packages) else {
        return;
    };
    let managed = Managed::of(dir, &package, context);
    for service in services.iter_mut().filter(|service| is_own(service)) {
        service.prepare = Some(managed.install());
        service.evidence.extend(managed.evidence.iter().cloned());
    }
}
