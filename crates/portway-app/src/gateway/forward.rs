//! Lists, starts and stops the forwarding of fixed ports to services.

use std::path::Path;

use portway_api::{ErrorCode, Forward, ForwardTarget};
use portway_supervisor::control::{self, Client};
use serde::Serialize;

use super::{background, client, state};
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::LoadedProject;
use crate::runtime::runtime;

/// Returns all forwarded ports with their services.
///
/// # Errors
/// When the state of the gateway cannot be read.
pub fn list() -> Result<Vec<Forward>, CommandError> {
    match state::status()? {
        Some(gateway) => Ok(gateway.forwards),
        None => saved(),
    }
}

/// Returns the saved forwards, which the gateway restores when it starts.
fn saved() -> Result<Vec<Forward>, CommandError> {
    let mut forwards = state::last()?.map_or_else(Vec::new, |last| last.forwards);
    for forward in &mut forwards {
        let trouble = "the gateway is not running; run `portway gateway --detach` to start it";
        forward.trouble = Some(trouble.to_owned());
    }
    Ok(forwards)
}

/// Stops forwarding a fixed port.
///
/// # Errors
/// When the port is not forwarded, or the gateway does not respond.
pub fn stop(port: u16) -> Result<Forward, CommandError> {
    if state::is_running()? {
        return post(&format!("/v1/forwards/{port}/end"), &());
    }
    state::remove_saved_forward(port)?.ok_or_else(|| {
        let message = format!("port {port} is not a fixed port");
        CommandError::new(ErrorCode::NotFound, message)
            .hint("run `portway forward` to list the fixed ports")
    })
}

/// Forwards a fixed port to `service` of this checkout, or to its main service. Returns the new
/// forward, and the forward to another service that it replaces.
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
            CommandError::new(ErrorCode::Usage, "this project has no HTTP service").hint(
                "set `kind = \"http\"` and a port for a service; the gateway forwards only HTTP",
            )
        })?,
    };
    let planned = project.plan.services.get(service);
    if !planned.is_some_and(|one| one.kind.is_http() && !one.ports.is_empty()) {
        let message = format!("`{service}` has no HTTP port");
        return Err(CommandError::new(ErrorCode::Usage, message)
            .hint("choose an HTTP service; the gateway forwards only HTTP"));
    }
    let previous = background::ensure(None, None)?.forwards;
    let to = ForwardTarget {
        id: registered.instance.id.clone(),
        service: service.to_owned(),
    };
    let forward: Forward = post(&format!("/v1/forwards/{port}"), &to)?;
    let is_other = |one: &Forward| {
        one.port == port && (&one.instance, &one.service) != (&forward.instance, &forward.service)
    };
    let replaced = previous.into_iter().find(is_other);
    Ok((forward, replaced))
}

/// Sends a request to the gateway and parses the forward in its response.
fn post(path: &str, body: &impl Serialize) -> Result<Forward, CommandError> {
    let client = Client::new(&state::dir()?.join(control::SOCKET));
    let response = runtime()?.block_on(client.post(path, body));
    let response = response.map_err(client::request_failed)??;
    serde_json::from_slice(&response).map_err(|error| client::request_failed(error.into()))
}
