//! Runs the container of a compose service in the foreground, and removes it at the end.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use indexmap::IndexMap;
use portway_api::ErrorCode;
use portway_supervisor::containers::record_engine;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::container::Container;
use super::engine::{self, Engine};
use super::{NO_ENGINE, example_env};
use crate::error::CommandError;
use crate::platform::Signals;
use crate::runtime::runtime;

/// How often stopping is repeated: the container may appear only then.
const STOP_INTERVAL: Duration = Duration::from_millis(500);

/// Options of [`run`].
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The directory of the compose files; the working directory if it is missing.
    pub directory: Option<PathBuf>,
    /// The compose files; those that Compose finds itself if there are none.
    pub files: Vec<OsString>,
    /// The name of the engine; the first one that works if it is missing.
    pub engine: Option<String>,
    /// Which ports of the container to publish, as `ADDRESS:PORT:CONTAINER_PORT`.
    pub publish: Vec<String>,
    /// The service in the compose file.
    pub service: String,
}

/// Runs the container of a compose service until it exits or this process is asked to stop. Returns the
/// exit code of the container.
///
/// # Errors
/// When this process belongs to no service, no engine runs containers, or Compose cannot be started.
pub fn run(options: &RunOptions) -> Result<u8, CommandError> {
    let container = Container::own("run")?;
    let engine = engine::find(options.engine.as_deref(), engine::START_TIMEOUT)
        .map_err(|problem| engine::error(problem).with_exit(NO_ENGINE))?;
    // If this process is killed, Portway asks this engine for the container.
    record_engine(&container.mark.dir, engine.client);
    let status = runtime()?.block_on(
        Run {
            options,
            container,
            engine,
        }
        .complete(),
    );
    let status = status.map_err(|error| {
        CommandError::new(ErrorCode::MissingRequirement, "cannot run Compose").caused_by(error)
    })?;
    Ok(exit_code(status))
}

struct Run<'a> {
    options: &'a RunOptions,
    container: Container,
    engine: Engine,
}

impl Run<'_> {
    async fn complete(&self) -> io::Result<ExitStatus> {
        // Before anything starts, so that no signal stops only this process.
        let mut signals = Signals::register()?;
        let name = self.container.name();
        let mut child = tokio::select! {
            _ = signals.next() => return Ok(ExitStatus::default()),
            child = self.start(&name) => child?,
        };
        let status = tokio::select! {
            status = child.wait() => status,
            _ = signals.next() => self.stop(&name, &mut child).await,
        };
        // The client may exit before its container has stopped.
        self.quietly(&["stop", &name]).await;
        self.quietly(&["rm", "--force", &name]).await;
        status
    }

    /// Removes what an earlier run left, and starts the client.
    async fn start(&self, name: &str) -> io::Result<Child> {
        self.quietly(&["rm", "--force", name]).await;
        self.remove_repeated_networks().await;
        let mut command = Command::from(example_env::compose(
            &self.engine,
            self.options.directory.as_deref(),
            &self.options.files,
            &self.options.service,
        ));
        command.args(["-p", &self.container.project(), "run"]);
        command.args(["--rm", "--no-deps", "--use-aliases"]);
        command.args(["--label", &self.container.label(), "--name", name]);
        for port in &self.options.publish {
            command.args(["-p", port]);
        }
        command.arg(&self.options.service).spawn()
    }

    /// Two services that start at the same moment can both create a network of the project. Compose then
    /// refuses to use it, so all but one are removed. The engine keeps those that are used.
    async fn remove_repeated_networks(&self) {
        let project = self.container.project();
        let project = format!("label=com.docker.compose.project={project}");
        let format = "{{.Label \"com.docker.compose.network\"}} {{.ID}}";
        let words = ["network", "ls", "--filter", &project, "--format", format];
        let mut list = Command::from(self.engine.command(&words));
        let Ok(output) = list.stdin(Stdio::null()).output().await else {
            return;
        };
        for networks in repeated(&String::from_utf8_lossy(&output.stdout)) {
            let mut left = networks.len();
            for network in networks.iter().rev() {
                if left > 1 && self.quietly(&["network", "rm", network]).await {
                    left -= 1;
                }
            }
        }
    }

    /// Stops the container and waits for the client, which may still be starting it.
    async fn stop(&self, name: &str, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            self.quietly(&["stop", name]).await;
            if let Ok(status) = timeout(STOP_INTERVAL, child.wait()).await {
                return status;
            }
        }
    }

    /// Runs a command of the engine whose failure does not matter. Returns whether it succeeded.
    async fn quietly(&self, words: &[&str]) -> bool {
        let mut command = Command::from(self.engine.command(words));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let status = command.stderr(Stdio::null()).status().await;
        status.is_ok_and(|status| status.success())
    }
}

/// Returns the ids of the networks that have the same name in the compose file, each group sorted. Each line
/// of `list` is such a name and an id.
fn repeated(list: &str) -> Vec<Vec<&str>> {
    let mut by_name: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (name, id) in list.lines().filter_map(|line| line.trim().split_once(' ')) {
        by_name.entry(name).or_default().push(id);
    }
    let mut groups: Vec<Vec<&str>> = by_name.into_values().filter(|ids| ids.len() > 1).collect();
    groups.iter_mut().for_each(|ids| ids.sort_unstable());
    groups
}

/// Returns the exit code for a status, as shells do.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(1);
    }
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_networks_by_their_name_in_the_compose_file() {
        let list = "default b\nmy_net d\ndefault a\nmy_net c\nother e\n";
        assert_eq!(repeated(list), [["a", "b"], ["c", "d"]]);
        assert_eq!(repeated(""), [[""; 0]; 0]);
    }
}
