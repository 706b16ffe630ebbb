//! The container of a service.

use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use portway_api::ErrorCode;
use portway_supervisor::containers::{self, LABEL};
use portway_supervisor::mark::Mark;

use super::engine;
use crate::dirs::has_program;
use crate::error::CommandError;

/// The container that the service of this process runs.
pub(super) struct Container {
    /// The mark of the service.
    pub(super) mark: Mark,
    /// The name of its instance.
    instance: String,
}

impl Container {
    /// Returns the container of the service that this process belongs to.
    pub(super) fn own(command: &str) -> Result<Self, CommandError> {
        let mark = Mark::own();
        let instance = env::var("PORTWAY_INSTANCE").ok();
        match (mark, instance.filter(|name| !name.is_empty())) {
            (Some(mark), Some(instance)) => Ok(Self { mark, instance }),
            _ => {
                let message = format!("`portway compose {command}` runs only in services");
                Err(CommandError::new(ErrorCode::Usage, message)
                    .hint("write it as the `command` of a service, and run `portway up`"))
            }
        }
    }

    /// The container's name; the same for every start of an instance.
    pub(super) fn name(&self) -> String {
        format!("portway-{}-{}", self.instance, self.mark.service)
    }

    /// The name of the Compose project. It must not contain dots.
    pub(super) fn project(&self) -> String {
        project_name(&self.instance)
    }

    /// The label by which Portway removes the container if a killed instance left it.
    pub(super) fn label(&self) -> String {
        let value = Mark::value(&self.mark.dir, &self.mark.service);
        format!("{LABEL}={value}")
    }
}

/// Returns the name of the Compose project of an instance.
pub(super) fn project_name(instance: &str) -> String {
    instance.replace('.', "-")
}

/// Returns the engine's client, and the name of the container of another service of this process's instance.
pub(crate) fn container_of(service: &str) -> Option<(&'static str, String)> {
    let container = Container::own("exec").ok()?;
    let other = Container {
        mark: Mark {
            service: service.to_owned(),
            ..container.mark.clone()
        },
        ..container
    };
    Some((client(&other), other.name()))
}

/// Returns the client of the engine that the instance uses.
fn client(container: &Container) -> &'static str {
    let recorded = containers::recorded_engine(&container.mark.dir);
    let installed = || engine::NAMES.into_iter().find(|name| has_program(name));
    recorded.or_else(installed).unwrap_or(engine::NAMES[0])
}

/// Runs a command in the container of this process's service, and returns its exit code.
///
/// # Errors
/// When this process belongs to no service, or the engine's client cannot be started.
pub fn exec(words: &[OsString]) -> Result<u8, CommandError> {
    let container = Container::own("exec")?;
    let client = client(&container);
    let mut command = Command::new(client);
    command.arg("exec").arg(container.name()).args(words);
    let status = command.stdin(Stdio::null()).status().map_err(|error| {
        let message = format!("cannot run `{client}`");
        CommandError::new(ErrorCode::MissingRequirement, message).caused_by(error)
    })?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}
