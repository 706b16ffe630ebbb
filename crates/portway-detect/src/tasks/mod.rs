//! Makefiles, justfiles and Taskfiles: the target that starts a server, if nothing else in the checkout does.

pub(super) mod scripts;
mod taskfile;
mod variables;

use self::variables::{Told, Variable, expanded, of_port, variables};
use super::procfile::command::{Listens, listens};
use super::{DetectContext, DetectedPort, DetectedService, Dir, Skipped};
use portway_project::kind::Kind;

/// A program that runs targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Make,
    Just,
    Task,
}

/// Files with targets, and the program that runs one.
const FILES: [(&str, &str, Tool); 10] = [
    ("Makefile", "make", Tool::Make),
    ("makefile", "make", Tool::Make),
    ("GNUmakefile", "make", Tool::Make),
    ("justfile", "just", Tool::Just),
    ("Justfile", "just", Tool::Just),
    (".justfile", "just", Tool::Just),
    ("Taskfile.yml", "task", Tool::Task),
    ("Taskfile.yaml", "task", Tool::Task),
    ("taskfile.yml", "task", Tool::Task),
    ("Taskfile.dist.yml", "task", Tool::Task),
];

/// Targets that start a server for development, the most likely first.
const TARGETS: [&str; 9] = [
    "dev",
    "run-dev",
    "dev-server",
    "devserver",
    "serve",
    "runserver",
    "server",
    "start",
    "run",
];

/// Programs whose containers detection finds in compose files.
const ENGINES: [&str; 3] = ["docker", "podman", "nerdctl"];

/// Detects the server that a target of the root starts. Adds a target without evidence of a port to
/// `passed_over`.
pub(super) fn read(
    root: &Dir<'_>,
    context: &DetectContext<'_>,
    passed_over: &mut Vec<Skipped>,
) -> Vec<DetectedService> {
    let file = FILES.iter().find(|(file, ..)| root.has(file));
    let Some((file, program, tool)) = file else {
        return Vec::new();
    };
    let text = root.read(file).unwrap_or_default();
    let tasks = match tool {
        Tool::Task => root.yaml(file).unwrap_or_default(),
        Tool::Make | Tool::Just => serde_json::Value::Null,
    };
    for target in TARGETS {
        let found = match tool {
            Tool::Task => taskfile::recipe(&tasks, target).map(|mut recipe| {
                let variables = taskfile::variables(&tasks, &mut recipe);
                let start = format!("{target}:");
                let line = text
                    .lines()
                    .position(|line| line.trim_start().starts_with(&start));
                (line.map_or(1, |line| line + 1), recipe, variables)
            }),
            Tool::Make | Tool::Just => recipe(&text, target).map(|(line, recipe)| {
                let header = text.lines().nth(line - 1).unwrap_or("");
                (line, recipe, variables(*tool, &text, header))
            }),
        };
        let Some((line, recipe, variables)) = found else {
            continue;
        };
        let words = || recipe.split_whitespace();
        if words().any(|word| ENGINES.iter().any(|engine| word.starts_with(engine))) {
            continue;
        }
        let runs = Target {
            file,
            program,
            tool: *tool,
            name: target,
            recipe: &recipe,
            variables: &variables,
        };
        return match runs.service(root, line) {
            Some(found) => vec![found.requiring(program, context)],
            None => {
                passed_over.push(Skipped {
                    file: format!("{file}:{line}"),
                    why: format!(
                        "has the target `{target}`, which shows no port on which it listens"
                    ),
                });
                continue;
            }
        };
    }
    Vec::new()
}

/// A target with its recipe.
struct Target<'t> {
    file: &'t str,
    program: &'t str,
    tool: Tool,
    name: &'t str,
    recipe: &'t str,
    variables: &'t [Variable],
}

impl Target<'_> {
    /// Builds the service, if the recipe shows the port.
    fn service(&self, root: &Dir<'_>, line: usize) -> Option<DetectedService> {
        let Self {
            file,
            program,
            name,
            recipe,
            ..
        } = self;
        let text = expanded(self.tool, recipe, self.variables);
        let kind = Kind::infer(name, &text);
        let kind = if kind.is_http() { kind } else { Kind::Http };
        let port = DetectedPort::Preferred(8000);
        let command = format!("{program} {name}");
        let mut found = DetectedService::http(root, "make", command, port)
            .with_kind(kind)
            .with_evidence(format!(
                "the target `{name}` in {file}:{line} runs `{recipe}`"
            ));
        if let Some((variable, port)) = of_port(self.tool, recipe, kind, self.variables) {
            let place = match variable.line {
                0 => (*file).to_owned(),
                line => format!("{file}:{line}"),
            };
            found.command = variable.command(program, name);
            found.port = Some(DetectedPort::Preferred(port));
            found.is_port_written = true;
            if let Told::Environment(variable) = &variable.told
                && variable != "PORT"
            {
                found = found.with_env(variable, "{port}");
            }
            return Some(found.with_evidence(format!(
                "its port is the variable `{}`, which is {port} in {place}",
                variable.name
            )));
        }
        match listens(&text, kind) {
            Listens::WherePortSays(why) => Some(found.with_evidence(why)),
            Listens::WhereVariableSays(variable) => {
                let found = found.with_env(&variable, "{port}");
                Some(found.with_evidence(format!("its program reads its port from {variable}")))
            }
            Listens::At(port, _) => {
                found.port = Some(DetectedPort::Fixed(port));
                Some(found.with_evidence(format!("its recipe listens on port {port}")))
            }
            Listens::Unknown => None,
        }
    }
}

/// Returns the line of a target, and the last command of its recipe.
fn recipe(text: &str, target: &str) -> Option<(usize, String)> {
    let mut lines = text.lines().enumerate();
    let (index, _) = lines.find(|(_, line)| {
        let rest = line.trim_start_matches('@').strip_prefix(target);
        // A recipe of `just` may have parameters.
        let rest = rest.filter(|rest| rest.starts_with([':', ' ']));
        rest.is_some_and(|rest| match rest.find(':') {
            Some(at) => !rest[at..].starts_with(":="),
            None => false,
        })
    })?;
    let recipe = lines
        .map(|(_, line)| line)
        .take_while(|line| line.starts_with([' ', '\t']) || line.is_empty())
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let last = recipe.last()?;
    let last = last.trim_start_matches(['@', '-']).trim().to_owned();
    Some((index + 1, last))
}

#[cfg(test)]
mod tests {
    use crate::DetectedPort;
    use crate::fixture::{checkout, only};

    #[test]
    fn a_target_starts_the_server_if_nothing_else_does() {
        let makefile = ".PHONY: dev\nPORT := 1\ntest:\n\tpytest\ndev: deps\n\t@echo start\n\t@./serve --port 8070\n";
        let found = only(&[("Makefile", makefile)], &["make"]);
        assert_eq!(
            (found.command.as_str(), found.port),
            ("make dev", Some(DetectedPort::Fixed(8070)))
        );
        found.has_evidence("Makefile:5 runs `./serve --port 8070`");
        let just = "dev port=\"1\":\n    mix phx.server\n";
        let found = only(&[("justfile", just)], &["just"]);
        assert_eq!(
            (found.command.as_str(), found.prefers()),
            ("just dev", Some(8000))
        );
    }

    #[test]
    fn a_variable_sets_the_port_of_a_recipe() {
        for (file, text, command, variable, port) in [
            (
                "Makefile",
                "PORT ?= 8090 # web\ndev: deps\n\t@python3 -m http.server $(PORT)\n",
                "make dev",
                None,
                8090,
            ),
            (
                "Makefile",
                "HOST := 0.0.0.0\nWEB_PORT ?= 8091\ndev:\n\t./x --listen $(HOST):${WEB_PORT}\n",
                "make dev",
                Some("WEB_PORT"),
                8091,
            ),
            (
                "Makefile",
                "export PORT := 8092\nrun:\n\t./x --port $$PORT\n",
                "make run PORT={port}",
                None,
                8092,
            ),
            (
                "justfile",
                "port := \"7070\"\ndev:\n    python3 serve.py --port {{port}}\n",
                "just port={port} dev",
                None,
                7070,
            ),
            (
                "justfile",
                "p := env_var_or_default('API_PORT', '7071')\ndev:\n    x --port={{ p }}\n",
                "just dev",
                Some("API_PORT"),
                7071,
            ),
            (
                "justfile",
                "dev port='7072':\n    x --port {{port}}\n",
                "just dev {port}",
                None,
                7072,
            ),
            (
                "Taskfile.yml",
                "vars:\n  PORT: 7073\ntasks:\n  dev:\n    cmds:\n      - go generate\n      - x --port {{.PORT}}\n",
                "task dev PORT={port}",
                None,
                7073,
            ),
            (
                "Taskfile.yaml",
                "env:\n  WEB_PORT: 7075\ntasks:\n  dev: python3 -m http.server {{.WEB_PORT}}\n",
                "task dev",
                Some("WEB_PORT"),
                7075,
            ),
            (
                "Taskfile.yml",
                "tasks:\n  serve: x --port {{.P | default \"7074\"}}\n",
                "task serve P={port}",
                None,
                7074,
            ),
        ] {
            let found = only(&[(file, text)], &["make", "just", "task"]);
            assert_eq!(
                (found.command.as_str(), found.prefers()),
                (command, Some(port)),
                "{text}"
            );
            assert_eq!(
                found.env.keys().next().map(String::as_str),
                variable,
                "{text}"
            );
            found.has_evidence(&format!("is {port} in {file}"));
        }
        // A number beside it is no port.
        let text = "JOBS ?= 4\ndev:\n\t./x -j $(JOBS) --port 8093\n";
        let found = only(&[("Makefile", text)], &["make"]);
        assert_eq!(
            (found.command.as_str(), found.port),
            ("make dev", Some(DetectedPort::Fixed(8093)))
        );
    }

    #[test]
    fn a_target_without_a_port_is_passed_over() {
        let detection = checkout(&[("Makefile", "run:\n\t./tool\n")], &["make"]);
        assert!(detection.services.is_empty());
        assert_eq!(detection.passed_over[0].file, "Makefile:1");
        let docker = checkout(&[("Makefile", "dev:\n\tdocker compose up\n")], &["make"]);
        assert!(docker.services.is_empty() && docker.passed_over.is_empty());
    }
}
