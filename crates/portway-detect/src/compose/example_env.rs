//! What lets Compose start one service of a fresh clone, where `.env` files and variables are missing.

use std::path::Path;

use serde_json::Value;

use super::examples::existing;
use super::interpolate::{self, Unset};
use super::resolve::place;
use super::{Dir, File};
use crate::yaml::strings;

/// Keys of a service for which Compose accepts an empty text.
const MAY_BE_EMPTY: [&str; 9] = [
    "build",
    "command",
    "container_name",
    "entrypoint",
    "environment",
    "healthcheck",
    "hostname",
    "image",
    "labels",
];

/// Keys of a service that do not count when it starts alone: Portway publishes its ports.
const NOT_USED: [&str; 3] = ["depends_on", "env_file", "ports"];

/// Maximum number of directories above that of the compose file in which the root of the checkout is searched.
const MAX_ABOVE: usize = 8;

/// What stands in for files and variables that a compose project lacks, so that one of its services can start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExampleEnv {
    /// The paths of the compose files, relative to their directory.
    pub names: Vec<String>,
    /// The example of the file from which Compose takes `${NAME}`, if that is missing.
    pub variables: Option<String>,
    /// The `env_file` entries of the service, with examples in the place of missing files, if that changes them.
    pub env_files: Option<Vec<String>>,
    /// Other services, which Compose would refuse.
    pub left_out: Vec<String>,
    /// Variables of other services, which Compose requires and which have no value.
    pub placeholders: Vec<String>,
    /// Whether the service's `ports` need a variable without a value. Portway publishes its ports.
    pub without_ports: bool,
    /// Whether all networks of the service are internal. The engine publishes no port in such a network.
    pub is_internal: bool,
}

impl ExampleEnv {
    /// Returns whether a file that overrides the others is needed.
    pub fn has_override(&self) -> bool {
        self.is_incomplete() || self.is_internal
    }

    /// Returns whether the service or others lack something, apart from variables with a placeholder.
    pub fn is_incomplete(&self) -> bool {
        self.env_files.is_some() || !self.left_out.is_empty() || self.without_ports
    }
}

/// Returns what stands in for what is missing in the project in `dir`, so that its service `name` can start.
/// `names` are its compose files; those that Compose finds itself if there are none. `is_set` returns whether
/// the environment has a variable. `None` if nothing is missing and its ports can be published.
pub fn example_env(
    dir: &Path,
    names: &[String],
    name: &str,
    is_set: &dyn Fn(&str) -> bool,
) -> Option<ExampleEnv> {
    let records = crate::records::Records::default();
    let (root, path) = root_of(dir);
    let dir = Dir::open(&root, "", &records).below(&path)?;
    let file = match names {
        [] => File::found_by_compose(&dir)?,
        names => File::of_names(&dir, names)?,
    };
    let mut found = ExampleEnv {
        variables: file.example.clone(),
        ..ExampleEnv::default()
    };
    let services = file.value.get("services").and_then(Value::as_object)?;
    let own = services.get(name);
    let used = own.map(users_of).unwrap_or_default();
    found.is_internal = own.is_some_and(|own| is_internal(own, file.value.get("networks")));
    for (service, compose) in &file.compose.services {
        let value = &services[service];
        let files = &compose.env_files;
        let is_optional = |path: &&String| compose.optional_env_files.contains(*path);
        let existing: Vec<String> = files
            .iter()
            .filter_map(|path| {
                let kept = || (!is_optional(&path)).then(|| path.clone());
                existing(&file.dir, path).or_else(kept)
            })
            .collect();
        let is_missing = |path: &&String| !is_optional(path) && !has(&file.dir, path);
        if service == name {
            // Compose names a file that the service lacks.
            found.env_files = (files.iter().any(|path| is_missing(&path)) && existing != *files)
                .then_some(existing);
            let ports = value.get("ports").into_iter();
            found.without_ports = ports
                .flat_map(|ports| file.unset(ports, is_set))
                .next()
                .is_some();
            continue;
        }
        let refused = value.as_object().into_iter().flatten();
        let mut refused = refused.filter(|(key, _)| !MAY_BE_EMPTY.contains(&key.as_str()));
        if (files.iter().any(|path| is_missing(&path))
            || refused.any(|(_, value)| !file.unset(value, is_set).is_empty()))
            && !used.contains(service)
        {
            found.left_out.push(service.clone());
        }
    }
    let needed: Vec<String> = file
        .needed(name, is_set)
        .into_iter()
        .map(|one| one.name)
        .collect();
    for one in file.unset(&file.value, is_set) {
        if one.is_required && !needed.contains(&one.name) && !found.placeholders.contains(&one.name)
        {
            found.placeholders.push(one.name);
        }
    }
    found.names = file.names;
    let is_complete = found.variables.is_none() && found.placeholders.is_empty();
    (!is_complete || found.has_override()).then_some(found)
}

impl File<'_> {
    /// Returns the variables in a value that have neither a value nor a default.
    pub(super) fn unset(&self, value: &Value, is_set: &dyn Fn(&str) -> bool) -> Vec<Unset> {
        let mut unset = interpolate::unset(value, &self.variables);
        unset.retain(|one| !is_set(&one.name));
        unset
    }

    /// Returns the variables without a value that matter when only the service `name` starts.
    pub(super) fn needed(&self, name: &str, is_set: &dyn Fn(&str) -> bool) -> Vec<Unset> {
        let service = self.value.get("services").and_then(|all| all.get(name));
        let service = service.and_then(Value::as_object).into_iter().flatten();
        let used = service.filter(|(key, _)| !NOT_USED.contains(&key.as_str()));
        let whole = self.value.as_object().into_iter().flatten();
        let others = whole.filter(|(key, _)| *key != "services" && !key.starts_with("x-"));
        used.chain(others)
            .flat_map(|(_, value)| self.unset(value, is_set))
            .collect()
    }
}

/// Returns whether all networks of a service are internal. `networks` are those of the whole file.
fn is_internal(service: &Value, networks: Option<&Value>) -> bool {
    let is_internal = |name: &str| {
        let network = networks.and_then(|networks| networks.get(name)?.get("internal"));
        network.is_some_and(|internal| internal == true || internal == "true")
    };
    if service.get("network_mode").is_some() {
        return false;
    }
    match service.get("networks") {
        Some(Value::Object(own)) if !own.is_empty() => own.keys().all(|name| is_internal(name)),
        Some(Value::Array(own)) if !own.is_empty() => own
            .iter()
            .all(|name| name.as_str().is_some_and(is_internal)),
        _ => is_internal("default"),
    }
}

/// Returns the services to which a service refers otherwise than by `depends_on`.
fn users_of(service: &Value) -> Vec<String> {
    let text = |key: &str| service.get(key).and_then(Value::as_str);
    let modes = ["network_mode", "ipc", "pid"].into_iter().filter_map(text);
    let modes = modes.filter_map(|mode| mode.strip_prefix("service:").map(str::to_owned));
    let lists = ["links", "volumes_from"].into_iter();
    let lists = lists.filter_map(|key| service.get(key)).flat_map(strings);
    let lists = lists.map(|entry| entry.split(':').next().unwrap_or_default().to_owned());
    modes.chain(lists).collect()
}

/// Returns whether a file exists, as far as is known.
fn has(dir: &Dir<'_>, path: &str) -> bool {
    existing(dir, path).is_some_and(|found| found == path)
}

/// Returns the root of the checkout of a directory, and its path below it.
fn root_of(dir: &Path) -> (std::path::PathBuf, String) {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mut above = dir.ancestors().take(MAX_ABOVE);
    let root = above.find(|at| at.join(".git").exists()).unwrap_or(&dir);
    let path = dir.strip_prefix(root).ok();
    let path = path.and_then(|path| path.to_str().map(str::to_owned));
    match path {
        Some(path) => (root.to_owned(), path.replace('\\', "/")),
        None => (dir, String::new()),
    }
}

/// Returns the place of a variable or a file in the text of compose files, with line numbers from 1.
pub(super) fn line_of(file: &File<'_>, is_line: impl Fn(&str) -> bool) -> (String, usize) {
    for name in &file.names {
        let text = place(&file.dir, name).and_then(|(dir, name)| dir.read(&name));
        let text = text.unwrap_or_default();
        let mut lines = text.lines();
        let at = lines.position(|line| !line.trim_start().starts_with('#') && is_line(line));
        if let Some(at) = at {
            return (file.dir.path_of(name), at + 1);
        }
    }
    (file.dir.path_of(file.name()), 0)
}

/// The variables of one environment, for callers without one.
#[cfg(test)]
pub(super) fn nothing_set(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(files: &[(&str, &str)], name: &str) -> Option<ExampleEnv> {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        example_env(temp.path(), &[], name, &nothing_set)
    }

    const COMPOSE: (&str, &str) = (
        "compose.yaml",
        "services:\n  db: {image: postgres, env_file: [config/.env.dev, shared.env]}\n  \
         web: {build: ., env_file: .env}\n  mail: {image: mailpit}\n",
    );
    const SHARED: (&str, &str) = ("shared.env", "A=1");
    const EXAMPLE: (&str, &str) = ("config/.env.dev-sample", "B=1");

    #[test]
    fn examples_stand_in_for_missing_files() {
        let all = found(&[COMPOSE, SHARED, EXAMPLE, (".env.example", "")], "db").unwrap();
        assert_eq!(all.names, ["compose.yaml"]);
        assert_eq!(all.variables.as_deref(), Some(".env.example"));
        let files = ["config/.env.dev-sample", "shared.env"].map(str::to_owned);
        assert_eq!(all.env_files.as_deref(), Some(&files[..]));
        // Another service does not need its file.
        assert_eq!(all.left_out, ["web"]);
        let mail = found(&[COMPOSE, SHARED], "mail").unwrap();
        assert_eq!(mail.left_out, ["db", "web"]);
        assert_eq!(mail.env_files, None);
    }

    #[test]
    fn a_file_without_an_example_stays_missing() {
        let all = found(&[COMPOSE, SHARED], "db").unwrap();
        assert_eq!(
            (all.env_files, all.left_out),
            (None, vec!["web".to_owned()])
        );
        let complete = [COMPOSE, SHARED, ("config/.env.dev", ""), (".env", "")];
        assert_eq!(found(&complete, "db"), None);
        let optional = (
            "compose.yaml",
            "services:\n  db: {image: postgres, env_file: [{path: gone.env, required: false}]}\n",
        );
        assert_eq!(found(&[optional], "db"), None);
    }

    #[test]
    fn variables_of_other_services_do_not_keep_a_service_from_starting() {
        let compose = (
            "compose.yaml",
            "services:
  db:
    image: postgres
    ports: ['${DB_PORT}:5432']
    environment: {A: '${OWN:?}', B: '${PLAIN}'}
  web:
    build: .
    environment: {A: '${MUST:?say}'}
  big:
    image: x
    mem_limit: ${MEM}
  next:
    image: x
    network_mode: service:db
    env_file: gone.env
",
        );
        let db = found(&[compose], "db").unwrap();
        assert!(db.without_ports);
        assert_eq!(db.placeholders, ["MUST"]);
        assert_eq!(db.left_out, ["big", "next"]);
        let next = found(&[compose], "next").unwrap();
        // `next` uses `db`, so `db` stays.
        assert_eq!(next.left_out, ["big"]);
        let env = (".env", "DB_PORT=1\nOWN=x\nMUST=x\nMEM=1g\n");
        assert_eq!(found(&[compose, env, ("gone.env", "")], "db"), None);
    }

    #[test]
    fn ports_are_published_only_outside_internal_networks() {
        let networks = "networks:\n  default:\n  back: {internal: true}\n  deep: {internal: 'true'}\n  \
                        front: {internal: false}\n";
        for (own, expected) in [
            ("networks: [back]", true),
            ("networks: {back: , deep: {aliases: [x]}}", true),
            ("networks: [back, front]", false),
            ("networks: {back: , default: }", false),
            ("networks: [unknown]", false),
            ("command: x", false),
            ("network_mode: host", false),
        ] {
            let compose = format!("services:\n  db:\n    image: postgres\n    {own}\n{networks}");
            let db = found(&[("compose.yaml", &compose)], "db");
            let is_internal = db.map(|db| (db.is_internal, db.has_override(), db.is_incomplete()));
            let expected = expected.then_some((true, true, false));
            assert_eq!(is_internal, expected, "{own}");
        }
        let all = "services:\n  db: {image: x}\nnetworks: {default: {internal: true}}\n";
        assert!(found(&[("compose.yaml", all)], "db").is_some_and(|db| db.is_internal));
    }
}
