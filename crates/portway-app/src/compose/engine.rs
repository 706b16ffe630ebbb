//! Finds a program that runs containers and understands compose files.

use std::process::Command;
use std::thread;
use std::time::Duration;

use portway_api::ErrorCode;
use portway_detect::NoEngine;
use portway_supervisor::program::{self, Answer};

use crate::dirs::has_program;
use crate::error::CommandError;

/// How long an engine and its Compose may take to answer while services are detected. After that time they
/// are assumed to work: a busy engine must not make the databases of a checkout optional.
pub(crate) const DETECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long they may take before a container starts.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of bytes of such an answer.
const MAX_OUTPUT: u64 = 4096;

/// The engines, in the order of preference.
pub const NAMES: [&str; 2] = ["docker", "podman"];

/// The first version of Compose whose command line Portway uses.
const COMPOSE_VERSION: u32 = 2;

/// A program that runs containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Engine {
    /// Its client.
    pub(super) client: &'static str,
    /// The words that start Compose.
    compose: &'static [&'static str],
}

/// Returns the error of a command that needs an engine.
pub(super) fn error(problem: NoEngine) -> CommandError {
    let message = format!("cannot run containers: {}", problem.message);
    CommandError::new(ErrorCode::MissingRequirement, message).hint(problem.help)
}

fn no_engine(message: impl Into<String>, help: impl Into<String>) -> NoEngine {
    NoEngine {
        message: message.into(),
        help: help.into(),
    }
}

impl Engine {
    /// A command of Compose.
    pub(super) fn compose(&self) -> Command {
        let mut command = Command::new(self.compose[0]);
        command.args(&self.compose[1..]);
        // The manifest names the files, or Compose finds those that detection found.
        command.env_remove("COMPOSE_FILE");
        command
    }

    /// A command of the engine's client.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.client);
        command.args(words);
        command
    }
}

/// Returns the engine with this name, or the first one that works.
pub(crate) fn find(name: Option<&str>, timeout: Duration) -> Result<Engine, NoEngine> {
    let mut first = None;
    for client in NAMES {
        if name.is_some_and(|name| name != client) || !has_program(client) {
            continue;
        }
        let (compose, answer) = thread::scope(|scope| {
            let answer = scope.spawn(|| ask(client, engine_question(client), timeout));
            (
                find_compose(client, timeout),
                answer.join().unwrap_or(Answer::Timeout),
            )
        });
        let problem = match compose {
            Ok(compose) => match not_running(client, &answer) {
                None => return Ok(Engine { client, compose }),
                Some(problem) => problem,
            },
            Err(problem) => problem,
        };
        first.get_or_insert(problem);
    }
    Err(first.unwrap_or_else(|| {
        let message = match name {
            Some(name) => format!("`{name}` is not installed"),
            None => "neither `docker` nor `podman` is installed".to_owned(),
        };
        no_engine(message, "install Docker with its Compose plugin, or Podman")
    }))
}

fn ask(program: &str, words: &[&str], timeout: Duration) -> Answer {
    let mut command = Command::new(program);
    command.args(words);
    program::ask(command, timeout, MAX_OUTPUT)
}

/// A question that only a running engine answers.
fn engine_question(client: &str) -> &'static [&'static str] {
    match client {
        "docker" => &["version", "--format", "{{.Server.Version}}"],
        _ => &["ps", "--quiet", "--last", "1"],
    }
}

/// Returns the words that start Compose with this engine.
fn find_compose(client: &str, timeout: Duration) -> Result<&'static [&'static str], NoEngine> {
    let answer = ask(client, &["compose", "version", "--short"], timeout);
    if client != "docker" {
        // Its Compose may be an implementation with other version numbers.
        return match answer {
            Answer::Success(_) | Answer::Timeout => Ok(&["podman", "compose"]),
            Answer::Failure(_) => Err(no_engine(
                "`podman compose` finds no Compose",
                "install `podman-compose`",
            )),
        };
    }
    let is_new = |version: &u32| *version >= COMPOSE_VERSION;
    if answer == Answer::Timeout || compose_version(&answer).is_some_and(|one| is_new(&one)) {
        return Ok(&["docker", "compose"]);
    }
    let answer = match has_program("docker-compose") {
        true => ask("docker-compose", &["version", "--short"], timeout),
        false => Answer::Failure(String::new()),
    };
    let message = match compose_version(&answer) {
        Some(version) if is_new(&version) => return Ok(&["docker-compose"]),
        Some(version) => {
            format!("`docker-compose` is version {version}, and Portway needs Compose 2")
        }
        None => "`docker compose` is not installed".to_owned(),
    };
    let help = "install Docker's Compose plugin: https://docs.docker.com/compose/install/";
    Err(no_engine(message, help))
}

/// Returns the major version of Compose that it printed: `2.26.1`, `v2.5.0`.
fn compose_version(answer: &Answer) -> Option<u32> {
    let Answer::Success(text) = answer else {
        return None;
    };
    let text = String::from_utf8_lossy(text);
    let number = text.trim().trim_start_matches('v').split('.').next();
    number?.parse().ok()
}

/// Returns why the engine does not run containers, if its answer says so.
fn not_running(client: &str, answer: &Answer) -> Option<NoEngine> {
    let Answer::Failure(text) = answer else {
        return None;
    };
    let is_docker = client == "docker";
    Some(if text.contains("permission denied") {
        let help = match is_docker {
            true => {
                "add yourself to the group of its socket: `sudo usermod -aG docker $USER`, then log in again"
            }
            false => "run `podman ps` to see why",
        };
        no_engine(format!("this user may not use `{client}`"), help)
    } else if is_docker {
        let help = match cfg!(target_os = "linux") {
            true => "start it, for example with `sudo systemctl start docker`",
            false => "start Docker Desktop",
        };
        no_engine("the Docker engine does not run", help)
    } else {
        let help = match cfg!(target_os = "linux") {
            true => "run `podman ps` to see why",
            false => "run `podman machine start`",
        };
        no_engine("`podman` cannot list its containers", help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_of_compose() {
        let version = |text: &str| compose_version(&Answer::Success(text.into()));
        assert_eq!(version("2.26.1-4\n"), Some(2));
        assert_eq!(version("v2.5.0"), Some(2));
        assert_eq!(version("1.29.2"), Some(1));
        assert_eq!(version("Docker version 20.10.24"), None);
        assert_eq!(compose_version(&Answer::Timeout), None);
    }

    #[test]
    fn an_engine_that_does_not_answer_is_assumed_to_run() {
        assert_eq!(not_running("docker", &Answer::Timeout), None);
        assert_eq!(
            not_running("docker", &Answer::Success(b"20.10".into())),
            None
        );
        let problem = |client: &str, text: &str| {
            not_running(client, &Answer::Failure(text.into()))
                .unwrap()
                .message
        };
        assert_eq!(
            problem(
                "docker",
                "Cannot connect to the Docker daemon at unix:///x."
            ),
            "the Docker engine does not run"
        );
        assert!(problem("docker", "permission denied while trying").contains("may not use"));
        assert!(problem("podman", "").contains("cannot list"));
    }
}
