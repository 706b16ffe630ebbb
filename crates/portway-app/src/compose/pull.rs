//! Pulls or builds the image of a service, before its container has to become ready in time.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portway_api::ErrorCode;
use portway_supervisor::program;
use serde_json::Value;

use super::container::Container;
use super::engine::{self, Engine};
use super::example_env;
use crate::error::CommandError;

/// How long Compose may take to read its files.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Maximum size of a project in Compose's canonical form, in bytes.
const MAX_PROJECT: u64 = 4 << 20;

/// Pulls the image of a compose service unless the engine has it, or builds it if the compose file says how.
/// Returns the exit code of Compose.
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
    let described = described(compose(), service);
    let mut command = compose();
    match described.as_ref().map(source) {
        Some(Source::Build) => {
            // Its image has the name of the project in which it runs.
            if let Ok(container) = Container::own("pull") {
                command.args(["-p", &container.project()]);
            }
            command.args(["build", "--quiet", service]);
        }
        Some(Source::Image(image)) if has_image(&engine, image) => return Ok(0),
        _ => {
            command.args(["pull", "--quiet", service]);
        }
    }
    let status = command.status();
    let status = status.map_err(|error| {
        CommandError::new(ErrorCode::MissingRequirement, "cannot run Compose").caused_by(error)
    })?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}

/// Returns a service as this command of Compose describes it. Not every implementation of Compose does.
fn described(mut command: Command, service: &str) -> Option<Value> {
    command.args(["config", "--format", "json", service]);
    let text = program::output(command, TIMEOUT, MAX_PROJECT)?;
    let project: Value = serde_json::from_slice(&text).ok()?;
    project.get("services")?.get(service).cloned()
}

/// Where the image of a service comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source<'s> {
    Build,
    Image(&'s str),
    Unknown,
}

fn source(service: &Value) -> Source<'_> {
    if service.get("build").is_some_and(|build| !build.is_null()) {
        return Source::Build;
    }
    let image = service.get("image").and_then(Value::as_str);
    image.map_or(Source::Unknown, Source::Image)
}

fn has_image(engine: &Engine, image: &str) -> bool {
    let mut command = engine.command(&["image", "inspect", image]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_that_the_checkout_describes_is_built() {
        for (service, expected) in [
            (
                json!({"image": "postgres:17"}),
                Source::Image("postgres:17"),
            ),
            (
                json!({"image": "postgres:17", "build": null}),
                Source::Image("postgres:17"),
            ),
            (json!({"build": {"context": "/shop/db"}}), Source::Build),
            (
                json!({"image": "shop-db", "build": {"context": "/shop/db"}}),
                Source::Build,
            ),
            (json!({}), Source::Unknown),
        ] {
            assert_eq!(source(&service), expected, "{service}");
        }
    }
}
