//! What the scripts of a project say about its servers: tasks of poe, taskipy, PDM, Hatch, Rye and Pipenv,
//! Makefiles, justfiles, shell scripts and the scripts of a `package.json`.

use toml::Value;

use super::packages::Packages;
use crate::Dir;

/// A command of a script that starts a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hint {
    /// Where it is: "Makefile:3".
    pub(super) place: String,
    /// The program: `uvicorn`, `flask`, `python`.
    pub(super) program: String,
    /// The module and the object that it serves.
    pub(super) target: Option<(String, String)>,
    /// The file that it runs, relative to the project.
    pub(super) file: Option<String>,
    pub(super) port: Option<u16>,
}

/// Files with commands.
const FILES: [&str; 5] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
];

/// Programs that serve an application by its module.
const SERVERS: [&str; 6] = [
    "uvicorn",
    "hypercorn",
    "granian",
    "gunicorn",
    "sanic",
    "flask",
];

/// Programs that run another program.
const RUNNERS: [&str; 6] = ["poetry", "uv", "pdm", "pipenv", "hatch", "rye"];

/// Maximum number of commands that are read.
const MAX_COMMANDS: usize = 400;

impl Hint {
    /// Returns whether it runs a file of the project.
    pub(super) fn starts(&self, file: &str) -> bool {
        self.program == "python" && self.file.as_deref() == Some(file)
    }
}

/// Returns what the scripts of the project in `dir` start, those for development first.
pub(super) fn hints(dir: &Dir<'_>, packages: Option<&Packages>) -> Vec<Hint> {
    let mut all: Vec<(String, String, String)> = Vec::new();
    if let Some(table) = packages.and_then(|packages| packages.pyproject.as_ref()) {
        let file = dir.path_of("pyproject.toml");
        for (name, command) in tasks(table.get("tool")) {
            all.push((file.clone(), name, command));
        }
    }
    if let Some(table) = dir
        .toml("Pipfile")
        .filter(|table| table.contains_key("scripts"))
    {
        for (name, command) in entries(table.get("scripts")) {
            all.push((dir.path_of("Pipfile"), name, command));
        }
    }
    let mut up = String::new();
    for at in dir.upwards() {
        let is_own = up.is_empty();
        for (place, name, command) in scripts(&at) {
            // A command of a directory above says that it is for this one.
            match (is_own, within(&command, up.trim_end_matches('/'))) {
                (true, _) => all.push((place, name, command)),
                (false, Some(rest)) => all.push((place, name, rest)),
                (false, None) => {}
            }
        }
        up = format!("{}/{up}", at.name());
    }
    all.truncate(MAX_COMMANDS);
    let is_for_development = |name: &str| {
        let words = ["dev", "start", "serve", "run", "watch", "local"];
        words.iter().any(|word| name.contains(word)) && !name.contains("prod")
    };
    all.sort_by_key(|(_, name, _)| !is_for_development(name));
    let parsed = all.into_iter().flat_map(|(place, _, command)| {
        let parts = command.split(['&', ';', '|', '\n']).map(str::to_owned);
        let hints = parts.filter_map(|part| parse(&part));
        let hints = hints.map(|hint| Hint {
            place: place.clone(),
            ..hint
        });
        hints.collect::<Vec<_>>()
    });
    parsed.collect()
}

/// Returns the commands of files in a directory: place, name, text.
fn scripts(dir: &Dir<'_>) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    if let Some(file) = dir.first_of(&FILES) {
        let text = dir.read(file).unwrap_or_default();
        let mut target = String::new();
        for (index, line) in text.lines().enumerate() {
            if line.starts_with([' ', '\t']) {
                let command = line.trim().trim_start_matches(['@', '-']);
                let place = format!("{}:{}", dir.path_of(file), index + 1);
                all.push((place, target.clone(), expand(command, &text)));
            } else if let Some((name, _)) = line.split_once(':') {
                target = name.to_owned();
            }
        }
    }
    for file in dir.files().filter(|name| name.ends_with(".sh")) {
        let text = dir.read(file).unwrap_or_default();
        for (index, line) in text.lines().enumerate() {
            let place = format!("{}:{}", dir.path_of(file), index + 1);
            all.push((place, file.to_owned(), expand(line.trim(), &text)));
        }
    }
    if dir.has("package.json")
        && let Some(package) = dir.json("package.json")
    {
        let scripts = package["scripts"].as_object();
        for (name, command) in scripts.into_iter().flatten() {
            let command = command
                .as_str()
                .unwrap_or_default()
                .replace(['"', '\''], ";");
            all.push((dir.path_of("package.json"), name.clone(), command));
        }
    }
    all
}

/// Returns the part of a command that runs in the directory `below`: what follows `cd below &&`.
pub(super) fn within(command: &str, below: &str) -> Option<String> {
    let (_, rest) = command
        .match_indices("cd ")
        .map(|(at, _)| command[at + 3..].split_at(command[at + 3..].find(['&', ';']).unwrap_or(0)))
        .find(|(dir, _)| dir.trim().trim_start_matches("./").trim_end_matches('/') == below)?;
    // Until another command changes the directory.
    let rest = rest.trim_start_matches(['&', ';', ' ']);
    Some(rest.split("cd ").next().unwrap_or(rest).to_owned())
}

/// Returns the tasks of `pyproject.toml`.
fn tasks(tool: Option<&Value>) -> Vec<(String, String)> {
    let get = |keys: [&str; 2]| tool?.get(keys[0])?.get(keys[1]);
    let mut all = Vec::new();
    for keys in [
        ["poe", "tasks"],
        ["taskipy", "tasks"],
        ["pdm", "scripts"],
        ["rye", "scripts"],
    ] {
        all.extend(entries(get(keys)));
    }
    let envs = get(["hatch", "envs"]).and_then(Value::as_table);
    for (_, env) in envs.into_iter().flatten() {
        all.extend(entries(env.get("scripts")));
    }
    all
}

/// Returns the commands of a table of tasks: a text, a list, or a table with one of them.
fn entries(table: Option<&Value>) -> Vec<(String, String)> {
    fn text(value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Array(all) => {
                let words = all.iter().filter_map(Value::as_str);
                Some(words.collect::<Vec<_>>().join(" "))
            }
            Value::Table(table) => ["cmd", "shell"]
                .iter()
                .find_map(|key| text(table.get(*key)?)),
            _ => None,
        }
    }
    let table = table.and_then(Value::as_table);
    let table = table.into_iter().flatten();
    table
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .collect()
}

/// Replaces variables of a Makefile, a justfile or a shell by their values in the same file.
pub(super) fn expand(command: &str, text: &str) -> String {
    let mut all = command.to_owned();
    for (open, close) in [("$(", ")"), ("${", "}"), ("{{", "}}")] {
        let mut from = 0;
        while let Some(at) = all[from..].find(open).map(|at| from + at) {
            let Some(end) = all[at..].find(close).map(|end| at + end) else {
                break;
            };
            let inner = all[at + open.len()..end].trim().to_owned();
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (inner.as_str(), None),
            };
            let set = text.lines().find_map(|line| {
                let rest = line
                    .trim_start_matches("export ")
                    .strip_prefix(name)?
                    .trim_start();
                let rest = rest.trim_start_matches([':', '?']).strip_prefix('=')?;
                Some(rest.trim().trim_matches(['"', '\'']).to_owned())
            });
            let value = set.or(default);
            let value = value.filter(|value| !value.contains(open));
            from = match value {
                Some(value) => {
                    all.replace_range(at..end + close.len(), &value);
                    at + value.len()
                }
                None => end,
            };
        }
    }
    all
}

/// Parses one command.
pub(super) fn parse(command: &str) -> Option<Hint> {
    let words: Vec<String> = shlex::Shlex::new(command).collect();
    let mut words = words.iter().map(String::as_str).peekable();
    let is_assignment = |word: &&str| {
        word.split_once('=')
            .is_some_and(|(name, _)| is_variable(name))
    };
    while words
        .peek()
        .is_some_and(|word| is_assignment(word) || ["exec", "env"].contains(word))
    {
        words.next();
    }
    let mut program = base(words.next()?);
    if RUNNERS.contains(&program) && words.peek() == Some(&"run") {
        words.next();
        // Options of uv have values, which are no programs.
        program = base(words.find(|word| !word.starts_with('-'))?);
    }
    let is_python = |program: &str| program.starts_with("python");
    if is_python(program) && words.peek() == Some(&"-m") {
        words.next();
        let module = words.next()?;
        if !SERVERS.contains(&module) {
            return Some(Hint {
                program: "python".into(),
                file: Some(format!("{}.py", module.replace('.', "/"))),
                ..Hint::default()
            });
        }
        program = module;
    }
    let words: Vec<&str> = words.collect();
    let option = |names: &[&str]| {
        words.iter().enumerate().find_map(|(index, word)| {
            names
                .iter()
                .find_map(|name| match word.strip_prefix(name)? {
                    "" => words.get(index + 1).copied(),
                    rest => rest.strip_prefix('='),
                })
        })
    };
    let file = || words.iter().find(|word| word.ends_with(".py"));
    let path = |file: &&str| file.trim_start_matches("./").to_owned();
    let port = |text: &str| {
        text.rsplit(':')
            .next()?
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
    };
    let mut hint = Hint {
        program: program.to_owned(),
        port: option(&["--port", "-p", "--server.port"])
            .or_else(|| option(&["--bind", "-b"]))
            .and_then(port),
        ..Hint::default()
    };
    match program {
        program if SERVERS.contains(&program) => {
            let named = option(&["--app", "-A"]);
            let mut targets = words
                .iter()
                .copied()
                .filter(|word| word.contains(':') && !word.contains('/'));
            let target = named
                .or_else(|| targets.find(|word| !word.starts_with('-') && port(word).is_none()));
            hint.target = target.and_then(|target| {
                let (module, object) = target.split_once(':')?;
                let object = object.trim_end_matches("()");
                Some((module.to_owned(), object.to_owned()))
            });
        }
        "fastapi" | "streamlit" | "chainlit" => hint.file = file().map(path),
        program if is_python(program) => {
            hint.program = "python".into();
            hint.file = Some(path(file()?));
            if hint
                .file
                .as_deref()
                .is_some_and(|file| file.ends_with("manage.py"))
            {
                let at = words.iter().position(|word| *word == "runserver")?;
                hint.program = "django".into();
                hint.port = words[at + 1..].iter().find_map(|word| port(word));
            }
        }
        _ => return None,
    }
    Some(hint)
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
