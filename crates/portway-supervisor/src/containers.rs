//! Containers that an instance left: those whose client was killed, so that nothing stopped them.
//!
//! A command that runs a container gives it the label [`LABEL`] with the value of `PORTWAY_RUN`, which
//! contains the directory of the instance. A container without this label, or with that of another
//! instance, is never touched. A file in the directory of the instance names the engines that its
//! commands use, so that other instances ask no engine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::mark::{self, Mark};
use crate::program;

/// The label of a container that a service runs. Its value is that of `PORTWAY_RUN`.
pub const LABEL: &str = "portway.run";

/// The file with the engines that the commands of an instance have used, one per line.
const FILE: &str = "engines";

/// Maximum size of that file, in bytes.
const MAX_FILE: u64 = 1024;

/// Programs that run containers, and the engine's client that lists and removes them.
const ENGINES: [(&str, &str); 5] = [
    ("docker", "docker"),
    ("docker-compose", "docker"),
    ("podman", "podman"),
    ("podman-compose", "podman"),
    ("nerdctl", "nerdctl"),
];

/// How long an engine may take to list its containers.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an engine may take to remove a container that it has listed.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of an engine's output, in bytes.
const MAX_OUTPUT: u64 = 1 << 20;

/// A container of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The engine's client.
    engine: &'static str,
    /// The container's id.
    id: String,
    /// The container's name.
    pub name: String,
    /// The mark of the service that runs it.
    pub mark: Mark,
}

/// What is known about the containers of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containers {
    /// The containers.
    pub found: Vec<Container>,
    /// The engines that did not respond in time, or not with a list.
    pub silent: Vec<&'static str>,
}

/// Records the engine that a command of the instance with the directory `dir` uses, if it uses one. The
/// command may be the name of the engine alone.
pub fn record_engine(dir: &Path, command: &str) {
    let used = engines_in(command);
    let known = recorded(dir);
    if !used.is_subset(&known) {
        let lines: Vec<&str> = used.union(&known).copied().collect();
        // Without the file, the containers stay until the service starts again.
        if let Err(error) = fs::write(dir.join(FILE), lines.join("\n")) {
            tracing::warn!(%error, "cannot record the container engine");
        }
    }
}

/// Returns whether a command of the instance with the directory `dir` has used a container engine.
fn uses_engine(dir: &Path) -> bool {
    !recorded(dir).is_empty()
}

/// Lists the containers of the instances with the directories `dirs`. Asks only engines that their commands
/// have used, each at most for `timeout`.
pub fn list<P: AsRef<Path>>(dirs: &[P], timeout: Duration) -> Containers {
    let mut containers = Containers::default();
    let engines: BTreeSet<&str> = dirs.iter().flat_map(|dir| recorded(dir.as_ref())).collect();
    for engine in engines {
        let Some(text) = query(engine, timeout) else {
            containers.silent.push(engine);
            continue;
        };
        let found = dirs
            .iter()
            .flat_map(|dir| parse(engine, &text, dir.as_ref()));
        containers.found.extend(found);
    }
    containers
}

/// Removes containers. The caller has checked after [`list`] that the instance has no supervisor. Returns
/// those that are left.
pub fn remove(containers: Vec<Container>) -> Vec<Container> {
    let deadline = Instant::now() + REMOVE_TIMEOUT;
    let is_left = |container: &Container| {
        let mut command = Command::new(container.engine);
        command.args(["rm", "--force", &container.id]);
        // It fails if the engine is just removing the container itself.
        program::output(command, remaining(deadline), MAX_OUTPUT);
        while let Some(text) = query(container.engine, remaining(deadline)) {
            let all = parse(container.engine, &text, &container.mark.dir);
            if !all.iter().any(|other| other.id == container.id) {
                return false;
            }
            if remaining(deadline).is_zero() {
                break;
            }
        }
        true
    };
    containers.into_iter().filter(is_left).collect()
}

/// Removes what the instance with the directory `dir` has left, at its end. `is_supervised` is called after
/// the containers were listed: those of a new supervisor are not touched.
pub(crate) fn finish(dir: &Path, timeout: Duration, is_supervised: impl FnOnce() -> bool) {
    let containers = list(&[dir], timeout);
    if !containers.found.is_empty() && !is_supervised() {
        let left = remove(containers.found);
        if !left.is_empty() {
            tracing::warn!(?left, "cannot remove containers");
        }
    }
}

/// Removes the containers of services that were killed, at the end of the supervisor of the instance with the
/// directory `dir`.
pub(crate) async fn finish_supervised(dir: &Path) {
    // `portway down` asks again and reports an engine that does not respond.
    const TIMEOUT: Duration = Duration::from_secs(1);
    if uses_engine(dir) {
        let dir = dir.to_owned();
        let remove = move || finish(&dir, TIMEOUT, || false);
        // The thread does not panic.
        let _ = tokio::task::spawn_blocking(remove).await;
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Returns the engines in the words of a command.
fn engines_in(command: &str) -> BTreeSet<&'static str> {
    let is_separator = |c: char| c.is_whitespace() || ";&|()`'\"$<>={}".contains(c);
    let names = command.split(is_separator);
    let names = names.filter_map(|word| word.rsplit('/').next());
    let engine = |name| ENGINES.iter().find(|(program, _)| *program == name);
    names
        .filter_map(engine)
        .map(|(_, engine)| *engine)
        .collect()
}

/// Returns the engine that a command of the instance with the directory `dir` has used, if it is only one.
pub fn recorded_engine(dir: &Path) -> Option<&'static str> {
    let all = recorded(dir);
    all.first().copied().filter(|_| all.len() == 1)
}

fn recorded(dir: &Path) -> BTreeSet<&'static str> {
    let path = dir.join(FILE);
    let is_small = fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= MAX_FILE);
    let text = if is_small {
        fs::read_to_string(path).unwrap_or_default()
    } else {
        String::new()
    };
    engines_in(&text)
}

/// Asks an engine for all containers with the label: id, name and label, separated by tabs.
fn query(engine: &str, timeout: Duration) -> Option<String> {
    let mut command = Command::new(engine);
    let filter = format!("label={LABEL}");
    let format = format!("{{{{.ID}}}}\t{{{{.Names}}}}\t{{{{.Label \"{LABEL}\"}}}}");
    command.args(["ps", "--all", "--no-trunc", "--filter", &filter]);
    command.args(["--format", &format]);
    // A supervisor that a service started has that service's mark.
    command.env_remove(mark::NAME);
    let text = program::output(command, timeout, MAX_OUTPUT)?;
    String::from_utf8(text).ok()
}

/// Parses the output of [`query`]: the containers of one instance.
fn parse(engine: &'static str, text: &str, dir: &Path) -> Vec<Container> {
    let container = |line: &str| {
        let mut parts = line.splitn(3, '\t');
        let (id, name, label) = (parts.next()?, parts.next()?, parts.next()?);
        let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit());
        let mark = Mark::parse(label).filter(|mark| is_id && mark.dir == dir)?;
        Some(Container {
            engine,
            id: id.to_owned(),
            name: name.to_owned(),
            mark,
        })
    };
    text.lines().filter_map(container).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_engines_of_a_command() {
        for (command, engines) in [
            (
                "trap : TERM; docker rm -f x; docker compose run db",
                &["docker"][..],
            ),
            ("exec /usr/bin/podman run x", &["podman"]),
            (
                "x=$(docker-compose ps)&&nerdctl run y",
                &["docker", "nerdctl"],
            ),
            ("dockerize node docker.js", &[]),
            ("", &[]),
        ] {
            let expected: BTreeSet<&str> = engines.iter().copied().collect();
            assert_eq!(engines_in(command), expected, "{command}");
        }
    }

    #[test]
    fn keeps_a_record_of_engines() {
        let dir = tempfile::tempdir().unwrap();
        record_engine(dir.path(), "vite --port 5173");
        assert!(!uses_engine(dir.path()));
        assert!(!dir.path().join(FILE).exists());
        record_engine(dir.path(), "podman run x");
        record_engine(dir.path(), "docker run x");
        assert_eq!(recorded(dir.path()), ["docker", "podman"].into());
    }

    #[test]
    fn selects_the_containers_of_one_instance() {
        let text = "0a1f\tportway-jobi-db\t/state/instances/01/db\n\
                    0a2f\tportway-jobi-db\t/state/instances/011/db\n\
                    0a3f\tother\t\n\
                    --all\tother\t/state/instances/01/db\n\
                    garbage\n";
        let found = parse("docker", text, Path::new("/state/instances/01"));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].id.as_str(), found[0].mark.service.as_str()),
            ("0a1f", "db")
        );
    }
}
