//! Deno: tasks that start a server, or else the file that serves.
//!
//! `DENO_SERVE_ADDRESS` overrides the address that the code passes to `Deno.serve` and the flags of
//! `deno serve`, so such a program never requires a particular port.

use serde_json::Value;

use super::listens::Listens;
use super::literal;
use super::{DetectContext, DetectedService, Dir};
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// Tasks that start a development server, most likely first.
const TASKS: [&str; 4] = ["dev", "start", "serve", "server"];

/// Files that serve, most likely first.
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

/// Frameworks by a part of their import specifier.
const FRAMEWORKS: [(&str, &str); 5] = [
    ("@fresh/core", "fresh"),
    ("deno.land/x/fresh", "fresh"),
    ("@oak/oak", "oak"),
    ("deno.land/x/oak", "oak"),
    ("hono", "hono"),
];

/// Detects the Deno service in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let file = dir.first_of(&["deno.json", "deno.jsonc"]);
    let is_nodes = dir.json("package.json").is_some_and(|package| {
        let has = |task: &str| package["scripts"].get(task).is_some();
        file.is_none() || TASKS.into_iter().any(has)
    });
    // A project starts what is in its subdirectories itself; functions are started by their host.
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
        context,
    };
    let found = project.task(&config).or_else(|| project.script());
    found
        .map(|found| found.requiring("deno", context))
        .into_iter()
        .collect()
}

/// The targets of the configuration's `imports`.
fn imports(config: &Value) -> Vec<String> {
    let imports = config["imports"].as_object();
    let targets = imports.into_iter().flatten();
    targets
        .filter_map(|(_, target)| target.as_str().map(str::to_owned))
        .collect()
}

struct Project<'p, 'd> {
    dir: &'p Dir<'d>,
    /// Path of the configuration file, relative to the root.
    file: Option<String>,
    imports: Vec<String>,
    context: &'p DetectContext<'p>,
}

/// A file that serves, and how.
struct Serving {
    /// Path relative to the root.
    place: String,
    text: String,
    how: ServeMethod,
}

/// How a file serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServeMethod {
    /// Calls `Deno.serve`, directly or through a framework.
    Serve,
    /// Exports a handler for `deno serve`.
    Export,
    /// Uses the old standard library, whose address no variable sets.
    Old,
}

impl Project<'_, '_> {
    /// Returns the task that starts a server.
    fn task(&self, config: &Value) -> Option<DetectedService> {
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
                let port = self.context.port("vite", 5173);
                let found = DetectedService::http(self.dir, "vite", command, port);
                return Some(
                    found
                        .with_kind(Kind::Frontend)
                        .with_evidence(evidence + ", which runs Vite"),
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
            let port = self.context.port(framework, 8000);
            let found =
                DetectedService::http(self.dir, framework, format!("deno task {name}"), port);
            let found = found.with_evidence(match &serving {
                Some(serving) => format!("{evidence}, and {} serves", serving.place),
                None => format!("{evidence}, which serves"),
            });
            Some(self.addressed(found, serving))
        })
    }

    /// Returns the file that serves when no task starts it.
    fn script(&self) -> Option<DetectedService> {
        let (file, serving) = FILES
            .into_iter()
            .find_map(|file| Some((file, self.serving(file)?)))?;
        // Without a configuration, files for browsers and workers have the same exports.
        if self.file.is_none() && serving.how == ServeMethod::Export {
            return None;
        }
        let framework = self.framework(Some(&serving));
        let command = match serving.how {
            ServeMethod::Export => format!(
                "deno serve --host {{host}} --port {{port}} -A --watch {}",
                quote(file)
            ),
            _ => format!("deno run -A --watch {}", quote(file)),
        };
        let port = self.context.port(framework, 8000);
        let found = DetectedService::http(self.dir, framework, command, port)
            .with_evidence(format!("{} serves", serving.place))
            .with_evidence("it gets all permissions, because no task names the ones it needs");
        Some(self.addressed(found, Some(serving)))
    }

    /// Builds the service with its address variable set.
    fn addressed(&self, mut found: DetectedService, serving: Option<Serving>) -> DetectedService {
        if let Some(serving) = serving {
            let source = (serving.place, serving.text);
            if serving.how == ServeMethod::Old {
                return Listens::of(&[source]).give(found, 8000, self.context);
            }
            if let Some((port, _)) = literal::number(&source.1) {
                found.port = Some(self.context.port(found.framework, port));
            }
        }
        found
            .with_env("DENO_SERVE_ADDRESS", "tcp:{host}:{port}")
            .with_evidence("`DENO_SERVE_ADDRESS` overrides the address in its code")
    }

    /// Returns how a file serves, if it does.
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
            ServeMethod::Serve
        } else if has("deno.land/std") && has("/http/") && has("serve(") {
            ServeMethod::Old
        } else if has("export default") && (has("fetch") || has("new Hono(")) {
            ServeMethod::Export
        } else {
            return None;
        };
        Some(Serving {
            place: self.dir.path_of(file),
            text,
            how,
        })
    }

    /// Returns the framework that the configuration or a file imports.
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
