//! Node and Bun: what the scripts of a `package.json` serve.
//!
//! The script is run as it is, by the package's own manager; a dev server that does not read PORT
//! gets its arguments behind the script's. Where a script says a port itself, its command is run
//! without the script, because most servers refuse to be told twice.
//!
//! A script may start others (`concurrently`, `run-p`, `npm run`): each that serves in the same
//! directory is a service of its own. What runs in other directories is found there.

mod entry;
mod manager;
mod package;
mod script;
mod servers;
mod source;
mod tools;

use self::entry::Entry;
use self::manager::Managed;
use self::package::Package;
use self::script::Simple;
use self::servers::{Server, Serves, servers};
use self::source::Port;
use self::tools::{ON_VITE, Tool};
use super::shell::{literal, quote};
use super::{Dir, Found, FoundPort, Surroundings};
use portway_project::kind::Kind;

/// The file with which servers begin that a tool builds and starts.
const MAIN: &str = "src/main.ts";

/// The services of the package in `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let Some(package) = Package::read(dir) else {
        return Vec::new();
    };
    let servers = servers(dir, &package);
    let alone = match servers.is_empty() {
        true => Entry::usual(dir, &package),
        false => None,
    };
    if servers.is_empty() && alone.is_none() {
        return Vec::new();
    }
    let project = Project {
        managed: Managed::of(dir, &package, surroundings),
        dir,
        package,
        surroundings,
    };
    let found = servers.iter().map(|server| match &server.serves {
        Serves::Tool(tool) => project.tool(server, tool),
        Serves::File(entry) => project.script(server, entry),
    });
    let found = found.chain(alone.map(|entry| project.file(&entry)));
    let mut found: Vec<Found> = found.map(|found| project.finish(found)).collect();
    // Two of one kind are told apart by their scripts' names.
    let is_alike = |one: &Found| found.iter().filter(|other| other.kind == one.kind).count() > 1;
    if found.iter().any(is_alike) {
        for (found, server) in found.iter_mut().zip(&servers) {
            found.name = server.name().to_owned();
        }
    }
    found
}

/// A package with what is around it.
struct Project<'p, 'd> {
    dir: &'p Dir<'d>,
    package: Package,
    managed: Managed,
    surroundings: &'p Surroundings<'p>,
}

impl Project<'_, '_> {
    /// A dev server.
    fn tool(&self, server: &Server, tool: &Tool) -> Found {
        let on_vite = ON_VITE
            .iter()
            .find(|(package, _)| self.package.has(package));
        let framework = match on_vite {
            Some((_, framework)) if tool.name == "vite" => framework,
            _ => tool.name,
        };
        let configured = tool.config.iter().find_map(|file| {
            let port = source::configured(&self.dir.read(file)?, tool.config_key)?;
            Some((port, self.dir.path_of(file)))
        });
        let written = server.port();
        let usual = written.or(configured.as_ref().map(|(port, _)| *port));
        let port = self
            .surroundings
            .port(framework, usual.unwrap_or(tool.port));
        let mut found = Found::http(self.dir, framework, "", port).of_kind(tool.kind);
        found = found.because(server.evidence(self.dir));
        if let Some((port, file)) = configured.filter(|_| written.is_none()) {
            found = found.because(format!("{file} has port {port}"));
        }
        if server.reads_port() {
            return self.told_by_variable(found, server);
        }
        if tool.flags.is_empty() {
            let entry = match tool.kind {
                Kind::Http => Entry::at(self.dir, &self.package, MAIN),
                _ => None,
            };
            if let Some(entry) = entry.filter(|entry| entry.port.is_some() && written.is_none()) {
                found = self.listening(found, &entry);
            }
            return self.told_by_variable(found, server);
        }
        if let Some(script) = server.script.as_ref().filter(|_| !server.says_a_port()) {
            if server.takes_arguments {
                found.command = self.run(script, tool.flags);
                return found.because(format!("`{}` tells it its port", tool.flags));
            }
        } else if server.is_alone {
            let command = server.without_port();
            found.command = format!("{} {}", self.exec(&command), tool.flags);
            let why = match server.script {
                Some(_) => "it says a port itself, so its command is run without the script",
                None => "it gets its port behind its own arguments",
            };
            return found.because(why);
        }
        let port = usual.unwrap_or(tool.port);
        found.port = Some(FoundPort::Only(port));
        found.command = match &server.script {
            Some(script) => self.run(script, ""),
            None => self.exec(&server.simple),
        };
        found.because(format!(
            "its script is more than one command, so it cannot be told another port than {port}"
        ))
    }

    /// A script that runs a file.
    fn script(&self, server: &Server, entry: &Entry) -> Found {
        let found = self.entry(entry).because(server.evidence(self.dir));
        let found = match server.port() {
            Some(port) => Found {
                port: Some(self.surroundings.port(found.framework, port)),
                ..found
            },
            None => self.listening(found, entry),
        };
        self.told_by_variable(found, server)
    }

    /// A file without a script.
    fn file(&self, entry: &Entry) -> Found {
        let mut found = self.entry(entry).because(format!(
            "no script starts it, and {} listens",
            self.dir.path_of(&entry.file)
        ));
        found.command = format!("node {}", literal(&quote(&entry.file)));
        self.listening(found, entry)
    }

    fn entry(&self, entry: &Entry) -> Found {
        let port = self.surroundings.port(entry.framework, entry.usual);
        let found = Found::http(self.dir, entry.framework, "", port).of_kind(entry.kind);
        match entry.library {
            Some(library) => found.because(format!(
                "`{library}` is a dependency in {}",
                self.dir.path_of("package.json")
            )),
            None => found,
        }
    }

    /// With the port that its source tells.
    fn listening(&self, mut found: Found, entry: &Entry) -> Found {
        match &entry.port {
            Some((Port::Reads(usual), place)) => {
                let usual = usual.unwrap_or(entry.usual);
                found.port = Some(self.surroundings.port(found.framework, usual));
                found.because(format!("{place} reads PORT"))
            }
            Some((Port::Literal(port, line), place)) => {
                found.port = Some(FoundPort::Only(*port));
                found.because(format!(
                    "{place}:{line} insists on port {port}; with `process.env.PORT` there it takes any"
                ))
            }
            None => found.because("it is told its port by PORT"),
        }
    }

    /// The command of a server that reads PORT: its script, unless that says a number itself.
    fn told_by_variable(&self, mut found: Found, server: &Server) -> Found {
        let Some(port) = server.port() else {
            found.command = match &server.script {
                Some(script) => self.run(script, ""),
                None => self.exec(&server.simple),
            };
            return found;
        };
        if let Some(script) = server.script.as_ref().filter(|_| !server.is_alone) {
            found.port = Some(FoundPort::Only(port));
            found.command = self.run(script, "");
            return found.because(format!("its script insists on port {port}"));
        }
        let mut command = server.without_port();
        command.env.retain(|(name, _)| name != "PORT");
        found.command = self.exec(&command);
        if server.says_a_port() {
            found.command += " --port {port}";
        }
        found.because("it says a port itself, so its command is run without the script")
    }

    fn run(&self, script: &str, arguments: &str) -> String {
        let script = quote(script);
        self.managed.run(&literal(&script), arguments)
    }

    /// A command as it is run outside a script, where the programs of packages are not on the path.
    fn exec(&self, command: &Simple) -> String {
        let words: Vec<_> = command.words.iter().map(|word| quote(word)).collect();
        let words = words.join(" ");
        let mut text = String::new();
        for (name, value) in &command.env {
            text += &format!("{name}={} ", quote(value));
        }
        let is_own = ["node", "bun", "deno"].contains(&command.program());
        if !is_own {
            text += &self.managed.exec();
            text.push(' ');
        }
        literal(&(text + &words)).into_owned()
    }

    /// With its packages, and what is known of its manager.
    fn finish(&self, mut found: Found) -> Found {
        if found.framework == "create-react-app" {
            found = found.told("BROWSER", "none");
        }
        if self.package.needs_packages() {
            found.prepare = Some(self.managed.install());
            found.prepare_dir =
                (self.managed.root != self.dir.path()).then(|| self.managed.root.clone());
        }
        found.evidence.extend(self.managed.evidence.iter().cloned());
        found
    }
}

#[cfg(test)]
mod tests;
