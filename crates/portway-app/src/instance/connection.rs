//! Connects to an instance's supervisor from another process.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use portway_api::{
    ApplyRequest, ChangePlan, ErrorCode, InstanceEnvironment, InstanceState, InstanceStatus,
};
use portway_supervisor::control::{self, Client, Events};
use tokio::time::{Instant, sleep};

use super::locate;
use super::response::{SupervisorWait, report};
use crate::error::CommandError;

/// Interval between attempts to reach a supervisor that is starting or stopping.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long `portway wait` waits in silence for `portway up`, which may start at the same moment.
const START_REPORT_DELAY: Duration = Duration::from_secs(1);

/// How long a supervisor may take to decide what to change. It first applies earlier changes, whose
/// services may have long grace periods.
const APPLY_TIMEOUT: Duration = Duration::from_secs(300);

/// An instance that may have a supervisor.
pub(crate) trait Supervised {
    /// Returns the directory of its locks, logs and control socket.
    fn dir(&self) -> PathBuf;

    /// Returns whether it has a supervisor.
    fn is_supervised(&self) -> bool {
        locate::is_supervised(&self.dir())
    }

    /// Returns a client for its supervisor.
    fn client(&self) -> Client {
        Client::new(&self.dir().join(control::SOCKET))
    }

    /// Returns the directory of its logs.
    fn logs(&self) -> PathBuf {
        self.dir().join("logs")
    }
}

/// An instance, given by the directory of its locks, logs and control socket.
pub(crate) struct InstanceDir(pub(crate) PathBuf);

impl Supervised for InstanceDir {
    fn dir(&self) -> PathBuf {
        self.0.clone()
    }
}

/// Subscribes to the events of an instance once its supervisor responds; `None` if it has none.
///
/// # Errors
/// When the supervisor is suspended or does not respond in time.
pub(crate) async fn events(instance: &impl Supervised) -> Result<Option<Events>, CommandError> {
    let client = instance.client();
    ask(instance, async || client.events().await).await
}

/// Returns the status of an instance once its supervisor responds; `None` if it has none.
///
/// # Errors
/// When the supervisor is suspended or does not respond in time.
pub(crate) async fn status(
    instance: &impl Supervised,
) -> Result<Option<InstanceStatus>, CommandError> {
    let client = instance.client();
    ask(instance, async || {
        let status = client.status().await?;
        // The first status has no services.
        if status.services.is_empty() && status.state == InstanceState::Starting {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        Ok(status)
    })
    .await
}

/// Repeats a request until the supervisor of an instance responds, or the instance has none.
async fn ask<T>(
    instance: &impl Supervised,
    request: impl AsyncFn() -> io::Result<T>,
) -> Result<Option<T>, CommandError> {
    let mut wait = SupervisorWait::new(&instance.dir());
    loop {
        match wait.response(request()).await? {
            Ok(response) => return Ok(Some(response)),
            Err(_) if !instance.is_supervised() => return Ok(None),
            Err(_) => {
                wait.start()?;
                sleep(POLL_INTERVAL).await;
            }
        }
    }
}

/// Waits until the instance has a supervisor, at most until `deadline`.
pub(crate) async fn wait_for_supervisor(
    instance: &impl Supervised,
    deadline: Instant,
) -> Result<(), CommandError> {
    let report_at = Instant::now() + START_REPORT_DELAY;
    let mut is_reported = false;
    while !instance.is_supervised() {
        if !is_reported && Instant::now() >= report_at {
            is_reported = true;
            report("no services of this checkout are running; waiting for `portway up`");
        }
        if Instant::now() >= deadline {
            return Err(
                CommandError::new(ErrorCode::Timeout, "the instance is not running")
                    .hint("run `portway up --detach` to start it"),
            );
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Sends a request to a running instance.
pub(crate) async fn request(
    instance: &impl Supervised,
    action: &str,
    services: &[String],
) -> Result<(), CommandError> {
    let client = instance.client();
    let mut wait = SupervisorWait::new(&instance.dir());
    match wait.response(client.request(action, services)).await? {
        Ok(answer) => Ok(answer?),
        Err(error) => Err(CommandError::new(
            ErrorCode::NotRunning,
            "the supervisor does not respond",
        )
        .caused_by(error)),
    }
}

/// Requests that a running instance applies what has changed.
///
/// # Errors
/// When the change cannot be applied; the code is `NotRunning` if the instance has stopped.
pub(crate) async fn apply(
    instance: &impl Supervised,
    request: &ApplyRequest,
) -> Result<ChangePlan, CommandError> {
    let client = instance.client();
    let mut wait = SupervisorWait::new(&instance.dir());
    let response = client.post("/v1/apply", request);
    match wait.response_within(APPLY_TIMEOUT, response).await? {
        Ok(answer) => serde_json::from_slice(&answer?)
            .map_err(|error| unexpected("the changes").caused_by(error)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(unexpected("the changes").caused_by(error))
        }
        Err(_) => Err(not_running()),
    }
}

/// Returns the variables of the services of a running instance; `None` if it has no supervisor.
///
/// # Errors
/// When the supervisor is suspended or does not respond in time.
pub(crate) async fn environment(
    instance: &impl Supervised,
) -> Result<Option<InstanceEnvironment>, CommandError> {
    // A supervisor that returns its status has chosen its ports.
    if status(instance).await?.is_none() {
        return Ok(None);
    }
    let client = instance.client();
    let mut wait = SupervisorWait::new(&instance.dir());
    match wait.response(client.get("/v1/environment")).await? {
        Ok(environment) => Ok(Some(environment)),
        Err(error) => match status(instance).await? {
            Some(status) if status.state != InstanceState::Stopping => {
                Err(unexpected("its variables").caused_by(error))
            }
            // It has just been stopped.
            _ => Ok(None),
        },
    }
}

/// The error of a supervisor whose answer this version does not understand.
fn unexpected(what: &str) -> CommandError {
    let message = format!("the supervisor gave no valid answer about {what}");
    CommandError::new(ErrorCode::Failed, message)
        .hint("if another version of Portway started it, run `portway down`, then `portway up`")
}

/// Requests the stop of services. An instance that no longer responds is stopping already, which is not an
/// error.
pub(crate) async fn request_stop(
    instance: &impl Supervised,
    action: &str,
    services: &[String],
) -> Result<(), CommandError> {
    match request(instance, action, services).await {
        Err(error) if error.info.code == ErrorCode::NotRunning => Ok(()),
        other => other,
    }
}

/// The error of a command that needs a running instance.
pub(crate) fn not_running() -> CommandError {
    CommandError::new(
        ErrorCode::NotRunning,
        "no services of this checkout are running",
    )
    .hint("run `portway up --detach` to start them")
}
