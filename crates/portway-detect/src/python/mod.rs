//! Python: FastAPI, Flask, Django and similar frameworks.
//!
//! A project is a directory whose files name packages. Its application is in that directory or up
//! to two levels below, and is found by the line that creates it. It runs in the project's
//! directory and environment; an application without such files runs with the Python in PATH.
//! Servers watch their sources and reload.

mod application;
mod assigned;
mod calls;
mod configured;
mod constraint;
mod django;
mod environment;
mod groups;
mod hints;
mod listeners;
mod local;
mod manager;
mod migrations;
mod packages;
mod port;
mod root_package;
mod servers;
mod setup;
mod source;
mod sources;
mod tables;
mod venv;
mod workers;

use self::application::{Application, applications, places, prefer, within};
use self::hints::{Hint, hints};
pub(super) use self::migrations::migration;
use self::packages::Packages;
use self::source::Object;
use self::tables::{BRINGS, Framework, Run, SERVERS, Server, WSGI_SERVERS};
use self::venv::Environment;
use super::shell::script_commands;
use super::{DetectContext, DetectedPort, DetectedService, Dir};
use portway_project::shell::quote;

/// Returns the port with which a file runs its application, and the line.
pub(super) fn run_port(text: &str) -> Option<(u16, usize)> {
    configured::run_port(text, None)
}

/// Detects the Python services of the project `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let packages = Packages::read(dir);
    let places = match &packages {
        Some(_) => places(dir),
        None => {
            // Subdirectories belong to the project above them.
            let mut above = dir.upwards().skip(1);
            let has_python = dir.files().any(|name| name.ends_with(".py"));
            let is_part = |dir: Dir<'_>| {
                Packages::read(&dir).is_some() || application::runner(&dir).is_some()
            };
            if !has_python || above.any(is_part) {
                return Vec::new();
            }
            dir.upwards().take(1).collect()
        }
    };
    let project = Project {
        dir,
        packages,
        context,
    };
    let hints = hints(dir, project.packages.as_ref());
    let django = project.django(&places, &hints);
    let mut found: Vec<DetectedService> = django.into_iter().collect();
    let mut all = applications(dir, project.packages.as_ref(), &places);
    prefer(&mut all, &hints);
    for application in &mut all {
        let is_port_free = application.usual.is_none() && application.variable.is_none();
        if application.port.is_none() && (is_port_free || application.framework.name == "flask") {
            let configured = configured::port(dir, application.framework.name);
            let elsewhere = || configured::run_elsewhere(&places, &application.module);
            let usual = configured.or(application.usual.clone());
            application.usual = usual.or_else(|| elsewhere().filter(|_| is_port_free));
        }
    }
    for (index, application) in all.iter().enumerate() {
        let is_like = |other: &&Application| other.framework.name == application.framework.name;
        if !all[..index].iter().any(|other| is_like(&other)) {
            let is_other = |other: &&Application| is_like(other) && other.file != application.file;
            let others = all[index + 1..].iter().filter(is_other);
            let others: Vec<&str> = others.map(|other| other.file.as_str()).collect();
            found.push(project.service(application, &others));
        }
    }
    found.extend(project.workers(&places));
    let servers = project.servers(&places, &hints, &found);
    found.extend(servers);
    found
}

/// Installs the packages of `dir` for commands of its own that other readers found, and makes their
/// programs available to them.
pub(super) fn provide(
    dir: &Dir<'_>,
    services: &mut [DetectedService],
    context: &DetectContext<'_>,
) {
    let Some(packages) = Packages::read(dir).filter(|_| !services.is_empty()) else {
        return;
    };
    for service in services.iter_mut().filter(|one| one.dir == dir.path()) {
        let program = service.command.split_whitespace().next().unwrap_or("");
        let is_own = |command: &str| {
            let program = command.split_whitespace().next().unwrap_or("");
            ["python", "python3"].contains(&program) || packages.has(program)
        };
        let is_python = is_own(&service.command)
            || script_commands(dir, &service.command)
                .iter()
                .any(|command| is_own(command));
        if !is_python || service.prepare.is_some() {
            continue;
        }
        let environment = Environment::of(dir, Some(&packages), program, None, context);
        service.command = environment.in_shell(&service.command);
        service.prepare = environment.prepare;
        service.evidence.extend(environment.evidence);
        service.env.insert("PYTHONUNBUFFERED".into(), "1".into());
    }
}

/// A directory and the packages that its files name.
struct Project<'p, 'd> {
    dir: &'p Dir<'d>,
    packages: Option<Packages>,
    context: &'p DetectContext<'p>,
}

impl Project<'_, '_> {
    fn django(&self, places: &[Dir<'_>], hints: &[Hint]) -> Option<DetectedService> {
        let manage = django::manage(places)?;
        let file = manage.place.path_of("manage.py");
        let environment = self.environment("django", None);
        let command = format!(
            "{} {} runserver {{host}}:{{port}}",
            environment.python,
            quote(within(self.dir, &file))
        );
        let mut hints = hints.iter().filter(|hint| hint.program == "django");
        let named = hints.find_map(|hint| Some((hint.port?, hint.place.as_str())));
        let named = named.filter(|(port, _)| *port != 8000);
        let port = self
            .context
            .port("django", named.map_or(8000, |(port, _)| port));
        let mut found = DetectedService::http(self.dir, "django", command, port)
            .with_evidence(match self.source_of("django") {
                Some(source) => format!("{source}, and {file} runs it"),
                None => format!("{file} belongs to a Django project"),
            })
            .with_evidence("Portway does not touch its database: run `manage.py migrate` yourself");
        if let Some((port, place)) = named {
            found.is_port_written = true;
            found = found.with_evidence(format!("{place} names port {port}"));
        }
        if let Some((variable, module)) = manage.variable() {
            found = found.with_env(variable, module).with_evidence(format!(
                "{file} names no settings, and those of `{module}` are for development"
            ));
        }
        Some(finish(found, environment))
    }

    fn service(&self, application: &Application, others: &[&str]) -> DetectedService {
        let framework = application.framework;
        let place = self.dir.path_of(&application.file);
        let (server, named) = self.server(framework);
        let missing = match framework.run {
            Run::Asgi | Run::Wsgi if !named => Some(server.package),
            _ => None,
        };
        let environment = self.environment(framework.name, missing);
        let command = match framework.run {
            Run::Asgi | Run::Wsgi => {
                let arguments = application.fill(server.arguments);
                let mut command = format!("{} {arguments}", environment.program(server.name));
                // If the application has its own directory, only that is watched.
                let dir = application.file.split_once('/');
                if let (Some((dir, _)), Some(watch)) = (dir, server.watch) {
                    command += &format!(" {watch} {}", quote(dir));
                }
                command
            }
            Run::Program(words) | Run::Page(words) => environment.program(&application.fill(words)),
            Run::Script(_) => format!("{} {}", environment.python, quote(&application.file)),
        };
        let port = match application.port {
            Some((port, _)) => DetectedPort::Fixed(port),
            None => {
                let usual = application.usual.as_ref().map(|(port, _)| *port);
                let usual = usual.unwrap_or(framework.port);
                self.context.port(framework.name, usual)
            }
        };
        let mut found = DetectedService::http(self.dir, framework.name, command, port)
            .with_kind(framework.kind);
        found.is_port_written = application.usual.is_some();
        if let Run::Script(variables) = framework.run {
            for (name, value) in variables {
                found = found.with_env(name, value);
            }
        }
        if !application.path.is_empty() && command_imports(framework) {
            found = found.with_env("PYTHONPATH", &application.path);
        }
        found = found.with_evidence(match self.source_of(framework.name) {
            Some(source) => source,
            None => format!("{place} imports `{}`", framework.name),
        });
        found = found.with_evidence(match &application.object {
            Some(Object::Variable(name)) => format!("its application is `{name}` in {place}"),
            Some(Object::Factory(name)) => {
                format!("its application is created by `{name}` in {place}")
            }
            None => format!("its application is {place}"),
        });
        if let Some((port, line)) = application.port {
            found = found.with_evidence(format!(
                "{place}:{line} requires port {port}; remove that number to allow any port"
            ));
        }
        if let Some(name) = &application.variable {
            found = found.with_env(name, "{port}");
            found = found.with_evidence(format!("{place} reads its port from `{name}`"));
        }
        if let Some((port, named)) = &application.usual {
            found = found.with_evidence(format!("{named} names port {port}"));
        }
        if !others.is_empty() {
            found = found.with_evidence(format!(
                "other candidates were skipped: {}",
                others.join(", ")
            ));
        }
        if let Some(missing) = missing {
            found = found.with_evidence(match environment.prepare.is_some() {
                true => format!(
                    "no file names a server such as `{missing}`, so it is installed as well"
                ),
                false => format!("no file names a server such as `{missing}`, which it requires"),
            });
        }
        finish(found, environment)
    }

    /// Returns the evidence for a package.
    fn source_of(&self, package: &str) -> Option<String> {
        let file = self.packages.as_ref()?.file_of(package)?;
        Some(format!("`{package}` is a dependency in {file}"))
    }

    fn environment(&self, package: &str, missing: Option<&str>) -> Environment {
        let packages = self.packages.as_ref();
        Environment::of(self.dir, packages, package, missing, self.context)
    }

    /// Returns the server for a framework, and whether a file names it.
    fn server(&self, framework: &Framework) -> (&'static Server, bool) {
        let names = |package: &str| self.packages.as_ref().is_some_and(|all| all.has(package));
        let has_extra = |package: &str, extras: &[&str]| {
            let packages = self.packages.as_ref();
            packages.is_some_and(|packages| packages.has_extra(package, extras))
        };
        let is_brought = |server: &str| {
            BRINGS.iter().any(|(package, brings, extras)| {
                let comes = match extras.is_empty() {
                    true => framework.name == *package,
                    false => has_extra(package, extras),
                };
                *brings == server && comes
            })
        };
        let all = match framework.run {
            Run::Wsgi => &WSGI_SERVERS,
            _ => &SERVERS,
        };
        let mut servers = all.iter();
        match servers.find(|server| names(server.package) || is_brought(server.name)) {
            Some(server) => (server, true),
            None => (&all[0], false),
        }
    }
}

/// Returns whether the command imports the application by module name rather than by file.
fn command_imports(framework: &Framework) -> bool {
    match framework.run {
        Run::Asgi | Run::Wsgi => true,
        Run::Program(words) => words.contains("TARGET"),
        Run::Page(_) | Run::Script(_) => false,
    }
}

fn finish(mut found: DetectedService, environment: Environment) -> DetectedService {
    found.prepare = environment.prepare;
    found.evidence.extend(environment.evidence);
    // Otherwise Python buffers its output in blocks.
    found.with_env("PYTHONUNBUFFERED", "1")
}

#[cfg(test)]
mod tests;
