//! Follows a script through wrappers and starters to the commands that serve, and to those that run beside
//! them.

use std::cell::RefCell;

use super::entry::Entry;
use super::package::Package;
use super::script::{Script, SimpleCommand};
use super::server::{Server, ServerKind};
use super::starters::{StartTarget, forwarded, is_parallel, started};
use super::tools::{RUNS_A_FILE, tool};
use crate::Dir;

/// Programs that run until they are stopped, whatever their arguments are.
const WATCHERS: [&str; 4] = ["nodemon", "tsc-watch", "chokidar", "onchange"];

/// Programs that do the work of queues, and keep running.
const QUEUE_PROGRAMS: [&str; 11] = [
    "air",
    "arq",
    "bullmq",
    "celery",
    "dramatiq",
    "graphile-worker",
    "huey_consumer",
    "inngest-cli",
    "rq",
    "sidekiq",
    "trigger.dev",
];

/// Programs that run the scripts of packages.
const MANAGERS: [&str; 6] = ["npm", "pnpm", "yarn", "bun", "turbo", "nx"];

/// Arguments with which a package manager runs the scripts of members of a workspace.
const TO_MEMBERS: [&str; 9] = [
    "--filter",
    "-F",
    "--recursive",
    "-r",
    "--workspace",
    "-w",
    "--workspaces",
    "-ws",
    "workspaces",
];

/// Arguments with which a program runs again after each change of a file.
const WATCH_ARGUMENTS: [&str; 5] = ["--watch", "-w", "watch", "-wp", "--watch=always"];

/// The search through the scripts of a package.
pub(super) struct Search<'s, 'd> {
    pub(super) dir: &'s Dir<'d>,
    pub(super) package: &'s Package,
    /// Sentences about commands that are left out.
    pub(super) left_out: RefCell<Vec<String>>,
}

impl Search<'_, '_> {
    /// Returns the commands of a script that serve.
    pub(super) fn script(&self, name: &str, depth: usize) -> Vec<Server> {
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
        let parts = Script::at_once(text);
        if parts.len() > 1 {
            let all = parts.into_iter().flat_map(|part| {
                let target = StartTarget::Command(part.to_owned());
                match self.command(part, None, found_by, depth) {
                    found if found.is_empty() => {
                        self.beside(&target, found_by).into_iter().collect()
                    }
                    found => found,
                }
            });
            return all.collect();
        }
        let simple = self.through_manager(parsed.last);
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
            optional: None,
        });
        server.into_iter().collect()
    }

    /// Returns the command that a package manager runs: `vite` for `pnpm vite` and `bun run vite`.
    fn through_manager(&self, mut simple: SimpleCommand) -> SimpleCommand {
        let skipped = match (simple.program(), simple.arguments()) {
            ("bun", [run, name, ..]) if run == "run" && !self.has_script(name) => 2,
            ("pnpm" | "yarn" | "bun", [name, ..]) if !self.has_script(name) => 1,
            _ => return simple,
        };
        let rest = &simple.words[skipped..];
        let program = rest.first().map_or("", String::as_str);
        if tool(program, &rest[1..]).is_some() || RUNS_A_FILE.contains(&program) {
            simple.words.drain(..skipped);
        }
        simple
    }

    /// Returns whether a script starts the members of a workspace, which are detected in their directories.
    /// The scripts of the root that serve what a build made are not for development then.
    pub(super) fn starts_members(&self, name: &str) -> bool {
        let is_root = !self.package.workspaces.is_empty() || self.dir.has("pnpm-workspace.yaml");
        let text = self.package.scripts.get(name).filter(|_| is_root);
        let last = text
            .and_then(|text| Script::parse(text))
            .map(|one| one.last);
        last.is_some_and(|last| {
            let mut arguments = last.arguments().iter();
            match last.program() {
                "turbo" | "lerna" | "moon" => true,
                "nx" => arguments.any(|word| word == "run-many"),
                program => {
                    MANAGERS.contains(&program)
                        && arguments.any(|word| {
                            let flag = word.split('=').next().unwrap_or(word);
                            TO_MEMBERS.contains(&flag)
                        })
                }
            }
        })
    }

    fn has_script(&self, name: &str) -> bool {
        self.package.scripts.contains_key(name)
    }

    /// Returns the worker that a script starts from source, if it does.
    pub(super) fn worker(&self, name: &str) -> Option<Server> {
        let target = StartTarget::Script(name.to_owned());
        let parsed = Script::parse(self.package.scripts.get(name)?)?;
        let runs_source = Entry::source(self.dir, &parsed.last).is_some()
            || WATCHERS.contains(&parsed.last.program())
            || QUEUE_PROGRAMS.contains(&parsed.last.program());
        // What is left out here is no part of the development server.
        let known = self.left_out.take();
        let found = runs_source.then(|| self.beside(&target, name)).flatten();
        self.left_out.replace(known);
        found
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
            || QUEUE_PROGRAMS.contains(&program)
            || is_artisan_worker(&simple)
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
                optional: None,
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

/// Returns whether a command runs a worker of Laravel.
fn is_artisan_worker(command: &SimpleCommand) -> bool {
    const WORKERS: [&str; 4] = ["queue:listen", "queue:work", "horizon", "schedule:work"];
    let mut arguments = command.arguments().iter();
    command.program() == "php" && arguments.any(|word| WORKERS.contains(&word.as_str()))
}
