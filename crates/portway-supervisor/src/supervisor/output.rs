//! What the last output of a service says about why it exited.

use std::collections::BTreeSet;

/// Parts of a line that report a missing module or file. Such a service fails again each time it is
/// started.
const MISSING: [&str; 21] = [
    // Python
    "ModuleNotFoundError: ",
    "Error: Could not import ",
    "Error loading ASGI app. Could not import module",
    "can't open file '",
    "Error while finding module specification for ",
    ": No module named ",
    // Node, Deno and Bun
    "Error: Cannot find module ",
    "Error [ERR_MODULE_NOT_FOUND]: ",
    "error: Module not found ",
    "error: Script not found ",
    "npm error Missing script: ",
    "npm ERR! Missing script: ",
    "ERR_PNPM_NO_SCRIPT ",
    // Ruby, Perl, PHP
    "cannot load such file -- ",
    "(LoadError)",
    "Can't open perl script ",
    "Could not open input file: ",
    // Java
    "Error: Could not find or load main class ",
    "Error: Unable to access jarfile ",
    // Rust and Go
    "error: could not find `Cargo.toml` in ",
    "no required module provides package ",
];

/// What precedes and follows the name of a missing `.env` file or of a variable that it should set, in lines of
/// Compose and Node.
const MISSING_SETTINGS: [(&str, &str); 3] = [
    ("env file ", " not found"),
    ("required variable ", " is missing a value"),
    ("node: ", ": not found"),
];

/// The maximum length of a line in a status, in characters.
const MAX_LINE: usize = 500;

/// Returns a line without escape sequences, cut to a length for messages.
pub(super) fn plain(line: &str) -> String {
    let stripped = anstream::adapter::strip_str(line).to_string();
    match stripped.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}…", &stripped[..end]),
        None => stripped,
    }
}

/// Returns whether the last output of a server may report an address that is in use. A server that
/// printed nothing may have failed for that reason too.
pub(super) fn reports_address_in_use(lines: &[String]) -> bool {
    lines.is_empty()
        || lines
            .iter()
            .any(|line| is_about_address_in_use(line) || line.to_lowercase().contains("bind"))
}

/// Parts of a line, in lower case, that certainly report an address that is in use.
const ADDRESS_IN_USE: [&str; 3] = ["in use", "eaddrinuse", "errno 98"];

/// Returns whether the last output of a program reports an address that is in use.
pub(super) fn says_address_in_use(lines: &[String]) -> bool {
    lines.iter().any(|line| is_about_address_in_use(line))
}

fn is_about_address_in_use(line: &str) -> bool {
    let line = line.to_lowercase();
    ADDRESS_IN_USE.iter().any(|sign| line.contains(sign))
}

/// Returns the numbers in the lines that report an address in use which can be ports. One of these lines
/// usually names the port.
pub(super) fn ports_in_use(lines: &[String]) -> BTreeSet<u16> {
    let lines = lines.iter().map(|line| anstream::adapter::strip_str(line));
    let lines = lines.map(|line| line.to_string());
    lines
        .filter(|line| is_about_address_in_use(line))
        .flat_map(|line| numbers(&line))
        // Privileged ports are not those of a service, and numbers of errors are small.
        .filter(|number| *number >= 1024)
        .collect()
}

/// Returns the whole numbers of a line that fit into 16 bits, except those in dates.
fn numbers(line: &str) -> Vec<u16> {
    line.split(|char: char| !char.is_ascii_alphanumeric() && char != '-')
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Starts of lines that follow the report of a missing module or file: notes of the runtime and of the
/// programs that started it. Lines of a stack trace are indented.
const AFTER_REPORT: [&str; 18] = [
    "Require stack:",
    "{",
    "}",
    "]",
    "- ",
    "at ",
    "from ",
    "Node.js v",
    "Bun v",
    "Caused by: ",
    "npm ",
    "error ",
    "error: ",
    "info ",
    "ELIFECYCLE",
    "make: ",
    "make[",
    "exit status ",
];

/// Returns whether a line can follow the report of a missing module. After any other line, the service
/// continued, so it exited for another reason.
fn can_follow_report(line: &str) -> bool {
    line.trim().is_empty()
        || line.starts_with([' ', '\t'])
        || AFTER_REPORT.iter().any(|start| line.starts_with(start))
}

/// Returns the line that reports a missing module or file, if the output ends with that report.
pub(super) fn missing_file(lines: &[String]) -> Option<String> {
    let reports_missing = |line: &str| {
        // Yarn reports other failures of a command with the same start.
        let line = line.trim();
        let is_yarn = line.starts_with("error Command \"") && line.ends_with("not found.");
        let is_setting = |(start, end): &(&str, &str)| {
            let rest = line.split_once(start).map(|(_, rest)| rest);
            rest.is_some_and(|rest| rest.contains(end))
        };
        is_yarn
            || MISSING_SETTINGS.iter().any(is_setting)
            || MISSING.iter().any(|sign| line.contains(sign))
    };
    let at = lines.iter().rposition(|line| reports_missing(line))?;
    let is_last = lines[at + 1..]
        .iter()
        .all(|line| can_follow_report(&anstream::adapter::strip_str(line).to_string()));
    is_last.then(|| plain(lines[at].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_a_missing_module_or_file() {
        for line in [
            "ModuleNotFoundError: No module named 'fastapi'",
            "/usr/bin/python3: No module named uvicorn",
            "python3: can't open file '/p/app.py': [Errno 2] No such file or directory",
            "Error: Cannot find module '/p/dist/index.js'",
            "npm error Missing script: \"dev\"",
            "error Command \"dev\" not found.",
            "ruby: No such file or directory -- app.rb (LoadError)",
            "Could not open input file: artisan",
            "env file /p/.env not found: stat /p/.env: no such file or directory",
            "error while interpolating services.db.command: required variable DB is missing a value: set it",
            "node: .env: not found",
        ] {
            let lines = ["starting".to_owned(), format!("  {line}"), "}".to_owned()];
            assert_eq!(missing_file(&lines).as_deref(), Some(line));
        }
        for line in [
            "connection refused",
            "error Command failed with exit code 1.",
            "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/cache'",
        ] {
            assert_eq!(missing_file(&[line.to_owned()]), None);
        }
    }

    #[test]
    fn ignores_a_missing_module_after_which_the_service_continued() {
        let found = |text: &str| {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            missing_file(&lines)
        };
        for text in [
            "Error: Cannot find module 'fsevents'\nusing polling instead\nError: boom",
            "ModuleNotFoundError: No module named 'ujson'\n\n\
             During handling of the above exception, another exception occurred:\n\n\
             Traceback (most recent call last):\n  File \"a.py\"\nKeyError: 'PORT'",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        for text in [
            "Error: Cannot find module 'x'\nRequire stack:\n- /p/a.js\n    at f (a.js)\n  \
             code: 'MODULE_NOT_FOUND',\n}\n\nNode.js v22.1.0\nnpm error Lifecycle script failed",
            "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x'\n    at f (a.js) {\n  code: \
             'ERR'\n}\n\u{1b}[31m ELIFECYCLE \u{1b}[0m Command failed with exit code 1.",
            "a.rb:1:in `require': cannot load such file -- x (LoadError)\n\tfrom a.rb:1:in `<main>'",
        ] {
            assert!(found(text).is_some(), "{text}");
        }
    }

    #[test]
    fn removes_escape_sequences_and_cuts_long_lines() {
        assert_eq!(plain("\x1b[31mred\x1b[0m\x1b]0;x\x07 ü"), "red ü");
        let cut = plain(&"ü".repeat(MAX_LINE + 1));
        assert_eq!(cut, format!("{}…", "ü".repeat(MAX_LINE)));
    }

    #[test]
    fn recognizes_an_address_that_may_be_in_use() {
        assert!(reports_address_in_use(&[]));
        assert!(reports_address_in_use(&[
            "Error: listen EADDRINUSE :::3000".to_owned()
        ]));
        assert!(!reports_address_in_use(&["no such table".to_owned()]));
    }

    #[test]
    fn finds_the_port_that_is_in_use() {
        let found = |text: &str| {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            ports_in_use(&lines).into_iter().collect::<Vec<_>>()
        };
        for text in [
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:7777",
            "listen tcp :7777: bind: address already in use",
            "Port \u{1b}[1m7777\u{1b}[0m is in use by another program.",
            "ERROR: [Errno 98] error while attempting to bind on address ('127.0.0.1', 7777): \
             address already in use",
            "Address already in use - bind(2) for \"127.0.0.1\" port 7777 (Errno::EADDRINUSE)",
        ] {
            assert_eq!(found(text), [7777], "{text}");
        }
        assert_eq!(
            found("2026-11-30 OSError: [Errno 98] Address already in use"),
            Vec::<u16>::new()
        );
        assert_eq!(found("listening on 7777"), Vec::<u16>::new());
    }
}
