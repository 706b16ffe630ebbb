//! The way to an instance's supervisor from another process.

use std::path::PathBuf;
use std::time::Duration;

use portway_api::ErrorCode;
use portway_supervisor::control::{self, Client, Events};
use tokio::time::{Instant, sleep};

use crate::error::CommandError;
use crate::runtime::runtime;

/// The interval between two attempts to reach a supervisor that is about to start or to stop.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What has a supervisor, or may have one.
pub(crate) trait Supervised {
    /// The directory of its locks, logs and control socket.
    fn dir(&self) -> PathBuf;

    /// Whether it has one.
    fn is_supervised(&mut self) -> Result<bool, CommandError>;

    /// Speaks with its supervisor, if there is one.
    fn client(&self) -> Client {
        Client::new(&self.dir().join(control::SOCKET))
    }

    /// Where its logs are kept.
    fn logs(&self) -> PathBuf {
        self.dir().join("logs")
    }
}

/// The events of the instance, as soon as its supervisor can be reached; `None` when it has none.
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

/// Waits until the instance's supervisor answers; false when it has none.
pub(crate) fn reachable(project: &mut impl Supervised) -> Result<bool, CommandError> {
    runtime()?.block_on(async { Ok(events(project).await?.is_some()) })
}

/// The instance's supervisor, waited for until `deadline`.
pub(crate) async fn appeared(
    project: &mut impl Supervised,
    deadline: Instant,
) -> Result<(), CommandError> {
    while !project.is_supervised()? {
        if Instant::now() >= deadline {
            return Err(
                CommandError::new(ErrorCode::Timeout, "the instance does not run")
                    .hint("start it: `portway up --detach`"),
            );
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Asks a running instance for something.
pub(crate) async fn ask(
    client: &Client,
    verb: &str,
    services: &[String],
) -> Result<(), CommandError> {
    match client.request(verb, services).await {
        Ok(answer) => Ok(answer?),
        Err(error) => Err(CommandError::new(
            ErrorCode::NotRunning,
            format!("the instance does not answer: {error}"),
        )),
    }
}

/// Asks for the end of services. An instance that is ending already does not listen any more, which
/// is as good.
pub(crate) async fn ask_to_end(
    client: &Client,
    verb: &str,
    services: &[String],
) -> Result<(), CommandError> {
    match ask(client, verb, services).await {
        Err(error) if error.info.code == ErrorCode::NotRunning => Ok(()),
        other => other,
    }
}

/// The error of a command that needs a running instance.
pub(crate) fn not_running() -> CommandError {
    CommandError::new(
        ErrorCode::NotRunning,
        "the services of this checkout do not run",
    )
    .hint("start them: `portway up --detach`")
}
