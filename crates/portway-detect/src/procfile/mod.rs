//! `Procfile.dev` and `Procfile`: one `name: command` a line, as foreman and Heroku have it.
//!
//! There every process is told its port by the variable PORT, and a line that is to be reached
//! says `$PORT` or runs a program that reads the variable. Both go on to work, for Portway tells
//! PORT too.

pub(super) mod command;

use self::command::Listens;
use super::shell::literal;
use super::{Dir, Found, FoundPort, Surroundings};
use portway_project::env_file;
use portway_project::kind::Kind;

/// The files, the one for development first.
const FILES: [&str; 2] = ["Procfile.dev", "Procfile"];

/// Foreman's first port, and its step from line to line.
const FIRST_PORT: u16 = 5000;
const STEP: u16 = 100;

/// The steps from the first port to the last hundred that is whole.
const STEPS: u16 = (u16::MAX - FIRST_PORT) / STEP;

/// So many wrong lines are named; a file with more of them is none.
const NAMED: usize = 20;

/// What the lines of a Procfile say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Procfile {
    /// The processes, in the order of the lines.
    pub processes: Vec<Process>,
    /// The lines that cannot be used.
    pub wrong: Vec<WrongLine>,
}

/// One line that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The line, from 1.
    pub line: usize,
    /// The process' name.
    pub name: String,
    /// Its command.
    pub command: String,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongLine {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, as the end of a sentence.
    pub why: String,
}

/// Reads the text of a Procfile. Blank lines and comments count for nothing; a line that is wrong
/// does not spoil the others.
pub fn parse(text: &str) -> Procfile {
    let mut file = Procfile::default();
    let mut names = std::collections::BTreeSet::new();
    let text = text.trim_start_matches('\u{feff}');
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let parts = trimmed.split_once(':');
        let parts = parts.map(|(name, command)| (name.trim_end(), command.trim()));
        match parts.filter(|(name, command)| is_name(name) && !command.is_empty()) {
            None => file.wrong.push(WrongLine {
                line: number,
                why: "is no `name: command`".into(),
            }),
            Some((name, _)) if !names.insert(name) => file.wrong.push(WrongLine {
                line: number,
                why: format!("is a second `{name}`"),
            }),
            Some((name, command)) => file.processes.push(Process {
                line: number,
                name: name.to_owned(),
                command: command.to_owned(),
            }),
        }
    }
    file
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    !name.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The services of the root's Procfile.
pub(super) fn read(root: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let Some(file) = root.first_of(&FILES) else {
        return Vec::new();
    };
    let Some(text) = root.read(file) else {
        return Vec::new();
    };
    let Procfile {
        mut processes,
        wrong,
    } = parse(&text);
    let more = wrong.len().saturating_sub(NAMED);
    for WrongLine { line, why } in wrong.into_iter().take(NAMED) {
        root.skip(&format!("{file}:{line}"), why);
    }
    if more > 0 {
        root.skip(file, format!("has {more} more lines that are no processes"));
    }
    processes.retain(|process| {
        let is_release = process.name == "release";
        if is_release {
            let why = "is `release`, which belongs to a deployment";
            root.skip(&format!("{file}:{}", process.line), why);
        }
        !is_release
    });
    // `web` comes first and has the first port, wherever its line stands.
    processes.sort_by_key(|process| process.name != "web");
    let (env_file, first) = surrounding_files(root, surroundings);
    let mut found = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        let mut one = service(root, file, process, nth_port(first, index));
        if env_file {
            one.more.push("env_file = \".env\"".into());
            one.evidence
                .push("its variables are in .env, as foreman reads them".into());
        }
        found.push(one);
    }
    found
}

/// The port of the process at `index` from 0, where `first` is that of the first one. Beyond the last
/// port they begin again at foreman's, so that each still has a hundred to move in.
pub(super) fn nth_port(first: u16, index: usize) -> u16 {
    let steps = u16::try_from(index % usize::from(STEPS)).unwrap_or(0) * STEP;
    let wanted = first.checked_add(steps).filter(|_| index < STEPS.into());
    let is_whole = |port: &u16| index == 0 || *port <= u16::MAX - STEP;
    wanted.filter(is_whole).unwrap_or(FIRST_PORT + steps)
}

/// Whether there is a `.env` that can be used, and the first port: the user's, the one that `.env`
/// or Rails' `bin/dev` has, else foreman's.
fn surrounding_files(root: &Dir<'_>, surroundings: &Surroundings<'_>) -> (bool, u16) {
    let variables = root.read(".env").and_then(|text| {
        let parsed = env_file::parse(&text);
        let noted = parsed.inspect_err(|error| root.skip(".env", format!("is wrong: {error}")));
        noted.ok()
    });
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let told = variables
        .as_ref()
        .and_then(|all| port(all.get("PORT")?))
        .or_else(|| {
            let bin = root.sub("bin")?.read("dev")?;
            let (_, rest) = bin.split_once("${PORT:-")?;
            port(rest.split_once('}')?.0)
        });
    let first = (surroundings.preferred)("procfile").or(told);
    (variables.is_some(), first.unwrap_or(FIRST_PORT))
}

fn service(root: &Dir<'_>, file: &str, process: &Process, port: u16) -> Found {
    let Process {
        line,
        name,
        command,
    } = process;
    let inferred = Kind::infer(name, command);
    let mut found = Found::http(root, "procfile", literal(command), FoundPort::Prefer(port))
        .of_kind(inferred)
        .because(format!("{file}:{line} has `{name}`"));
    found.name.clone_from(name);
    match command::listens(command, inferred) {
        Listens::WherePortSays(why) => found.because(why),
        Listens::WhereVariableSays(variable) => found.told(variable, "{port}").because(format!(
            "its program takes its port from {variable}, which is set to it"
        )),
        Listens::At(port, why) => {
            found.port = Some(FoundPort::Only(port));
            found.because(why)
        }
        Listens::Unknown if name == "web" => {
            found.because("a process `web` is reached at PORT by custom")
        }
        Listens::Unknown => found
            .without_port()
            .because("nothing in its command is a port, so it has none"),
    }
}

#[cfg(test)]
mod tests;
