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
            } else if !word.starts_with('-') {
                let name = word.strip_prefix("npm:").or_else(|| {
                    // These accept script names only, the others accept commands.
                    (!["concurrently", "conc"].contains(&program)).then_some(word.as_str())
                });
                match name {
                    // `run-p "dev:* -- --open"` passes arguments.
                    Some(name) => started.extend(named(package, first_word(name))),
                    None => started.push(StartTarget::Command(word.clone())),
                }
            }
        }
        return Some(started);
    }
    let first = arguments.first().map_or("", String::as_str);
    let has = |name: &str| package.scripts.contains_key(name);
    let script = match (program, first) {
        ("npm" | "pnpm" | "yarn" | "bun", "run" | "run-script") => arguments.get(1)?,
        ("npm", "start") => first,
        ("node", "--run") => arguments.get(1)?,
        ("pnpm" | "yarn" | "bun", name) if has(name) => name,
        _ => return None,
    };
    // `npm run -w other dev` runs a script of another package.
    let is_here = !simple.words.iter().any(|word| {
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
        let script = is_script.then(|| StartTarget::Script(script.to_owned()));
        script.into_iter().collect()
    })
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or(text)
}

/// Returns the scripts that match a name, which may end with a star.
fn named(package: &Package, name: &str) -> Vec<StartTarget> {
    let scripts = package.scripts.keys();
    let is_it = |script: &&String| match name.split_once('*') {
        Some((before, after)) => {
            script.starts_with(before) && script.ends_with(after.trim_start_matches('*'))
        }
        None => *script == name,
    };
    scripts
        .filter(is_it)
        .cloned()
        .map(StartTarget::Script)
        .collect()
}

/// Returns whether a program that starts several commands runs them at the same time.
pub(super) fn is_parallel(starter: &SimpleCommand) -> bool {
    match starter.program() {
        "concurrently" | "conc" | "run-p" => true,
        "npm-run-all" | "npm-run-all2" => {
            let mut arguments = starter.arguments().iter();
            arguments.any(|argument| ["-p", "--parallel"].contains(&argument.as_str()))
        }
        _ => false,
    }
}

/// What a command starts.
pub(super) enum StartTarget {
    Script(String),
    Command(String),
}
