//! Finds the commands in a package's scripts that serve, and those that run beside them.

use std::cell::RefCell;

use super::entry::Entry;
use super::package::Package;
use super::script::{Script, SimpleCommand};
use super::starters::{StartTarget, forwarded, is_parallel, started};
use super::tools::{RUNS_A_FILE, Tool, tool};
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

/// Parts of script names that carry no information.
const GENERIC_PARTS: [&str; 5] = ["dev", "start", "run", "serve", "watch"];

/// Maximum depth of scripts that start scripts.
const MAX_DEPTH: usize = 4;

/// Programs that run until they are stopped, whatever their arguments are.
const WATCHERS: [&str; 4] = ["nodemon", "tsc-watch", "chokidar", "onchange"];

/// Programs that run the scripts of packages.
const MANAGERS: [&str; 6] = ["npm", "pnpm", "yarn", "bun", "turbo", "nx"];

/// Arguments with which a program runs again after each change of a file.
const WATCH_ARGUMENTS: [&str; 5] = ["--watch", "-w", "watch", "-wp", "--watch=always"];

/// A command that serves, or that runs beside such a command.
#[derive(Debug)]
pub(super) struct Server {
    /// The script that ends with it, if one does.
    pub(super) script: Option<String>,
    /// The script through which it was found.
    found_by: String,
    pub(super) simple: SimpleCommand,
    /// Whether its script consists of this command only.
    pub(super) is_alone: bool,
    /// Whether arguments after the script reach this command.
    pub(super) takes_arguments: bool,
    pub(super) serves: ServerKind,
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

struct Search<'s, 'd> {
    dir: &'s Dir<'d>,
    package: &'s Package,
    /// Sentences about commands that are left out.
    left_out: RefCell<Vec<String>>,
}

impl Search<'_, '_> {
    /// Returns the commands of a script that serve.
    fn script(&self, name: &str, depth: usize) -> Vec<Server> {
        match self.package.scripts.get(name) {
            Some(text) => self.command(text, Some(name), name, depth),
            None => Vec::new(),
        }
    }

    /// Returns the commands in a text that serve; `script` is the script that consists of the text
    /// only.
    fn command(
        &self,
        text: &str,
        script: Option<&str>,
        found_by: &str,
        depth: usize,
    ) -> Vec<Server> {
        let (Some(parsed), Some(depth)) = (Script::parse(text), depth.checked_sub(1)) else {
            return Vec::new();
        };
        let simple = parsed.last;
        if let Some(text) = forwarded(self.package, &simple) {
            let mut servers = self.command(&text, script, found_by, depth);
            for server in &mut servers {
                // Without the script, the command would lack what the other script sets.
                server.is_alone = false;
                server.takes_arguments &= parsed.ends_simply;
            }
            return servers;
        }
        if let Some(commands) = started(self.package, &simple) {
            let runs_all_at_once = is_parallel(&simple);
            let all = commands.iter().flat_map(|command| {
                let found = match command {
                    StartTarget::Script(name) => self.script(name, depth),
                    StartTarget::Command(text) => self.command(text, None, found_by, depth),
                };
                match found.is_empty() && runs_all_at_once {
                    true => self.beside(command, found_by).into_iter().collect(),
                    false => found,
                }
            });
            return all.collect();
        }
        let program = simple.program();
        let serves = match tool(program, simple.arguments()) {
            Some(tool) => Some(ServerKind::Tool(tool)),
            None if RUNS_A_FILE.contains(&program) => {
                Entry::of(self.dir, self.package, &simple).map(ServerKind::File)
            }
            None => None,
        };
        let server = serves.map(|serves| Server {
            script: script.map(str::to_owned),
            found_by: found_by.to_owned(),
            simple,
            is_alone: parsed.is_alone && parsed.ends_simply,
            takes_arguments: parsed.ends_simply,
            serves,
        });
        server.into_iter().collect()
    }

    /// Returns a command that keeps running without serving, such as a compiler that watches.
    fn beside(&self, target: &StartTarget, found_by: &str) -> Option<Server> {
        let (script, text) = match target {
            StartTarget::Script(name) => (Some(name), self.package.scripts.get(name)?),
            StartTarget::Command(text) => (None, text),
        };
        let parsed = Script::parse(text)?;
        let simple = parsed.last;
        let program = simple.program();
        let watches = WATCHERS.contains(&program)
            || RUNS_A_FILE.contains(&program)
            || simple
                .arguments()
                .iter()
                .any(|argument| WATCH_ARGUMENTS.contains(&argument.as_str()));
        // A command with others before it needs the shell that its script runs in.
        let is_alone = parsed.is_alone && parsed.ends_simply;
        if watches && (script.is_some() || is_alone) {
            return Some(Server {
                script: script.cloned(),
                found_by: found_by.to_owned(),
                simple,
                is_alone,
                takes_arguments: false,
                serves: ServerKind::Beside,
            });
        }
        // What a package manager starts in another directory is found there.
        if !MANAGERS.contains(&program) {
            let file = self.dir.path_of("package.json");
            self.left_out.borrow_mut().push(format!(
                "the script `{found_by}` in {file} also starts `{text}`, which Portway does not start"
            ));
        }
        None
    }
}
