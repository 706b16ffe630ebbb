//! `portway up`: start the services of a checkout, or find that they run.

use std::path::Path;

use portway_api::ErrorCode;

use crate::args::Up;
use crate::error::CommandError;
use crate::follow::Supervised;
use crate::project::Project;
use crate::{allocation, follow, gateway, preferences, supervise, ui};

/// How often an instance may end between being found and being reached.
const TRIES: u32 = 5;

pub(crate) fn run(directory: Option<&Path>, args: &Up) -> Result<u8, CommandError> {
    // An instance may end, or begin, between the question whether it runs and the next step: then
    // all is asked again.
    let mut has_consent = false;
    for _ in 0..TRIES {
        let mut project = Project::open(directory, &args.choice)?;
        let services = project.closure(&args.services)?;
        project.preferences =
            preferences::with_flag(project.preferences, "moved", args.moved.as_deref());
        if project.preferences.starts_gateway()
            && let Err(error) = gateway::ensure(None, None)
        {
            // Services work without names.
            ui::warning(&format!("there is no gateway: {}", error.info.message));
        }
        let runs = project.is_supervised()?;
        let mut background = None;
        if !runs && let Some(found) = &project.found {
            ui::found(found);
        }
        if runs {
            check_running(&mut project, args)?;
        } else {
            if !has_consent {
                allocation::consent::ask(&mut project, &services, &args.choice)?;
                has_consent = true;
            }
            if args.detach {
                background = Some(supervise::detach(&project, args)?);
            } else {
                match supervise::foreground(project, args)? {
                    Some(code) => return Ok(code),
                    None => continue,
                }
            }
        }
        if let Some(code) = supervise::attach(project, args, background)? {
            return Ok(code);
        }
    }
    Err(CommandError::new(
        ErrorCode::Failed,
        "the instance ends again and again while it is looked for",
    )
    .hint("`portway logs` may say why"))
}

/// What cannot change while the instance runs.
fn check_running(project: &mut Project, args: &Up) -> Result<(), CommandError> {
    if let Some(wanted) = args.on_lan() {
        check_lan(project, wanted)?;
    }
    if args.choice.ports.is_empty() || !follow::reachable(project)? {
        return Ok(());
    }
    let all = allocation::current(project)?;
    for (service, port) in &args.choice.ports {
        let name = service.split('.').next().unwrap_or(service);
        project.known(name)?;
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
fn check_lan(project: &mut Project, wanted: bool) -> Result<(), CommandError> {
    if !follow::reachable(project)? {
        return Ok(());
    }
    let client = project.client();
    match follow::runtime()?.block_on(client.status()) {
        Ok(status) if status.lan != wanted => {
            let how = if wanted {
                "only on this machine"
            } else {
                "on the local network"
            };
            let message = format!("the instance runs, and is served {how}");
            Err(CommandError::new(ErrorCode::Usage, message).hint("stop it first: `portway down`"))
        }
        // One that ends in this instant is started anew.
        _ => Ok(()),
    }
}
