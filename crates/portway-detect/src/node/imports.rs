//! The files of a package that one of its files imports.

use crate::paths::join;
use std::collections::BTreeSet;

use super::files::{read, resolve};
use crate::Dir;

/// Maximum number of files that are followed.
const MAX_FILES: usize = 60;

/// Words before the name of what a file imports.
const KEYWORDS: [&str; 4] = ["from", "require(", "import(", "import"];

/// Extensions that TypeScript writes for the file that it will make.
const COMPILED: [&str; 3] = [".js", ".mjs", ".cjs"];

/// Returns `file` and the files of its package that it imports, directly or through others, with their
/// texts, in the order in which they are found.
pub(super) fn closure(dir: &Dir<'_>, file: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut queue = std::collections::VecDeque::from([file.to_owned()]);
    let mut seen = BTreeSet::from([file.to_owned()]);
    while let Some(file) = queue.pop_front().filter(|_| found.len() < MAX_FILES) {
        let Some(text) = read(dir, &file) else {
            continue;
        };
        let place = file.rsplit_once('/').map_or("", |(place, _)| place);
        let imported = names(&text).filter(|name| name.starts_with('.'));
        let paths = imported.filter_map(|name| source(dir, &join(place, name)?));
        queue.extend(paths.filter(|path| seen.insert(path.clone())));
        found.push((file, text));
    }
    found
}

/// Returns whether a text imports the package `name` or a part of it.
pub(super) fn imports(text: &str, name: &str) -> bool {
    names(text).any(|imported| {
        let imported = imported.strip_prefix("node:").unwrap_or(imported);
        let rest = imported.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Returns the names of what a text imports: packages and relative paths.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines();
    let code = lines.filter(|line| !line.trim_start().starts_with(['*', '/']));
    code.flat_map(|line| {
        let named = KEYWORDS.iter().flat_map(move |keyword| {
            let found = line.match_indices(keyword);
            found.filter_map(move |(at, word)| {
                let before = line[..at].chars().next_back();
                let is_word = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
                let rest = line[at + word.len()..].trim_start();
                let quote = rest.chars().next().filter(|c| "'\"".contains(*c))?;
                let name = rest[1..].split(quote).next()?;
                is_word.then_some(name)
            })
        });
        named.collect::<Vec<_>>()
    })
}

/// Returns what a text imports by name, with the path: `import { a, b } from './c'`. The names may span
/// several lines.
pub(super) fn statements(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices(" from ").filter_map(|(at, word)| {
        let before = &text[..at];
        let names = &before[before.rfind("import")?..];
        let rest = text[at + word.len()..].trim_start();
        let quote = rest.chars().next().filter(|c| "'\"".contains(*c))?;
        Some((names, rest[1..].split(quote).next()?))
    })
}

/// Returns the file that an import names: `./x` and `./x.js` may be `x.ts`.
fn source(dir: &Dir<'_>, path: &str) -> Option<String> {
    let stem = COMPILED.iter().find_map(|end| path.strip_suffix(end));
    resolve(dir, path)
        .or_else(|| resolve(dir, stem?))
        .or_else(|| resolve(dir, &format!("{path}/index")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn follows_the_imports_of_a_file() {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in [
            (
                "src/a.ts",
                "import x from './b.js'\nconst c = require(\"../c\")\n// import './no'\nimport 'koa'",
            ),
            ("src/b.ts", "import {\n  y,\n} from './lib'; import('./a')"),
            (
                "src/lib/index.ts",
                "export * from './gone'; import z from '../../../out'",
            ),
            ("src/no.ts", ""),
            ("c.js", ""),
        ] {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let records = crate::records::Records::default();
        let found = closure(&Dir::open(temp.path(), "", &records), "src/a.ts");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["src/a.ts", "src/b.ts", "c.js", "src/lib/index.ts"]);
    }

    #[test]
    fn knows_the_packages_that_a_file_imports() {
        for (text, name, expected) in [
            ("import { WebSocketServer } from 'ws'", "ws", true),
            (
                "const { x } = require(\"@apollo/server/standalone\")",
                "@apollo/server",
                true,
            ),
            ("import 'express'", "express", true),
            ("import x from 'wss'", "ws", false),
            ("const a = 'ws'", "ws", false),
            ("Array.from('ws')", "ws", false),
            ("require('node:net')", "net", true),
        ] {
            assert_eq!(imports(text, name), expected, "{text}");
        }
    }
}
