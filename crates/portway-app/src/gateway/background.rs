//! Starts a gateway in the background.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use portway_api::{ErrorBody, ErrorCode, GatewayStatus};

use super::state;
use crate::diagnostics::{self, GATEWAY_LOG};
use crate::error::CommandError;
use crate::platform;

/// Returns the running gateway, or starts one in the background. If several commands do this at the
/// same time, one starts the gateway and the others find it.
pub(crate) fn ensure(
    port: Option<u16>,
    tls_port: Option<u16>,
) -> Result<GatewayStatus, CommandError> {
    if let Some(status) = state::status()? {
        return Ok(status);
    }
    let output = start(&state::dir()?, port, tls_port).map_err(|error| {
        CommandError::new(ErrorCode::Failed, "cannot start the gateway").caused_by(error)
    })?;
    if let Ok(status) = serde_json::from_str(&output) {
        return Ok(status);
    }
    if let Some(status) = state::status()? {
        return Ok(status);
    }
    match serde_json::from_str::<ErrorBody>(&output) {
        Ok(body) => Err(body.error.into()),
        Err(_) => Err(CommandError::new(
            ErrorCode::Failed,
            "the gateway exited before it was ready",
        )
        .hint("run `portway gateway` in the foreground to see the error")),
    }
}

/// Starts a gateway process and reads its standard output until the process closes it: its status,
/// or the error, as JSON.
fn start(dir: &Path, port: Option<u16>, tls_port: Option<u16>) -> io::Result<String> {
    let mut gateway = Command::new(std::env::current_exe()?);
    platform::in_background(&mut gateway);
    diagnostics::pass_filter(&mut gateway);
    portway_registry::create_private_dir(dir)?;
    let log = diagnostics::background_stderr(&dir.join(GATEWAY_LOG))?;
    gateway.args(["gateway", "--background"]);
    if let Some(port) = port {
        gateway.arg("--port").arg(port.to_string());
    }
    if let Some(port) = tls_port {
        gateway.arg("--tls-port").arg(port.to_string());
    }
    let mut child = gateway
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    let mut output = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut output)?;
    }
    Ok(output)
}
