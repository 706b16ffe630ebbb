//! Checks local URLs in `.env` files, where they become stale.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portway_api::{Check, Finding};
use portway_detect::variables::MissingKeys;
use portway_project::user_file;
use regex_lite::Regex;

use super::context::PortOwner;
use super::finding_builder::{FindingExt, error, fine, warning};
use crate::missing::list;

/// Suffixes of example files, which no program loads.
const EXAMPLE_SUFFIXES: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];

/// Maximum size of a file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 18;

/// A variable that contains a local URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalUrl {
    /// The file.
    pub(super) file: PathBuf,
    /// The line number, from 1.
    pub(super) line: usize,
    /// The variable.
    pub(super) variable: String,
    /// The scheme; empty if there is none.
    pub(super) scheme: String,
    /// The port.
    pub(super) port: u16,
}

/// Reads the `.env` files of these directories.
pub(super) fn collect(dirs: &BTreeSet<PathBuf>) -> Vec<LocalUrl> {
    let mut all = Vec::new();
    for dir in dirs {
        let mut files: Vec<PathBuf> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_in_use))
            .map(|entry| entry.path())
            .filter(|path| {
                let metadata = path.metadata();
                metadata.is_ok_and(|file| file.is_file() && file.len() <= MAX_BYTES)
            })
            .collect();
        files.sort();
        for file in files {
            let text = user_file::read_text(&file).unwrap_or_default();
            all.extend(urls(&file, &text));
        }
    }
    all
}

/// Returns whether programs load a file with this name.
fn is_in_use(name: &str) -> bool {
    let mut parts = name.split('.').skip(1);
    name.starts_with(".env")
        && parts.next() == Some("env")
        && !parts.any(|part| EXAMPLE_SUFFIXES.contains(&part))
}

/// Finds local URLs, and `localhost:PORT` without a scheme, in a `.env` file.
fn urls(file: &Path, text: &str) -> Vec<LocalUrl> {
    let Ok(url) = Regex::new(
        r"(?:([a-z][a-z0-9+.-]*)://)?(?:[^\s/@:]*(?::[^\s/@]*)?@)?(?:\blocalhost|\b127\.0\.0\.1|\[::1\]):(\d{1,5})\b",
    ) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((variable, value)) = line.split_once('=').filter(|_| !line.starts_with('#'))
        else {
            continue;
        };
        // Strip a trailing comment.
        let value = value.split(" #").next().unwrap_or(value);
        for found in url.captures_iter(value) {
            let port = found.get(2).and_then(|port| port.as_str().parse().ok());
            if let Some(port) = port.filter(|&port| port != 0) {
                all.push(LocalUrl {
                    file: file.to_owned(),
                    line: index + 1,
                    variable: variable.trim().to_owned(),
                    scheme: found.get(1).map_or("", |m| m.as_str()).to_owned(),
                    port,
                });
            }
        }
    }
    all
}

/// Evaluates the URLs. `owner` returns the owner of a port, `is_overridden` returns whether Portway or
/// the manifest sets a variable for every service that loads a file, and `is_listening` returns whether
/// a process is listening on a port.
pub(super) fn evaluate(
    all: &[LocalUrl],
    owner: &dyn Fn(u16) -> PortOwner,
    is_overridden: &dyn Fn(&Path, &str) -> bool,
    is_listening: &dyn Fn(u16) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in all {
        let place = format!("{}:{}", one.file.display(), one.line);
        let LocalUrl { variable, port, .. } = one;
        let repair = "remove the port from the file; `portway env` prints a variable with the URL of each service, and `portway exec` runs a command with these variables";
        let finding = match owner(*port) {
            PortOwner::Own(_) => continue,
            _ if is_overridden(&one.file, variable) => continue,
            PortOwner::Other(words) => error(
                Check::EnvFile,
                variable,
                format!("refers to port {port}, which belongs to {words}"),
                repair,
            ),
            // The database may be one that is installed on the machine.
            PortOwner::None if !is_web(&one.scheme) && is_listening(*port) => continue,
            PortOwner::None => {
                let problem = if is_listening(*port) {
                    "belongs to no service of this checkout"
                } else {
                    "belongs to no service of this checkout and is not in use"
                };
                let message = format!("refers to port {port}, which {problem}");
                warning(Check::EnvFile, variable, message, repair)
            }
        };
        findings.push(finding.at(place));
    }
    if findings.is_empty() && !all.is_empty() {
        let files: BTreeSet<&PathBuf> = all.iter().map(|one| &one.file).collect();
        let names: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let message = "all local URLs refer to services of this checkout";
        findings.push(fine(Check::EnvFile, &names.join(", "), message));
    }
    findings
}

/// Warns about variables that an example file has and the `.env` file beside it lacks.
pub(super) fn evaluate_keys(all: &[MissingKeys]) -> Vec<Finding> {
    let finding = |keys: &MissingKeys| {
        let MissingKeys { file, example, .. } = keys;
        let message = format!("lacks {}, which {example} has", list(&keys.names));
        let repair = format!("copy the lines from {example} and fill in the values");
        warning(Check::EnvFile, file, message, repair)
    };
    all.iter().map(finding).collect()
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ws" | "wss" | "")
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;

    use super::*;

    #[test]
    fn reads_only_files_that_programs_load() {
        for name in [".env", ".env.local", ".env.development", ".env.test.local"] {
            assert!(is_in_use(name), "{name}");
        }
        for name in [
            ".env.example",
            ".env.local.sample",
            ".envrc",
            "x.env",
            ".environment",
        ] {
            assert!(!is_in_use(name), "{name}");
        }
    }

    #[test]
    fn finds_local_urls_with_line_numbers() {
        let text = "# API=http://localhost:1\nAPI=http://localhost:8000/v1\n\nexport DB=\"postgres://ada:s3@127.0.0.1:5432/x\"\nHOST=localhost:8001 # not localhost:2\nFAR=http://example.com:80\nNAME=localhost\nBIG=http://localhost:99999\n";
        let found: Vec<_> = urls(Path::new(".env"), text)
            .into_iter()
            .map(|one| (one.line, one.variable, one.scheme, one.port))
            .collect();
        let row = |line, variable: &str, scheme: &str, port| {
            (line, variable.to_owned(), scheme.to_owned(), port)
        };
        assert_eq!(
            found,
            [
                row(2, "API", "http", 8000),
                row(4, "DB", "postgres", 5432),
                row(5, "HOST", "", 8001),
            ]
        );
    }

    #[test]
    fn evaluates_a_url_by_the_owner_of_its_port() {
        let evaluated = |variable: &str, scheme: &str, owner: PortOwner, served: bool| {
            let written = LocalUrl {
                file: ".env".into(),
                line: 3,
                variable: variable.into(),
                scheme: scheme.into(),
                port: 8000,
            };
            let is_overridden =
                |file: &Path, variable: &str| (file, variable) == (".env".as_ref(), "BACKEND_URL");
            let findings = evaluate(&[written], &|_| owner.clone(), &is_overridden, &|_| served);
            findings[0].severity
        };
        let other = || PortOwner::Other("`api` of old".into());
        for (variable, scheme, owner, served, severity) in [
            (
                "API",
                "http",
                PortOwner::Own("api".into()),
                true,
                Severity::Fine,
            ),
            ("API", "http", other(), true, Severity::Error),
            ("API", "http", PortOwner::None, true, Severity::Warning),
            ("API", "", PortOwner::None, false, Severity::Warning),
            ("DB", "postgres", PortOwner::None, true, Severity::Fine),
            ("DB", "postgres", PortOwner::None, false, Severity::Warning),
            // Variables that Portway sets override the file.
            ("BACKEND_URL", "http", other(), true, Severity::Fine),
        ] {
            assert_eq!(
                evaluated(variable, scheme, owner, served),
                severity,
                "{variable} {scheme}"
            );
        }
    }
}
