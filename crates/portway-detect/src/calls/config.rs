//! Targets of the proxy of a development server, read from its configuration as text.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Call, addresses};
use crate::Dir;

/// Names of configuration files without their extension, and a word that they contain if they configure
/// a proxy.
const FILES: [(&str, &str); 13] = [
    ("vite.config", "proxy"),
    ("next.config", "rewrites"),
    ("nuxt.config", "roxy"),
    ("astro.config", "proxy"),
    ("svelte.config", "proxy"),
    ("vue.config", "proxy"),
    ("webpack.config", "proxy"),
    ("webpack.dev", "proxy"),
    ("rsbuild.config", "proxy"),
    ("rspack.config", "proxy"),
    ("proxy.conf", "target"),
    ("proxy.config", "target"),
    ("setupProxy", "target"),
];

const EXTENSIONS: [&str; 7] = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".json"];

/// Directories that contain such files.
const PLACES: [&str; 3] = ["", "src", "config"];

static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // Targets may have no scheme.
    Regex::new(r"(?:\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0)|\[::1\]):(\d{2,5})\b").ok()
});

/// Returns the word that a configuration file with this name contains if it configures a proxy.
pub(super) fn word(name: &str) -> Option<&'static str> {
    let is_it = |stem: &str| {
        let extension = name.strip_prefix(stem);
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
    };
    let found = FILES.iter().find(|(stem, _)| is_it(stem));
    found.map(|(_, word)| *word)
}

/// Returns the ports that the proxies of the frontend in `dir` forward to, or `with_defaults` also those to which
/// they forward if a variable is not set.
pub(super) fn calls(dir: &Dir<'_>, with_defaults: bool) -> Vec<Call> {
    let Some(address) = &*ADDRESS else {
        return Vec::new();
    };
    let mut calls = Vec::new();
    for place in PLACES.iter().filter_map(|path| dir.below(path)) {
        for name in place.files() {
            let word = match (word(name), name) {
                (Some(word), _) => word,
                // Create React App.
                (None, "package.json") if place.path() == dir.path() => "\"proxy\"",
                _ => continue,
            };
            let text = place.read(name).unwrap_or_default();
            let Some(start) = text.find(word) else {
                continue;
            };
            // In `package.json`, scripts name ports too.
            let only_line =
                (name == "package.json").then(|| text[..start].matches('\n').count() + 1);
            let found = addresses(&text, address, with_defaults).into_iter();
            let found = found.filter(|(_, line)| only_line.is_none_or(|only| only == *line));
            calls.extend(found.map(|(port, line)| Call {
                port,
                place: format!("{}:{line}", place.path_of(name)),
            }));
        }
    }
    calls
}
