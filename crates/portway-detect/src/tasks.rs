//! Makefiles and justfiles: the target that starts a server, if nothing else in the checkout does.

use super::procfile::command::{Listens, listens};
use super::{DetectContext, DetectedPort, DetectedService, Dir, Skipped};
use portway_project::kind::Kind;

/// Files with targets, and the program that runs one.
const FILES: [(&str, &str); 6] = [
    ("Makefile", "make"),
    ("makefile", "make"),
    ("GNUmakefile", "make"),
    ("justfile", "just"),
    ("Justfile", "just"),
    (".justfile", "just"),
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
    let file = FILES.iter().find(|(file, _)| root.has(file));
    let Some((file, program)) = file else {
        return Vec::new();
    };
    let text = root.read(file).unwrap_or_default();
    for target in TARGETS {
        let Some((line, recipe)) = recipe(&text, target) else {
            continue;
        };
        let words = || recipe.split_whitespace();
        if words().any(|word| ENGINES.iter().any(|engine| word.starts_with(engine))) {
            continue;
        }
        let command = format!("{program} {target}");
        let kind = Kind::infer(target, &recipe);
        let port = DetectedPort::Preferred(8000);
        let found = DetectedService::http(root, "make", command, port)
            .with_kind(if kind.is_http() { kind } else { Kind::Http })
            .with_evidence(format!(
                "the target `{target}` in {file}:{line} runs `{recipe}`"
            ));
        let found = match listens(&recipe, found.kind) {
            Listens::WherePortSays(why) => found.with_evidence(why),
            Listens::WhereVariableSays(variable) => found
                .with_env(variable, "{port}")
                .with_evidence(format!("its program reads its port from {variable}")),
            Listens::At(port, _) => {
                let mut found = found;
                found.port = Some(DetectedPort::Fixed(port));
                found.with_evidence(format!("its recipe listens on port {port}"))
            }
            Listens::Unknown => {
                passed_over.push(Skipped {
                    file: format!("{file}:{line}"),
                    why: format!(
                        "has the target `{target}`, which shows no port on which it listens"
                    ),
                });
                continue;
            }
        };
        return vec![found.requiring(program, context)];
    }
    Vec::new()
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
    fn a_target_without_a_port_is_passed_over() {
        let detection = checkout(&[("Makefile", "run:\n\t./tool\n")], &["make"]);
        assert!(detection.services.is_empty());
        assert_eq!(detection.passed_over[0].file, "Makefile:1");
        let docker = checkout(&[("Makefile", "dev:\n\tdocker compose up\n")], &["make"]);
        assert!(docker.services.is_empty() && docker.passed_over.is_empty());
    }
}
