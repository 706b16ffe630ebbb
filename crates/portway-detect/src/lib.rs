//! From a checkout's files to the text of a manifest, with evidence.
//!
//! Input: the files in the root of a checkout and two levels below, and [`Surroundings`]. Output:
//! [`Detection`], whose [`Detection::manifest`] is the text of a `portway.toml`. `portway init`
//! writes that text; without a `portway.toml`, every command parses it as if it were in the root.
//!
//! Not to be confused with the command `portway detect`, which allocates the ports of an instance.
//! This crate reads files only: it opens no socket, starts no process and reads no environment.

mod cargo;
mod clash;
pub mod compose;
mod deno;
mod dir;
mod dotnet;
mod elixir;
#[cfg(test)]
mod fixture;
mod found;
mod go;
mod java;
mod jsonc;
mod listens;
mod literal;
mod names;
mod node;
mod php;
pub mod process_compose;
pub mod procfile;
mod python;
mod root;
mod ruby;
mod shell;
mod sites;
mod text;
pub mod yaml;

use std::cell::RefCell;
use std::path::Path;

use indexmap::IndexMap;

pub use dir::Dir;
use portway_project::kind::Kind;
use portway_project::plan::MAX_SERVICES;
pub use root::find;

/// What detection may know of the machine; passed in, so that tests can say what is there.
pub struct Surroundings<'a> {
    /// Whether a program can be found, as the shell would.
    pub has_program: &'a dyn Fn(&str) -> bool,
    /// The port that the user prefers for a framework, by [`Found::framework`].
    pub preferred: &'a dyn Fn(&str) -> Option<u16>,
}

/// What was found in a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// The services, in the order in which they should be shown.
    pub services: Vec<Found>,
    /// Files that would have told something and could not be used.
    pub skipped: Vec<Skipped>,
}

/// One service that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name, unique among those found: a word of letters, digits, `-` and `_`.
    pub name: String,
    /// Its directory relative to the root, with `/` between its parts; empty for the root.
    pub dir: String,
    /// What it is made with, in lower case: `vite`, `fastapi`, `procfile`.
    pub framework: &'static str,
    /// The command, with Portway's placeholders.
    pub command: String,
    /// The command that makes its directory ready.
    pub prepare: Option<String>,
    /// Where that runs, relative to the root, if elsewhere than in its directory.
    pub prepare_dir: Option<String>,
    /// Its port; `None` for a service that serves nobody.
    pub port: Option<FoundPort>,
    /// What it speaks.
    pub kind: Kind,
    /// Variables that it needs on top of the usual ones, with placeholders.
    pub env: IndexMap<String, String>,
    /// The services it comes after, with the condition as the manifest writes it.
    pub after: Vec<(String, &'static str)>,
    /// Whether it takes part only when asked for.
    pub optional: bool,
    /// Other keys of its table in the manifest, as TOML lines without a newline.
    pub more: Vec<String>,
    /// Why it is believed to be there and to be started like this, one sentence each, such as
    /// "`vite` is a dependency in frontend/package.json".
    pub evidence: Vec<String>,
}

/// The port of a service that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundPort {
    /// The framework's usual port, or the user's preferred one, and the ninety-nine above.
    Prefer(u16),
    /// The one port that its code insists on.
    Only(u16),
}

/// A file that was met and could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file, relative to the root.
    pub file: String,
    /// What is wrong with it, as the end of a sentence: "is not JSON: …".
    pub why: String,
}

/// Directories that are not looked into, beside hidden ones: what tools make, and what is there to
/// be read or tested rather than run.
const PASSED_OVER: [&str; 27] = [
    "__pycache__",
    "build",
    "coverage",
    "dist",
    "doc",
    "docs",
    "e2e",
    "env",
    "example",
    "examples",
    "fixtures",
    "node_modules",
    "out",
    "public",
    "spec",
    "static",
    "target",
    "templates",
    "test",
    "testing",
    "tests",
    "third_party",
    "tmp",
    "vendor",
    "venv",
    "virtualenv",
    "site-packages",
];

/// How far below the root is looked.
const DEPTH: usize = 2;

/// A checkout with more directories than this, two levels deep, is looked at in part.
const MAX_DIRS: usize = 1000;

/// Looks at the checkout with this root.
pub fn detect(root: &Path, surroundings: &Surroundings<'_>) -> Detection {
    let skipped = RefCell::default();
    let dirs = walk(Dir::open(root, "", &skipped));
    let mut services = written_down(&dirs[0], surroundings);
    if services.is_empty() {
        for dir in &dirs {
            for reader in READERS {
                services.extend(reader(dir, surroundings));
            }
        }
    }
    found::keep_usable(&mut services, &skipped);
    let mut containers = compose::read(&dirs, &services, surroundings);
    containers.retain(|container| {
        let is_tellable = container.found.is_tellable();
        if !is_tellable {
            skipped.borrow_mut().push(container.found.untellable());
        }
        is_tellable
    });
    let all = services.len() + containers.len();
    if all > MAX_SERVICES {
        containers.truncate(MAX_SERVICES - services.len());
        skipped.borrow_mut().push(found::too_many(all));
    }
    services.extend(containers.iter().map(|container| container.found.clone()));
    names::give(&mut services);
    clash::settle(&mut services);
    compose::put_in_order(&mut services, &containers);
    Detection {
        services,
        skipped: skipped.into_inner(),
    }
}

/// Says which services are in one directory. One that leaves a name empty is given one.
type Reader = fn(&Dir<'_>, &Surroundings<'_>) -> Vec<Found>;

/// Every reader of a single directory, in the order in which their services are shown.
const READERS: &[Reader] = &[
    node::read,
    python::read,
    ruby::read,
    php::read,
    go::read,
    cargo::read,
    java::read,
    dotnet::read,
    deno::read,
    elixir::read,
    sites::read,
];

/// What a person has written down about what runs, where there is such a file.
fn written_down(root: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let processes = process_compose::read(root, surroundings);
    if processes.is_empty() {
        procfile::read(root, surroundings)
    } else {
        processes
    }
}

fn is_passed_over(dir: &str) -> bool {
    dir.starts_with('.') || PASSED_OVER.contains(&dir.to_lowercase().as_str())
}

/// The root and the directories below it that are worth a look, parents first.
fn walk(root: Dir<'_>) -> Vec<Dir<'_>> {
    let mut level = vec![root];
    let mut all = Vec::new();
    for depth in 0..=DEPTH {
        let mut below = Vec::new();
        if depth < DEPTH {
            for dir in &level {
                let names = dir.dirs().filter(|name| !is_passed_over(name));
                below.extend(names.filter_map(|name| dir.sub(name)));
                if all.len() + level.len() + below.len() > MAX_DIRS {
                    break;
                }
            }
        }
        all.append(&mut level);
        level = below;
    }
    all.truncate(MAX_DIRS);
    all
}

impl Detection {
    /// The manifest of what was found, commented with the evidence.
    pub fn manifest(&self, project: &str) -> String {
        text::manifest(self, project)
    }
}
