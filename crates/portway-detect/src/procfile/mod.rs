//! `Procfile.dev` and `Procfile`: one `name: command` per line, as foreman and Heroku define it.
//!
//! These tools set the port of every process in the variable PORT. A line that listens contains
//! `$PORT` or runs a program that reads it. Both work unchanged, because Portway also sets PORT.

pub(super) mod command;
pub(super) mod deployment;
pub(super) mod moved;
pub(super) mod package;
mod script;
pub(super) mod written;

use self::command::Listens;
use super::shell::literal;
use super::{DetectContext, DetectedPort, DetectedService, Dir, caddy, node, python};
use portway_project::kind::Kind;

/// File names, the development file first.
const FILES: [&str; 2] = ["Procfile.dev", "Procfile"];

/// The settings of overmind and of foreman.
const SETTINGS: (&str, &str) = (".overmind.env", ".foreman");

/// Foreman's first port, and its increment from line to line.
const FIRST_PORT: u16 = 5000;
const STEP: u16 = 100;

/// Number of increments up to the last full range of 100 ports.
const STEPS: u16 = (u16::MAX - FIRST_PORT) / STEP;

/// Maximum number of invalid lines that are reported; a file with more is not a Procfile.
const MAX_REPORTED: usize = 20;

/// A parsed Procfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Procfile {
    /// The processes, in the order of the lines.
    pub processes: Vec<Process>,
    /// The invalid lines.
    pub invalid_lines: Vec<InvalidLine>,
}

/// One valid line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Line number, from 1.
    pub line: usize,
    /// The process name.
    pub name: String,
    /// Its command.
    pub command: String,
}

/// An invalid line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLine {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong with it, as the predicate of a sentence.
    pub problem: String,
}

/// Parses the text of a Procfile. Skips blank lines and comments; an invalid line does not affect
/// the others.
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
            None => file.invalid_lines.push(InvalidLine {
                line: number,
                problem: "does not have the form `name: command`".into(),
            }),
            Some((name, _)) if !names.insert(name) => file.invalid_lines.push(InvalidLine {
                line: number,
                problem: format!("repeats the name `{name}`"),
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

/// Detects the services of the Procfile in the root.
pub(super) fn read(root: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let settings = Settings::read(root);
    let chosen = settings.file.as_deref().filter(|file| root.has(file));
    let Some(file) = chosen.or_else(|| root.first_of(&FILES)) else {
        return Vec::new();
    };
    let Some(text) = root.read(file) else {
        return Vec::new();
    };
    let Procfile {
        mut processes,
        invalid_lines,
    } = parse(&text);
    let more = invalid_lines.len().saturating_sub(MAX_REPORTED);
    for InvalidLine { line, problem } in invalid_lines.into_iter().take(MAX_REPORTED) {
        root.skip(&format!("{file}:{line}"), problem);
    }
    if more > 0 {
        root.skip(file, format!("has {more} more invalid lines"));
    }
    processes.retain(|process| {
        let is_release = process.name == "release";
        if is_release {
            let why = "is `release`, which belongs to a deployment";
            root.pass_over(&format!("{file}:{}", process.line), why);
        }
        !is_release
    });
    // `web` gets the first port, wherever its line is.
    processes.sort_by_key(|process| process.name != "web");
    let (env_file, first) = surrounding_files(root, settings.port, context);
    let has_web = processes.iter().any(|process| process.name == "web");
    let mut found = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        let is_client = process.name != "web" && command::only_calls(&process.command);
        let mut one = match is_client {
            true => client(root, file, process, has_web),
            false => service(root, file, process, nth_port(first, index), context),
        };
        one.names_addresses = true;
        if env_file {
            one.more.push("env_file = \".env\"".into());
            one.evidence
                .push("its variables are in .env, as foreman reads them".into());
        }
        found.push(one);
    }
    found
}

/// Returns the port of the process at `index` (from 0), where `first` is the port of the first
/// process. After the last full range, ports start again at foreman's first, so each process still
/// has 100 ports to choose from.
pub(super) fn nth_port(first: u16, index: usize) -> u16 {
    let steps = u16::try_from(index % usize::from(STEPS)).unwrap_or(0) * STEP;
    let wanted = first.checked_add(steps).filter(|_| index < STEPS.into());
    let is_whole = |port: &u16| index == 0 || *port <= u16::MAX - STEP;
    wanted.filter(is_whole).unwrap_or(FIRST_PORT + steps)
}

/// Returns whether a usable `.env` exists, and the first port: the user's, the one in `.env` or in
/// Rails' `bin/dev`, or else foreman's.
fn surrounding_files(
    root: &Dir<'_>,
    chosen: Option<u16>,
    context: &DetectContext<'_>,
) -> (bool, u16) {
    let variables = root.dotenv(".env");
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let configured = chosen
        .or_else(|| port(variables.as_ref()?.get("PORT")?))
        .or_else(|| {
            let bin = root.sub("bin")?.read("dev")?;
            let (_, rest) = bin.split_once("${PORT:-")?;
            port(rest.split_once('}')?.0)
        });
    let first = (context.preferred)("procfile").or(configured);
    (variables.is_some(), first.unwrap_or(FIRST_PORT))
}

/// What the settings of overmind or foreman choose.
#[derive(Debug, Default)]
struct Settings {
    /// Another Procfile.
    file: Option<String>,
    /// The first port.
    port: Option<u16>,
}

impl Settings {
    fn read(root: &Dir<'_>) -> Self {
        let (overmind, foreman) = SETTINGS;
        if root.has(overmind) {
            let variables = root.dotenv(overmind).unwrap_or_default();
            return Self {
                file: variables.get("OVERMIND_PROCFILE").cloned(),
                port: variables
                    .get("OVERMIND_PORT")
                    .and_then(|port| port.parse().ok()),
            };
        }
        let Some(settings) = root.has(foreman).then(|| root.yaml(foreman)).flatten() else {
            return Self::default();
        };
        let text = |key: &str| settings.get(key).and_then(crate::yaml::scalar);
        Self {
            file: text("procfile"),
            port: text("port").and_then(|port| port.parse().ok()),
        }
    }
}

/// Builds the service of one command that no file defines and that may listen on any port.
pub(super) fn alone(root: &Dir<'_>, command: &str, context: &DetectContext<'_>) -> DetectedService {
    let process = Process {
        line: 0,
        // Unless the command says otherwise, it listens on `PORT`.
        name: "web".to_owned(),
        command: command.to_owned(),
    };
    let first = (context.preferred)("procfile").unwrap_or(FIRST_PORT);
    let mut found = service(root, "", &process, first, context);
    // The name of the process says nothing about it.
    if found.framework == "procfile" {
        found.kind = Kind::infer("", command);
    }
    found
        .evidence
        .retain(|sentence| !sentence.starts_with(':') && !sentence.contains("the process `web`"));
    found
}

fn service(
    root: &Dir<'_>,
    file: &str,
    process: &Process,
    port: u16,
    context: &DetectContext<'_>,
) -> DetectedService {
    let Process {
        line,
        name,
        command,
    } = process;
    let is_for_deployment = deployment::is_for_deployment(root) && file == "Procfile";
    // A deployment starts `npm start`, which is not for development.
    let is_for_development = !is_for_deployment || command.contains("dev");
    if is_for_development && let Some(mut found) = package::server(root, command, context) {
        found.name.clone_from(name);
        found
            .evidence
            .insert(0, format!("{file}:{line} defines `{name}`"));
        return found;
    }
    if let Some(mut found) = caddy::server(root, command) {
        found.name.clone_from(name);
        return found.with_evidence(format!("{file}:{line} defines `{name}`"));
    }
    let inferred = Kind::infer(name, command);
    let mut found = DetectedService::http(
        root,
        "procfile",
        literal(command),
        DetectedPort::Preferred(port),
    )
    .with_kind(inferred)
    .with_evidence(format!("{file}:{line} defines `{name}`"));
    found.name.clone_from(name);
    match command::listens(command, inferred) {
        Listens::WherePortSays(why) => found.with_evidence(why),
        Listens::WhereVariableSays(variable) => {
            let set = root.has(".env").then(|| root.dotenv(".env")).flatten();
            let set = set.and_then(|all| all.get(&variable)?.parse().ok());
            let default = written::named_variable(command).and_then(|(_, port)| port);
            if let Some(port) = set.or(default) {
                found.port = Some(DetectedPort::Preferred(port));
                found.is_port_written = true;
            }
            found.with_env(&variable, "{port}").with_evidence(format!(
                "its program reads its port from {variable}, which Portway sets"
            ))
        }
        Listens::At(port, why) => match moved::moved(&found.command) {
            Some(moved) => moved.apply(found),
            None => {
                found.port = Some(DetectedPort::Fixed(port));
                found.with_evidence(why)
            }
        },
        Listens::Unknown if let Some(found) = script::of_script(root, &found) => found,
        Listens::Unknown if name == "web" => {
            let of_source = of_source(root, found.clone());
            match of_source.port {
                Some(_) => of_source,
                None => found.with_evidence("by convention, the process `web` listens on PORT"),
            }
        }
        Listens::Unknown => of_source(root, found),
    }
}

/// Returns the server that a command in `dir` starts, if the command or the source that it runs shows the port.
pub(super) fn server(dir: &Dir<'_>, command: &str) -> Option<DetectedService> {
    let found = DetectedService::http(
        dir,
        "procfile",
        literal(command),
        DetectedPort::Preferred(FIRST_PORT),
    );
    match command::listens(command, found.kind) {
        Listens::WherePortSays(why) => Some(found.with_evidence(why)),
        Listens::WhereVariableSays(variable) => {
            let why = format!("its program reads its port from {variable}, which Portway sets");
            Some(found.with_env(&variable, "{port}").with_evidence(why))
        }
        Listens::At(..) => Some(moved::moved(&found.command)?.apply(found)),
        Listens::Unknown => Some(of_source(dir, found)).filter(|found| found.port.is_some()),
    }
}

/// Sets the port that the source file in a command names, if it does.
pub(super) fn of_source(root: &Dir<'_>, mut found: DetectedService) -> DetectedService {
    let words: Vec<String> = shlex::Shlex::new(&found.command).collect();
    let port = words.iter().find_map(|word| {
        let (place, name) = word.rsplit_once('/').unwrap_or(("", word));
        let (_, extension) = name.rsplit_once('.')?;
        let text = || root.below(place)?.read(name);
        let port = match extension {
            "js" | "mjs" | "cjs" | "ts" | "mts" => node::port_of(&text()?)?,
            "py" => Err(python::run_port(&text()?)?),
            _ => return None,
        };
        Some((port, word.trim_start_matches("./").to_owned()))
    });
    match port {
        Some((Ok(variable), file)) => {
            // Its command may set the variable itself.
            if let Some(moved) = moved::of_variable(&found.command, &variable) {
                found = moved.apply(found);
            }
            if variable != "PORT" {
                found = found.with_env(&variable, "{port}");
            }
            found.with_evidence(format!("{file} reads its port from `{variable}`"))
        }
        Some((Err((port, line)), file)) => {
            found.port = Some(DetectedPort::Fixed(port));
            found.with_evidence(format!(
                "{file}:{line} requires port {port}; read `PORT` there to allow any port"
            ))
        }
        None => found
            .without_port()
            .with_evidence("its command names no port, so it has none"),
    }
}

/// Builds the service of a process that connects to `$PORT` instead of listening. Foreman would pass
/// it a port of its own, on which nothing listens.
fn client(root: &Dir<'_>, file: &str, process: &Process, has_web: bool) -> DetectedService {
    let Process {
        line,
        name,
        command,
    } = process;
    let mut text = literal(command).into_owned();
    if has_web {
        text = command::replace_port(&text, "{web.port}");
    }
    let mut found = DetectedService::http(root, "procfile", text, DetectedPort::Preferred(1))
        .without_port()
        .with_evidence(format!("{file}:{line} defines `{name}`"));
    found.name.clone_from(name);
    found.with_evidence(match has_web {
        true => "it connects to `$PORT` and does not listen; Portway passes the port of `web`",
        false => "it connects to `$PORT` and does not listen, so it has no port",
    })
}

#[cfg(test)]
mod tests;
