//! Compose services that publish nothing: workers of directories in which no other reader found a service, and
//! second descriptions of workers that are known.

use portway_project::kind::Kind;

use super::{File, Service};
use crate::shell::script;
use crate::{DetectContext, DetectedPort, DetectedService, Dir, node, python};
use portway_project::shell::quote;

/// Programs that work on the tasks of a queue.
const QUEUE_PROGRAMS: [&str; 7] = [
    "arq",
    "celery",
    "dramatiq",
    "huey_consumer",
    "rq",
    "sidekiq",
    "taskiq",
];

/// Programs that run a file of the project.
const INTERPRETERS: [&str; 4] = ["bun", "node", "python", "python3"];

impl File<'_> {
    /// Returns the worker in `services` that the compose service `name` describes as well, with the environment
    /// of the compose service: both have the same name and no port, or run the same program of a queue in the
    /// same directory.
    pub(super) fn described<'s>(
        &self,
        root: &Dir<'_>,
        dir: &str,
        name: &str,
        compose: &Service,
        services: &'s mut [&mut DetectedService],
    ) -> Option<&'s mut DetectedService> {
        let is_free =
            |one: &DetectedService| !one.more.iter().any(|line| line.starts_with("compose = "));
        let is_namesake = |one: &DetectedService| {
            one.name == name && one.port.is_none() && !one.needs_broker && is_free(one)
        };
        if let Some(index) = services.iter().position(|one| is_namesake(one)) {
            return compose.ports.is_empty().then(|| &mut *services[index]);
        }
        let command = compose.runs()?;
        let script = root.below(dir).and_then(|dir| script(&dir, command));
        let is_script = script.is_some();
        let role = role(&script.unwrap_or_else(|| command.to_owned()))?;
        let found = services.iter_mut().find(|one| {
            // A command that only detection found gives way to the one that the file names.
            is_free(one)
                && (is_script || !one.needs_broker)
                && self::role(&one.command) == Some(role)
        });
        found.map(|one| &mut **one)
    }

    /// Returns the worker that a compose service without ports runs from the code in `dir`.
    pub(super) fn worker(
        &self,
        dir: &Dir<'_>,
        name: &str,
        compose: &Service,
        context: &DetectContext<'_>,
    ) -> Option<DetectedService> {
        if !compose.ports.is_empty() || compose.on_host_network {
            return None;
        }
        let plain = |command: String| {
            DetectedService::http(dir, "worker", command, DetectedPort::Preferred(1))
                .with_kind(Kind::Tcp)
                .without_port()
        };
        let found = interpreted(dir, &self.words(compose)).map(|command| {
            let mut one = [plain(command)];
            python::provide(dir, &mut one, context);
            node::provide(dir, &mut one, context);
            let [found] = one;
            found
        });
        let mut found = found
            .or_else(|| {
                let (program, run, build) = compiled(dir)?;
                Some(plain(run).with_prepare(build).requiring(program, context))
            })?
            .with_evidence(format!(
                "{} builds the service `{name}` from {}, which publishes no port",
                self.dir.path_of(self.name()),
                if dir.path().is_empty() {
                    "the root"
                } else {
                    dir.path()
                }
            ));
        found.name = name.to_owned();
        found.more.push(self.key(name));
        if !self.is_active(compose) {
            let profiles = compose.profiles.join(", ");
            found.optional = true;
            found.evidence.push(format!(
                "it belongs to the profile {profiles}, so it is optional"
            ));
        }
        Some(found)
    }

    /// Returns the words of the command of a service, or else of its Dockerfile.
    fn words(&self, compose: &Service) -> Vec<String> {
        let own = compose.runs().map(str::to_owned);
        let text = own.or_else(|| {
            let text = self.dockerfile(compose)?;
            let mut lines = text.lines().rev();
            lines.find_map(|line| Some(line.trim().strip_prefix("CMD ")?.trim().to_owned()))
        });
        let text = text.unwrap_or_default();
        serde_json::from_str(&text)
            .ok()
            .or_else(|| shlex::split(&text))
            .unwrap_or_default()
    }
}

/// Returns the command that runs a file of `dir` with an interpreter.
fn interpreted(dir: &Dir<'_>, words: &[String]) -> Option<String> {
    let program = words.first()?;
    let file = words.iter().skip(1).find(|word| !word.starts_with('-'))?;
    let (place, name) = file.rsplit_once('/').unwrap_or(("", file));
    let is_file = dir.below(place).is_some_and(|dir| dir.has(name));
    let is_known = INTERPRETERS.contains(&program.as_str()) && !file.starts_with('/');
    let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
    (is_known && is_file).then(|| words.join(" "))
}

/// Returns the toolchain, and the commands that run and build the program of `dir`.
fn compiled(dir: &Dir<'_>) -> Option<(&'static str, String, String)> {
    let is_program = |name: &&str| {
        let text = name.ends_with("proj").then(|| dir.read(name)).flatten();
        text.is_some_and(|text| {
            text.contains("<OutputType>Exe<") || text.contains("Microsoft.NET.Sdk.Worker")
        })
    };
    if dir.files().any(|name| is_program(&name)) {
        return Some(("dotnet", "dotnet run".into(), "dotnet build".into()));
    }
    let is_main = |name: &str| {
        let text = name.ends_with(".go").then(|| dir.read(name)).flatten();
        text.is_some_and(|text| text.lines().any(|line| line.trim_end() == "package main"))
    };
    if dir.has("go.mod") && dir.files().any(is_main) {
        return Some(("go", "go run .".into(), "go build -o /dev/null .".into()));
    }
    let has_main = || dir.sub("src").is_some_and(|src| src.has("main.rs"));
    (dir.has("Cargo.toml") && has_main())
        .then(|| ("cargo", "cargo run".into(), "cargo build".into()))
}

/// Returns the program of a queue that a command or a script runs, and whether it is the scheduler.
fn role(text: &str) -> Option<(&'static str, bool)> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace().map(|word| {
            let word = word.trim_matches(['"', '\'']);
            word.rsplit('/').next().unwrap_or(word)
        });
        let program =
            words.find_map(|word| QUEUE_PROGRAMS.into_iter().find(|known| *known == word))?;
        let is_comment = line.trim_start().starts_with('#');
        (!is_comment).then(|| {
            (
                program,
                words.any(|word| word == "beat" || word == "scheduler"),
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_role_of_a_worker() {
        for (text, expected) in [
            ("celery -A app worker", Some(("celery", false))),
            (
                "exec .venv/bin/celery -A app beat -l info",
                Some(("celery", true)),
            ),
            (
                "#!/bin/sh\nset -e\n# celery\nuv run celery -A a worker",
                Some(("celery", false)),
            ),
            ("bundle exec sidekiq", Some(("sidekiq", false))),
            ("python celery_app.py", None),
            ("flask run", None),
        ] {
            assert_eq!(role(text), expected, "{text}");
        }
    }
}
