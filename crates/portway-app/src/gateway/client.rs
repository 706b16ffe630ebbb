//! Requests to the gateway that runs.

use std::io;
use std::time::Duration;

use portway_api::{ErrorCode, GatewayStatus, InstanceStatus};
use portway_gateway::{DOMAIN, GATEWAY_LABEL};
use portway_supervisor::control::{self, Client};
use tokio::time::{Instant, sleep, timeout};

use super::{background, state};
use crate::error::CommandError;
use crate::preferences;
use crate::runtime::runtime;

/// How long a gateway may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval between two checks whether the gateway's lock is free.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Returns the gateway that runs.
///
/// # Errors
/// When none runs.
pub fn status() -> Result<GatewayStatus, CommandError> {
    state::status()?.ok_or_else(not_running)
}

/// Returns the URL of the dashboard; starts a gateway in the background if none runs.
///
/// # Errors
/// When no gateway can be started.
pub fn dashboard_url() -> Result<String, CommandError> {
    Ok(background::ensure(None, None)?.url(&format!("{GATEWAY_LABEL}.{DOMAIN}")))
}

/// Starts a gateway in the background, or finds the one that runs. Returns it, and whether it
/// serves on another port than the user prefers.
///
/// # Errors
/// When it cannot be started, or the one that runs serves on other ports than these.
pub fn start(
    port: Option<u16>,
    tls_port: Option<u16>,
) -> Result<(GatewayStatus, bool), CommandError> {
    let status = background::ensure(port, tls_port)?;
    let differs = |wanted: Option<u16>, has: Option<u16>| {
        wanted.is_some_and(|port| port != 0 && Some(port) != has)
    };
    if differs(port, Some(status.port)) {
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!("a gateway runs already, on port {}", status.port),
        )
        .hint("stop it first: `portway gateway stop`"));
    }
    if differs(tls_port, status.tls_port) {
        let where_to = match status.tls_port {
            Some(port) => format!("with HTTPS on port {port}"),
            None => "without HTTPS".to_owned(),
        };
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!("a gateway runs already, {where_to}"),
        )
        .hint("stop it first: `portway gateway stop`"));
    }
    let preferred = preferences::of_user().unwrap_or_default().gateway_port();
    let is_elsewhere = port.is_none() && differs(preferred, Some(status.port));
    Ok((status, is_elsewhere))
}

/// Stops the gateway, waits until it has stopped, and returns what it was.
///
/// # Errors
/// When none runs, or it does not stop in time.
pub fn stop() -> Result<GatewayStatus, CommandError> {
    let none = || CommandError::new(ErrorCode::NotRunning, "the gateway does not run");
    let status = state::status()?.ok_or_else(none)?;
    let client = Client::new(&state::dir()?.join(control::SOCKET));
    runtime()?.block_on(async {
        let asked = client.request("stop", &[]).await;
        asked.map_err(|error| unanswered(&error))??;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while state::is_running()? {
            if Instant::now() >= deadline {
                return Err(CommandError::new(
                    ErrorCode::Timeout,
                    format!("the gateway (pid {}) does not end", status.pid),
                ));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    })?;
    Ok(status)
}

/// All instances, asked of the gateway that runs.
pub(crate) fn instances() -> Result<Vec<InstanceStatus>, CommandError> {
    let client = Client::new(&state::dir()?.join(control::SOCKET));
    let asked = runtime()?.block_on(client.get("/v1/instances"));
    asked.map_err(|error| unanswered(&error))
}

/// Adds the names and fixed ports under which the gateway serves an instance, if one runs.
pub(crate) async fn add_urls(status: &mut InstanceStatus) {
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
    let (Ok(Some(_)), Ok(dir)) = (state::status(), state::dir()) else {
        return;
    };
    let client = Client::new(&dir.join(control::SOCKET));
    let asked = timeout(ANSWER_TIMEOUT, client.get("/v1/instances")).await;
    let all: Vec<InstanceStatus> = asked.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
    let told = all.into_iter().filter(|one| one.id == status.id);
    for told in told.flat_map(|one| one.services) {
        let services = &mut status.services;
        if let Some(service) = services.iter_mut().find(|one| one.name == told.name) {
            service.named_url = told.named_url;
            service.forwards = told.forwards;
        }
    }
}

/// The error of a gateway that runs and does not answer.
pub(crate) fn unanswered(error: &io::Error) -> CommandError {
    let message = format!("the gateway does not answer: {error}");
    let unanswered = CommandError::new(ErrorCode::NotRunning, message);
    match state::status() {
        Ok(Some(gateway)) => unanswered.hint(format!(
            "end its process, {}, and start another: `portway gateway --detach`",
            gateway.pid
        )),
        _ => unanswered.hint("`portway gateway status` shows whether it runs"),
    }
}

/// The error of a command that needs a gateway.
pub(crate) fn not_running() -> CommandError {
    CommandError::new(ErrorCode::NotRunning, "the gateway does not run")
        .hint("start it: `portway gateway --detach`")
}
