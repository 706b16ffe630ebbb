//! Finds the commands in a package's scripts that serve, and those that run beside them.

use std::cell::RefCell;

use super::entry::Entry;
use super::package::Package;
use super::script::SimpleCommand;
use super::search::Search;
use super::tools::Tool;
use crate::Dir;

/// Scripts that start the development server, most likely first.
const MAIN: [&str; 8] = [
    "dev",
    "start:dev",
    "develop",
    "serve",
    "start",
    "dev:web",
    "dev:client",
    "dev:frontend",
];

/// Scripts that start an additional API server, most likely first.
const BESIDE: [&str; 10] = [
    "dev:server",
    "server:dev",
    "server",
    "start:server",
    "dev:api",
    "api",
    "start:api",
    "dev:backend",
    "backend",
    "start:backend",
];

/// Names of scripts that start a program beside the server, without a port. Each occurs with a prefix or
/// suffix too, such as `dev:worker`.
const WORKERS: [&str; 9] = [
    "worker",
    "workers",
    "queue",
    "queues",
    "scheduler",
    "cron",
    "jobs",
    "consumer",
    "processor",
];

/// Scripts that start another server for development that the application does not always need, with the
/// reason why their service is optional.
const OPTIONAL: [(&[&str], &str); 2] = [
    (
        &[
            "storybook",
            "storybook:dev",
            "dev:storybook",
            "start:storybook",
        ],
        "it shows parts of the application, which works without it, so it is optional",
    ),
    (
        &[
            "run-mock-server",
            "mock-server",
            "mock:server",
            "mock",
            "dev:mock",
            "mock:api",
            "json-server",
        ],
        "it simulates a server, so it is optional",
    ),
];

/// Parts of script names that carry no information.
const GENERIC_PARTS: [&str; 5] = ["dev", "start", "run", "serve", "watch"];

/// Maximum depth of scripts that start scripts.
const MAX_DEPTH: usize = 4;

/// A command that serves, or that runs beside such a command.
#[derive(Debug)]
pub(super) struct Server {
    /// The script that ends with it, if one does.
    pub(super) script: Option<String>,
    /// The script through which it was found.
    pub(super) found_by: String,
    pub(super) simple: SimpleCommand,
    /// Whether its script consists of this command only.
    pub(super) is_alone: bool,
    /// Whether arguments after the script reach this command.
    pub(super) takes_arguments: bool,
    pub(super) serves: ServerKind,
    /// Why the application does not always need it.
    pub(super) optional: Option<&'static str>,
}

/// How a command serves.
#[derive(Debug)]
pub(super) enum ServerKind {
    Tool(&'static Tool),
    File(Entry),
    /// It serves nothing: a compiler that watches, or a worker.
    Beside,
}

/// Returns the commands that serve: those of the most likely script, and those of an additional API
/// server. Includes what such a script starts beside them.
///
/// The second value has a sentence for each command beside them that is left out.
pub(super) fn servers(dir: &Dir<'_>, package: &Package) -> (Vec<Server>, Vec<String>) {
    let search = Search {
        dir,
        package,
        left_out: RefCell::default(),
    };
    let mut left_out = Vec::new();
    let mut first = |names: &[&str]| {
        for name in names {
            let servers = search.script(name, MAX_DEPTH);
            let others = search.left_out.take();
            if servers.iter().any(Server::serves) {
                left_out.extend(others);
                return servers;
            }
        }
        Vec::new()
    };
    let mut servers: Vec<Server> = first(&MAIN);
    for server in first(&BESIDE) {
        if servers.iter().all(|known| known.simple != server.simple) {
            servers.push(server);
        }
    }
    let is_new = |servers: &[Server], server: &Server| {
        servers.iter().all(|known| known.simple != server.simple)
    };
    for base in WORKERS {
        let names = [
            format!("dev:{base}"),
            format!("{base}:dev"),
            base.to_owned(),
            format!("start:{base}"),
            format!("{base}:start"),
        ];
        let mut found = names.iter().filter_map(|name| search.worker(name));
        if let Some(worker) = found.next().filter(|worker| is_new(&servers, worker)) {
            servers.push(worker);
        }
    }
    for (names, reason) in OPTIONAL {
        for mut server in first(names) {
            if is_new(&servers, &server) {
                server.optional = Some(reason);
                servers.push(server);
            }
        }
    }
    (servers, left_out)
}

impl Server {
    /// Returns whether it serves.
    pub(super) fn serves(&self) -> bool {
        !matches!(self.serves, ServerKind::Beside)
    }

    /// The flags that set the port in its command. Programs that run a file use `-p` for something
    /// else.
    fn port_flags(&self) -> &'static [&'static str] {
        match self.serves {
            ServerKind::Tool(_) => &["--port", "-p"],
            ServerKind::File(_) | ServerKind::Beside => &["--port"],
        }
    }

    /// The variable from which it reads its port.
    fn port_variable(&self) -> &str {
        match &self.serves {
            ServerKind::File(entry) => entry.port_variable(),
            ServerKind::Tool(_) | ServerKind::Beside => "PORT",
        }
    }

    /// Returns its command without a port flag and without the variable of its port.
    pub(super) fn without_port(&self) -> SimpleCommand {
        let mut command = self.simple.without_flag(self.port_flags());
        command.env.retain(|(name, _)| name != self.port_variable());
        command
    }

    /// Returns the port that its command sets.
    pub(super) fn port(&self) -> Option<u16> {
        let variable = self.simple.env.iter();
        let variable = variable
            .rev()
            .find(|(name, _)| name == self.port_variable());
        let variable = variable.map(|(_, value)| value.as_str());
        let said = self.simple.flag(self.port_flags()).or(variable)?;
        said.parse().ok().filter(|port| *port > 0)
    }

    /// Returns whether its command sets a port by flag, also through a variable.
    pub(super) fn says_a_port(&self) -> bool {
        self.simple.flag(self.port_flags()).is_some()
    }

    /// Returns whether a flag takes its value from the variable PORT.
    pub(super) fn reads_port(&self) -> bool {
        let said = self.simple.flag(self.port_flags()).unwrap_or("");
        said.starts_with("$PORT") || said.starts_with("${PORT")
    }

    /// Returns the informative part of its script's name; may be empty.
    pub(super) fn name(&self) -> &str {
        let name = self.script.as_deref().unwrap_or("");
        let mut parts = name.split([':', '-', '.']);
        parts
            .find(|part| !GENERIC_PARTS.contains(part))
            .unwrap_or("")
    }

    /// A sentence that says where it was found.
    pub(super) fn evidence(&self, dir: &Dir<'_>) -> String {
        let file = dir.path_of("package.json");
        let words = self.simple.words.join(" ");
        match &self.script {
            Some(script) if self.is_alone => {
                format!("the script `{script}` in {file} is `{words}`")
            }
            Some(script) => format!("the script `{script}` in {file} ends with `{words}`"),
            None => format!("the script `{}` in {file} starts `{words}`", self.found_by),
        }
    }
}
