//! Commands that start scripts and other commands instead of serving: `concurrently`, `run-p`,
//! `npm run`.

use super::package::Package;
use super::script::SimpleCommand;
use portway_project::shell::quote;

/// Programs that start several commands at once, and their options that take a value.
const STARTERS: [(&str, &[&str]); 6] = [
    (
        "concurrently",
        &[
            "-n",
            "--names",
            "-c",
            "--prefix-colors",
            "-p",
            "--prefix",
            "-s",
            "--success",
            "-m",
            "--max-processes",
            "-l",
            "--prefix-length",
            "-t",
            "--timestamp-format",
            "--hide",
            "--restart-tries",
            "--restart-after",
            "--default-input-target",
            "--kill-signal",
            "--teardown",
        ],
    ),
    ("run-p", &["--max-parallel"]),
    ("run-s", &[]),
    ("npm-run-all2", &["--max-parallel"]),
    (
        "conc",
        &["-n", "--names", "-c", "--prefix-colors", "-p", "--prefix"],
    ),
    ("npm-run-all", &["--max-parallel"]),
];

/// Programs that start a server, wait for its address, and start the next one.
const TEST_STARTERS: [&str; 3] = ["start-server-and-test", "start-test", "server-test"];

/// Marks of a script among commands: `concurrently npm:dev`.
const PREFIXES: [&str; 5] = ["npm:", "pnpm:", "yarn:", "bun:", "node:"];

/// Returns the text of a script that a command runs with arguments, followed by these: with
/// `with-env` being `dotenv -e .env --`, `pnpm with-env next dev` runs
/// `dotenv -e .env -- next dev`.
pub(super) fn forwarded(package: &Package, simple: &SimpleCommand) -> Option<String> {
    let arguments = match (simple.program(), simple.arguments()) {
        ("npm" | "pnpm" | "yarn" | "bun", [run, arguments @ ..]) if run == "run" => arguments,
        ("pnpm" | "yarn" | "bun", arguments) => arguments,
        _ => return None,
    };
    let (name, arguments) = arguments.split_first()?;
    let text = package.scripts.get(name)?;
    let arguments = match arguments {
        [first, rest @ ..] if first == "--" => rest,
        arguments => arguments,
    };
    // Options are for the command that the script ends with.
    let is_command = arguments
        .first()
        .is_some_and(|first| !first.starts_with('-'));
    let arguments: Vec<_> = arguments.iter().map(|word| quote(word)).collect();
    is_command.then(|| format!("{text} {}", arguments.join(" ")))
}

/// Returns whether a program starts several commands at once.
pub(super) fn is_starter(program: &str) -> bool {
    STARTERS.iter().any(|(starter, _)| *starter == program)
}

/// Returns what a command starts instead of serving itself; `None` if it starts nothing.
pub(super) fn started(package: &Package, simple: &SimpleCommand) -> Option<Vec<StartTarget>> {
    let (program, arguments) = (simple.program(), simple.arguments());
    let starter = STARTERS.iter().find(|(starter, _)| *starter == program);
    if let Some((_, with_value)) = starter {
        let mut started = Vec::new();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if with_value.contains(&word.as_str()) {
                words.next();
            } else if word == "--" && program != "concurrently" {
                // What follows are arguments for placeholders.
                break;
            } else if !word.starts_with('-') {
                let takes_commands = ["concurrently", "conc"].contains(&program);
                let name = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix));
                match name.filter(|_| takes_commands) {
                    Some(name) => started.extend(named(package, name)),
                    None if takes_commands => started.push(StartTarget::Command(word.clone())),
                    // The others accept the names of scripts only.
                    None => started.extend(named(package, word)),
                }
            }
        }
        return Some(started);
    }
    if TEST_STARTERS.contains(&program) {
        // `start-server-and-test api http://localhost:4000 web`
        let is_address = |word: &&String| {
            word.contains("://") || word.parse::<u16>().is_ok() || word.starts_with([':', '-'])
        };
        let words = arguments.iter().filter(|word| !is_address(word));
        let target = |word: &String| match package.scripts.contains_key(word) {
            true => StartTarget::Script(word.clone(), Vec::new()),
            false => StartTarget::Command(word.clone()),
        };
        return Some(words.map(target).collect());
    }
    let first = arguments.first().map_or("", String::as_str);
    let has = |name: &str| package.scripts.contains_key(name);
    let (script, passed) = match (program, first) {
        ("npm" | "pnpm" | "yarn" | "bun", "run" | "run-script") | ("node", "--run") => {
            // `npm run -s dev`
            let at = (1..arguments.len()).find(|at| !arguments[*at].starts_with('-'))?;
            (arguments[at].as_str(), &arguments[at + 1..])
        }
        ("npm", "start") => (first, &arguments[1..]),
        ("pnpm" | "yarn" | "bun", name) if has(name) => (name, &arguments[1..]),
        _ => return None,
    };
    // `npm run -w other dev` runs a script of another package.
    let mut own = simple.words.iter().take_while(|word| *word != "--");
    let is_here = !own.any(|word| {
        [
            "-w",
            "--workspace",
            "--prefix",
            "-C",
            "--filter",
            "-r",
            "--cwd",
        ]
        .iter()
        .any(|flag| word == flag || word.starts_with(&format!("{flag}=")))
    });
    let is_script = is_here && has(script);
    // `bun run src/index.ts` runs a file.
    (is_script || program != "bun").then(|| {
        let passed = match passed.iter().position(|word| word == "--") {
            Some(at) => passed[at + 1..].to_vec(),
            // It consumes them itself.
            None if ["npm", "node"].contains(&program) => Vec::new(),
            None => passed.to_vec(),
        };
        let script = is_script.then(|| StartTarget::Script(script.to_owned(), passed));
        script.into_iter().collect()
    })
}

/// Returns whether arguments after a command reach the script that it runs: only npm and node need `--`.
pub(super) fn passes_arguments(starter: &SimpleCommand) -> bool {
    match starter.program() {
        "npm" | "node" => starter.arguments().iter().any(|word| word == "--"),
        program => ["pnpm", "yarn", "bun"].contains(&program),
    }
}

/// Returns the scripts that match a name, which may contain a star, and be followed by arguments:
/// `run-p "dev:* -- --open"`.
fn named(package: &Package, text: &str) -> Vec<StartTarget> {
    let mut words = text.split_whitespace().map(str::to_owned);
    let name = words.next().unwrap_or_default();
    let name = name.as_str();
    let passed: Vec<String> = words.skip_while(|word| word == "--").collect();
    let scripts = package.scripts.keys();
    let is_it = |script: &&String| match name.split_once('*') {
        Some((before, after)) => {
            script.starts_with(before) && script.ends_with(after.trim_start_matches('*'))
        }
        None => *script == name,
    };
    scripts
        .filter(is_it)
        .map(|script| StartTarget::Script(script.clone(), passed.clone()))
        .collect()
}

/// Returns whether a program that starts several commands runs them at the same time.
pub(super) fn is_parallel(starter: &SimpleCommand) -> bool {
    match starter.program() {
        "concurrently" | "conc" | "run-p" => true,
        program if TEST_STARTERS.contains(&program) => true,
        "npm-run-all" | "npm-run-all2" => {
            let mut arguments = starter.arguments().iter();
            arguments.any(|argument| ["-p", "--parallel"].contains(&argument.as_str()))
        }
        _ => false,
    }
}

/// What a command starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StartTarget {
    /// A script, with arguments.
    Script(String, Vec<String>),
    Command(String),
}
