//! Sends requests to the running gateway.

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

/// Returns the status of the running gateway.
///
/// # Errors
/// When no gateway is running.
pub fn status() -> Result<GatewayStatus, CommandError> {
    state::status()?.ok_or_else(not_running)
}

/// Returns the URL of the dashboard. Starts a gateway in the background if none is running.
///
/// # Errors
/// When no gateway can be started.
pub fn dashboard_url() -> Result<String, CommandError> {
    Ok(background::ensure(None, None)?.url(&format!("{GATEWAY_LABEL}.{DOMAIN}")))
}

/// Starts a gateway in the background, unless one is running. Returns its status, and whether its
/// port differs from the preferred one.
///
/// # Errors
/// When the gateway cannot be started, or one is running on other ports than the given ones.
pub fn start(
    port: Option<u16>,
    tls_port: Option<u16>,
) -> Result<(GatewayStatus, bool), CommandError> {
    let status = background::ensure(port, tls_port)?;
    let differs = |requested: Option<u16>, actual: Option<u16>| {
        requested.is_some_and(|port| port != 0 && Some(port) != actual)
    };
    if differs(port, Some(status.port)) {
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!("a gateway is already running on port {}", status.port),
        )
        .hint("stop it first: run `portway gateway stop`"));
    }
    if differs(tls_port, status.tls_port) {
        let https = match status.tls_port {
            Some(port) => format!("with HTTPS on port {port}"),
            None => "without HTTPS".to_owned(),
        };
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!("a gateway is already running {https}"),
        )
        .hint("stop it first: run `portway gateway stop`"));
    }
    let preferred = preferences::read_user().unwrap_or_default().gateway_port();
    let is_moved = port.is_none() && differs(preferred, Some(status.port));
    Ok((status, is_moved))
}

/// Stops the gateway, waits until it has stopped, and returns its last status.
///
/// # Errors
/// When no gateway is running, or it does not stop within [`STOP_TIMEOUT`].
pub fn stop() -> Result<GatewayStatus, CommandError> {
    let stopped = || CommandError::new(ErrorCode::NotRunning, "the gateway is not running");
    let status = state::status()?.ok_or_else(stopped)?;
    let client = Client::new(&state::dir()?.join(control::SOCKET));
    runtime()?.block_on(async {
        let response = client.request("stop", &[]).await;
        response.map_err(request_failed)??;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while state::is_running()? {
            if Instant::now() >= deadline {
                return Err(CommandError::new(
                    ErrorCode::Timeout,
                    format!(
                        "the gateway (pid {}) did not stop within {} s",
                        status.pid,
                        STOP_TIMEOUT.as_secs()
                    ),
                ));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    })?;
    Ok(status)
}

/// Requests all instances from the running gateway.
pub(crate) fn instances() -> Result<Vec<InstanceStatus>, CommandError> {
    let client = Client::new(&state::dir()?.join(control::SOCKET));
    let response = runtime()?.block_on(client.get("/v1/instances"));
    response.map_err(request_failed)
}

/// Adds the named URLs and forwarded ports of an instance to its status, if a gateway is running.
pub(crate) async fn add_urls(status: &mut InstanceStatus) {
    const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
    let (Ok(Some(_)), Ok(dir)) = (state::status(), state::dir()) else {
        return;
    };
    let client = Client::new(&dir.join(control::SOCKET));
    let response = timeout(RESPONSE_TIMEOUT, client.get("/v1/instances")).await;
    let all: Vec<InstanceStatus> = response.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
    let instance = all.into_iter().filter(|one| one.id == status.id);
    for from_gateway in instance.flat_map(|one| one.services) {
        let services = &mut status.services;
        if let Some(service) = services
            .iter_mut()
            .find(|one| one.name == from_gateway.name)
        {
            service.named_url = from_gateway.named_url;
            service.forwards = from_gateway.forwards;
        }
    }
}

/// Creates the error of a failed request to the gateway.
pub(crate) fn request_failed(error: io::Error) -> CommandError {
    let message = "the gateway does not respond";
    let no_response = CommandError::new(ErrorCode::NotRunning, message).caused_by(error);
    match state::status() {
        Ok(Some(gateway)) => no_response.hint(format!(
            "stop its process (pid {}), then run `portway gateway --detach`",
            gateway.pid
        )),
        _ => no_response.hint("run `portway gateway status` to check whether it is running"),
    }
}

/// Creates the error of a command that needs a running gateway.
pub(crate) fn not_running() -> CommandError {
    CommandError::new(ErrorCode::NotRunning, "the gateway is not running")
        .hint("start it: run `portway gateway --detach`")
}
