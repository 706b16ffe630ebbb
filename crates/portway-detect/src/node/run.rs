//! The command of a service: its script, or what the script does without it.

use super::Project;
use super::package::Package;
use super::script::{SECRET_SETTERS, SimpleCommand, Step, StepRun, assignment};
use super::server::Server;
use super::tools::ON_MACHINE;
use crate::shell::literal;
use crate::{DetectedPort, DetectedService};
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// Programs of the machine and of the shell that scripts run before a server.
const OF_MACHINE: [&str; 40] = [
    ".", ":", "[", "bash", "bun", "cat", "cd", "chmod", "clear", "cp", "date", "deno", "docker",
    "echo", "export", "false", "git", "go", "kill", "ln", "ls", "make", "mkdir", "mv", "node",
    "npm", "npx", "pnpm", "printf", "pwd", "python", "python3", "rm", "sed", "set", "sh", "sleep",
    "tee", "true", "yarn",
];

/// Programs with names that do not occur in the name of their package.
const OF_PACKAGES: [(&str, &str); 9] = [
    ("concurrently", "concurrently"),
    ("graphql-codegen", "@graphql-codegen/cli"),
    ("nest", "@nestjs/cli"),
    ("ng", "@angular/cli"),
    ("npm-run-all", "npm-run-all2"),
    ("run-p", "npm-run-all"),
    ("run-s", "npm-run-all"),
    ("tsc", "typescript"),
    ("paraglide-js", "@inlang/paraglide-js"),
];

/// Programs that only packages contain, so the package manager can run them wherever they come from.
const ONLY_IN_PACKAGES: [&str; 16] = [
    "copyfiles",
    "cpx",
    "cross-env",
    "dotenv",
    "drizzle-kit",
    "kill-port",
    "panda",
    "pino-pretty",
    "prisma",
    "rimraf",
    "shx",
    "ts-node",
    "tsup",
    "tsx",
    "vite",
    "wait-on",
];

impl Project<'_, '_> {
    /// Returns the services of what a script runs before commands that it starts at the same time. They start
    /// when it has ended.
    pub(super) fn add_steps(
        &self,
        found: &mut [DetectedService],
        servers: &[Server],
    ) -> Vec<DetectedService> {
        let mut services: Vec<(&[Step], DetectedService)> = Vec::new();
        for (one, server) in found.iter_mut().zip(servers) {
            if server.first.is_empty() {
                continue;
            }
            let known = services
                .iter()
                .position(|(steps, _)| *steps == server.first.as_slice());
            let index = known.or_else(|| {
                let service = self.service_of_steps(server)?;
                services.push((&server.first, service));
                Some(services.len() - 1)
            });
            match index.and_then(|index| services.get(index)) {
                Some((_, service)) => one.after.push((service.name.clone(), "completed")),
                None => one.evidence.push(format!(
                    "the script `{}` runs other commands first, which Portway does not run",
                    server.found_by
                )),
            }
        }
        services.into_iter().map(|(_, service)| service).collect()
    }

    fn service_of_steps(&self, server: &Server) -> Option<DetectedService> {
        let command = self.steps(&server.first)?;
        let command = command.trim().trim_end_matches(['&', ';', '|']).trim_end();
        if command.is_empty() {
            return None;
        }
        let mut found =
            DetectedService::http(self.dir, "script", command, DetectedPort::Preferred(1))
                .with_kind(Kind::Tcp)
                .without_port();
        found.more.push("restart = \"never\"".into());
        let name = server.first.iter().find_map(|step| match &step.run {
            StepRun::Script(name) | StepRun::Hook(name) => Some(name.as_str()),
            StepRun::Command(text) => text.split_whitespace().last(),
        });
        let name = name
            .unwrap_or("")
            .trim_matches(|c: char| !c.is_ascii_alphanumeric());
        found.name = match self.dir.name() {
            "" => format!("before-{}", name.replace([':', '/', '.'], "-")),
            dir => format!("{dir}-before-{}", name.replace([':', '/', '.'], "-")),
        };
        found = found.with_evidence(format!(
            "the script `{}` in {} runs it before it starts the others",
            server.found_by,
            self.dir.path_of("package.json")
        ));
        Some(self.finish(found))
    }

    /// The command that starts a server with its own port variable only.
    pub(super) fn start(&self, server: &Server) -> String {
        match &server.script {
            Some(_) if server.missing_env_file.is_some() => self
                .outside(server, &server.simple, "")
                .unwrap_or_else(|| self.run(server, "")),
            Some(_) => self.run(server, ""),
            None => self
                .outside(server, &server.simple, "")
                .unwrap_or_else(|| literal(&server.text).into_owned()),
        }
    }

    /// The command that runs the script of a server with additional arguments.
    pub(super) fn run(&self, server: &Server, arguments: &str) -> String {
        let Some(script) = &server.script else {
            return self.start(server);
        };
        let mut all: Vec<_> = server
            .passed
            .iter()
            .map(|word| literal(&word_of(word)).into_owned())
            .collect();
        all.extend((!arguments.is_empty()).then(|| arguments.to_owned()));
        let script = quote(script);
        let command = self.managed.run(&literal(&script), &all.join(" "));
        let around = self.environment(&server.around);
        let wrapper: Vec<_> = server
            .around
            .wrapper
            .iter()
            .map(|word| word_of(word))
            .collect();
        match wrapper.first() {
            Some(first) => {
                let exec = self.prefix(first);
                let wrapper = literal(&wrapper.join(" ")).into_owned();
                format!("{around}{exec}{wrapper} {command}")
            }
            None => around + &command,
        }
    }

    /// Why a command runs without its script.
    pub(super) fn why_outside(&self, server: &Server) -> String {
        let command = match server.before.is_empty() && server.after.is_empty() {
            true => "its command runs",
            false => "its commands run",
        };
        if let Some(missing) = &server.missing_env_file {
            return missing.why(command);
        }
        match (server.replaced(), &server.script) {
            (Some(program), _) => {
                format!("{command} without `{program}`, which chooses a port itself")
            }
            (None, _) if self.starts_containers(&server.before) => {
                format!(
                    "the script starts containers, which Portway does itself, so {command} without the script"
                )
            }
            (None, Some(_)) if server.says_a_port() || server.port().is_some() => {
                format!("the script sets a port, so {command} without the script")
            }
            (None, Some(_)) if server.names_addresses() => {
                format!("the script names ports, so {command} without the script")
            }
            (None, Some(_)) => {
                format!("the script passes no arguments on, so {command} without the script")
            }
            (None, None) => "its port is appended to its arguments".to_owned(),
        }
    }

    /// Builds the service of a program of another language.
    pub(super) fn process(&self, server: &Server, process: &DetectedService) -> DetectedService {
        let mut found = process.clone();
        if found.framework == "procfile" {
            found.framework = "script";
        }
        if found.command.is_empty() {
            found.command = self.start(server);
        }
        found.evidence.insert(0, server.evidence(self.dir));
        found
    }

    /// Returns whether these commands start containers of a compose file, which Portway does itself.
    pub(super) fn starts_containers(&self, steps: &[Step]) -> bool {
        const FILES: [&str; 4] = [
            "compose.yaml",
            "compose.yml",
            "docker-compose.yml",
            "docker-compose.yaml",
        ];
        let has_file = || self.dir.upwards().any(|at| at.first_of(&FILES).is_some());
        steps.iter().any(|step| self.is_for_containers(&step.run)) && has_file()
    }

    fn is_for_containers(&self, run: &StepRun) -> bool {
        let text = match run {
            StepRun::Command(text) => text.as_str(),
            StepRun::Script(name) | StepRun::Hook(name) => {
                self.package.scripts.get(name).map_or("", String::as_str)
            }
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["docker" | "podman", "compose", rest @ ..]
            | ["docker-compose" | "podman-compose", rest @ ..] => rest.contains(&"up"),
            ["npm" | "pnpm" | "yarn" | "bun", rest @ ..] => {
                let name = rest.iter().find(|word| **word != "run");
                let inner = name.and_then(|name| self.package.scripts.get(*name));
                inner.is_some_and(|text| {
                    let is_compose =
                        text.starts_with("docker compose ") || text.starts_with("docker-compose ");
                    is_compose && text.split_whitespace().any(|word| word == "up")
                })
            }
            _ => false,
        }
    }

    /// All that the script of a server does, without the script: `command` is the server's own command, which
    /// gets these flags. `None` if the script contains something that works only within it.
    pub(super) fn outside(
        &self,
        server: &Server,
        command: &SimpleCommand,
        flags: &str,
    ) -> Option<String> {
        if !server.is_plain {
            return None;
        }
        let mut text = self.steps(&server.before)?;
        let mut command = command.clone();
        command.env.splice(0..0, server.around.env.iter().cloned());
        command
            .wrapper
            .splice(0..0, server.around.wrapper.iter().cloned());
        text += &self.exec(&command);
        if !flags.is_empty() {
            text = format!("{text} {flags}");
        }
        if !server.after.is_empty() {
            text = format!("{text} {}", self.readers(&server.after)?);
        }
        Some(text)
    }

    /// The commands that run before another one, with what joins them to it.
    pub(super) fn steps(&self, steps: &[Step]) -> Option<String> {
        let mut text = String::new();
        let has_containers = self.starts_containers(steps);
        for Step { run, joint } in steps {
            // Services start after the containers are ready.
            let waits = |text: &String| {
                let text = text.strip_prefix("npx ").unwrap_or(text);
                text.starts_with("wait-on tcp:") || text.starts_with("sleep ")
            };
            let is_done =
                self.is_for_containers(run) || matches!(run, StepRun::Command(text) if waits(text));
            if has_containers && is_done {
                continue;
            }
            let command = match run {
                StepRun::Command(command) => self.in_path(command)?,
                StepRun::Script(name) => self.managed.run(&literal(&quote(name)), ""),
                StepRun::Hook(_) if !self.managed.runs_hooks() => continue,
                StepRun::Hook(name) => self.managed.run(&literal(&quote(name)), ""),
            };
            text += &match *joint {
                ";" => format!("{command}; "),
                joint => format!("{command} {joint} "),
            };
        }
        Some(text)
    }

    /// Redirections, and the programs of a pipe: `2>&1 | pino-pretty`.
    fn readers(&self, after: &str) -> Option<String> {
        let mut parts = after.split('|');
        let mut text = literal(parts.next()?.trim()).into_owned();
        for part in parts {
            text = format!("{text} | {}", self.in_path(part.trim())?)
                .trim()
                .to_owned();
        }
        Some(text)
    }

    /// A command as it is written, with the prefix for a program that a package contains. `None` if it is not
    /// known whether a package or the machine does.
    fn in_path(&self, text: &str) -> Option<String> {
        let mut words = text.split_whitespace();
        let Some(first) = words.find(|word| assignment(word).is_none()) else {
            // A variable of the script itself.
            return Some(literal(text.trim()).into_owned());
        };
        // All words are slices of the text.
        let start = first.as_ptr() as usize - text.as_ptr() as usize;
        let (variables, command) = text.split_at(start);
        let program = command.split_whitespace().next()?;
        let prefix = match () {
            () if OF_MACHINE.contains(&program) || program.contains('/') => String::new(),
            () if ONLY_IN_PACKAGES.contains(&program) || self.has_program(program) => {
                format!("{} ", self.managed.exec())
            }
            () => return None,
        };
        Some(literal(&format!("{variables}{prefix}{command}")).into_owned())
    }

    /// Returns whether a package on which the project depends contains a program.
    fn has_program(&self, program: &str) -> bool {
        let has = |package: &Package| {
            let known = OF_PACKAGES.iter().filter(|(name, _)| *name == program);
            known.into_iter().any(|(_, name)| package.has(name))
                || package.dependencies().any(|name| {
                    let mut parts = name.trim_start_matches('@').split('/');
                    parts.any(|part| {
                        let rest = part.strip_prefix(program);
                        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
                    })
                })
        };
        has(&self.package)
            || self
                .dir
                .upwards()
                .find(|at| at.path() == self.managed.root)
                .and_then(|root| Package::read(&root))
                .is_some_and(|package| has(&package))
    }

    /// The command outside a script, where packages' programs are not in PATH.
    pub(super) fn exec(&self, command: &SimpleCommand) -> String {
        let words = command.wrapper.iter().chain(&command.words);
        let words: Vec<_> = words.map(|word| word_of(word)).collect();
        let mut text = self.environment(command);
        // A wrapper comes from a package, unless it is installed on the machine.
        let first = command
            .wrapper
            .first()
            .map_or(command.program(), String::as_str);
        text += &self.prefix(first);
        text + &literal(&words.join(" "))
    }

    fn environment(&self, command: &SimpleCommand) -> String {
        let pairs = command.env.iter();
        let pairs = pairs.map(|(name, value)| format!("{name}={} ", word_of(value)));
        literal(&pairs.collect::<String>()).into_owned()
    }

    /// What runs a program, if it comes from a package.
    fn prefix(&self, program: &str) -> String {
        match ON_MACHINE.contains(&program) || SECRET_SETTERS.contains(&program) {
            true => String::new(),
            false => format!("{} ", self.managed.exec()),
        }
    }
}

/// Quotes a word. The shell still replaces variables in it, as it does in the script.
fn word_of(word: &str) -> String {
    let refers = word.match_indices('$').any(|(at, _)| {
        word[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{')
    });
    match refers {
        false => quote(word).into_owned(),
        true => {
            let escaped = word
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('`', "\\`");
            format!("\"{escaped}\"")
        }
    }
}
