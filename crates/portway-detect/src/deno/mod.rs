//! Deno: its tasks that serve, or else the file that does.
//!
//! `DENO_SERVE_ADDRESS` wins over whatever address the code gives to `Deno.serve`, and over the
//! flags of `deno serve`, so that no port is ever insisted on there.

use serde_json::Value;

use super::listens::Listens;
use super::literal;
use super::shell::quote;
use super::{Dir, Found, Surroundings};
use portway_project::kind::Kind;

/// Tasks that start a server in development, the likeliest first.
const TASKS: [&str; 4] = ["dev", "start", "serve", "server"];

/// Files that serve, the likeliest first.
const FILES: [&str; 14] = [
    "main.ts",
    "main.tsx",
    "server.ts",
    "server.tsx",
    "app.ts",
    "index.ts",
    "mod.ts",
    "dev.ts",
    "main.js",
    "server.js",
    "src/main.ts",
    "src/server.ts",
    "src/app.ts",
    "src/index.ts",
];

/// Frameworks by what an import of theirs contains.
const FRAMEWORKS: [(&str, &str); 5] = [
    ("@fresh/core", "fresh"),
    ("deno.land/x/fresh", "fresh"),
    ("@oak/oak", "oak"),
    ("deno.land/x/oak", "oak"),
    ("hono", "hono"),
];

/// The Deno service in `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let file = dir.first_of(&["deno.json", "deno.jsonc"]);
    let is_nodes = dir.json("package.json").is_some_and(|package| {
        let has = |task: &str| package["scripts"].get(task).is_some();
        file.is_none() || TASKS.into_iter().any(has)
    });
    // What lies below a project is started by it, and functions by whoever hosts them.
    let is_part = file.is_none()
        && dir.upwards().skip(1).any(|dir| {
            let configs = ["deno.json", "deno.jsonc", "package.json"];
            dir.name() == "functions" || dir.first_of(&configs).is_some()
        });
    if is_nodes || is_part {
        return Vec::new();
    }
    let config = file.and_then(|file| dir.jsonc(file)).unwrap_or_default();
    let project = Project {
        dir,
        file: file.map(|file| dir.path_of(file)),
        imports: imports(&config),
        surroundings,
    };
    let found = project.task(&config).or_else(|| project.script());
    found
        .map(|found| found.needing("deno", surroundings))
        .into_iter()
        .collect()
}

/// What `imports` of the configuration maps names to.
fn imports(config: &Value) -> Vec<String> {
    let imports = config["imports"].as_object();
    let targets = imports.into_iter().flatten();
    targets
        .filter_map(|(_, target)| target.as_str().map(str::to_owned))
        .collect()
}

struct Project<'p, 'd> {
    dir: &'p Dir<'d>,
    /// Its configuration, relative to the root.
    file: Option<String>,
    imports: Vec<String>,
    surroundings: &'p Surroundings<'p>,
}

/// A file that serves, and how.
struct Serving {
    /// Relative to the root.
    place: String,
    text: String,
    how: How,
}

/// How a file serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// With `Deno.serve`, itself or through a framework.
    Serve,
    /// By what it exports, for `deno serve`.
    Export,
    /// With the old library, which no variable tells its address.
    Old,
}

impl Project<'_, '_> {
    /// The task that starts a server.
    fn task(&self, config: &Value) -> Option<Found> {
        let tasks = config["tasks"].as_object()?;
        let file = self.file.as_ref()?;
        TASKS.into_iter().find_map(|name| {
            let task = tasks.get(name)?;
            let words = task.as_str().or_else(|| task["command"].as_str())?;
            let evidence = format!("{file} has the task `{name}`");
            let is = |program: &str| words.split_whitespace().any(|word| word == program);
            if is("vite") || is("npm:vite") {
                let command =
                    format!("deno task {name} --host {{host}} --port {{port}} --strictPort");
                let port = self.surroundings.port("vite", 5173);
                let found = Found::http(self.dir, "vite", command, port);
                return Some(
                    found
                        .of_kind(Kind::Frontend)
                        .because(evidence + ", which runs Vite"),
                );
            }
            let files = words.split_whitespace();
            let serving = files
                .map(|word| word.trim_matches(['"', '\'']).trim_start_matches("./"))
                .find_map(|word| self.serving(word));
            let framework = self.framework(serving.as_ref());
            let serves = words.contains("deno serve") || framework == "fresh";
            if serving.is_none() && !serves {
                return None;
            }
            let port = self.surroundings.port(framework, 8000);
            let found = Found::http(self.dir, framework, format!("deno task {name}"), port);
            let found = found.because(match &serving {
                Some(serving) => format!("{evidence}, and {} serves", serving.place),
                None => format!("{evidence}, which serves"),
            });
            Some(self.addressed(found, serving))
        })
    }

    /// The file that serves, where no task starts it.
    fn script(&self) -> Option<Found> {
        let (file, serving) = FILES
            .into_iter()
            .find_map(|file| Some((file, self.serving(file)?)))?;
        // A plain file may as well be a browser's or a worker's, which export the same.
        if self.file.is_none() && serving.how == How::Export {
            return None;
        }
        let framework = self.framework(Some(&serving));
        let command = match serving.how {
            How::Export => format!(
                "deno serve --host {{host}} --port {{port}} -A --watch {}",
                quote(file)
            ),
            _ => format!("deno run -A --watch {}", quote(file)),
        };
        let port = self.surroundings.port(framework, 8000);
        let found = Found::http(self.dir, framework, command, port)
            .because(format!("{} serves", serving.place))
            .because("it is given every permission, as no task says which it needs");
        Some(self.addressed(found, Some(serving)))
    }

    /// The service, told its address.
    fn addressed(&self, mut found: Found, serving: Option<Serving>) -> Found {
        if let Some(serving) = serving {
            let source = (serving.place, serving.text);
            if serving.how == How::Old {
                return Listens::of(&[source]).give(found, 8000, self.surroundings);
            }
            if let Some((port, _)) = literal::number(&source.1) {
                found.port = Some(self.surroundings.port(found.framework, port));
            }
        }
        found
            .told("DENO_SERVE_ADDRESS", "tcp:{host}:{port}")
            .because("`DENO_SERVE_ADDRESS` wins over the address in its code")
    }

    /// How a file serves, if it does.
    fn serving(&self, file: &str) -> Option<Serving> {
        let is_code = [".ts", ".tsx", ".js", ".jsx", ".mjs"];
        if !is_code.iter().any(|end| file.ends_with(end)) {
            return None;
        }
        let (path, name) = file.rsplit_once('/').unwrap_or(("", file));
        let text = self.dir.below(path)?.read(name)?;
        let has = |words: &str| {
            let mut lines = text.lines();
            lines.any(|line| !line.trim_start().starts_with("//") && line.contains(words))
        };
        let framework = FRAMEWORKS
            .iter()
            .any(|(import, _)| has(import) || self.imports.iter().any(|one| one.contains(import)));
        let how = if has("Deno.serve(") || (framework && has(".listen(")) {
            How::Serve
        } else if has("deno.land/std") && has("/http/") && has("serve(") {
            How::Old
        } else if has("export default") && (has("fetch") || has("new Hono(")) {
            How::Export
        } else {
            return None;
        };
        Some(Serving {
            place: self.dir.path_of(file),
            text,
            how,
        })
    }

    /// The framework that the configuration or a file imports.
    fn framework(&self, serving: Option<&Serving>) -> &'static str {
        let text = serving.map_or("", |serving| serving.text.as_str());
        let imported = FRAMEWORKS.iter().find(|(import, _)| {
            text.contains(import) || self.imports.iter().any(|one| one.contains(import))
        });
        imported.map_or("deno", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests;
