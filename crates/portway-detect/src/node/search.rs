//! Follows a script through wrappers and starters to the commands that serve, and to those that run beside
//! them.

use std::cell::{Cell, RefCell};

use super::bundler;
use super::entry::Entry;
use super::package::Package;
use super::script::{Script, SimpleCommand, Step, StepRun};
use super::server::{Server, ServerKind};
use super::starters::{StartTarget, forwarded, is_parallel, is_starter, passes_arguments, started};
use super::tools::{runs_a_file, tool};
use crate::passed_over::has_manifest;
use crate::{Dir, caddy, procfile};

/// Programs that run the scripts of packages.
pub(super) const MANAGERS: [&str; 6] = ["npm", "pnpm", "yarn", "bun", "turbo", "nx"];

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

/// Programs that run the variant of a script for the operating system, such as `start:windows`.
const PER_SYSTEM: [&str; 3] = ["run-script-os", "cross-os", "run-os"];

/// Those variants, the most likely first.
const VARIANTS: [&str; 7] = [
    "default",
    "nix",
    "linux",
    "darwin:linux",
    "macos",
    "darwin",
    "windows",
];

/// The search through the scripts of a package.
pub(super) struct Search<'s, 'd> {
    pub(super) dir: &'s Dir<'d>,
    pub(super) package: &'s Package,
    /// Sentences about commands that are left out.
    pub(super) left_out: RefCell<Vec<String>>,
    /// Whether other commands, such as a build, run before the command that is searched.
    is_built: Cell<bool>,
    /// How many more commands are searched.
    left: Cell<usize>,
}

/// Maximum number of commands that are searched: scripts may start each other in many ways.
const MAX_COMMANDS: usize = 5000;

impl<'s, 'd> Search<'s, 'd> {
    pub(super) fn new(dir: &'s Dir<'d>, package: &'s Package) -> Self {
        Self {
            dir,
            package,
            left_out: RefCell::default(),
            is_built: Cell::default(),
            left: Cell::new(MAX_COMMANDS),
        }
    }
}

impl Search<'_, '_> {
    /// Returns the commands of a script that serve.
    pub(super) fn script(&self, name: &str, depth: usize) -> Vec<Server> {
        let Some(text) = self.package.scripts.get(name) else {
            return Vec::new();
        };
        if PER_SYSTEM.contains(&text.trim()) {
            // It runs the variant of the script for this system.
            let variants = VARIANTS.iter().map(|variant| format!("{name}:{variant}"));
            let mut variants = variants.filter(|variant| self.has_script(variant));
            let found = variants.next().zip(depth.checked_sub(1));
            return found.map_or_else(Vec::new, |(variant, depth)| self.script(&variant, depth));
        }
        let mut servers = self.command(text, Some(name), name, depth);
        for server in &mut servers {
            server
                .before
                .splice(0..0, self.hook(name).filter(|_| !server.is_part));
        }
        servers
    }

    /// The script that the package manager runs before a script.
    fn hook(&self, name: &str) -> Option<Step> {
        let hook = format!("pre{name}");
        self.has_script(&hook).then_some(Step {
            run: StepRun::Hook(hook),
            joint: "&&",
        })
    }

    /// Returns the commands in a text that serve; `script` is the script that consists of the text
    /// only.
    pub(super) fn command(
        &self,
        text: &str,
        script: Option<&str>,
        found_by: &str,
        depth: usize,
    ) -> Vec<Server> {
        let text = without_brackets(text);
        let Some(left) = self.left.get().checked_sub(1) else {
            return Vec::new();
        };
        self.left.set(left);
        let (Some(mut parsed), Some(depth)) = (Script::parse(text), depth.checked_sub(1)) else {
            return Vec::new();
        };
        let parts = Script::at_once(text);
        if parts.len() > 1 {
            let parts = parts
                .into_iter()
                .map(|part| StartTarget::Command(part.to_owned()));
            return self.parts(parts.collect(), found_by, depth);
        }
        if other_dir(self.dir, &parsed).is_some() {
            return Vec::new();
        }
        let simple = self.through_manager(std::mem::take(&mut parsed.last));
        let is_shell = command_of_shell(&simple).is_some();
        let inner = match command_of_shell(&simple) {
            Some(text) => Some(text.to_owned()),
            None => forwarded(self.package, &simple),
        };
        if let Some(text) = inner {
            let mut servers = self.command(&text, script, found_by, depth);
            for server in &mut servers {
                server.enclose(&parsed, &simple, &parsed.before);
                server.takes_arguments &= parsed.ends_simply && !is_shell;
                server.is_in_shell |= is_shell;
            }
            return servers;
        }
        if let Some(targets) = started(self.package, &simple) {
            if !is_parallel(&simple) {
                let outer = Outer {
                    text,
                    parsed,
                    starter: simple,
                    script,
                };
                return self.sequence(targets, &outer, found_by, depth);
            }
            let mut servers = self.parts(targets, found_by, depth);
            for server in &mut servers {
                server.enclose(&parsed, &simple, &parsed.before);
            }
            return servers;
        }
        let program = simple.program();
        let of_watched = || self.of_watched(&simple, found_by, depth);
        let serves = match tool(program, simple.arguments()) {
            Some(tool) => Some(ServerKind::Tool(tool)),
            None if runs_a_file(program) => {
                let built_before = !parsed.before.is_empty() || self.is_built.get();
                let entry = Entry::of(self.dir, self.package, &simple, built_before);
                entry.map(ServerKind::File).or_else(of_watched)
            }
            None => bundler::server(self.dir, self.package, &simple)
                .map(|found| ServerKind::Process(Box::new(found)))
                .or_else(of_watched)
                .or_else(|| self.process(&simple, text, &parsed)),
        };
        parsed.last = simple;
        let server = serves.map(|serves| Server {
            script: script.map(str::to_owned),
            found_by: found_by.to_owned(),
            ..Server::new(text, parsed, serves)
        });
        server.into_iter().collect()
    }

    /// Returns the server of a command that runs a program of another language, unless another manifest in the
    /// directory describes it.
    fn process(&self, simple: &SimpleCommand, text: &str, parsed: &Script) -> Option<ServerKind> {
        if let Some(found) = caddy::server(self.dir, text) {
            return Some(ServerKind::Process(Box::new(found)));
        }
        const PROGRAMS: [&str; 5] = ["python", "python3", "php", "ruby", "uvicorn"];
        const MANIFESTS: [&str; 6] = [
            "pyproject.toml",
            "requirements.txt",
            "Pipfile",
            "setup.py",
            "composer.json",
            "Gemfile",
        ];
        let is_covered = self.dir.first_of(&MANIFESTS).is_some();
        if is_covered || !PROGRAMS.contains(&simple.program()) || !parsed.before.is_empty() {
            return None;
        }
        procfile::server(self.dir, text).map(|found| ServerKind::Process(Box::new(found)))
    }

    /// Returns the servers, and what runs beside them, of commands that run at the same time.
    fn parts(&self, targets: Vec<StartTarget>, found_by: &str, depth: usize) -> Vec<Server> {
        let all = targets.iter().flat_map(|target| {
            let mut found = self.target(target, found_by, depth);
            if found.is_empty() {
                found.extend(self.beside(target, found_by));
            }
            found
        });
        let mut all: Vec<Server> = all.collect();
        for server in &mut all {
            server.is_part = true;
        }
        all
    }

    /// Returns the servers of something that a command starts.
    pub(super) fn target(&self, target: &StartTarget, found_by: &str, depth: usize) -> Vec<Server> {
        let (name, passed) = match target {
            StartTarget::Script(name, passed) => (name, passed),
            StartTarget::Command(text) => return self.command(text, None, found_by, depth),
        };
        let mut servers = self.script(name, depth);
        for server in servers.iter_mut().filter(|server| !server.is_part) {
            server.simple.words.extend(passed.iter().cloned());
            server.passed.extend(passed.iter().cloned());
        }
        servers
    }

    /// Returns the servers of a command that starts scripts one after the other. Nothing of what it does
    /// beside that is lost: the outer script runs, or its other commands run as well.
    fn sequence(
        &self,
        targets: Vec<StartTarget>,
        outer: &Outer<'_>,
        found_by: &str,
        depth: usize,
    ) -> Vec<Server> {
        let Some((last, earlier)) = targets.split_last() else {
            return Vec::new();
        };
        let earlier_servers: Vec<Server> = earlier
            .iter()
            .flat_map(|target| self.target(target, found_by, depth))
            .collect();
        let does_first = !outer.parsed.before.is_empty() || !earlier.is_empty();
        let was_built = self.is_built.replace(does_first || self.is_built.get());
        let mut servers = self.target(last, found_by, depth);
        self.is_built.set(was_built);
        if !earlier_servers.is_empty() {
            servers.splice(0..0, earlier_servers);
            return servers;
        }
        let (parsed, starter) = (&outer.parsed, &outer.starter);
        let mut steps = parsed.before.clone();
        steps.extend(earlier.iter().filter_map(|target| match target {
            StartTarget::Script(name, _) => Some(Step {
                run: StepRun::Script(name.clone()),
                joint: "&&",
            }),
            StartTarget::Command(_) => None,
        }));
        let passes_more = matches!(last, StartTarget::Script(_, passed) if !passed.is_empty());
        let does_more = !steps.is_empty()
            || !starter.env.is_empty()
            || !starter.wrapper.is_empty()
            || starter.replaced.is_some()
            || !parsed.after.is_empty()
            || !parsed.ends_simply;
        let has_hook = outer
            .script
            .is_some_and(|script| self.hook(script).is_some());
        for server in &mut servers {
            if server.is_part {
                server.enclose(parsed, starter, &steps);
                continue;
            }
            // Without a script, the inner script runs with the arguments.
            if !does_more && !has_hook && (!passes_more || outer.script.is_none()) {
                continue;
            }
            server.enclose(parsed, starter, &steps);
            server.script = outer.script.map(str::to_owned);
            server.text = outer.text.to_owned();
            server.found_by = found_by.to_owned();
            server.passed.clear();
            server.takes_arguments &= parsed.ends_simply && passes_arguments(starter);
        }
        servers
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
        if tool(program, &rest[1..]).is_some() || runs_a_file(program) || is_starter(program) {
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
}

/// A command that starts scripts.
struct Outer<'o> {
    text: &'o str,
    parsed: Script,
    starter: SimpleCommand,
    /// The script that consists of it.
    script: Option<&'o str>,
}

/// Returns the text without brackets around all of it.
pub(super) fn without_brackets(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    inner
        .filter(|inner| !inner.contains(['(', ')']))
        .unwrap_or(text)
        .trim()
}

/// Returns the command that a shell runs: `node x.js` for `bash -c "node x.js"`.
fn command_of_shell(simple: &SimpleCommand) -> Option<&str> {
    const SHELLS: [&str; 4] = ["sh", "bash", "zsh", "dash"];
    match simple.words.as_slice() {
        [shell, flag, text] if SHELLS.contains(&shell.as_str()) && is_command_flag(flag) => {
            Some(text)
        }
        _ => None,
    }
}

fn is_command_flag(flag: &str) -> bool {
    flag.starts_with('-') && flag.ends_with('c')
}

/// Returns the directory below `dir` that a script changes to, if that is a package or project of its own.
pub(super) fn other_dir<'d>(dir: &Dir<'d>, parsed: &Script) -> Option<Dir<'d>> {
    changed_dir(dir, parsed).filter(has_manifest)
}

/// Returns the directory below `dir` that a script changes to.
pub(super) fn changed_dir<'d>(dir: &Dir<'d>, parsed: &Script) -> Option<Dir<'d>> {
    let changes = parsed.before.iter().find_map(|step| match &step.run {
        StepRun::Command(text) => text.strip_prefix("cd "),
        StepRun::Script(_) | StepRun::Hook(_) => None,
    })?;
    let place = changes.trim().trim_matches(['\'', '"']);
    let place = place.trim_start_matches("./").trim_end_matches('/');
    dir.below(place).filter(|_| !place.is_empty())
}
