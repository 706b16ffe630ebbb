//! Local URLs that are written out in `.env` files, where they go stale.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portway_api::{Check, Finding};
use regex_lite::Regex;

use super::note::{Further, error, fine, warning};
use super::scene::PortOwner;

/// Endings of files that only show how one would look.
const PATTERNS: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];

/// A file larger than this holds no variables.
const MAX_BYTES: u64 = 1 << 18;

/// A variable with a local URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The file.
    pub(super) file: PathBuf,
    /// The line, from 1.
    pub(super) line: usize,
    /// The variable.
    pub(super) variable: String,
    /// The scheme, empty where there is none.
    pub(super) scheme: String,
    /// The port.
    pub(super) port: u16,
}

/// Reads the `.env` files of some directories, each once.
pub(super) fn gather(dirs: &BTreeSet<PathBuf>) -> Vec<Written> {
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
            let text = fs::read_to_string(&file).unwrap_or_default();
            all.extend(urls(&file, &text));
        }
    }
    all
}

/// Whether a file of this name holds variables that somebody gets.
fn is_in_use(name: &str) -> bool {
    let mut parts = name.split('.').skip(1);
    name.starts_with(".env")
        && parts.next() == Some("env")
        && !parts.any(|part| PATTERNS.contains(&part))
}

/// The local URLs, and `localhost:PORT` without a scheme, of a `.env` file.
fn urls(file: &Path, text: &str) -> Vec<Written> {
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
        // A comment behind the value.
        let value = value.split(" #").next().unwrap_or(value);
        for found in url.captures_iter(value) {
            let port = found.get(2).and_then(|port| port.as_str().parse().ok());
            if let Some(port) = port.filter(|&port| port != 0) {
                all.push(Written {
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

/// Judges them. `owner` tells whose a port is, `told` are the variables that Portway itself gives
/// every service, whatever a file says, and `served` tells whether anybody listens on a port.
pub(super) fn judge(
    all: &[Written],
    owner: &dyn Fn(u16) -> PortOwner,
    told: &BTreeSet<String>,
    served: &dyn Fn(u16) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in all {
        let place = format!("{}:{}", one.file.display(), one.line);
        let Written { variable, port, .. } = one;
        let repair = "write no port there: `portway env` has a variable with the URL of every service, and `portway exec` starts a command with them";
        let finding = match owner(*port) {
            PortOwner::Own(_) => continue,
            _ if told.contains(variable) => continue,
            PortOwner::Other(words) => error(
                Check::EnvFile,
                variable,
                format!("leads to port {port}, which belongs to {words}"),
                repair,
            ),
            // A database of the machine's own is as good as one of the project.
            PortOwner::Nobody if !is_web(&one.scheme) && served(*port) => continue,
            PortOwner::Nobody => {
                let listens = if served(*port) {
                    "is no service's of this checkout"
                } else {
                    "is no service's of this checkout, and nobody listens there"
                };
                let message = format!("leads to port {port}, which {listens}");
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
        let message = "every local URL in it leads where it should";
        findings.push(fine(Check::EnvFile, &names.join(", "), message));
    }
    findings
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ws" | "wss" | "")
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;

    use super::*;

    #[test]
    fn only_files_whose_variables_somebody_gets_are_read() {
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
    fn local_urls_are_found_with_their_line() {
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
    fn a_url_is_judged_by_whose_port_it_leads_to() {
        let judged = |variable: &str, scheme: &str, owner: PortOwner, served: bool| {
            let written = Written {
                file: ".env".into(),
                line: 3,
                variable: variable.into(),
                scheme: scheme.into(),
                port: 8000,
            };
            let told = BTreeSet::from(["BACKEND_URL".to_owned()]);
            let findings = judge(&[written], &|_| owner.clone(), &told, &|_| served);
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
            ("API", "http", PortOwner::Nobody, true, Severity::Warning),
            ("API", "", PortOwner::Nobody, false, Severity::Warning),
            ("DB", "postgres", PortOwner::Nobody, true, Severity::Fine),
            (
                "DB",
                "postgres",
                PortOwner::Nobody,
                false,
                Severity::Warning,
            ),
            // What Portway tells wins over the file.
            ("BACKEND_URL", "http", other(), true, Severity::Fine),
        ] {
            assert_eq!(
                judged(variable, scheme, owner, served),
                severity,
                "{variable} {scheme}"
            );
        }
    }
}
