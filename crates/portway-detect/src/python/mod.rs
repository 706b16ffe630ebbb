//! Python: FastAPI, Flask, Django and their like.
//!
//! The project is the directory whose files name its packages; the application lies in it or up to
//! two levels below, where nothing else names packages, and is found by the line that makes it. It
//! is run in the project's directory, with the project's own environment. One that no file names
//! packages for is run with the Python of the PATH.
//!
//! Servers watch their sources and reload, as a developer expects.

mod application;
mod environment;
mod packages;
mod source;
mod tables;

use self::application::{Application, applications, places, within};
use self::environment::Environment;
use self::packages::Packages;
use self::source::Object;
use self::tables::{BRINGS, Framework, Run, SERVERS, Server};
use super::shell::quote;
use super::{Dir, Found, FoundPort, Surroundings};

/// The Python services whose project is `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let packages = Packages::read(dir);
    let places = match &packages {
        Some(_) => places(dir),
        None => {
            // What lies below a project belongs to it.
            let mut above = dir.upwards().skip(1);
            let has_python = dir.files().any(|name| name.ends_with(".py"));
            if !has_python || above.any(|dir| Packages::read(&dir).is_some()) {
                return Vec::new();
            }
            dir.upwards().take(1).collect()
        }
    };
    let project = Project {
        dir,
        packages,
        surroundings,
    };
    let mut found: Vec<Found> = project.django(&places).into_iter().collect();
    let all = applications(dir, project.packages.as_ref(), &places);
    for (index, application) in all.iter().enumerate() {
        let is_like = |other: &&Application| other.framework.name == application.framework.name;
        if !all[..index].iter().any(|other| is_like(&other)) {
            let others = all[index + 1..].iter().filter(is_like);
            let others: Vec<&str> = others.map(|other| other.file.as_str()).collect();
            found.push(project.service(application, &others));
        }
    }
    found
}

/// A directory with what its files say of packages.
struct Project<'p, 'd> {
    dir: &'p Dir<'d>,
    packages: Option<Packages>,
    surroundings: &'p Surroundings<'p>,
}

impl Project<'_, '_> {
    fn django(&self, places: &[Dir<'_>]) -> Option<Found> {
        let place = places.iter().find(|place| {
            let text = place.read("manage.py");
            text.is_some_and(|text| text.contains("DJANGO_SETTINGS_MODULE"))
        })?;
        let file = place.path_of("manage.py");
        let environment = self.environment("django", None);
        let command = format!(
            "{} {} runserver {{host}}:{{port}}",
            environment.python,
            quote(within(self.dir, &file))
        );
        let port = self.surroundings.port("django", 8000);
        let found = Found::http(self.dir, "django", command, port)
            .because(match self.source_of("django") {
                Some(source) => format!("{source}, and {file} runs it"),
                None => format!("{file} is that of a Django project"),
            })
            .because("its database is left alone: `manage.py migrate` is up to you");
        Some(finish(found, environment))
    }

    fn service(&self, application: &Application, others: &[&str]) -> Found {
        let framework = application.framework;
        let place = self.dir.path_of(&application.file);
        let (server, named) = self.server(framework);
        let missing = match framework.run {
            Run::Asgi if !named => Some(server.name),
            _ => None,
        };
        let environment = self.environment(framework.name, missing);
        let command = match framework.run {
            Run::Asgi => {
                let arguments = application.fill(server.arguments);
                let mut command = format!("{} {arguments}", environment.program(server.name));
                // Only the application's own directory is watched, where it has one.
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
            Some((port, _)) => FoundPort::Only(port),
            None => self.surroundings.port(framework.name, framework.port),
        };
        let mut found =
            Found::http(self.dir, framework.name, command, port).of_kind(framework.kind);
        if let Run::Script(variables) = framework.run {
            for (name, value) in variables {
                found = found.told(name, value);
            }
        }
        if !application.path.is_empty() && command_imports(framework) {
            found = found.told("PYTHONPATH", &application.path);
        }
        found = found.because(match self.source_of(framework.name) {
            Some(source) => source,
            None => format!("{place} imports `{}`", framework.name),
        });
        found = found.because(match &application.object {
            Some(Object::Variable(name)) => format!("its application is `{name}` in {place}"),
            Some(Object::Factory(name)) => {
                format!("its application is what `{name}` in {place} makes")
            }
            None => format!("its application is {place}"),
        });
        if let Some((port, line)) = application.port {
            found = found.because(format!(
                "{place}:{line} insists on port {port}; without that number it takes any"
            ));
        }
        if !others.is_empty() {
            found = found.because(format!(
                "others of its kind were passed over: {}",
                others.join(", ")
            ));
        }
        if let Some(missing) = missing {
            found = found.because(match environment.prepare.is_some() {
                true => format!("no file names a server such as `{missing}`, so it is added"),
                false => format!("no file names a server such as `{missing}`, which it needs"),
            });
        }
        finish(found, environment)
    }

    /// Where a package is named.
    fn source_of(&self, package: &str) -> Option<String> {
        let file = self.packages.as_ref()?.file_of(package)?;
        Some(format!("`{package}` is a dependency in {file}"))
    }

    fn environment(&self, package: &str, missing: Option<&str>) -> Environment {
        let packages = self.packages.as_ref();
        Environment::of(self.dir, packages, package, missing, self.surroundings)
    }

    /// The ASGI server for a framework, and whether a file names it.
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
        let mut servers = SERVERS.iter();
        match servers.find(|server| names(server.name) || is_brought(server.name)) {
            Some(server) => (server, true),
            None => (&SERVERS[0], false),
        }
    }
}

/// Whether the command imports the application by its name, and not by its file.
fn command_imports(framework: &Framework) -> bool {
    match framework.run {
        Run::Asgi => true,
        Run::Program(words) => words.contains("TARGET"),
        Run::Page(_) | Run::Script(_) => false,
    }
}

fn finish(mut found: Found, environment: Environment) -> Found {
    found.prepare = environment.prepare;
    found.evidence.extend(environment.evidence);
    // Else what it prints comes late, in blocks.
    found.told("PYTHONUNBUFFERED", "1")
}

#[cfg(test)]
mod tests;
