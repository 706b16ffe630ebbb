//! What the last output of a service says about why it exited.

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
    let signs = ["in use", "eaddrinuse", "errno 98", "bind"];
    lines.is_empty()
        || lines.iter().any(|line| {
            let line = line.to_lowercase();
            signs.iter().any(|sign| line.contains(sign))
        })
}

/// Returns the line that reports a missing module or file.
pub(super) fn missing_file(lines: &[String]) -> Option<String> {
    let reports_missing = |line: &&String| {
        // Yarn reports other failures of a command with the same start.
        let line = line.trim();
        let is_yarn = line.starts_with("error Command \"") && line.ends_with("not found.");
        is_yarn || MISSING.iter().any(|sign| line.contains(sign))
    };
    lines
        .iter()
        .rev()
        .find(reports_missing)
        .map(|line| plain(line.trim()))
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
}
