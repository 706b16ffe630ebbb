//! Which compose files a checkout uses: those that Compose finds itself, those that `COMPOSE_FILE` in `.env`
//! names, or those that a script starts for development.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::examples;
use super::model::Compose;
use super::resolve::{self, place};
use super::scripts::{self, ComposeCommand};
use super::{images, release, value};
use crate::Dir;

/// File names in the order of Compose.
const FILES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// Names of override files. The first one applies to whichever of [`FILES`] there is.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Maximum number of files that are merged.
const MAX_FILES: usize = 16;

/// A compose file merged with the files that override it.
pub(crate) struct File<'d> {
    /// The directory in which Compose runs.
    pub(super) dir: Dir<'d>,
    /// The paths of the files relative to the directory; the first one is the base.
    pub(super) names: Vec<String>,
    /// Whether Compose uses these files if none are named.
    pub(super) is_usual: bool,
    /// Whether Compose names the project like Portway names the main checkout: after its directory.
    pub(super) has_usual_project: bool,
    /// The profiles that are active.
    pub(super) profiles: Vec<String>,
    pub(super) compose: Compose,
    /// The merged files, before variables were interpolated.
    pub(super) value: Value,
    /// The variables that are interpolated.
    pub(super) variables: IndexMap<String, String>,
    /// The path of the example from which they are, relative to the directory, if it has no `.env`.
    pub(super) example: Option<String>,
}

/// Files to merge, before they are read.
struct Choice<'d> {
    dir: Dir<'d>,
    names: Vec<String>,
    is_usual: bool,
    profiles: Vec<String>,
}

/// Reads the compose files of the checkout: those of the root or, if it uses none, those in the directories
/// below it.
pub(crate) fn files<'d>(dirs: &[Dir<'d>]) -> Vec<File<'d>> {
    let Some(root) = dirs.first() else {
        return Vec::new();
    };
    if let Some(choice) = choose(root) {
        pass_over_others(root, &choice);
        return File::read(choice).into_iter().collect();
    }
    let is_below = |dir: &&Dir<'_>| !dir.path().is_empty() && !dir.path().contains('/');
    let below = dirs.iter().filter(is_below);
    let below = below.filter_map(|dir| usual(dir).or_else(|| for_services(dir)));
    // Several files of the root that each start some of the services.
    let names = root.files().filter(|name| scripts::is_variant(name));
    let (partial, others): (Vec<&str>, Vec<&str>) =
        names.partition(|name| scripts::is_partial_file(name));
    let parts = partial
        .into_iter()
        .filter_map(|name| of_name(root, name.to_owned()));
    let files: Vec<File<'_>> = parts.chain(below).filter_map(File::read).collect();
    for name in others {
        let why = "is a compose file for a deployment or for tests, by its name";
        root.pass_over(name, why);
    }
    files
}

/// Lists the compose files of the root that are not used.
fn pass_over_others(root: &Dir<'_>, used: &Choice<'_>) {
    let used_names: Vec<String> = used
        .names
        .iter()
        .map(|name| used.dir.path_of(name))
        .collect();
    let is_other = |name: &&str| {
        scripts::is_variant(name) && !used_names.iter().any(|known| known.as_str() == *name)
    };
    let first = used_names.first().map_or("", String::as_str);
    for name in root.files().filter(is_other) {
        root.pass_over(
            name,
            format!("is not read, because the project uses {first}"),
        );
    }
}

/// Directories that contain compose files under other names than those that Compose finds itself.
const DIRS: [&str; 7] = [
    "compose",
    "dev",
    "docker",
    "infra",
    "infrastructure",
    "local",
    "ops",
];

/// The file in a directory for Docker that is for development or starts some of the services, by its name.
fn for_services<'d>(dir: &Dir<'d>) -> Option<Choice<'d>> {
    let is_usual = DIRS.contains(&dir.name());
    let file = is_usual.then(|| development(dir).or_else(|| partial(dir)))?;
    of_name(dir, file?)
}

/// The file in `dir` that is for development, by its name.
fn development(dir: &Dir<'_>) -> Option<String> {
    let mut files = dir.files();
    let found = files.find(|name| scripts::is_development_file(name));
    found.map(str::to_owned)
}

/// The only file in `dir` that starts some of the services, by its name.
fn partial(dir: &Dir<'_>) -> Option<String> {
    let mut files = dir.files().filter(|name| scripts::is_partial_file(name));
    let first = files.next().map(str::to_owned);
    match files.next() {
        Some(_) => None,
        None => first,
    }
}

fn of_name<'d>(dir: &Dir<'d>, name: String) -> Option<Choice<'d>> {
    Some(Choice {
        names: vec![name],
        ..usual_in(dir.below("")?)
    })
}

/// Returns the files that the project in `root` uses for development.
fn choose<'d>(root: &Dir<'d>) -> Option<Choice<'d>> {
    if let Some(choice) = from_variable(root) {
        return Some(choice);
    }
    let commands = scripts::read(root);
    let named = |command: &ComposeCommand| named(root, command);
    let for_development = commands.iter().filter(|one| one.is_for_development());
    if let Some(choice) = for_development.filter_map(named).next() {
        return Some(choice);
    }
    if let Some(mut choice) = usual(root) {
        if let Some(name) = development(root).filter(|name| replaces(root, name, &choice)) {
            return of_name(root, name);
        }
        let starts = |one: &&ComposeCommand| one.files.is_empty() && !one.profiles.is_empty();
        let profiles = commands.iter().find(starts).map(|one| one.profiles.clone());
        choice.profiles.extend(profiles.unwrap_or_default());
        return Some(choice);
    }
    if let Some(choice) = commands.iter().filter_map(named).next() {
        return Some(choice);
    }
    of_name(root, development(root).or_else(|| partial(root))?)
}

/// Returns whether people use the file `name` for development instead of the usual files: those start a
/// release of the project, and this one is complete and has the same databases and the like.
fn replaces(root: &Dir<'_>, name: &str, usual: &Choice<'_>) -> bool {
    let own = services(root, name);
    let others: Vec<Value> = usual
        .names
        .iter()
        .flat_map(|name| services(root, name))
        .collect();
    let frameworks = |services: &[Value]| -> BTreeSet<&'static str> {
        let known = services.iter().filter_map(|one| images::known(image(one)?));
        known.map(|known| known.framework).collect()
    };
    let is_built = |one: &Value| one.get("build").is_some();
    let is_release = |one: &Value| {
        image(one)
            .is_some_and(|image| images::known(image).is_none() && release::is_own(root, image))
    };
    let is_complete = |one: &Value| image(one).is_some() || is_built(one);
    others.iter().any(is_release)
        && !others.iter().any(is_built)
        && !own.is_empty()
        && own.iter().all(is_complete)
        && frameworks(&own).is_superset(&frameworks(&others))
}

/// Returns the services of a compose file.
fn services(root: &Dir<'_>, name: &str) -> Vec<Value> {
    let file = resolve::read_resolved(root, name);
    let all = file
        .as_ref()
        .and_then(|file| file.get("services")?.as_object());
    all.into_iter()
        .flat_map(|all| all.values().cloned())
        .collect()
}

fn image(service: &Value) -> Option<&str> {
    service.get("image")?.as_str()
}

/// The files that `COMPOSE_FILE` in `.env` names.
fn from_variable<'d>(root: &Dir<'d>) -> Option<Choice<'d>> {
    let variables = root.has(".env").then(|| root.dotenv(".env")).flatten()?;
    let value = variables
        .get("COMPOSE_FILE")
        .filter(|text| !text.is_empty())?;
    let separator = match variables.get("COMPOSE_PATH_SEPARATOR") {
        Some(text) if !text.is_empty() => text.as_str(),
        _ if value.contains(';') => ";",
        _ => ":",
    };
    let names: Vec<String> = value.split(separator).map(str::to_owned).collect();
    let missing = names.iter().find(|name| !exists(root, name));
    if let Some(missing) = missing {
        root.skip(
            ".env",
            format!("names {missing} in COMPOSE_FILE, which cannot be read"),
        );
        return None;
    }
    Some(Choice {
        names,
        is_usual: true,
        ..usual_in(root.below("")?)
    })
}

/// The files that Compose finds in `dir`.
fn usual<'d>(dir: &Dir<'d>) -> Option<Choice<'d>> {
    let name = dir.first_of(&FILES)?;
    let names = [name].into_iter().chain(dir.first_of(&OVERRIDES));
    Some(Choice {
        names: names.map(str::to_owned).collect(),
        is_usual: true,
        ..usual_in(dir.below("")?)
    })
}

/// No files in `dir`, with the profiles of its `.env`.
fn usual_in(dir: Dir<'_>) -> Choice<'_> {
    let example = examples::beside(&dir, ".env");
    let env = example.as_deref().unwrap_or(".env");
    let variables = dir.has(env).then(|| dir.dotenv(env)).flatten();
    let profiles = variables.and_then(|all| all.get("COMPOSE_PROFILES").cloned());
    let profiles = profiles.unwrap_or_default();
    let profiles = profiles
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty());
    Choice {
        profiles: profiles.map(str::to_owned).collect(),
        dir,
        names: Vec::new(),
        is_usual: false,
    }
}

/// The files that a command names, relative to the directory of the first one.
fn named<'d>(root: &Dir<'d>, command: &ComposeCommand) -> Option<Choice<'d>> {
    let first = command.files.first()?;
    let all_exist = command.files.iter().all(|name| exists(root, name));
    if !all_exist || command.is_for_deployment() {
        return None;
    }
    let (dir, _) = place(root, first)?;
    let relative = |name: &String| {
        let (at, file) = place(root, name)?;
        Some(value::relative(dir.path(), &at.path_of(&file)))
    };
    let names: Option<Vec<String>> = command.files.iter().map(relative).collect();
    let mut choice = usual_in(dir.below("")?);
    choice.profiles.extend(command.profiles.iter().cloned());
    Some(Choice {
        names: names?,
        ..choice
    })
}

fn exists(dir: &Dir<'_>, path: &str) -> bool {
    place(dir, path).is_some_and(|(dir, file)| dir.has(&file))
}

impl<'d> File<'d> {
    /// The name of the base file.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Reads the files that Compose finds in `dir`.
    pub(super) fn found_by_compose(dir: &Dir<'d>) -> Option<Self> {
        Self::read(from_variable(dir).or_else(|| usual(dir))?)
    }

    /// Reads the files that the project in `root` uses.
    pub(super) fn of_root(root: &Dir<'d>) -> Option<Self> {
        Self::read(choose(root)?)
    }

    /// Reads the file at `path`, relative to the root, with the files that override it.
    pub(super) fn at(root: &Dir<'d>, path: &str) -> Option<Self> {
        let is_same = |choice: &Choice<'_>| {
            let first = choice.names.first();
            first.is_some_and(|name| choice.dir.path_of(name) == path)
        };
        let (dir, name) = place(root, path)?;
        let choice = choose(root).filter(is_same);
        let choice = choice.or_else(|| usual(&dir).filter(is_same));
        let only = || {
            Some(Choice {
                names: vec![name],
                ..usual_in(dir.below("")?)
            })
        };
        Self::read(choice.or_else(only)?)
    }

    /// Reads these files of `root`.
    pub(super) fn of_names(root: &Dir<'d>, names: &[String]) -> Option<Self> {
        Self::read(Choice {
            names: names.to_vec(),
            ..usual_in(root.below("")?)
        })
    }

    fn read(choice: Choice<'d>) -> Option<Self> {
        let Choice {
            dir,
            names,
            is_usual,
            profiles,
        } = choice;
        let mut names_left = names.iter().take(MAX_FILES);
        let name = names_left.next()?;
        let mut value = resolve::read_resolved(&dir, name)?;
        for over in names_left {
            if let Some(more) = resolve::read_resolved(&dir, over) {
                value::merge(&mut value, more);
            }
        }
        value::finish(&mut value);
        if value.get("services").is_none() {
            // This is a process-compose file, which has a separate reader.
            if value.get("processes").is_none() {
                dir.skip(name, "has no services");
            }
            return None;
        }
        let example = examples::of_variables(&dir, &value);
        let env = example.as_deref().unwrap_or(".env");
        let env = place(&dir, env).and_then(|(at, name)| at.dotenv(&name));
        let variables: IndexMap<String, String> = env.unwrap_or_default();
        let has_name =
            value.get("name").is_some() || variables.contains_key("COMPOSE_PROJECT_NAME");
        let compose = match Compose::new(value.clone(), &variables) {
            Ok(compose) => compose,
            Err(error) => {
                dir.skip(name, format!("has no usable services: {error}"));
                return None;
            }
        };
        Some(Self {
            has_usual_project: dir.path().is_empty() && !has_name,
            dir,
            names,
            is_usual,
            profiles,
            compose,
            value,
            variables,
            example,
        })
    }
}
