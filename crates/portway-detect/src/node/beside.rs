//! Commands that serve nothing but keep running: compilers that watch, and workers.

use super::entry::Entry;
use super::manager::workspace_of;
use super::package::Package;
use super::script::{Script, SimpleCommand};
use super::search::{MANAGERS, Search, other_dir, without_brackets};
use super::server::{Server, ServerKind};
use super::starters::{StartTarget, is_parallel, started};
use super::tools::runs_a_file;
use super::workspace::starts_all_members;
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

/// Arguments with which a program runs again after each change of a file.
const WATCH_ARGUMENTS: [&str; 5] = ["--watch", "-w", "watch", "-wp", "--watch=always"];

/// Libraries whose programs do the work of a queue or a schedule, with the call that shows it.
const QUEUES: [(&str, &str); 14] = [
    ("@temporalio/worker", "Worker.create("),
    ("agenda", "new Agenda("),
    ("amqplib", ".consume("),
    ("bee-queue", ".process("),
    ("bull", ".process("),
    ("bullmq", "Worker"),
    ("cron", "new CronJob("),
    ("graphile-worker", "run("),
    ("kafkajs", ".run("),
    ("nats", ".subscribe("),
    ("node-cron", ".schedule("),
    ("pg-boss", ".work("),
    ("rhea", ".open_receiver("),
    ("sqs-consumer", "Consumer.create("),
];

impl Search<'_, '_> {
    /// Returns the worker that a script starts from source, if it does.
    pub(super) fn worker(&self, name: &str) -> Option<Server> {
        let target = StartTarget::Script(name.to_owned(), Vec::new());
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
    pub(super) fn beside(&self, target: &StartTarget, found_by: &str) -> Option<Server> {
        let (script, text) = match target {
            StartTarget::Script(name, _) => (Some(name), self.package.scripts.get(name)?),
            StartTarget::Command(text) => (None, text),
        };
        let text = without_brackets(text);
        let parsed = Script::parse(text)?;
        // `npm run ws` in a script runs the script `ws`.
        if let StartTarget::Command(_) = target
            && let Some([StartTarget::Script(name, _)]) =
                started(self.package, &parsed.last).as_deref()
            && !is_parallel(&parsed.last)
        {
            let script = StartTarget::Script(name.clone(), Vec::new());
            return self.beside(&script, found_by);
        }
        // What starts in another directory is found there.
        if other_dir(self.dir, &parsed).is_some() {
            return None;
        }
        let watches = runs_until_stopped(&parsed.last) || runs_a_file(parsed.last.program());
        let is_manager = MANAGERS.contains(&parsed.last.program());
        let server = Server {
            script: script.cloned(),
            found_by: found_by.to_owned(),
            ..Server::new(text, parsed, ServerKind::Beside)
        };
        if watches {
            return Some(server);
        }
        // What a package manager starts in another directory is found there.
        if !is_manager {
            let file = self.dir.path_of("package.json");
            self.left_out.borrow_mut().push(format!(
                "the script `{found_by}` in {file} also starts `{text}`, which Portway does not start"
            ));
        }
        None
    }

    /// Returns the worker that a script of a package without a server starts: its source takes work from a
    /// queue.
    pub(super) fn lone_worker(&self, name: &str) -> Option<Server> {
        let text = without_brackets(self.package.scripts.get(name)?);
        let parsed = Script::parse(text)?;
        if !runs_a_file(parsed.last.program()) || other_dir(self.dir, &parsed).is_some() {
            return None;
        }
        let is_built = !parsed.before.is_empty();
        let file = Entry::run(self.dir, self.package, &parsed.last, is_built)?;
        let (place, stem) = file.rsplit_once('/').unwrap_or(("", &file));
        let source = self.dir.below(place)?.read(stem)?;
        let (library, _) = QUEUES
            .iter()
            .find(|(library, call)| self.package.has(library) && source.contains(call))?;
        let why = format!(
            "{} works with `{library}` and does not listen, so it has no port",
            self.dir.path_of(&file)
        );
        Some(Server {
            script: Some(name.to_owned()),
            found_by: name.to_owned(),
            ..Server::new(text, parsed, ServerKind::Alone(why))
        })
    }

    /// Returns the command that watches the files of a member of a workspace, if a script of the root starts
    /// all members, or the program of a member that a script of the root starts by its name.
    pub(super) fn watcher_of_member(&self, name: &str) -> Option<Server> {
        let text = self.package.scripts.get(name)?;
        let parsed = Script::parse(text)?;
        let watches = runs_until_stopped(&parsed.last);
        if !watches && !runs_a_file(parsed.last.program()) {
            return None;
        }
        let root = workspace_of(self.dir)?;
        let package = Package::read(&root)?;
        let all = ["dev", "start"]
            .into_iter()
            .find(|script| starts_all_members(&package, script, name));
        let by_name = || starter_of_member(&package, &root, self.dir, name);
        let starter = all.filter(|_| watches).or_else(by_name)?;
        let why = format!(
            "the script `{starter}` in {} starts it as well, and it has no port",
            root.path_of("package.json")
        );
        Some(Server {
            script: Some(name.to_owned()),
            found_by: name.to_owned(),
            ..Server::new(text, parsed, ServerKind::Alone(why))
        })
    }
}

/// Returns the script for development of the root of a workspace that starts the script `name` of the member in
/// `dir` beside others: `concurrently "yarn workspace web dev" "yarn workspace mailer dev"`.
fn starter_of_member<'p>(
    package: &'p Package,
    root: &Dir<'_>,
    dir: &Dir<'_>,
    name: &str,
) -> Option<&'p str> {
    let manifest = dir.json("package.json")?;
    let below = dir.path().strip_prefix(root.path())?;
    let below = below.trim_start_matches('/');
    let is_it = |word: &str| {
        let value = word.split_once('=').map_or(word, |(_, value)| value);
        let value = value.trim_start_matches("./").trim_end_matches('/');
        value == below || manifest["name"].as_str() == Some(value)
    };
    let starts = |part: &str| {
        let mut words = part.split_whitespace();
        let has = |wanted: &dyn Fn(&str) -> bool| part.split_whitespace().any(wanted);
        words.any(|word| MANAGERS.contains(&word)) && has(&|word| word == name) && has(&is_it)
    };
    let scripts = package.scripts.iter().filter(|(script, text)| {
        let is_for_development = script.split([':', '-', '.']).any(|part| part == "dev");
        let parallel = Script::parse(text).is_some_and(|one| is_parallel(&one.last));
        is_for_development && (parallel || Script::at_once(text).len() > 1)
    });
    let mut starters = scripts.filter(|(_, text)| text.split(['"', '\'', '&']).any(starts));
    starters.next().map(|(script, _)| script.as_str())
}

impl Server {
    /// Returns whether its command runs again after each change of a file.
    pub(super) fn watches(&self) -> bool {
        runs_until_stopped(&self.simple)
    }
}

/// Returns whether a command keeps running without serving.
fn runs_until_stopped(command: &SimpleCommand) -> bool {
    let program = command.program();
    let mut arguments = command.arguments().iter();
    WATCHERS.contains(&program)
        || QUEUE_PROGRAMS.contains(&program)
        || is_artisan_worker(command)
        || arguments.any(|argument| WATCH_ARGUMENTS.contains(&argument.as_str()))
}

/// Returns whether a command runs a worker of Laravel.
fn is_artisan_worker(command: &SimpleCommand) -> bool {
    const WORKERS: [&str; 4] = ["queue:listen", "queue:work", "horizon", "schedule:work"];
    let mut arguments = command.arguments().iter();
    command.program() == "php" && arguments.any(|word| WORKERS.contains(&word.as_str()))
}
