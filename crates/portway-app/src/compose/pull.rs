//! Pulls the image of a service, before its container has to become ready in time.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portway_api::ErrorCode;
use portway_supervisor::program;
use serde_json::Value;

use super::engine::{self, Engine};
use super::example_env;
use crate::error::CommandError;

/// How long Compose may take to read its files.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Maximum size of a project in Compose's canonical form, in bytes.
const MAX_PROJECT: u64 = 4 << 20;

/// Pulls the image of a compose service unless the engine has it. Returns the exit code of Compose.
///
/// # Errors
/// When no engine runs containers.
pub fn pull(
    directory: Option<&Path>,
    files: &[OsString],
    engine: Option<&str>,
    service: &str,
) -> Result<u8, CommandError> {
    let engine = engine::find(engine, engine::START_TIMEOUT).map_err(engine::error)?;
    let compose = || example_env::compose(&engine, directory, files, service);
    let image = image(compose(), service);
    if image.is_some_and(|image| has_image(&engine, &image)) {
        return Ok(0);
    }
    let status = compose().args(["pull", "--quiet", service]).status();
    let status = status.map_err(|error| {
        CommandError::new(ErrorCode::MissingRequirement, "cannot run Compose").caused_by(error)
    })?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}

/// Returns the image of a service, asked with this command of Compose. Not every implementation of Compose says it.
fn image(mut command: Command, service: &str) -> Option<String> {
    command.args(["config", "--format", "json", service]);
    let text = program::output(command, TIMEOUT, MAX_PROJECT)?;
    let project: Value = serde_json::from_slice(&text).ok()?;
    let image = project.get("services")?.get(service)?.get("image")?;
    image.as_str().map(str::to_owned)
}

fn has_image(engine: &Engine, image: &str) -> bool {
    let mut command = engine.command(&["image", "inspect", image]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
