//! Defaults of variables in source code: `os.getenv("API_URL", "http://localhost:8000")`. Works line by
//! line on the source of any language, and never runs it.

use std::sync::LazyLock;

use portway_project::mapping::{AppVariable, Origin};
use regex_lite::Regex;

use super::variable;
use crate::literal::is_comment;
use crate::{Dir, is_skipped};

/// Extensions of files that are searched.
const EXTENSIONS: [&str; 22] = [
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
    "kt",
    "properties",
    "yml",
];

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
    let Some(patterns) = &*PATTERNS else {
        return Vec::new();
    };
    let mut variables = Vec::new();
    let (mut files, mut bytes) = (0, 0);
    let mut level = dir.below("").into_iter().collect::<Vec<_>>();
    for depth in 0..=DEPTH {
        let mut below = Vec::new();
        for dir in &level {
            for name in dir.files().filter(|name| is_searched(name)) {
                if files >= MAX_FILES || bytes >= MAX_BYTES {
                    return variables;
                }
                let text = dir.read(name).unwrap_or_default();
                (files, bytes) = (files + 1, bytes + text.len());
                for (line, found) in patterns.defaults(&text) {
                    variables.push(variable(dir, name, line, found, Origin::Code));
                }
            }
            if depth < DEPTH {
                let names = dir.dirs().filter(|name| !is_skipped(name));
                let subs = names.filter_map(|name| dir.sub(name));
                below.extend(subs.filter(|sub| !is_other(sub)));
            }
        }
        level = below;
    }
    variables
}

fn is_searched(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    EXTENSIONS.contains(&extension) && !OTHER_FILES.iter().any(|part| name.contains(part))
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(Patterns::new);

/// The forms in which code reads a variable with a default.
struct Patterns {
    /// `getenv("NAME", …)`, `config('NAME', …)`.
    call: Regex,
    /// `process.env.NAME || …`, `ENV["NAME"] || …`.
    operator: Regex,
    /// `env::var("NAME")….unwrap_or(…)`.
    unwrap: Regex,
    /// `${NAME:…}` in configuration files.
    braces: Regex,
    /// `NAME: z.string().default(…)`, `NAME: str({ default: … })`.
    schema: Regex,
    /// `name: str = …` in a class of settings.
    field: Regex,
}

impl Patterns {
    fn new() -> Option<Self> {
        let compile = |pattern| Regex::new(pattern).ok();
        Some(Self {
            call: compile(
                r#"([A-Za-z_][A-Za-z0-9_.:]*)\s*(?:<\w+>)?\(\s*["']([A-Z][A-Z0-9_]{2,})["']\s*,\s*(.*)"#,
            )?,
            operator: compile(
                r#"(?:env|ENV|environ)(?:\.get|\.fetch)?(?:\.|\[\s*["']|\(\s*["'])([A-Z][A-Z0-9_]{2,})["']?\s*[\])]*\s*(?:\|\||\?\?|\bor\b|\?:|\{)\s*(.*)"#,
            )?,
            unwrap: compile(
                r#"var\(\s*"([A-Z][A-Z0-9_]{2,})"\s*\).*unwrap_or(?:_else)?\(\s*(?:\|_?\w*\|\s*)?(?:String::from\()?(.*)"#,
            )?,
            braces: compile(r"\$\{([A-Z][A-Z0-9_]{2,}):-?([^}$]*)\}")?,
            schema: compile(r"^\s*([A-Z][A-Z0-9_]{2,})\s*:\s*\w+[.(].*\bdefault\s*[:(]\s*(.*)")?,
            field: compile(r"^\s+([A-Za-z][A-Za-z0-9_]*)\s*:\s*[^=#]+=\s*(.*)")?,
        })
    }

    /// Returns the names and defaults in a text, with their lines.
    fn defaults(&self, text: &str) -> Vec<(usize, (String, String))> {
        let mut all = Vec::new();
        let mut settings = Settings::default();
        for (index, line) in text.lines().enumerate() {
            if line.len() > MAX_LINE || is_comment(line) || line.trim_start().starts_with('#') {
                continue;
            }
            settings.read(line);
            let found = self.of_line(line, &settings);
            all.extend(found.into_iter().map(|found| (index + 1, found)));
        }
        all
    }

    fn of_line(&self, line: &str, settings: &Settings) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let lower = line.to_ascii_lowercase();
        let has = |part: &str| lower.contains(part);
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                found.push((name.to_owned(), value.to_owned()));
            }
        };
        if settings.is_inside {
            if let Some(field) = self.field.captures(line) {
                let name = format!("{}{}", settings.prefix, &field[1]).to_ascii_uppercase();
                let value = &field[2];
                add(
                    &name,
                    literal(value).or_else(|| literal(after_default(value)?)),
                );
            }
            return found;
        }
        if has("${") && has(":") {
            for braces in self.braces.captures_iter(line) {
                let value = braces.get(2).map(|value| value.as_str());
                add(&braces[1], value);
            }
        }
        if (has("env") || has("config"))
            && let Some(call) = self.call.captures(line)
        {
            let function = call[1].to_ascii_lowercase();
            let rest = call.get(3).map_or("", |rest| rest.as_str());
            if function.contains("env") || function.contains("config") {
                add(
                    &call[2],
                    after_default(rest)
                        .and_then(literal)
                        .or_else(|| literal(rest)),
                );
            }
        }
        if has("env") {
            if let Some(operator) = self.operator.captures(line) {
                add(
                    &operator[1],
                    operator.get(2).and_then(|rest| literal(rest.as_str())),
                );
            }
            if let Some(unwrap) = self.unwrap.captures(line) {
                add(
                    &unwrap[1],
                    unwrap.get(2).and_then(|rest| literal(rest.as_str())),
                );
            }
        }
        if has("default")
            && let Some(schema) = self.schema.captures(line)
        {
            add(
                &schema[1],
                schema.get(2).and_then(|rest| literal(rest.as_str())),
            );
        }
        found
    }
}

/// Whether a line is inside a class of settings that reads its fields from variables (pydantic).
#[derive(Default)]
struct Settings {
    is_inside: bool,
    prefix: String,
}

impl Settings {
    fn read(&mut self, line: &str) {
        if line.starts_with("class ") {
            self.is_inside = line.contains("BaseSettings");
            self.prefix.clear();
        } else if !line.is_empty() && !line.starts_with([' ', '\t', ')']) {
            self.is_inside = false;
        }
        if self.is_inside
            && let Some((_, rest)) = line.split_once("env_prefix")
        {
            let value = rest.trim_start().strip_prefix('=').map(str::trim_start);
            self.prefix = value.and_then(literal).unwrap_or_default().to_owned();
        }
    }
}

/// Returns what follows `default=` or `default:`.
fn after_default(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("default")?;
    let rest = rest.trim_start();
    Some(rest.strip_prefix(['=', ':'])?.trim_start())
}

/// Returns the string or the number at the start of a text.
fn literal(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let quote = text.chars().next()?;
    if "\"'`".contains(quote) {
        let inside = &text[1..];
        let value = &inside[..inside.find(quote)?];
        // The value of a template is not known.
        return (!value.contains("${") && !value.contains("#{")).then_some(value);
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (end > 0).then_some(&text[..end])
}

#[cfg(test)]
mod tests;
