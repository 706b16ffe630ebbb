//! The file that starts a server, and the port that its source names.

use std::collections::BTreeSet;

use super::constants;
use super::files::{is_built, is_source, read, resolve};
use super::imports;
use super::package::Package;
use super::script::{Script, SimpleCommand};
use super::settings;
use super::source::{self, Port};
use super::terminal;
use super::tools::{CLIENT_LIBRARIES, LIBRARIES, runs_a_file};
use crate::Dir;
use crate::environments::of_development;
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
    /// The value of the port's variable, with a placeholder, if it is not only the port.
    pub(super) template: Option<String>,
}

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
        let file = usual(dir, package)?;
        // A package below has scripts of its own.
        let (place, _) = file.rsplit_once('/').unwrap_or_default();
        let below = place.split('/').scan(String::new(), |path, part| {
            *path = format!("{path}/{part}");
            Some(path.clone())
        });
        let is_other = |path: &String| dir.below(path).is_some_and(|at| at.has("package.json"));
        if !place.is_empty() && below.into_iter().any(|path| is_other(&path)) {
            return None;
        }
        let entry = Self::serving(dir, package, file)?;
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
        let own = imports::closure(dir, &file);
        let library = library(package, &own);
        let is_for_terminal = terminal::is_for_terminal(package, &own);
        let own: Vec<(String, String)> = own
            .into_iter()
            .map(|(path, text)| (dir.path_of(&path), of_development(&text)))
            .collect();
        let others = others(dir, package, &file, &own);
        let serves =
            |texts: &[(String, String)]| texts.iter().any(|(_, text)| source::has_server(text));
        let of_package = LIBRARIES.iter().find(|(name, ..)| package.has(name));
        let is_sure = of_package.is_some_and(|(name, ..)| !CLIENT_LIBRARIES.contains(name));
        if !is_sure && !serves(&own) && !serves(&others) {
            return None;
        }
        let port_in = |texts: &[(String, String)], wanted: fn(&str, &Port) -> bool| {
            texts.iter().find_map(|(path, text)| {
                let port = source::port(text).filter(|port| wanted(text, port))?;
                Some((port, path.clone()))
            })
        };
        let listens = |text: &str, _: &Port| source::has_server(text);
        let reads = |_: &str, port: &Port| matches!(port, Port::Reads { .. });
        let is_literal = |_: &str, port: &Port| matches!(port, Port::Literal(..));
        // The file that runs says its own port, or else a file that it imports. Otherwise, a port that a
        // helper reads from the environment takes precedence over a number.
        let named = own.iter().find_map(|(_, text)| {
            let name = source::imported_port(text)?;
            own.iter()
                .find_map(|(path, text)| Some((source::declared(text, name)?, path.clone())))
        });
        let port = named
            .or_else(|| port_in(own.get(..1).unwrap_or_default(), listens))
            .or_else(|| port_in(&own, reads));
        let setting = match port {
            Some(_) => None,
            None => settings::port(dir, package, &own),
        };
        let template = setting.as_ref().and_then(|one| one.template.clone());
        let port = port
            .or_else(|| setting.map(|setting| (setting.port, setting.file)))
            .or_else(|| port_in(&own, is_literal))
            .or_else(|| port_in(&others, reads))
            .or_else(|| port_in(&others, is_literal))
            .map(|(mut port, path)| {
                if let Port::Reads { variable, usual } = &mut port
                    && usual.is_none()
                    && let Some((_, text)) = own.iter().chain(&others).find(|(one, _)| *one == path)
                {
                    *usual = constants::default(dir, text, variable, &own);
                }
                (port, path)
            });
        let (library, framework, kind, usual) = match library {
            Library::Known((library, framework, kind, usual)) => {
                (Some(*library), *framework, *kind, *usual)
            }
            Library::None(_) if port.is_none() && is_for_terminal => return None,
            Library::None(kind) => (None, "node", kind, 3000),
        };
        Some(Self {
            file,
            framework,
            kind,
            usual,
            library,
            port,
            template,
        })
    }
}

/// What a file uses to serve.
enum Library {
    Known(&'static (&'static str, &'static str, Kind, u16)),
    /// The modules of Node, with the kind of what it serves.
    None(Kind),
}

/// Returns what a file uses to serve, with the texts that it imports: the library that one of them imports,
/// or else a module of Node, or else the library of the package.
fn library(package: &Package, own: &[(String, String)]) -> Library {
    let is_imported = |name: &str| own.iter().any(|(_, text)| imports::imports(text, name));
    let known = || LIBRARIES.iter().filter(|(name, ..)| package.has(name));
    if let Some(found) = known().find(|(name, ..)| is_imported(name)) {
        return Library::Known(found);
    }
    let serves = own.iter().any(|(_, text)| source::has_server(text));
    if serves && ["http", "https", "http2"].into_iter().any(is_imported) {
        return Library::None(Kind::Http);
    }
    if serves && is_imported("net") {
        return Library::None(Kind::Tcp);
    }
    known()
        .next()
        .map_or(Library::None(Kind::Http), Library::Known)
}

/// Returns files of the usual places that may name the port as well, with their texts: all but `own` and those
/// that other scripts start.
fn others(
    dir: &Dir<'_>,
    package: &Package,
    file: &str,
    own: &[(String, String)],
) -> Vec<(String, String)> {
    let started = started(dir, package);
    let mut texts: Vec<(String, String)> = Vec::new();
    let place = file.rsplit_once('/').map_or("", |(place, _)| place);
    for place in std::iter::once(place).chain(PLACES) {
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
            let is_known = own.iter().chain(&texts).any(|(known, _)| *known == path);
            if texts.len() < MAX_FILES && !is_known && !started.contains(&path) {
                texts.extend(place.read(name).map(|text| (path, of_development(&text))));
            }
        }
    }
    texts
}

/// Returns the paths of the files that the scripts of a package start.
fn started(dir: &Dir<'_>, package: &Package) -> BTreeSet<String> {
    let parts = package
        .scripts
        .values()
        .flat_map(|text| Script::at_once(text));
    let commands = parts.filter_map(|part| Some(Script::parse(part)?.last));
    let commands = commands.filter(|command| runs_a_file(command.program()));
    let files = commands.filter_map(|command| Entry::source(dir, &command));
    files.map(|file| dir.path_of(&file)).collect()
}

/// Programs that build, and start another command afterwards.
const BUILDERS: [&str; 3] = ["tsc-watch", "tsdown", "tsup"];

/// Options of [`BUILDERS`] whose value is that command. `tsc-watch` ignores their case.
const AFTER_BUILD: [&str; 5] = [
    "--onSuccess",
    "--onsuccess",
    "--on-success",
    "--onFirstSuccess",
    "--onfirstsuccess",
];

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

fn usual(dir: &Dir<'_>, package: &Package) -> Option<String> {
    let main = package.main.iter().map(String::as_str);
    main.chain(USUAL).find_map(|file| resolve(dir, file))
}
