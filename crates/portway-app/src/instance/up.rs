//! Starting the services of a checkout, or finding that they run.

use std::path::Path;
use std::sync::Arc;

use portway_api::ErrorCode;
use portway_project::policy::LanAccess;
use portway_registry::Registry;

use super::connection::{self, Supervised};
use super::supervise;
use crate::error::CommandError;
use crate::gateway::background;
use crate::options::UpOptions;
use crate::project::{LoadedProject, RegisteredProject};
use crate::reporter::Reporter;
use crate::runtime::runtime;
use crate::{allocation, preferences};

/// How often an instance may end between being found and being reached.
const TRIES: u32 = 5;

/// Starts the services of the checkout in `directory`. In the foreground it returns when the
/// instance has ended, with `detach` as soon as the services are ready.
///
/// # Errors
/// When the project cannot be used, a port cannot be had, or a service fails.
pub fn up(
    directory: Option<&Path>,
    options: &UpOptions,
    reporter: &Arc<dyn Reporter>,
) -> Result<(), CommandError> {
    // An instance may end, or begin, between the question whether it runs and the next step: then
    // all is asked again.
    let mut has_consent = false;
    for _ in 0..TRIES {
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
            // Services work without names.
            reporter.warning(&format!("there is no gateway: {}", error.info.message));
        }
        let runs = registered.is_supervised()?;
        let mut background = None;
        if !runs && let Some(found) = &registered.project.found {
            reporter.detected(found);
        }
        if runs {
            check_running(&mut registered, options)?;
        } else {
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
        "the instance ends again and again while it is looked for",
    )
    .hint("`portway logs` may say why"))
}

/// What cannot change while the instance runs.
fn check_running(
    registered: &mut RegisteredProject,
    options: &UpOptions,
) -> Result<(), CommandError> {
    match options.lan {
        LanAccess::Enabled => check_lan(registered, true)?,
        LanAccess::Disabled => check_lan(registered, false)?,
        LanAccess::Unspecified => {}
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
                format!("the instance runs, and `{service}` is not on port {port}"),
            )
            .hint("stop it first: `portway down`"));
        }
    }
    Ok(())
}

/// Whether it is served on the local network is decided at its start.
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
            let message = format!("the instance runs, and is served {how}");
            Err(CommandError::new(ErrorCode::Usage, message).hint("stop it first: `portway down`"))
        }
        // An instance that stops at this moment is started again.
        _ => Ok(()),
    }
}
