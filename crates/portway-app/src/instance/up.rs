//! Starts the services of a checkout, or follows the instance that already runs them.

use std::path::Path;
use std::sync::Arc;

use portway_api::ErrorCode;
use portway_project::policy::LanAccess;
use portway_registry::Registry;

use super::connection::{self, Supervised};
use super::remnants::{self, Mode};
use super::supervise;
use crate::error::CommandError;
use crate::gateway::background;
use crate::options::UpOptions;
use crate::project::{LoadedProject, RegisteredProject};
use crate::reporter::Reporter;
use crate::runtime::runtime;
use crate::{allocation, preferences};

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
    for _ in 0..MAX_ATTEMPTS {
        let mut registered = LoadedProject::load(directory, &options.selection)?.register()?;
        let services = registered.project.closure(&options.services)?;
        registered.project.preferences = preferences::with_flag(
            registered.project.preferences,
            "moved",
            options.moved.as_deref(),
        );
        if registered.project.preferences.starts_gateway()
            && let Err(error) = background::ensure(None, None)
        {
            // The services do not need the gateway.
            reporter.warning(&format!(
                "{}; the services start without a gateway",
                error.info.message
            ));
        }
        let runs = registered.is_supervised()?;
        let mut background = None;
        if !runs && let Some(found) = &registered.project.found {
            reporter.detected(found);
        }
        if runs {
            check_running(&mut registered, options)?;
        } else {
            let dir = registered.dir();
            let is_supervised = || registered.is_supervised();
            let settled =
                remnants::settle(&dir, Mode::Start, Some(reporter.as_ref()), is_supervised)?;
            if !settled.stuck.is_empty() {
                reporter.warning(&remnants::stuck_error(&settled.stuck).info.message);
            }
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
                background = Some(supervise::detach(&registered, options)?);
            } else {
                match supervise::foreground(registered, options, reporter)? {
                    true => return Ok(()),
                    false => continue,
                }
            }
        }
        if supervise::attach(registered, options, background, reporter.as_ref())? {
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

/// Rejects options that cannot change while the instance is running.
fn check_running(
    registered: &mut RegisteredProject,
    options: &UpOptions,
) -> Result<(), CommandError> {
    match options.lan {
        LanAccess::Enabled => check_lan(registered, true)?,
        LanAccess::Disabled => check_lan(registered, false)?,
        LanAccess::Unspecified => {}
    }
    if options.prepare && connection::reachable(registered)? {
        let message = "the instance is already running, and prepare steps run only at a start";
        return Err(CommandError::new(ErrorCode::Usage, message)
            .hint("stop it first: run `portway down`, then `portway up --prepare`"));
    }
    if options.selection.ports.is_empty() || !connection::reachable(registered)? {
        return Ok(());
    }
    let leases = registered.registry.leases(&registered.instance.id)?;
    let all = allocation::current(&registered.project, &registered.instance, &leases)?;
    for (service, port) in &options.selection.ports {
        let name = service.split('.').next().unwrap_or(service);
        registered.project.known(name)?;
        if !all.ports.of(name).contains(port) {
            return Err(CommandError::new(
                ErrorCode::PortTaken,
                format!("the instance is already running, and `{service}` is not on port {port}"),
            )
            .hint("stop it first: run `portway down`"));
        }
    }
    Ok(())
}

/// Rejects a change of local network access, which applies only when the instance starts.
fn check_lan(registered: &mut RegisteredProject, wanted: bool) -> Result<(), CommandError> {
    if !connection::reachable(registered)? {
        return Ok(());
    }
    let client = registered.client();
    match runtime()?.block_on(client.status()) {
        Ok(status) if status.lan != wanted => {
            let how = if wanted {
                "only on this machine"
            } else {
                "on the local network"
            };
            let message = format!("the instance is already running and is served {how}");
            Err(CommandError::new(ErrorCode::Usage, message)
                .hint("stop it first: run `portway down`"))
        }
        // An instance that stops at this moment is started again.
        _ => Ok(()),
    }
}
