//! Programs that are servers by themselves: of the standard library, aiohttp, Tornado, gRPC and others.
//!
//! They are found by the call that listens, and run as a script or module. Its arguments say the port and how
//! the program is told another one.

use super::Project;
use super::application::{module_to_run, within};
use super::calls::{Call, call};
use super::hints::Hint;
use super::listeners::{LISTENERS, Listener, Place, Role};
use super::port::{File, Port, Told};
use super::source::imports;
use crate::{DetectedPort, DetectedService, Dir};
use portway_project::kind::Kind;

/// Maximum number of files of a directory that are searched.
const MAX_FILES: usize = 60;

/// Maximum number of programs of one project; more are a collection of examples.
const MAX_PROGRAMS: usize = 4;

/// Names of classes that only add threads.
const THREADED: [(&str, &str); 2] = [
    ("HTTPServer", "ThreadingHTTPServer"),
    ("TCPServer", "ThreadingTCPServer"),
];

/// Parts of the names of files that are servers.
const NAMES: [&str; 8] = [
    "server", "serve", "app", "main", "api", "run", "web", "backend",
];

/// Directories of helpers.
const HELPERS: [&str; 10] = [
    "bin", "ci", "contrib", "dev", "hack", "mock", "mocks", "scripts", "tools", "utils",
];

/// Manifests of other languages, beside which a simple server is a helper.
const OTHERS: [&str; 6] = [
    "package.json",
    "Cargo.toml",
    "go.mod",
    "composer.json",
    "Gemfile",
    "pom.xml",
];

/// A program that listens.
struct Program {
    listener: &'static Listener,
    /// Relative to the project.
    file: String,
    /// The arguments of the interpreter.
    target: String,
    line: usize,
    /// The name of the call in the source.
    call: &'static str,
    kind: Kind,
    port: Port,
    /// The line of a script that starts it.
    started_by: Option<String>,
}

impl Project<'_, '_> {
    /// Detects the programs of the project that listen themselves, apart from the services in `found`.
    pub(super) fn servers(
        &self,
        places: &[Dir<'_>],
        hints: &[Hint],
        found: &[DetectedService],
    ) -> Vec<DetectedService> {
        let has_application = found.iter().any(|one| one.port.is_some());
        let mut all: Vec<Program> = Vec::new();
        for place in places {
            let names = place.files().filter(|name| {
                name.ends_with(".py")
                    && !name.starts_with("test")
                    && !name.ends_with("_test.py")
                    // Django runs it.
                    && *name != "manage.py"
            });
            for name in names.take(MAX_FILES) {
                let text = place.read(name).unwrap_or_default();
                let known = LISTENERS.iter().filter(|one| imports(&text, one.module));
                let mut calls = known.filter_map(|one| Some((one, listening(one, &text)?)));
                if let Some((listener, (called, call))) = calls.next() {
                    all.extend(self.program(
                        place,
                        name,
                        &text,
                        (listener, called, &call),
                        hints,
                        has_application,
                    ));
                }
            }
        }
        if all.len() > MAX_PROGRAMS {
            all.retain(|one| one.started_by.is_some());
        }
        let many = all.len() > 1 || has_application;
        all.into_iter()
            .map(|program| self.serving(program, many))
            .collect()
    }

    fn program(
        &self,
        place: &Dir<'_>,
        name: &str,
        text: &str,
        (listener, called, call): (&'static Listener, &'static str, &Call<'_>),
        hints: &[Hint],
        has_application: bool,
    ) -> Option<Program> {
        let path = place.path_of(name);
        let file = within(self.dir, &path).to_owned();
        let target = module_to_run(self.dir, place, name, text);
        let hint = hints.iter().find(|hint| hint.starts(&file));
        let is_started = call.is_top || text.contains("__main__");
        if !is_started && hint.is_none() {
            return None;
        }
        if has_application && listener.role == Role::Host {
            return None;
        }
        let pass_over = |why: &str| {
            let place = format!("{name}:{}", call.line);
            self.pass_over(place, format!("calls `{called}`, {why}"), &path);
            None
        };
        if listener.role == Role::Simple && hint.is_none() {
            let stem = name.trim_end_matches(".py");
            let is_named = NAMES.iter().any(|part| stem.contains(part)) && !stem.contains("mock");
            let is_helper = HELPERS.contains(&place.name()) || place.first_of(&OTHERS).is_some();
            if has_application || !is_named || is_helper {
                return pass_over("but no script starts it, so it may be a helper");
            }
        }
        let reader = File {
            text,
            dir: Some(place),
        };
        let port = port(listener, call, reader).or_else(|| {
            let usual = listener.usual?;
            Some(Port {
                told: Told::Number,
                usual: Some(usual),
            })
        });
        let Some(port) = port else {
            return pass_over("whose port Portway cannot read from the source");
        };
        let is_web = imports(text, "http") || imports(text, "http.server");
        let kind = match listener.call {
            "TCPServer" if !is_web => Kind::Tcp,
            _ => listener.kind,
        };
        Some(Program {
            listener,
            file,
            target,
            line: call.line,
            call: called,
            kind,
            port,
            started_by: hint.map(|hint| hint.place.clone()),
        })
    }

    /// Records that a call of a file is left out.
    fn pass_over(&self, place: String, why: String, path: &str) {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let below = dir.strip_prefix(self.dir.path()).unwrap_or(dir);
        if let Some(dir) = self.dir.below(below.trim_start_matches('/')) {
            dir.pass_over(&place, why);
        }
    }

    fn serving(&self, program: Program, is_one_of_many: bool) -> DetectedService {
        let Program {
            listener,
            file,
            line,
            port,
            ..
        } = &program;
        let place = format!("{}:{line}", self.dir.path_of(file));
        let environment = self.environment(listener.package, None);
        let mut command = format!("{} {}", environment.python, program.target);
        let usual = port.usual.or(listener.usual);
        let mut variable = None;
        let (told, how) = match (&port.told, listener.module) {
            // Robyn prefers its variables to the arguments.
            (_, "robyn") => {
                variable = Some("ROBYN_PORT".to_owned());
                (true, "Robyn reads its port from `ROBYN_PORT`".to_owned())
            }
            (Told::Variable(name), _) => {
                variable = Some(name.clone());
                (true, format!("{place} reads its port from `{name}`"))
            }
            (Told::Option(option), _) => {
                command += &format!(" {option}{{port}}");
                (
                    true,
                    format!(
                        "its option `{}` sets its port",
                        option.trim_end_matches([' ', '='])
                    ),
                )
            }
            (Told::Argument, _) => {
                command += " {port}";
                (true, "its first argument is its port".to_owned())
            }
            (Told::Number, _) => (
                false,
                format!(
                    "{place} requires port {}; read `PORT` there to allow any port",
                    usual.unwrap_or(0)
                ),
            ),
        };
        let framework = match listener.package {
            "" => "python",
            _ => listener.module,
        };
        let detected = match usual {
            Some(port) if !told => DetectedPort::Fixed(port),
            usual => self.context.port(framework, usual.unwrap_or(8000)),
        };
        let mut found = DetectedService::http(self.dir, framework, command, detected);
        found = found.with_kind(program.kind);
        found.is_port_written = port.usual.is_some();
        // Other services of the project have its name.
        if is_one_of_many {
            let name = file
                .trim_end_matches(".py")
                .rsplit('/')
                .next()
                .unwrap_or("");
            found.name = name.replace('.', "-");
        }
        if let Some(source) = self
            .source_of(listener.package)
            .filter(|_| !listener.package.is_empty())
        {
            found = found.with_evidence(source);
        }
        found = found.with_evidence(format!("{place} listens with `{}`", program.call));
        if let Some(script) = &program.started_by {
            found = found.with_evidence(format!("{script} starts it"));
        }
        found = found.with_evidence(how);
        if told && let Some(port) = port.usual {
            found = found.with_evidence(format!("{place} names port {port}"));
        }
        if let Some(name) = variable.filter(|name| name != "PORT") {
            found = found.with_env(&name, "{port}");
        }
        super::finish(found, environment)
    }
}

/// Returns the call by which a file listens, and its name in the source.
fn listening<'t>(listener: &'static Listener, text: &'t str) -> Option<(&'static str, Call<'t>)> {
    let threaded = THREADED.iter().find(|(plain, _)| *plain == listener.call);
    let names = threaded.map(|(_, name)| *name).into_iter();
    names
        .chain([listener.call])
        .find_map(|name| Some((name, call(text, name)?)))
}

fn port(listener: &Listener, call: &Call<'_>, file: File<'_, '_>) -> Option<Port> {
    let by_keyword = || call.keyword("port").and_then(|port| file.port(port));
    let first = || call.positional(0);
    match listener.place {
        Place::Keyword => by_keyword(),
        Place::At(index) => by_keyword().or_else(|| file.port(call.positional(index)?)),
        Place::Pair => file.port_of_pair(first().or_else(|| call.keyword("server_address"))?),
        Place::Address => file.port_of_address(first()?),
    }
}
