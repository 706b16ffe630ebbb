//! Defaults of variables in source code: `os.getenv("API_URL", "http://localhost:8000")`. Works on the text of
//! any language, and never runs it.

mod class;
mod destructured;
mod fallback;
mod reads;
mod required;
mod schema;
mod value;

use portway_project::mapping::{AppVariable, Origin};

use super::variable;
use crate::literal::is_comment;
use crate::{Dir, is_skipped};
use class::Declared;
pub(crate) use destructured::destructured;
use value::Value;

/// Extensions of files that are searched.
const EXTENSIONS: [&str; 23] = [
    "js",
    "mjs",
    "cjs",
    "jsx",
    "ts",
    "mts",
    "cts",
    "tsx",
    "vue",
    "svelte",
    "astro",
    "py",
    "go",
    "rb",
    "php",
    "rs",
    "ex",
    "exs",
    "java",
    "cs",
    "kt",
    "properties",
    "yml",
];

/// The configuration of Caddy.
const CADDY: &str = "Caddyfile";

/// Parts of file names of tests and generated files.
const OTHER_FILES: [&str; 6] = [".test.", ".spec.", ".stories.", ".min.", ".d.ts", "_test."];

/// Maximum number of files that are searched for one service.
const MAX_FILES: usize = 300;

/// Maximum number of bytes that are searched for one service.
const MAX_BYTES: usize = 2 << 20;

/// Levels of directories below a service's directory that are searched.
const DEPTH: usize = 5;

/// Maximum length of a line that is searched, in bytes; longer lines are generated.
const MAX_LINE: usize = 500;

/// Returns the default port of a variable in the code in `dir`, and the file. Packages below are others.
pub(crate) fn default_port(dir: &Dir<'_>, variable: &str) -> Option<(u16, String)> {
    let all = search(dir, &|sub| sub.has("package.json"));
    all.into_iter()
        .filter(|found| found.name == variable)
        .find_map(|found| {
            let port = found.value.parse().ok().filter(|port| *port > 0)?;
            Some((port, found.place.file))
        })
}

/// Finds the defaults in the code of the service in `dir`, but not in the directories of `others`.
pub(super) fn defaults(dir: &Dir<'_>, others: &[&str]) -> Vec<AppVariable> {
    search(dir, &|sub| others.contains(&sub.path()))
}

/// Finds the defaults in the code in `dir`, except in directories of others.
fn search(dir: &Dir<'_>, is_other: &dyn Fn(&Dir<'_>) -> bool) -> Vec<AppVariable> {
    let mut variables = Vec::new();
    each_file(dir, is_other, &mut |dir, name, text| {
        for (line, found, value) in values_in(text) {
            let origin = match value.has_expression {
                true => Origin::Expression,
                false => Origin::Code,
            };
            variables.push(variable(dir, name, line, (found, value.text), origin));
        }
    });
    variables
}

/// Finds the variables that the code of the service in `dir` reads without a default, but not in the directories
/// of `others`. Their values are empty.
pub(super) fn required(dir: &Dir<'_>, others: &[&str]) -> Vec<AppVariable> {
    let mut variables: Vec<AppVariable> = Vec::new();
    let is_other = |sub: &Dir<'_>| others.contains(&sub.path());
    each_file(dir, &is_other, &mut |dir, name, text| {
        for (line, found) in required::in_text(text) {
            if variables.iter().all(|known| known.name != found) {
                let found = (found.to_owned(), String::new());
                variables.push(variable(dir, name, line, found, Origin::Code));
            }
        }
    });
    variables
}

/// Passes each file with code in `dir` to `read`, with its directory, its name and its text.
fn each_file(
    dir: &Dir<'_>,
    is_other: &dyn Fn(&Dir<'_>) -> bool,
    read: &mut dyn FnMut(&Dir<'_>, &str, &str),
) {
    let (mut files, mut bytes) = (0, 0);
    let mut level = dir.below("").into_iter().collect::<Vec<_>>();
    for depth in 0..=DEPTH {
        let mut below = Vec::new();
        for dir in &level {
            for name in dir.files().filter(|name| is_searched(name)) {
                if files >= MAX_FILES || bytes >= MAX_BYTES {
                    return;
                }
                let mut text = dir.read(name).unwrap_or_default();
                if name == CADDY {
                    // `{$NAME:default}`.
                    text = text.replace("{$", "${");
                }
                (files, bytes) = (files + 1, bytes + text.len());
                read(dir, name, &text);
            }
            if depth < DEPTH {
                let names = dir.dirs().filter(|name| !is_skipped(name));
                let subs = names.filter_map(|name| dir.sub(name));
                below.extend(subs.filter(|sub| !is_other(sub)));
            }
        }
        level = below;
    }
}

fn is_searched(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_known = EXTENSIONS.contains(&extension) || ["application.yaml", CADDY].contains(&name);
    is_known && !OTHER_FILES.iter().any(|part| name.contains(part))
}

/// Returns the names of variables and their defaults in a text, with their lines.
pub(crate) fn defaults_in(text: &str) -> Vec<(usize, String, String)> {
    let known = values_in(text)
        .into_iter()
        .filter(|(_, _, value)| !value.has_expression);
    known
        .map(|(line, name, value)| (line, name, value.text))
        .collect()
}

fn values_in(text: &str) -> Vec<(usize, String, Value)> {
    let mut found: Vec<Declared> = Vec::new();
    for (_, start, line) in code_lines(text) {
        for name in reads::upper_names(line) {
            let at = start + name.start..start + name.end;
            let value = match reads::read_at(text, &at) {
                Some(read) => fallback::default_of(text, &read),
                None => schema::default_of(text, &at),
            };
            if let Some(value) = value {
                found.push((start, line[name].to_owned(), value));
            }
        }
        if line.contains("${") {
            found.extend(braces(line).map(|(name, value)| (start, name, value)));
        }
    }
    for one in destructured(text) {
        if let Some(value) = one.default {
            found.push((one.at, one.name.to_owned(), value));
        }
    }
    found.extend(class::fields(text));
    found.extend(class::viper(text));
    found.extend(class::configuration(text));
    found.extend(class::database_url(text));
    found.retain(|(_, _, value)| !value.text.is_empty());
    found.sort_by_key(|(at, _, _)| *at);
    // A field may name its variable and be one.
    found.dedup_by(|one, other| one.1 == other.1 && one.2.text == other.2.text);
    let (mut line, mut counted) = (1, 0);
    let lines = found.into_iter().map(|(at, name, value)| {
        line += text[counted..at].matches('\n').count();
        counted = at;
        (line, name, value)
    });
    lines.collect()
}

/// Returns the lines without comments and very long ones, each with its index and its offset in the text.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut offset = 0;
    let lines = text
        .split_inclusive('\n')
        .enumerate()
        .map(move |(index, full)| {
            let start = offset;
            offset += full.len();
            (index, start, full.trim_end())
        });
    lines.filter(|(_, _, line)| line.len() <= MAX_LINE && !is_comment_line(line))
}

fn is_comment_line(line: &str) -> bool {
    let line = line.trim_start();
    is_comment(line) || (line.starts_with('#') && !line.starts_with("#["))
}

/// Returns the variables of `${NAME:default}` in a line, as Spring and Compose write them.
fn braces(line: &str) -> impl Iterator<Item = (String, Value)> + '_ {
    line.split("${").skip(1).filter_map(|rest| {
        let (inside, _) = rest.split_once('}')?;
        let (name, default) = inside.split_once(':')?;
        let default = default.strip_prefix('-').unwrap_or(default);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.len() < 2 || !name.chars().all(is_name) || default.contains('$') {
            return None;
        }
        // Spring reads the property `api.base-url` from `API_BASEURL`.
        let name = name.replace('.', "_").replace('-', "").to_ascii_uppercase();
        let value = Value {
            text: default.trim().to_owned(),
            ..Value::default()
        };
        Some((name, value))
    })
}

#[cfg(test)]
mod tests;
