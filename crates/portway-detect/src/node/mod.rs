//! Node and Bun: the servers that the scripts of a `package.json` start.
//!
//! The package's own manager runs the script unchanged; a dev server that ignores PORT gets
//! arguments after the script's own. If a script sets a port itself, its command runs without the
//! script, because most servers reject a second `--port`.
//!
//! A script may start others (`concurrently`, `run-p`, `npm run`): each one that serves in the same
//! directory becomes a service. Those in other directories are detected there.

mod beside;
mod bundler;
mod configured;
mod constants;
pub(super) mod desktop;
mod entry;
mod env_file;
mod files;
mod finish;
mod generated;
mod hashes;
mod imports;
mod listen_call;
mod listening;
mod manager;
mod migration_tools;
mod migrations;
mod nx;
mod on_change;
mod package;
mod programs;
mod provide;
mod reason;
pub(super) mod reload;
mod run;
mod script;
mod search;
mod selected;
mod server;
mod servers;
mod settings;
mod source;
mod starters;
mod terminal;
mod tools;
mod watchers;
mod workspace;

use self::entry::Entry;
use self::manager::Managed;
use self::package::Package;
use self::server::{Server, ServerKind};
use self::servers::servers;
use self::source::Port;
use self::tools::{ON_VITE, Tool};
use super::shell::literal;
use super::{DetectContext, DetectedPort, DetectedService, Dir, tasks, variables};
use portway_project::kind::Kind;
use portway_project::shell::quote;

pub(super) use self::migrations::migration;
pub(super) use self::programs::{MANAGERS, runs_program};
pub(super) use self::provide::provide;
pub(super) use self::reason::reason;
pub(super) use self::selected::{make_unselected_optional, started_dirs};
pub(super) use self::watchers::add_watchers;
pub(super) use self::workspace::members;

/// The entry file of servers that a tool builds and starts.
const MAIN: &str = "src/main.ts";

/// Detects the services of the package in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    if workspace::exclusion(dir).is_some() {
        return Vec::new();
    }
    let found = of_package(dir, context);
    match found.is_empty() {
        true => nx::read(dir, context).into_iter().collect(),
        false => found,
    }
}

/// Returns the variable from which a JavaScript file reads its port, or the number on which it listens, with
/// the line.
pub(super) fn port_of(text: &str) -> Option<Result<String, (u16, usize)>> {
    match source::has_server(text)
        .then(|| source::port(text))
        .flatten()?
    {
        Port::Reads { variable, .. } => Some(Ok(variable)),
        Port::Literal(port, line) => Some(Err((port, line))),
    }
}

/// Detects the services of the scripts of a package.
fn of_package(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let Some(package) = Package::read(dir) else {
        return Vec::new();
    };
    let (mut servers, left_out) = servers(dir, &package);
    for server in &mut servers {
        server.missing_env_file = env_file::remove_missing(dir, &mut server.simple);
    }
    let alone = match servers.is_empty() {
        true => Entry::usual(dir, &package),
        false => None,
    };
    if servers.is_empty() && alone.is_none() {
        return Vec::new();
    }
    let project = Project {
        managed: Managed::of(dir, &package, context),
        dir,
        package,
        context,
    };
    let found = servers.iter().map(|server| {
        let mut found = match &server.serves {
            ServerKind::Tool(tool) => project.tool(server, tool),
            ServerKind::File(entry) => project.script(server, entry),
            ServerKind::Beside | ServerKind::Alone(_) => project.beside(server),
            ServerKind::Process(found) => project.process(server, found),
        };
        found.optional = server.optional.is_some();
        found.evidence.extend(server.optional.map(str::to_owned));
        found
    });
    let found = found.chain(alone.map(|entry| project.file(&entry)));
    let mut found: Vec<DetectedService> = found.map(|found| project.finish(found)).collect();
    let steps = project.add_steps(&mut found, &servers);
    if let Some(first) = found.first_mut() {
        first.evidence.extend(left_out);
    }
    wait_for_databases(&mut found, &servers);
    // Services of the same kind are distinguished by their scripts' names.
    let serving = || found.iter().filter(|one| one.port.is_some());
    let is_alike =
        |one: &DetectedService| serving().filter(|other| other.kind == one.kind).count() > 1;
    if servers.len() > 1 && !serving().any(is_alike) {
        for (found, server) in found.iter_mut().zip(&servers) {
            if server.optional.is_some() {
                found.name = server.name().to_owned();
            }
        }
    } else if serving().any(is_alike) {
        for (found, server) in found
            .iter_mut()
            .zip(&servers)
            .filter(|(_, server)| server.serves())
        {
            found.name = server.name().to_owned();
        }
    }
    found.splice(0..0, steps);
    found
}

/// Returns the dev server that a command of another manifest in `dir` starts, such as `vp dev` in
/// `composer.json`, if the scripts of the package start none. `why` says where the command is.
pub(super) fn of_command(
    dir: &Dir<'_>,
    command: &str,
    why: &str,
    context: &DetectContext<'_>,
) -> Option<DetectedService> {
    let package = Package::read(dir)?;
    let (servers, _) = servers(dir, &package);
    if servers.iter().any(Server::serves) {
        return None;
    }
    let search = search::Search::new(dir, &package);
    let target = starters::StartTarget::Command(command.to_owned());
    let mut found = search.target(&target, "dev", 2).into_iter();
    let (server, tool) = found.find_map(|server| match server.serves {
        ServerKind::Tool(tool) => Some((server, tool)),
        _ => None,
    })?;
    let project = Project {
        managed: Managed::of(dir, &package, context),
        dir,
        package,
        context,
    };
    let mut service = project.tool(&server, tool);
    service.evidence[0] = format!("{why} `{command}`");
    Some(project.finish(service))
}

/// Names the database servers among the services of a package; the others start after them.
fn wait_for_databases(found: &mut [DetectedService], servers: &[Server]) {
    let is_database = |one: &DetectedService| one.kind.usual_port().is_some();
    let mut names = Vec::new();
    for (one, server) in found.iter_mut().zip(servers) {
        if is_database(one) {
            one.name = match server.name() {
                "" => one.framework.to_owned(),
                name => name.to_owned(),
            };
            names.push((one.name.clone(), "ready"));
        }
    }
    for one in found
        .iter_mut()
        .filter(|one| !is_database(one) && !one.optional)
    {
        one.after.extend(names.iter().cloned());
    }
}

/// A package and its machine.
struct Project<'p, 'd> {
    dir: &'p Dir<'d>,
    package: Package,
    managed: Managed,
    context: &'p DetectContext<'p>,
}

impl Project<'_, '_> {
    /// Builds the service of a dev server.
    fn tool(&self, server: &Server, tool: &Tool) -> DetectedService {
        let on_vite = ON_VITE
            .iter()
            .find(|(package, _)| self.package.has(package));
        let framework = match on_vite {
            Some((_, framework)) if tool.name == "vite" => framework,
            _ => tool.name,
        };
        let configured = configured::port(self.dir, tool, Some(&server.simple));
        let variable = server.flag_variable();
        let of_variable = variable.and_then(|variable| variables::port(self.dir, variable));
        let written = server.port().or(of_variable.map(|(port, _)| port));
        let usual = written.or(configured.as_ref().map(|(port, _)| *port));
        let script = server.script.as_deref().filter(|_| usual.is_none());
        let passed = script
            .and_then(|script| tasks::scripts::port(self.dir, script, server.simple.program()));
        let usual = usual.or(passed.as_ref().map(|(port, _)| *port));
        let port = self.context.port(framework, usual.unwrap_or(tool.port));
        let mut found = DetectedService::http(self.dir, framework, "", port).with_kind(tool.kind);
        found = found.with_evidence(server.evidence(self.dir));
        found.is_port_written = usual.is_some();
        if let Some((port, file)) = configured.filter(|_| written.is_none()) {
            found = found.with_evidence(format!("{file} sets port {port}"));
        }
        if let Some((port, file)) = passed {
            found = found.with_evidence(format!("{file} passes port {port}"));
        }
        if server.reads_port() {
            return self.with_port_variable(found, server);
        }
        if tool.flags.is_empty() {
            let entry = match tool.kind {
                Kind::Http => Entry::at(self.dir, &self.package, MAIN),
                _ => None,
            };
            if let Some(entry) = entry.filter(|entry| entry.port.is_some() && written.is_none()) {
                found = self.listening(found, &entry, Some(&server.simple));
            }
            return self.with_port_variable(found, server);
        }
        let names_addresses = server.names_addresses();
        let is_replaced = server.replaced().is_some()
            || names_addresses
            || server.missing_env_file.is_some()
            || self.starts_containers(&server.before);
        let says_a_port = server.says_a_port();
        if server.script.is_some() && !is_replaced && !says_a_port {
            if server.takes_arguments {
                found.command = self.run(server, tool.flags);
                return found.with_evidence(format!("`{}` sets its port", tool.flags));
            }
            if tool.reads_port() {
                found.command = self.run(server, "");
                return found.with_evidence(format!("`{}` reads `PORT`", tool.name));
            }
        }
        if let Some(command) = self.outside(server, &server.without_port(), tool.flags) {
            found.command = command;
            found.names_addresses = names_addresses;
            return found.with_evidence(self.why_outside(server));
        }
        let port = usual.unwrap_or(tool.port);
        found.port = Some(DetectedPort::Fixed(port));
        found.command = self.run(server, "");
        found.with_evidence(format!(
            "its script has more than one command, so its port cannot be changed from {port}"
        ))
    }

    /// Builds the service of a script that runs a file.
    fn script(&self, server: &Server, entry: &Entry) -> DetectedService {
        let found = self.entry(entry).with_evidence(server.evidence(self.dir));
        let mut found = match entry.port.is_none() && server.says_a_port() {
            true => found,
            false => self.listening(found, entry, Some(&server.simple)),
        };
        // A server with a number in its source ignores the variable that its script sets.
        let is_literal = matches!(entry.port, Some((Port::Literal(..), _)));
        if let Some(port) = server.port()
            && (!is_literal || server.says_a_port())
        {
            found.port = Some(self.context.port(found.framework, port));
            found.is_port_written = true;
        }
        self.with_port_variable(found, server)
    }

    /// Builds the service of a command that has no port.
    fn beside(&self, server: &Server) -> DetectedService {
        let program = server.simple.program();
        let port = DetectedPort::Preferred(1);
        let mut found = DetectedService::http(self.dir, "worker", "", port).without_port();
        found.command = self.start(server);
        found = found.with_evidence(server.evidence(self.dir));
        if let ServerKind::Alone(why) = &server.serves {
            return found.with_kind(Kind::Tcp).with_evidence(why.as_str());
        }
        found.name = match server.name() {
            "" => program.to_owned(),
            name => name.to_owned(),
        };
        found.with_evidence("it runs beside the server and has no port")
    }

    /// Builds the service of a file without a script.
    fn file(&self, entry: &Entry) -> DetectedService {
        let file = self.dir.path_of(&entry.file);
        let mut found = self.entry(entry).with_evidence(match reason::main_script(&self.package) {
            Some((name, text)) => format!(
                "the script `{name}` (`{text}`) starts no server that Portway knows, and {file} listens"
            ),
            None => format!("no script starts it, and {file} listens"),
        });
        found.command = format!("node {}", literal(&quote(&entry.file)));
        self.listening(found, entry, None)
    }

    /// Sets the command of a server that reads PORT: its script, unless the script sets a port.
    fn with_port_variable(&self, mut found: DetectedService, server: &Server) -> DetectedService {
        let names_addresses = server.names_addresses();
        let port = server.port();
        let reads_port = server.reads_port();
        if server.replaced().is_some()
            || names_addresses
            || server.missing_env_file.is_some()
            || self.starts_containers(&server.before)
            || (port.is_some() && !reads_port)
        {
            let flags = match server.says_a_port() && !reads_port {
                true => server.port_arguments(),
                false => "",
            };
            let command = match reads_port {
                true => server.simple.clone(),
                false => server.without_port(),
            };
            if let Some(command) = self.outside(server, &command, flags) {
                found.command = command;
                found.names_addresses = names_addresses;
                return found.with_evidence(self.why_outside(server));
            }
        }
        found.command = self.start(server);
        match port.filter(|_| !reads_port) {
            Some(port) => {
                found.port = Some(DetectedPort::Fixed(port));
                found.with_evidence(format!("its script requires port {port}"))
            }
            None => found,
        }
    }
}

#[cfg(test)]
mod tests;
