//! The port that a recipe passes to a script of a package: `cd web && npm run dev -- --port 4000` in a Makefile.

use super::variables::{expanded, variables};
use super::{FILES, Tool, taskfile};
use crate::Dir;
use crate::node::MANAGERS;
use crate::procfile::written::written;

/// Returns the port with which a recipe in `dir`, or in the root, starts `script` of the package in `dir`, and
/// the file. `program` is what the script runs.
pub(crate) fn port(dir: &Dir<'_>, script: &str, program: &str) -> Option<(u16, String)> {
    dir.upwards().find_map(|place| {
        let (file, _, tool) = FILES.iter().find(|(file, ..)| place.has(file))?;
        let below = dir.path().strip_prefix(place.path()).unwrap_or("");
        let below = below.trim_start_matches('/');
        let commands = match tool {
            Tool::Task => taskfile::commands(&place.yaml(file)?),
            Tool::Make | Tool::Just => {
                let text = place.read(file)?.replace("\\\n", " ");
                let all = variables(*tool, &text, "");
                let lines = text.lines().filter(|line| line.starts_with([' ', '\t']));
                lines
                    .map(|line| expanded(*tool, line.trim(), &all))
                    .collect()
            }
        };
        let port = commands
            .iter()
            .filter(|command| below.is_empty() || names(command, below))
            .find_map(|command| passed(command, script, program))?;
        Some((port, place.path_of(file)))
    })
}

/// Returns whether a command names a directory: `cd web`, `--prefix ./web`, `-C web`.
fn names(command: &str, dir: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || "=;&()'\"".contains(c);
    let mut words = command.split(is_separator);
    words.any(|word| word.trim_start_matches("./").trim_end_matches('/') == dir)
}

/// Returns the port that a command passes to a script or to the program that it runs.
fn passed(command: &str, script: &str, program: &str) -> Option<u16> {
    let parts = command.split("&&").flat_map(|part| part.split(';'));
    parts.into_iter().find_map(|part| {
        let part = part
            .trim_start_matches(['@', '-', '(', ' '])
            .trim_end_matches(')');
        let words: Vec<&str> = part.split_whitespace().collect();
        let at = words.iter().position(|word| MANAGERS.contains(word));
        let is_started = match at {
            Some(at) => words[at..]
                .iter()
                .any(|word| *word == script || *word == program),
            None => words.iter().take(2).any(|word| *word == program),
        };
        written(part).filter(|_| is_started)
    })
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    #[test]
    fn a_recipe_may_pass_the_port() {
        for (place, file, text) in [
            (
                "",
                "Makefile",
                "PORT ?= 4110\nweb:\n\t@npm run dev -- --port $(PORT)\n",
            ),
            (
                "web/",
                "Makefile",
                "web:\n\t@cd web && npm run dev -- --port 4110\n",
            ),
            (
                "web/",
                "justfile",
                "web:\n    npm --prefix ./web run dev -- --port=4110\n",
            ),
            (
                "web/",
                "web/Makefile",
                "serve:\n\tnpx astro dev --port 4110\n",
            ),
            (
                "web/",
                "web/Taskfile.yml",
                "tasks:\n  default:\n    vars:\n      PORT: '{{default \"4110\" .PORT}}'\n    cmds:\n      - pnpm dev --host=0.0.0.0 --port={{.PORT}}\n",
            ),
            (
                "",
                "Taskfile.yaml",
                "tasks:\n  web:\n    cmd: yarn dev --port {{.PORT | default 4110}}\n",
            ),
        ] {
            let package = format!("{place}package.json");
            let detection = checkout(
                &[
                    (&package, "{\"scripts\": {\"dev\": \"astro dev\"}}"),
                    (file, text),
                ],
                &["npm"],
            );
            assert_eq!(detection.services[0].prefers(), Some(4110), "{text}");
            detection.services[0].has_evidence(&format!("{file} passes port 4110"));
        }
    }

    #[test]
    fn other_recipes_pass_other_ports() {
        for text in [
            "web:\n\tcd admin && npm run dev -- --port 4110\n",
            "web:\n\tcd web && npm run preview -- --port 4110\n",
            "web:\n\tcd web && npm run dev\napi:\n\t./api --port 4110\n",
        ] {
            let detection = checkout(
                &[
                    (
                        "web/package.json",
                        "{\"scripts\": {\"dev\": \"astro dev\"}}",
                    ),
                    ("Makefile", text),
                ],
                &["npm"],
            );
            assert_eq!(detection.services[0].prefers(), Some(4321), "{text}");
        }
    }
}
