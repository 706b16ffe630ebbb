//! Settings that a framework lets variables override: `runtimeConfig` of Nuxt, the properties of Spring, and
//! `appsettings.json` of ASP.NET. Only values with an address of this machine matter.

use portway_project::database::DatabaseAddress;
use portway_project::mapping::{AppVariable, Origin};
use serde_json::Value;

use super::variable;
use crate::Dir;
use crate::addresses::has_address;
use crate::javascript::without_comments;

const NUXT: [&str; 3] = ["nuxt.config.ts", "nuxt.config.js", "nuxt.config.mjs"];

/// Directories with the properties of Spring, relative to the service.
const SPRING_DIRS: [&str; 3] = ["src/main/resources", "config", ""];

const ASPNET: [&str; 2] = ["appsettings.json", "appsettings.Development.json"];

/// Values of settings that contain only a host.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "host.docker.internal"];

/// Maximum depth of nested settings.
const MAX_DEPTH: usize = 8;

/// Finds the settings of the service in `dir`.
pub(super) fn variables(dir: &Dir<'_>) -> Vec<AppVariable> {
    let mut all = Vec::new();
    for file in NUXT.into_iter().filter(|file| dir.has(file)) {
        let text = dir.read(file).unwrap_or_default();
        for (line, path, value) in runtime_config(&without_comments(&text)) {
            let name = path
                .iter()
                .map(|key| snake(key))
                .collect::<Vec<_>>()
                .join("_");
            all.push(variable(
                dir,
                file,
                line,
                (format!("NUXT_{name}"), value),
                Origin::Code,
            ));
        }
    }
    for place in SPRING_DIRS.iter().filter_map(|path| dir.below(path)) {
        for file in [
            "application.properties",
            "application.yml",
            "application.yaml",
        ] {
            let Some(text) = place.read(file).filter(|_| place.has(file)) else {
                continue;
            };
            let found = match file.ends_with(".properties") {
                true => properties(&text),
                false => nested(&text),
            };
            for (line, key, value) in found {
                let name = key.replace('.', "_").replace('-', "").to_uppercase();
                all.push(variable(&place, file, line, (name, value), Origin::Code));
            }
        }
    }
    for file in ASPNET.into_iter().filter(|file| dir.has(file)) {
        let mut found = Vec::new();
        flatten(&dir.jsonc(file).unwrap_or_default(), "", 0, &mut found);
        let text = dir.read(file).unwrap_or_default();
        for (name, value) in found {
            let line = text
                .lines()
                .position(|line| line.contains(&value))
                .map_or(0, |at| at + 1);
            all.push(variable(dir, file, line, (name, value), Origin::Code));
        }
    }
    let beside_host = local_pairs(&all);
    let is_address = |text: &str| has_address(text) || DatabaseAddress::parse(text).is_some();
    all.retain(|one| {
        let is_used = is_address(&one.value) || beside_host.contains(&one.name);
        is_used && !one.value.contains("${")
    });
    all
}

/// Returns the names of the settings with a host of this machine, and of those with its port.
fn local_pairs(all: &[AppVariable]) -> Vec<String> {
    let hosts = all
        .iter()
        .filter(|one| LOCAL_HOSTS.contains(&one.value.as_str()));
    let prefixes = hosts.filter_map(|one| one.name.strip_suffix("HOST"));
    // `server.address` and `server.port` are those of the application itself.
    let others = prefixes.filter(|prefix| !prefix.is_empty() && *prefix != "SERVER_");
    others
        .flat_map(|prefix| [format!("{prefix}HOST"), format!("{prefix}PORT")])
        .collect()
}

/// Returns the strings in `runtimeConfig: { … }` with their lines and keys.
fn runtime_config(text: &str) -> Vec<(usize, Vec<String>, String)> {
    let mut found = Vec::new();
    let Some(start) = text.find("runtimeConfig") else {
        return found;
    };
    let mut line = text[..start].matches('\n').count() + 1;
    let mut path: Vec<String> = Vec::new();
    let mut key = String::new();
    let mut is_inside = false;
    let mut characters = text[start + "runtimeConfig".len()..].chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => line += 1,
            '{' if !is_inside => is_inside = true,
            '{' => path.push(std::mem::take(&mut key)),
            '}' if path.pop().is_none() => break,
            '\'' | '"' | '`' => {
                let mut value = String::new();
                for inner in characters.by_ref() {
                    if inner == character {
                        break;
                    }
                    line += usize::from(inner == '\n');
                    value.push(inner);
                }
                while characters.next_if(|c| *c == ' ').is_some() {}
                match characters.peek() {
                    Some(':') if key.is_empty() => key = value,
                    _ if is_inside && !key.is_empty() => {
                        let mut keys = path.clone();
                        keys.push(key.clone());
                        found.push((line, keys, value));
                    }
                    _ => {}
                }
            }
            ',' => key.clear(),
            // What follows the key is its value.
            ':' | ' ' | '\t' | '\r' => {}
            c if (c.is_alphanumeric() || c == '_') && is_inside && key.is_empty() => {
                key.push(c);
                while let Some(next) = characters.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    key.push(next);
                }
            }
            _ => {}
        }
        if path.len() > MAX_DEPTH {
            break;
        }
    }
    found
}

/// Converts `apiBase` to `API_BASE`.
fn snake(key: &str) -> String {
    let mut name = String::new();
    for character in key.chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(character.to_uppercase());
    }
    name
}

/// Returns the lines of a properties file, with their keys and values.
fn properties(text: &str) -> Vec<(usize, String, String)> {
    let lines = text.lines().enumerate();
    let pairs = lines.filter(|(_, line)| !line.trim_start().starts_with(['#', '!']));
    let pairs = pairs.filter_map(|(index, line)| {
        let (key, value) = line.split_once('=')?;
        Some((index + 1, key.trim().to_owned(), value.trim().to_owned()))
    });
    pairs.collect()
}

/// Returns the scalars of a YAML file with their lines and the keys that lead to them.
fn nested(text: &str) -> Vec<(usize, String, String)> {
    let mut all = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // Further documents of a file are for other profiles.
        if line.starts_with("---") && !all.is_empty() {
            break;
        }
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with(['#', '-']) {
            continue;
        }
        let Some((key, value)) = trimmed.split_once(':') else {
            continue;
        };
        let depth = line.len() - trimmed.len();
        path.retain(|(above, _)| *above < depth);
        path.push((depth, key.trim().to_owned()));
        let value = value.trim().trim_matches(['"', '\'']);
        if !value.is_empty() {
            let keys: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
            all.push((index + 1, keys.join("."), value.to_owned()));
        }
    }
    all
}

/// Adds the strings in a JSON value, with their keys joined by `__`.
fn flatten(value: &Value, prefix: &str, depth: usize, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(all) if depth < MAX_DEPTH => {
            for (key, value) in all {
                let name = match prefix {
                    "" => key.clone(),
                    prefix => format!("{prefix}__{key}"),
                };
                flatten(value, &name, depth + 1, found);
            }
        }
        Value::Array(all) if depth < MAX_DEPTH => {
            for (index, value) in all.iter().enumerate() {
                flatten(value, &format!("{prefix}__{index}"), depth + 1, found);
            }
        }
        Value::String(text) => found.push((prefix.to_owned(), text.clone())),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(file: &str, text: &str) -> Vec<String> {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let records = crate::records::Records::default();
        let all = variables(&Dir::open(temp.path(), "", &records));
        let shown = all
            .iter()
            .map(|one| format!("{} {}={}", one.place.line, one.name, one.value));
        shown.collect()
    }

    #[test]
    fn finds_settings_that_variables_override() {
        for (file, text, expected) in [
            (
                "nuxt.config.ts",
                "export default {\n  runtimeConfig: {\n    secret: '',\n    apiHost: 'http://localhost:8000',\n    public: {\n      // apiBase: 'http://localhost:1234',\n      apiBase: 'http://localhost:8000/v1', title: 'Shop',\n    },\n  },\n  x: { y: 'http://localhost:2' },\n}",
                &[
                    "4 NUXT_API_HOST=http://localhost:8000",
                    "7 NUXT_PUBLIC_API_BASE=http://localhost:8000/v1",
                ][..],
            ),
            (
                "src/main/resources/application.properties",
                "# a=http://localhost:1\nspring.datasource.url=jdbc:postgresql://localhost:5432/shop\nshop.api-url = http://localhost:9000\napp.other=${X:http://localhost:1}\n",
                &[
                    "2 SPRING_DATASOURCE_URL=jdbc:postgresql://localhost:5432/shop",
                    "3 SHOP_APIURL=http://localhost:9000",
                ],
            ),
            (
                "config/application.properties",
                "spring.data.redis.host=localhost\nspring.data.redis.port=6379\nspring.mail.host=mail.example.com\nspring.mail.port=25\nserver.port=8085\n",
                &[
                    "1 SPRING_DATA_REDIS_HOST=localhost",
                    "2 SPRING_DATA_REDIS_PORT=6379",
                ],
            ),
            (
                "src/main/resources/application.yml",
                "spring:\n  rabbitmq:\n    host: localhost\n    port: 5672\n    username: guest\n",
                &[
                    "3 SPRING_RABBITMQ_HOST=localhost",
                    "4 SPRING_RABBITMQ_PORT=5672",
                ],
            ),
            (
                "src/main/resources/application.yml",
                "spring:\n  datasource:\n    url: jdbc:postgresql://localhost:5432/shop\n    username: a\n  data:\n    mongodb:\n      uri: \"mongodb://localhost:27017/x\"\n---\nspring:\n  x: http://localhost:1\n",
                &[
                    "3 SPRING_DATASOURCE_URL=jdbc:postgresql://localhost:5432/shop",
                    "7 SPRING_DATA_MONGODB_URI=mongodb://localhost:27017/x",
                ],
            ),
            (
                "appsettings.json",
                "{\n  // comment\n  \"Services\": { \"Api\": { \"Url\": \"http://localhost:5005\" } },\n  \"Name\": \"x\"\n}",
                &["3 Services__Api__Url=http://localhost:5005"],
            ),
            (
                "appsettings.Development.json",
                "{\n  \"ConnectionStrings\": { \"Default\": \"Host=localhost;Port=5432;Database=d;Username=u\",\n    \"Other\": \"x=y;z=w\" },\n  \"Cors\": { \"Origins\": [\n    \"https://shop.example\",\n    \"http://localhost:5173\"] }\n}",
                &[
                    "2 ConnectionStrings__Default=Host=localhost;Port=5432;Database=d;Username=u",
                    "6 Cors__Origins__1=http://localhost:5173",
                ],
            ),
            (
                "vite.config.ts",
                "runtimeConfig: { a: 'http://localhost:1' }",
                &[],
            ),
        ] {
            assert_eq!(found(file, text), expected, "{file}");
        }
    }
}
