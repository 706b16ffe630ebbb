//! Fixed ports that the gateway forwards to a service of the chosen checkout.

use std::path::Path;

use portway_api::{ErrorCode, Forward, ForwardTarget};
use portway_supervisor::control::{self, Client};
use serde::Serialize;

use super::{background, client, state};
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::LoadedProject;
use crate::runtime::runtime;

/// Returns all fixed ports and the services to which the gateway forwards them.
///
/// # Errors
/// When the state of the gateway cannot be read.
pub fn list() -> Result<Vec<Forward>, CommandError> {
    match state::status()? {
        Some(gateway) => Ok(gateway.forwards),
        None => at_rest(),
    }
}

/// Those that the next gateway will serve.
fn at_rest() -> Result<Vec<Forward>, CommandError> {
    let mut forwards = state::last()?.map_or_else(Vec::new, |last| last.forwards);
    for forward in &mut forwards {
        let trouble = "the gateway does not run; start it: `portway gateway --detach`";
        forward.trouble = Some(trouble.to_owned());
    }
    Ok(forwards)
}

/// Stops forwarding a fixed port.
///
/// # Errors
/// When the port is not forwarded, or the gateway does not answer.
pub fn stop(port: u16) -> Result<Forward, CommandError> {
    if state::is_running()? {
        return ask(&format!("/v1/forwards/{port}/end"), &());
    }
    state::forget_fixed(port)?.ok_or_else(|| {
        let message = format!("port {port} is not forwarded");
        CommandError::new(ErrorCode::NotFound, message)
    })
}

/// Forwards a fixed port to `service` of this checkout, or to its main service. Returns the new
/// forward, and the one to another service that it replaces.
///
/// # Errors
/// When the project cannot be used, the service has no HTTP port, or the gateway cannot listen.
pub fn start(
    directory: Option<&Path>,
    port: u16,
    service: Option<&str>,
) -> Result<(Forward, Option<Forward>), CommandError> {
    let registered = LoadedProject::load(directory, &Selection::default())?.register()?;
    let project = &registered.project;
    let service = match service {
        Some(service) => {
            project.known(service)?;
            service
        }
        None => project.plan.main.as_deref().ok_or_else(|| {
            CommandError::new(ErrorCode::Usage, "no service here speaks HTTP")
                .hint("only requests by HTTP can be forwarded")
        })?,
    };
    let planned = project.plan.services.get(service);
    if !planned.is_some_and(|one| one.kind.is_http() && !one.ports.is_empty()) {
        let why = format!("`{service}` has no port that speaks HTTP");
        return Err(
            CommandError::new(ErrorCode::Usage, why).hint("only requests by HTTP can be forwarded")
        );
    }
    let before = background::ensure(None, None)?.forwards;
    let to = ForwardTarget {
        id: registered.instance.id.clone(),
        service: service.to_owned(),
    };
    let forward: Forward = ask(&format!("/v1/forwards/{port}"), &to)?;
    let is_other = |one: &Forward| {
        one.port == port && (&one.instance, &one.service) != (&forward.instance, &forward.service)
    };
    let before = before.into_iter().find(is_other);
    Ok((forward, before))
}

/// Asks the gateway.
fn ask(path: &str, question: &impl Serialize) -> Result<Forward, CommandError> {
    let client = Client::new(&state::dir()?.join(control::SOCKET));
    let answer = runtime()?.block_on(client.post(path, question));
    let answer = answer.map_err(|error| client::unanswered(&error))??;
    serde_json::from_slice(&answer).map_err(|error| client::unanswered(&error.into()))
}
