//! Local URLs in the source of pages.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Call, addresses};
use crate::{Dir, is_skipped};

/// Extensions of files whose text reaches a browser.
const EXTENSIONS: [&str; 12] = [
    "js", "jsx", "mjs", "ts", "tsx", "mts", "vue", "svelte", "astro", "html", "elm", "json",
];

/// Parts of the names of files that do not reach a browser.
const OTHER_PARTS: [&str; 10] = [
    "test",
    "spec",
    "stories",
    "server",
    "d",
    "min",
    "mock",
    "package",
    "package-lock",
    "tsconfig",
];

/// Directories of a frontend's package with other code, beyond those that detection skips.
const OTHER_DIRS: [&str; 7] = [
    "scripts",
    "mocks",
    "__mocks__",
    "__tests__",
    "cypress",
    "playwright",
    "stories",
];

/// Directories of servers that are not detected as services, at the top of a frontend's directory.
const SERVER_DIRS: [&str; 2] = ["server", "backend"];

/// Maximum number of files that are searched for one frontend.
const MAX_FILES: usize = 400;

/// Maximum number of bytes that are searched for one frontend.
const MAX_BYTES: usize = 2 << 20;

/// Levels of directories below a frontend's directory that are searched.
const DEPTH: usize = 7;

static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:(?:https?|wss?):)?//(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]):(\d{2,5})\b")
        .ok()
});

/// Returns the ports that the source of the frontend in `dir` calls, except in the directories `others`.
pub(super) fn calls(dir: &Dir<'_>, others: &BTreeSet<String>) -> Vec<Call> {
    let Some(address) = &*ADDRESS else {
        return Vec::new();
    };
    let mut calls = Vec::new();
    let (mut files, mut bytes) = (0, 0);
    let mut level: Vec<Dir<'_>> = dir.below("").into_iter().collect();
    for depth in 0..=DEPTH {
        let mut below = Vec::new();
        for place in &level {
            for name in place.files().filter(|name| reaches_a_browser(name)) {
                if files >= MAX_FILES || bytes >= MAX_BYTES {
                    return calls;
                }
                let text = place.read(name).unwrap_or_default();
                (files, bytes) = (files + 1, bytes + text.len());
                calls.extend(
                    addresses(&text, address, false)
                        .into_iter()
                        .map(|(port, line)| Call {
                            port,
                            place: format!("{}:{line}", place.path_of(name)),
                        }),
                );
            }
            if depth < DEPTH {
                // Files in `public` and `static` are served as they are.
                let is_read = |name: &&str| {
                    let is_other =
                        OTHER_DIRS.contains(name) || (depth == 0 && SERVER_DIRS.contains(name));
                    !is_other && (!is_skipped(name) || ["public", "static"].contains(name))
                };
                let subs = place
                    .dirs()
                    .filter(is_read)
                    .filter_map(|name| place.sub(name));
                below.extend(subs.filter(|sub| !others.contains(sub.path())));
            }
        }
        level = below;
    }
    calls
}

fn reaches_a_browser(name: &str) -> bool {
    let mut parts = name.rsplit('.');
    let extension = parts.next().unwrap_or_default();
    // `config.js` configures a page, `vite.config.js` a tool.
    let configures_tool = name.matches('.').count() > 1 && name.contains(".config.");
    EXTENSIONS.contains(&extension)
        && !name.starts_with('.')
        && !configures_tool
        && !parts.any(|part| OTHER_PARTS.contains(&part))
}
