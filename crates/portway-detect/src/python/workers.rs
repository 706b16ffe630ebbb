//! Workers and schedulers of a Python project: Celery, RQ, Dramatiq, arq, Huey and APScheduler.
//!
//! They are found by the line that creates them in a file of the project, and have no port.

use super::Project;
use super::application::within;
use super::packages::Packages;
use super::source::{assignment, imports};
use crate::{DetectedPort, DetectedService, Dir};
use portway_project::shell::quote;

/// Maximum number of files of a directory that are searched.
const MAX_FILES: usize = 60;

/// A worker or scheduler.
struct Found {
    name: &'static str,
    program: &'static str,
    command: String,
    /// Where its application is, as a sentence.
    evidence: String,
}

impl Project<'_, '_> {
    /// Detects the workers of the project; `places` are its directories.
    pub(super) fn workers(&self, places: &[Dir<'_>]) -> Vec<DetectedService> {
        let Some(packages) = &self.packages else {
            return Vec::new();
        };
        let known: Vec<&Tool> = TOOLS
            .iter()
            .filter(|tool| packages.has(tool.package))
            .collect();
        if known.is_empty() {
            return Vec::new();
        }
        // Django's modules are relative to the directory of its `manage.py`.
        let manage = places.iter().find(|place| place.has("manage.py"));
        let top = manage.map_or("", |place| within(self.dir, place.path()));
        let has_beat = packages.has("django-celery-beat");
        let mut found: Vec<Found> = Vec::new();
        for place in places {
            let names = place
                .files()
                .filter(|name| name.ends_with(".py") && !name.starts_with("test"));
            for name in names.take(MAX_FILES) {
                let Some(text) = place.read(name) else {
                    continue;
                };
                let file = place.path_of(name);
                let path = within(self.dir, &file);
                let below = path.strip_prefix(top).filter(|_| !top.is_empty());
                let module = module(below.map_or(path, |below| below.trim_start_matches('/')));
                let is_below = below.is_some();
                for tool in &known {
                    for one in (tool.find)(&text, &module, has_beat) {
                        let (name, program) = (one.0, tool.program);
                        let is_known =
                            |known: &Found| (known.name, known.program) == (name, program);
                        if !found.iter().any(is_known) {
                            found.push(Found {
                                name,
                                program,
                                command: match is_below && tool.program == "celery" {
                                    true => format!("--workdir {} {}", quote(top), one.1),
                                    false => one.1,
                                },
                                evidence: format!("{file} {}", one.2),
                            });
                        }
                    }
                }
            }
        }
        found
            .into_iter()
            .map(|found| self.worker(found, packages))
            .collect()
    }

    fn worker(&self, found: Found, packages: &Packages) -> DetectedService {
        let package = TOOLS.iter().find(|tool| tool.program == found.program);
        let package = package.map_or(found.program, |tool| tool.package);
        let environment = self.environment(package, None);
        let command = match found.program {
            "python" => format!("{} {}", environment.python, found.command),
            program => environment.program(&format!("{program} {}", found.command)),
        };
        let port = DetectedPort::Preferred(1);
        let mut service = DetectedService::http(self.dir, "worker", command, port);
        service.name = found.name.to_owned();
        service.needs_broker = true;
        let mut service = service.without_port();
        if let Some(file) = packages.file_of(package) {
            service = service.with_evidence(format!("`{package}` is a dependency in {file}"));
        }
        service = service.with_evidence(found.evidence);
        super::finish(service, environment)
    }
}

/// What a file starts: its name, its arguments, and the evidence as the predicate of a sentence whose subject
/// is the file.
type Start = (&'static str, String, String);

/// A library for work in the background.
struct Tool {
    package: &'static str,
    /// The program that runs it.
    program: &'static str,
    /// Returns what a file with this text and module name starts; the last argument is whether the project
    /// depends on `django-celery-beat`.
    find: fn(&str, &str, bool) -> Vec<Start>,
}

const TOOLS: [Tool; 6] = [
    Tool {
        package: "celery",
        program: "celery",
        find: celery,
    },
    Tool {
        package: "dramatiq",
        program: "dramatiq",
        find: |text, module, _| {
            let has_actor = text.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with("@dramatiq.actor") || line.starts_with("@actor")
            });
            let makes = has_actor && imports(text, "dramatiq");
            let made = makes.then(|| {
                (
                    "worker",
                    quote(module).into_owned(),
                    "defines actors of Dramatiq".to_owned(),
                )
            });
            made.into_iter().collect()
        },
    },
    Tool {
        package: "arq",
        program: "arq",
        find: |text, module, _| {
            let makes = text
                .lines()
                .any(|line| line.starts_with("class WorkerSettings"));
            let made = makes.then(|| {
                let target = format!("{module}.WorkerSettings");
                (
                    "worker",
                    quote(&target).into_owned(),
                    "defines `WorkerSettings` of arq".to_owned(),
                )
            });
            made.into_iter().collect()
        },
    },
    Tool {
        package: "huey",
        program: "huey_consumer",
        find: |text, module, _| {
            let mut made = text.lines().filter_map(assignment);
            let made = made.find(|(_, callee)| callee.ends_with("Huey"));
            let made = made.map(|(name, callee)| {
                let target = format!("{module}.{name}");
                (
                    "worker",
                    quote(&target).into_owned(),
                    format!("creates a `{callee}`"),
                )
            });
            made.into_iter().collect()
        },
    },
    Tool {
        package: "rq",
        program: "python",
        find: |text, module, _| script(text, module, "rq", "Worker(", "worker"),
    },
    Tool {
        package: "apscheduler",
        program: "python",
        find: |text, module, _| {
            script(
                text,
                module,
                "apscheduler",
                "BlockingScheduler(",
                "scheduler",
            )
        },
    },
];

fn celery(text: &str, module: &str, has_beat: bool) -> Vec<Start> {
    let mut made = text.lines().filter_map(assignment);
    let Some((object, _)) = made.find(|(_, callee)| *callee == "Celery") else {
        return Vec::new();
    };
    // Celery finds the application in `package/celery.py` by the name of the package.
    let target = match (module.strip_suffix(".celery"), object) {
        (Some(package), "app" | "celery") => package.to_owned(),
        (_, "app" | "celery") => module.to_owned(),
        _ => format!("{module}:{object}"),
    };
    let target = quote(&target);
    let evidence = format!("creates the application `{object}` of Celery");
    let worker = format!("-A {target} worker --loglevel=info");
    let mut all = vec![("worker", worker, evidence)];
    if has_beat || text.contains("beat_schedule") {
        let why = match has_beat {
            true => "is scheduled by `django-celery-beat`",
            false => "has a `beat_schedule`",
        };
        all.push((
            "beat",
            format!("-A {target} beat --loglevel=info"),
            why.to_owned(),
        ));
    }
    all
}

/// Returns a script that runs a class of a library itself.
fn script(
    text: &str,
    module: &str,
    library: &str,
    constructor: &str,
    name: &'static str,
) -> Vec<Start> {
    let makes = imports(text, library) && text.contains(constructor) && text.contains("__main__");
    let file = format!("{}.py", module.replace('.', "/"));
    let class = constructor.trim_end_matches('(');
    let made = makes.then(|| {
        (
            name,
            quote(&file).into_owned(),
            format!("runs a `{class}` of `{library}`"),
        )
    });
    made.into_iter().collect()
}

/// The module name of a file relative to the project.
fn module(file: &str) -> String {
    let path = file.trim_end_matches(".py");
    path.trim_end_matches("/__init__").replace('/', ".")
}
