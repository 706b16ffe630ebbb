//! Starts the services of a checkout, or follows the instance that already runs them.

use std::path::Path;
use std::sync::Arc;

use portway_api::{ChangeAction, ChangePlan, ErrorCode, InstanceState, ServiceChange};
use portway_project::policy::{Isolation, LanAccess};

use super::connection::{self, Supervised};
use super::containers;
use super::join;
use super::locate::Located;
use super::remnants::{self, Mode};
use super::running::Running;
use super::stop;
use super::supervise;
use crate::error::CommandError;
use crate::gateway::background;
use crate::options::UpOptions;
use crate::project::LoadedProject;
use crate::reporter::Reporter;
use crate::runtime::runtime;
use crate::{allocation, doctor, isolation, missing, preferences, toolchains, unset, worktree};

/// Maximum number of attempts. An attempt fails if the instance stops before it can be reached.
const MAX_ATTEMPTS: u32 = 5;

/// Starts the services of the checkout in `directory`. In the foreground, returns when the instance
/// has stopped; with `detach`, as soon as the services are ready.
///
/// # Errors
/// When the project cannot be used, no port is available, or a service fails.
pub fn up(
    directory: Option<&Path>,
    options: &UpOptions,
    reporter: &Arc<dyn Reporter>,
) -> Result<(), CommandError> {
    // The instance may start or stop between the check whether it is running and the next step.
    // Everything is then checked again.
    check_processes()?;
    let mut has_consent = false;
    let mut has_provided_files = false;
    let mut has_reported_isolation = false;
    for _ in 0..MAX_ATTEMPTS {
        let loaded = match LoadedProject::load(directory, &options.selection) {
            Ok(loaded) => loaded,
            Err(error) => {
                if let Some(running) = undetected(directory, &error)
                    && join::running(&running, false, options, reporter.as_ref())?
                {
                    return Ok(());
                }
                return Err(error);
            }
        };
        if let Some(difference) = loaded.running.as_ref().and_then(Located::difference) {
            stop_other(&loaded, &difference, reporter.as_ref())?;
            continue;
        }
        let services = loaded.project.closure(&options.services)?;
        if loaded.project.preferences.starts_gateway()
            && let Err(error) = background::ensure(None, None)
        {
            // The services do not need the gateway.
            reporter.warning(&format!(
                "{}; the services start without a gateway",
                error.info.message
            ));
        }
        if loaded.is_supervised() {
            if let Some(running) = &loaded.running {
                running.check_network()?;
            }
            check_running(&loaded, options)?;
            let is_detected = loaded.project.found.is_some();
            if join::running(&loaded, is_detected, options, reporter.as_ref())? {
                return Ok(());
            }
            continue;
        }
        if !has_provided_files {
            has_provided_files = true;
            if worktree::provide(&loaded.project, reporter.as_ref())? {
                continue;
            }
        }
        toolchains::check(&loaded.project, reporter.as_ref())?;
        if !has_reported_isolation {
            has_reported_isolation = true;
            let mut plan = loaded.project.plan.clone();
            if options.isolate {
                plan.isolation = Isolation::Network;
            }
            isolation::report(&plan, reporter.as_ref());
        }
        let mut registered = loaded.register()?;
        registered.project.preferences = preferences::with_flag(
            registered.project.preferences,
            "moved",
            options.moved.as_deref(),
        );
        if let Some(found) = &registered.project.found {
            reporter.detected(found);
        }
        missing::report(&registered.project, reporter.as_ref());
        let dir = registered.dir();
        let is_supervised = || registered.is_supervised();
        let settled = remnants::settle(&dir, Mode::Start, Some(reporter.as_ref()), is_supervised);
        if !settled.stuck.is_empty() {
            reporter.warning(&remnants::stuck_error(&settled.stuck).info.message);
        }
        containers::remove(&dir, reporter.as_ref(), is_supervised);
        if !has_consent {
            allocation::consent::ask(
                &mut registered,
                &services,
                &options.selection,
                reporter.as_ref(),
            )?;
            has_consent = true;
        }
        if options.detach {
            let background = supervise::detach(&registered, options)?;
            let started = join::started(&registered, &services, background, reporter.as_ref());
            let started = started.map_err(|error| {
                let root = &registered.project.checkout.root;
                unset::with_hints(error, root, &options.selection)
            });
            if started? {
                for warning in doctor::page_warnings(&registered.project.checkout.root) {
                    reporter.warning(&warning);
                }
                return Ok(());
            }
        } else if supervise::foreground(registered, options, reporter)? {
            return Ok(());
        }
    }
    Err(CommandError::new(
        ErrorCode::Failed,
        "the instance stopped repeatedly while `portway up` was connecting to it",
    )
    .hint("run `portway logs` to see why it stopped"))
}

/// Rejects a system on which a supervisor cannot stop what it starts.
pub(crate) fn check_processes() -> Result<(), CommandError> {
    portway_supervisor::check_processes().map_err(|error| {
        CommandError::new(ErrorCode::MissingRequirement, "cannot supervise processes")
            .caused_by(error)
            .hint(
                "mount `/proc` for this PID namespace: `unshare --mount-proc`, \
                 or `mount -t proc proc /proc`",
            )
    })
}

/// Stops an instance that is running in the checkout but started in another directory, or in this one
/// under its former path.
fn stop_other(
    loaded: &LoadedProject,
    difference: &str,
    reporter: &dyn Reporter,
) -> Result<(), CommandError> {
    reporter.info(&format!("{difference}; stopping it"));
    runtime()?.block_on(stop::stop(loaded, false, reporter))?;
    Ok(())
}

/// Returns what [`up`] would do, in a running instance or at a start. Starts and writes nothing.
///
/// # Errors
/// When the project cannot be used.
pub fn dry_run(directory: Option<&Path>, options: &UpOptions) -> Result<ChangePlan, CommandError> {
    let loaded = match LoadedProject::load(directory, &options.selection) {
        Ok(loaded) => loaded,
        Err(error) => {
            let running = undetected(directory, &error);
            let plan = running.map(|running| join::dry_run(&running, options));
            return plan.transpose()?.flatten().ok_or(error);
        }
    };
    let is_same = loaded
        .running
        .as_ref()
        .is_none_or(|running| running.difference().is_none());
    if is_same
        && loaded.is_supervised()
        && let Some(plan) = join::dry_run(&loaded, options)?
    {
        return Ok(plan);
    }
    let services = loaded.project.closure(&options.services)?;
    let changes = services.into_iter().map(|service| ServiceChange {
        service,
        action: ChangeAction::Start,
        reasons: vec!["not running".to_owned()],
    });
    Ok(ChangePlan {
        running: false,
        changes: changes.collect(),
    })
}

/// Returns the instance that is running in `directory` if nothing was detected there: programs that
/// detection needs may be in the `PATH` of the supervisor only.
fn undetected(directory: Option<&Path>, error: &CommandError) -> Option<Running> {
    if error.info.code != ErrorCode::NoManifest {
        return None;
    }
    Running::find_running(directory)
}

/// Rejects options that cannot change while the instance is running.
fn check_running(instance: &impl Supervised, options: &UpOptions) -> Result<(), CommandError> {
    let wanted = match options.lan {
        LanAccess::Enabled => Some(true),
        LanAccess::Disabled => Some(false),
        LanAccess::Unspecified => None,
    };
    if wanted.is_none() && !options.prepare {
        return Ok(());
    }
    // An instance that stops at this moment is started again.
    let status = runtime()?.block_on(connection::status(instance))?;
    let Some(status) = status.filter(|status| status.state != InstanceState::Stopping) else {
        return Ok(());
    };
    if options.prepare {
        let message =
            "the instance is already running; prepare steps run only when a service starts";
        return Err(CommandError::new(ErrorCode::Usage, message)
            .hint("stop it first: run `portway down`, then `portway up --prepare`"));
    }
    if wanted.is_some_and(|wanted| status.lan != wanted) {
        let how = if status.lan {
            "on the local network"
        } else {
            "only on this machine"
        };
        let message = format!("the instance is already running and its services are served {how}");
        return Err(
            CommandError::new(ErrorCode::Usage, message).hint("stop it first: run `portway down`")
        );
    }
    Ok(())
}
