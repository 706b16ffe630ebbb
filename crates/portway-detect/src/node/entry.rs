//! The file that starts a server, and the port that its source names.

use super::package::Package;
use super::script::{Script, SimpleCommand};
use super::source::{self, Port};
use super::tools::{CLIENT_LIBRARIES, LIBRARIES};
use crate::Dir;
use portway_project::kind::Kind;

/// A file that serves.
#[derive(Debug)]
pub(super) struct Entry {
    /// Path relative to its package, as written.
    pub(super) file: String,
    pub(super) framework: &'static str,
    pub(super) kind: Kind,
    /// The framework's default port.
    pub(super) usual: u16,
    /// The framework's package, if known.
    pub(super) library: Option<&'static str>,
    /// The port that the source names, and the file that does, relative to the root.
    pub(super) port: Option<(Port, String)>,
}

/// Extensions that a command may omit.
const ENDS: [&str; 7] = ["", ".js", ".ts", ".mjs", ".mts", ".cjs", ".tsx"];

/// The file that a directory stands for.
const INDEX: &str = "index.js";

/// Files that are tried when a command names none.
const USUAL: [&str; 11] = [
    "server.js",
    "app.js",
    "index.js",
    "server.ts",
    "src/index.js",
    "src/index.ts",
    "src/server.ts",
    "src/main.ts",
    "src/app.ts",
    "app.ts",
    "index.ts",
];

/// Parts of names of files that serve nothing, unless they listen themselves.
const WORKER_FILES: [&str; 8] = [
    "worker",
    "queue",
    "cron",
    "scheduler",
    "consumer",
    "processor",
    "jobs",
    "seed",
];

/// Directories that are searched for the port if the entry file does not name it.
const PLACES: [&str; 5] = ["", "src", "config", "src/config", "server"];

/// Maximum number of files that are read.
const MAX_FILES: usize = 60;

impl Entry {
    /// Returns the file that a command runs, if it serves. If a build runs before it (`is_built`), it may be
    /// what the build makes.
    pub(super) fn of(
        dir: &Dir<'_>,
        package: &Package,
        command: &SimpleCommand,
        is_built: bool,
    ) -> Option<Self> {
        let file = Self::run(dir, package, command, is_built)?;
        let entry = Self::serving(dir, package, file)?;
        // Packages have workers beside their servers.
        let stem = entry
            .file
            .rsplit('/')
            .next()
            .unwrap_or("")
            .to_ascii_lowercase();
        let is_worker = WORKER_FILES.iter().any(|part| stem.contains(part))
            && !read(dir, &entry.file).is_some_and(|text| source::has_server(&text));
        (!is_worker).then_some(entry)
    }

    /// Returns the source of the file that a command runs, also if the command does not name it.
    pub(super) fn run(
        dir: &Dir<'_>,
        package: &Package,
        command: &SimpleCommand,
        is_built: bool,
    ) -> Option<String> {
        let file = Self::source(dir, command);
        let usual = || usual(dir, package);
        match command.program() {
            "nodemon" | "bun" => file.or_else(usual),
            program if BUILDERS.contains(&program) && command.flag(&AFTER_BUILD).is_some() => {
                file.or_else(usual)
            }
            "node" if is_built => file
                .or_else(|| source_of_built(dir, command))
                .or_else(|| runs_built(command).then(usual)?),
            _ => file,
        }
    }

    /// Returns the source file that a command runs.
    pub(super) fn source(dir: &Dir<'_>, command: &SimpleCommand) -> Option<String> {
        if let Some(file) = after_build(dir, command) {
            return Some(file);
        }
        let words = command.arguments().iter();
        // `--exec 'ts-node src/x.ts'`
        let mut words = words.flat_map(|word| word.split_whitespace());
        words.find_map(|word| resolve(dir, word))
    }

    /// Returns the file to run when no script names one.
    pub(super) fn usual(dir: &Dir<'_>, package: &Package) -> Option<Self> {
        let entry = Self::serving(dir, package, usual(dir, package)?)?;
        // It must listen itself: libraries have an `index.js` too.
        let is_sure = entry.port.is_some() && entry.file.ends_with("js");
        is_sure.then_some(entry)
    }

    /// Returns the file at this path, if it exists and serves.
    pub(super) fn at(dir: &Dir<'_>, package: &Package, file: &str) -> Option<Self> {
        Self::serving(dir, package, resolve(dir, file)?)
    }

    /// The variable from which it reads its port.
    pub(super) fn port_variable(&self) -> &str {
        match &self.port {
            Some((Port::Reads { variable, .. }, _)) => variable,
            _ => "PORT",
        }
    }

    fn serving(dir: &Dir<'_>, package: &Package, file: String) -> Option<Self> {
        let mut texts: Vec<(String, String)> = Vec::new();
        texts.extend(read(dir, &file).map(|text| (dir.path_of(&file), text)));
        let own = file.rsplit_once('/').map_or("", |(place, _)| place);
        for place in std::iter::once(own).chain(PLACES) {
            let Some(place) = dir.below(place) else {
                continue;
            };
            // `app.config.ts` there is part of the application.
            let is_config =
                |name: &str| place.name() == "config" && is_source(&name.replace(".config.", "."));
            for name in place
                .files()
                .filter(|name| is_source(name) || is_config(name))
            {
                let path = place.path_of(name);
                if texts.len() < MAX_FILES && texts.iter().all(|(known, _)| *known != path) {
                    texts.extend(place.read(name).map(|text| (path, text)));
                }
            }
        }
        let serves = texts.iter().any(|(_, text)| source::has_server(text));
        let library = LIBRARIES.iter().find(|(name, ..)| package.has(name));
        let is_sure = library.is_some_and(|(name, ..)| !CLIENT_LIBRARIES.contains(name));
        if !is_sure && !serves {
            return None;
        }
        let find_port = |wanted: fn(&Port) -> bool| {
            texts.iter().find_map(|(path, text)| {
                let port = source::port(text).filter(wanted)?;
                Some((port, path.clone()))
            })
        };
        // The file that runs says its own port. Otherwise, a port that a helper reads from the environment
        // takes precedence over a number.
        let own = texts
            .first()
            .filter(|(path, text)| *path == dir.path_of(&file) && source::has_server(text));
        let own = own.and_then(|(path, text)| Some((source::port(text)?, path.clone())));
        let port = own.or_else(|| find_port(|port| matches!(port, Port::Reads { .. })));
        let port = port.or_else(|| find_port(|port| matches!(port, Port::Literal(..))));
        let (library, framework, kind, usual) = match library {
            Some((library, framework, kind, usual)) => (Some(*library), *framework, *kind, *usual),
            None => (None, "node", Kind::Http, 3000),
        };
        Some(Self {
            file,
            framework,
            kind,
            usual,
            library,
            port,
        })
    }
}

/// Programs that build, and start another command afterwards.
const BUILDERS: [&str; 3] = ["tsc-watch", "tsdown", "tsup"];

/// Options of [`BUILDERS`] whose value is that command.
const AFTER_BUILD: [&str; 3] = ["--onSuccess", "--on-success", "--onFirstSuccess"];

/// Returns the source of what a command runs after each build: `tsdown --watch --onSuccess "node dist/x.mjs"`
/// runs what is built from `src/x.ts`.
fn after_build(dir: &Dir<'_>, command: &SimpleCommand) -> Option<String> {
    if !BUILDERS.contains(&command.program()) {
        return None;
    }
    source_of_built(dir, &Script::parse(command.flag(&AFTER_BUILD)?)?.last)
}

/// Returns whether a command runs a file that a build makes.
fn runs_built(command: &SimpleCommand) -> bool {
    let mut words = command.arguments().iter();
    let first = |word: &String| {
        let path = word.trim_start_matches("./").to_owned();
        path.split('/')
            .next()
            .is_some_and(|first| path != *first && is_built(first))
            || path == "."
    };
    words.any(first)
}

/// Returns the source of the built file that a command runs.
fn source_of_built(dir: &Dir<'_>, run: &SimpleCommand) -> Option<String> {
    let words = || run.arguments().iter().filter(|word| !word.starts_with('-'));
    let path = words().find(|word| *word == "." || word.contains('/') || word.ends_with("js"))?;
    let main = Package::read(dir).and_then(|package| package.main);
    let path = match path.as_str() {
        "." | "./" => main.as_deref()?,
        path => path,
    };
    let path = path.trim_start_matches("./");
    let (first, rest) = path.split_once('/').unwrap_or(("", path));
    let stem = rest.rsplit_once('.').map_or(rest, |(stem, _)| stem);
    let is_built = is_built(first) || first.is_empty();
    let source = is_built.then(|| [format!("src/{stem}"), stem.to_owned()]);
    source?.iter().find_map(|file| resolve(dir, file))
}

/// Returns whether a directory with this name contains what a build makes.
fn is_built(name: &str) -> bool {
    ["dist", "build", "out", "lib", "node_modules"].contains(&name)
}

fn usual(dir: &Dir<'_>, package: &Package) -> Option<String> {
    let main = package.main.iter().map(String::as_str);
    main.chain(USUAL).find_map(|file| resolve(dir, file))
}

/// Resolves an argument of a command to a file with its extension.
fn resolve(dir: &Dir<'_>, word: &str) -> Option<String> {
    let word = word.trim_start_matches("./");
    if word.is_empty() || word.starts_with(['-', '/']) || word.contains("..") {
        return None;
    }
    // Build output is skipped, because its source is read.
    let first = word.split('/').next().unwrap_or("");
    let (place, name) = word.rsplit_once('/').unwrap_or(("", word));
    if !place.is_empty() && (is_built(first) || !dir.has(first)) {
        return None;
    }
    let below = match place {
        "" => None,
        place => Some(dir.below(place)?),
    };
    let at = below.as_ref().unwrap_or(dir);
    let is_file = |name: &str| {
        let mut files = at.files();
        (is_source(name) || !name.contains('.')) && files.any(|file| file == name)
    };
    let end = ENDS.iter().find(|end| is_file(&format!("{name}{end}")));
    if let Some(end) = end {
        return Some(format!("{word}{end}"));
    }
    let sub = at.sub(name).filter(|_| !is_built(first))?;
    sub.files()
        .any(|file| file == INDEX)
        .then(|| format!("{word}/{INDEX}"))
}

fn read(dir: &Dir<'_>, file: &str) -> Option<String> {
    let (place, name) = file.rsplit_once('/').unwrap_or(("", file));
    dir.below(place)?.read(name)
}

fn is_source(name: &str) -> bool {
    let ends = [".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".tsx"];
    let is_test = name.contains(".test.") || name.contains(".spec.") || name.contains(".config.");
    ends.iter().any(|end| name.ends_with(end)) && !name.ends_with(".d.ts") && !is_test
}
