//! Compose files as values: their tags, how they are merged, and the paths in them.

pub(super) use crate::paths::join;
use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::Dir;
use crate::yaml;

/// The mark of a key whose value replaces that of the base, instead of being merged with it.
const OVERRIDE: &str = "!override";

/// The mark of a key that is removed.
const RESET: &str = "!reset";

/// Reads a compose file. A key with a tag of Compose gets the tag as a suffix of its name.
pub(super) fn read(dir: &Dir<'_>, name: &str) -> Option<Value> {
    let text = dir.read(name)?;
    let tags = Regex::new(r"([A-Za-z0-9_.-]+):[ \t]*(!override|!reset)\b").ok()?;
    let text = match text.contains(OVERRIDE) || text.contains(RESET) {
        true => tags.replace_all(&text, "$1$2:"),
        false => text.as_str().into(),
    };
    match yaml::parse(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            dir.skip(name, format!("cannot be parsed as YAML: {error}"));
            None
        }
    }
}

/// Merges a file into the one that it overrides: mappings by key, lists by appending, and a mapping with a
/// list of `NAME=value`. `command` and `entrypoint` are replaced.
pub(super) fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge_key(base, &key, value);
            }
        }
        (Value::Array(base), Value::Array(over)) => {
            for value in over {
                if !base.contains(&value) {
                    base.push(value);
                }
            }
        }
        (Value::Object(base), Value::Array(over)) => {
            for (key, value) in over.iter().filter_map(pair) {
                merge_key(base, &key, value);
            }
        }
        (base @ Value::Array(_), over @ Value::Object(_)) => {
            let pairs = base.as_array().into_iter().flatten().filter_map(pair);
            *base = Value::Object(pairs.collect());
            merge(base, over);
        }
        (base, Value::Null) if !base.is_null() => {}
        (base, over) => *base = over,
    }
}

fn merge_key(base: &mut Map<String, Value>, key: &str, value: Value) {
    if let Some(name) = key.strip_suffix(RESET) {
        base.shift_remove(name);
        return;
    }
    if let Some(name) = key.strip_suffix(OVERRIDE) {
        base.insert(name.to_owned(), value);
        return;
    }
    let is_replaced = ["command", "entrypoint", "test"].contains(&key);
    match base.get_mut(key) {
        Some(own) if !is_replaced => merge(own, value),
        _ => {
            base.insert(key.to_owned(), value);
        }
    }
}

/// Parses an entry of a list: `NAME=value`, or a name with a default meaning, such as a service that another
/// one depends on.
fn pair(entry: &Value) -> Option<(String, Value)> {
    let text = entry.as_str()?;
    Some(match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.into()),
        None => (text.to_owned(), Value::Null),
    })
}

/// Applies the tags of a file that overrides nothing.
pub(super) fn finish(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_tagged = |key: &String| key.ends_with(OVERRIDE) || key.ends_with(RESET);
            if map.keys().any(is_tagged) {
                for (key, value) in std::mem::take(map) {
                    merge_key(map, &key, value);
                }
            }
            map.values_mut().for_each(finish);
        }
        Value::Array(list) => list.iter_mut().for_each(finish),
        _ => {}
    }
}

/// Returns the path from a directory to a file or a directory, both relative to the root.
pub(super) fn relative(dir: &str, path: &str) -> String {
    let parts = |text: &'_ str| -> Vec<String> {
        let parts = text.split('/').filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let (from, to) = (parts(dir), parts(path));
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - common);
    let all: Vec<String> = up.chain(to[common..].iter().cloned()).collect();
    match all.is_empty() {
        true => ".".to_owned(),
        false => all.join("/"),
    }
}

/// Rewrites the paths in the services of a file in `from`, so that they are relative to `to`.
pub(super) fn rebase(services: &mut Map<String, Value>, from: &str, to: &str) {
    if from == to {
        return;
    }
    for service in services.values_mut() {
        rebase_service(service, from, to);
    }
}

/// Same as [`rebase`], for one service.
pub(super) fn rebase_service(service: &mut Value, from: &str, to: &str) {
    let move_path = |value: &mut Value| {
        let path = value.as_str().filter(|path| !path.contains('$'));
        if let Some(path) = path.and_then(|path| join(from, path)) {
            *value = relative(to, &path).into();
        }
    };
    if let Some(build) = service.get_mut("build") {
        match build {
            Value::String(_) => move_path(build),
            build => match build.get_mut("context") {
                Some(context) => move_path(context),
                None => {
                    if let Value::Object(build) = build {
                        build.insert("context".into(), relative(to, from).into());
                    }
                }
            },
        }
    }
    match service.get_mut("env_file") {
        Some(Value::Array(files)) => {
            for file in files {
                match file.get_mut("path") {
                    Some(path) => move_path(path),
                    None => move_path(file),
                }
            }
        }
        Some(one) => move_path(one),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_as_compose_does() {
        let mut base = serde_json::json!({
            "ports": ["1:1"], "command": ["a", "b"], "environment": ["A=1"],
            "depends_on": ["db"], "volumes": ["x"],
        });
        let over = serde_json::json!({
            "ports!override": ["2:1"], "command": "c", "environment": {"A": "2", "B": "3"},
            "depends_on": {"db": {"condition": "service_healthy"}}, "volumes!reset": null,
        });
        merge(&mut base, over);
        let expected = serde_json::json!({
            "ports": ["2:1"], "command": "c", "environment": {"A": "2", "B": "3"},
            "depends_on": {"db": {"condition": "service_healthy"}},
        });
        assert_eq!(base, expected);
        let mut alone = serde_json::json!({"a": {"ports!override": [1], "b!reset": null}});
        finish(&mut alone);
        assert_eq!(alone, serde_json::json!({"a": {"ports": [1]}}));
    }

    #[test]
    fn paths_stay_those_of_their_file() {
        assert_eq!(join("docker", "../api/./x").as_deref(), Some("api/x"));
        assert_eq!(join("docker", "../..").as_deref(), None);
        assert_eq!(join("", "/abs"), None);
        for (dir, path, expected) in [
            ("", "api", "api"),
            ("docker", "api", "../api"),
            ("a/b", "a/c/d", "../c/d"),
            ("a", "a", "."),
            ("a", "", ".."),
        ] {
            assert_eq!(relative(dir, path), expected);
            assert_eq!(join(dir, expected).as_deref(), Some(path));
        }
        let mut services = serde_json::json!({
            "a": {"build": "./api", "env_file": ["e", {"path": "../f"}]},
            "b": {"build": {"context": ".."}, "env_file": ".env"},
            "c": {"build": {"dockerfile": "D"}},
        });
        rebase(services.as_object_mut().unwrap(), "docker", "");
        let expected = serde_json::json!({
            "a": {"build": "docker/api", "env_file": ["docker/e", {"path": "f"}]},
            "b": {"build": {"context": "."}, "env_file": "docker/.env"},
            "c": {"build": {"dockerfile": "D", "context": "docker"}},
        });
        assert_eq!(services, expected);
    }
}
