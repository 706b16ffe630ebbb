//! Connects to an instance's supervisor from another process.

use std::path::PathBuf;
use std::time::Duration;

use portway_api::ErrorCode;
use portway_supervisor::control::{self, Client, Events};
use tokio::time::{Instant, sleep};

use crate::error::CommandError;
use crate::runtime::runtime;

/// Interval between attempts to reach a supervisor that is starting or stopping.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// An instance that may have a supervisor.
pub(crate) trait Supervised {
    /// Returns the directory of its locks, logs and control socket.
    fn dir(&self) -> PathBuf;

    /// Returns whether it has a supervisor.
    fn is_supervised(&mut self) -> Result<bool, CommandError>;

    /// Returns a client for its supervisor.
    fn client(&self) -> Client {
        Client::new(&self.dir().join(control::SOCKET))
    }

    /// Returns the directory of its logs.
    fn logs(&self) -> PathBuf {
        self.dir().join("logs")
    }
}

/// Subscribes to the events of an instance once its supervisor responds; `None` if it has none.
pub(crate) async fn events(project: &mut impl Supervised) -> Result<Option<Events>, CommandError> {
    let client = project.client();
    loop {
        match client.events().await {
            Ok(events) => return Ok(Some(events)),
            Err(_) if project.is_supervised()? => sleep(POLL_INTERVAL).await,
            Err(_) => return Ok(None),
        }
    }
}

/// Waits until the instance's supervisor responds. Returns false if it has none.
pub(crate) fn reachable(project: &mut impl Supervised) -> Result<bool, CommandError> {
    runtime()?.block_on(async { Ok(events(project).await?.is_some()) })
}

/// Waits until the instance has a supervisor, at most until `deadline`.
pub(crate) async fn wait_for_supervisor(
    project: &mut impl Supervised,
    deadline: Instant,
) -> Result<(), CommandError> {
    while !project.is_supervised()? {
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
    client: &Client,
    action: &str,
    services: &[String],
) -> Result<(), CommandError> {
    match client.request(action, services).await {
        Ok(answer) => Ok(answer?),
        Err(error) => Err(CommandError::new(
            ErrorCode::NotRunning,
            "the supervisor does not respond",
        )
        .caused_by(error)),
    }
}

/// Requests the stop of services. An instance that no longer responds is stopping already, which is not an
/// error.
pub(crate) async fn request_stop(
    client: &Client,
    action: &str,
    services: &[String],
) -> Result<(), CommandError> {
    match request(client, action, services).await {
        Err(error) if error.info.code == ErrorCode::NotRunning => Ok(()),
        other => other,
    }
}

/// The error of a command that needs a running instance.
pub(crate) fn not_running() -> CommandError {
    CommandError::new(
        ErrorCode::NotRunning,
        "no service of this checkout is running",
    )
    .hint("run `portway up --detach` to start them")
}
