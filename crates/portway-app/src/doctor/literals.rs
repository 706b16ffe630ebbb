//! Checks local URLs in the source files of a frontend, which its pages call in every checkout. The
//! files are read as text and never run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portway_api::{Check, Finding};
use portway_detect::javascript::without_comments;
use portway_project::plan::identifier;
use portway_project::user_file;
use regex_lite::Regex;

use super::context::PortOwner;
use super::finding_builder::{FindingExt, warning};

/// How long to read files. The rest is not checked.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum number of files that are read.
const MAX_FILES: usize = 3000;

/// Maximum size of a file that is read, in bytes. Larger files are usually generated.
const MAX_BYTES: u64 = 1 << 18;

/// Maximum depth of directories.
const MAX_DEPTH: usize = 12;

/// Extensions of files whose text reaches the browser.
const EXTENSIONS: [&str; 12] = [
    "js", "jsx", "mjs", "ts", "tsx", "mts", "vue", "svelte", "astro", "html", "css", "scss",
];

/// Directories with other files: dependencies, output, tests.
const SKIPPED_DIRS: [&str; 16] = [
    "node_modules",
    "dist",
    "build",
    "out",
    "coverage",
    "target",
    "vendor",
    "venv",
    "test",
    "tests",
    "__tests__",
    "__mocks__",
    "e2e",
    "cypress",
    "docs",
    "stories",
];

/// Directories whose files servers serve unchanged.
const PAGE_DIRS: [&str; 6] = ["public", "static", "assets", "www", "htdocs", "wwwroot"];

/// Parts of the names of files that do not reach the browser.
const SKIPPED_PARTS: [&str; 6] = ["test", "spec", "config", "stories", "server", "d"];

/// A literal local URL in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// The file.
    pub(super) file: PathBuf,
    /// The line number, from 1.
    pub(super) line: usize,
    /// The URL up to and including its port.
    pub(super) url: String,
    /// Its port.
    pub(super) port: u16,
}

/// A service that the project's files call by another port than it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// The service.
    pub(super) service: String,
    /// Its port in this instance.
    pub(super) actual: u16,
}

/// How a page works although its URLs are literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The gateway replaces them on the page with this URL.
    Gateway(String),
    /// A gateway would replace them.
    StartGateway,
    /// Nothing replaces them.
    None,
}

/// Which source files reach the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sources {
    /// Those of the whole directory, which a development server bundles.
    All,
    /// Pages, and the files in [`PAGE_DIRS`], which a server serves unchanged.
    Pages,
}

/// Reads the local URLs in the source files below the directory of a service that serves pages, except those
/// in the directories `other`.
pub(super) fn collect(dir: &Path, other: &BTreeSet<PathBuf>, sources: Sources) -> Vec<Literal> {
    let Ok(url) = Regex::new(
        r"(?:(?:https?|wss?):)?//(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]):(\d{1,5})\b",
    ) else {
        return Vec::new();
    };
    let mut files = Files {
        other,
        until: Instant::now() + READ_TIMEOUT,
        found: Vec::new(),
    };
    files.add(dir, MAX_DEPTH);
    if sources == Sources::Pages {
        files.found.retain(|file| is_served(dir, file));
    }
    let mut literals = Vec::new();
    for file in files.found {
        if Instant::now() > files.until {
            break;
        }
        let text = user_file::read_text(&file).unwrap_or_default();
        literals.extend(in_text(&file, &text, &url));
    }
    literals
}

/// The files to read.
struct Files<'a> {
    other: &'a BTreeSet<PathBuf>,
    until: Instant,
    found: Vec<PathBuf>,
}

impl Files<'_> {
    fn add(&mut self, dir: &Path, depth: usize) {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut entries: Vec<fs::DirEntry> = entries.take(MAX_FILES).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if self.found.len() >= MAX_FILES || Instant::now() > self.until {
                return;
            }
            let (path, name) = (entry.path(), entry.file_name());
            // Links are not followed, so every file is read once.
            let (Some(name), Ok(kind)) = (name.to_str(), entry.file_type()) else {
                continue;
            };
            if kind.is_dir() {
                let is_skipped = name.starts_with('.') || SKIPPED_DIRS.contains(&name);
                if !is_skipped && depth > 0 && !self.other.contains(&path) {
                    self.add(&path, depth - 1);
                }
            } else if kind.is_file() && reaches_the_browser(name) {
                let size = entry.metadata().map_or(u64::MAX, |file| file.len());
                if size <= MAX_BYTES {
                    self.found.push(path);
                }
            }
        }
    }
}

/// Returns whether a server that bundles nothing serves a file below `dir`.
fn is_served(dir: &Path, file: &Path) -> bool {
    let is_page = file
        .extension()
        .is_some_and(|extension| extension == "html");
    let below = file.strip_prefix(dir).unwrap_or(file).components();
    let mut names = below.filter_map(|part| part.as_os_str().to_str());
    is_page || names.any(|name| PAGE_DIRS.contains(&name))
}

fn reaches_the_browser(name: &str) -> bool {
    let mut parts = name.rsplit('.');
    let extension = parts.next().unwrap_or_default();
    EXTENSIONS.contains(&extension)
        && !name.starts_with('.')
        && !parts.any(|part| SKIPPED_PARTS.contains(&part))
}

/// Finds local URLs. A URL that is only the default of an environment variable does not count, and
/// each port counts once per file.
fn in_text(file: &Path, text: &str, url: &Regex) -> Vec<Literal> {
    // Nearly all files contain none.
    if !url.is_match(text) {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut literals = Vec::new();
    for (index, line) in without_comments(text).split('\n').enumerate() {
        for found in url.captures_iter(line) {
            let (Some(whole), Some(port)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let is_default = line[..whole.start()].contains("env");
            if let Ok(port) = port.as_str().parse()
                && !is_default
                && seen.insert(port)
            {
                literals.push(Literal {
                    file: file.to_owned(),
                    line: index + 1,
                    url: whole.as_str().to_owned(),
                    port,
                });
            }
        }
    }
    literals
}

/// Evaluates the URLs of one frontend. `moved` returns the service that a port means and that has
/// another one in this instance, and `owner` returns the owner of a port.
pub(super) fn evaluate(
    frontend: &str,
    literals: &[Literal],
    sources: Sources,
    moved: &dyn Fn(u16) -> Option<Moved>,
    owner: &dyn Fn(u16) -> PortOwner,
    remedy: &Remedy,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for literal in literals {
        let Literal { url, port, .. } = literal;
        let moved = moved(*port);
        let message = match (&moved, owner(*port)) {
            (Some(moved), PortOwner::Other(other)) => format!(
                "calls {url}, which belongs to {other}; `{}` of this checkout is on {}",
                moved.service, moved.actual
            ),
            (Some(moved), _) => format!(
                "calls {url}, but `{}` of this checkout is on {}",
                moved.service, moved.actual
            ),
            (None, PortOwner::Other(other)) => format!("calls {url}, which belongs to {other}"),
            (None, _) => continue,
        };
        let variable = |service: &str| format!("{}_URL", identifier(service).to_ascii_uppercase());
        let repair = match (&moved, remedy) {
            (Some(_), Remedy::Gateway(url)) => {
                format!("open {url}, where the gateway replaces the port")
            }
            (Some(_), Remedy::StartGateway) => {
                "run `portway gateway --detach`, and open the page by its name: the gateway replaces the port"
                    .to_owned()
            }
            (Some(moved), Remedy::None) if sources == Sources::All => {
                let variable = variable(&moved.service);
                format!("read the URL from an environment variable, such as `VITE_{variable}`")
            }
            (Some(moved), Remedy::None) => format!(
                "write the URL into the page from `{}`, which Portway sets",
                variable(&moved.service)
            ),
            (None, _) => "read the URL from an environment variable".to_owned(),
        };
        let place = format!("{}:{}", literal.file.display(), literal.line);
        findings.push(warning(Check::Literal, frontend, message, repair).at(place));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn reads_source_files_that_reach_the_browser() {
        let root = tempfile::tempdir().unwrap();
        let call = "// http://localhost:1\nfetch('http://localhost:8000/a');\nfetch('ws://127.0.0.1:8000');";
        for file in [
            "src/api.ts",
            "src/deep/er/App.vue",
            "public/app.js",
            "index.html",
            "src/api.test.ts",
            "vite.config.ts",
            "src/types.d.ts",
            "node_modules/x/index.js",
            ".next/chunk.js",
            "tests/api.ts",
            "server/main.ts",
            "README.md",
        ] {
            write(root.path(), file, call);
        }
        let default = "const url = import.meta.env.VITE_API ?? 'http://localhost:8000';";
        write(root.path(), "src/default.ts", default);
        let other = BTreeSet::from([root.path().join("server")]);
        let found = |sources| {
            let all = collect(root.path(), &other, sources).into_iter();
            all.map(|one| {
                let file = one.file.strip_prefix(root.path()).unwrap().to_owned();
                (file.display().to_string(), one.line, one.url)
            })
            .collect::<Vec<_>>()
        };
        let expected = |files: &[&str]| {
            let one = |file: &&str| ((*file).to_owned(), 2, "http://localhost:8000".to_owned());
            files.iter().map(one).collect::<Vec<_>>()
        };
        let all = [
            "index.html",
            "public/app.js",
            "src/api.ts",
            "src/deep/er/App.vue",
        ];
        assert_eq!(found(Sources::All), expected(&all));
        assert_eq!(found(Sources::Pages), expected(&all[..2]));
    }

    fn findings(remedy: &Remedy, sources: Sources) -> Vec<(String, String)> {
        let literal = |port: u16| Literal {
            file: "/shop/src/api.ts".into(),
            line: 3,
            url: format!("http://localhost:{port}"),
            port,
        };
        let moved = |port| {
            (port == 8000 || port == 8100).then(|| Moved {
                service: "api".into(),
                actual: 8003,
            })
        };
        let owner = |port| match port {
            8000 | 7000 => PortOwner::Other("`api` of `shop`".into()),
            8003 => PortOwner::Own("api".into()),
            _ => PortOwner::None,
        };
        let literals = [8000, 8100, 7000, 8003, 11434].map(literal);
        evaluate("web", &literals, sources, &moved, &owner, remedy)
            .into_iter()
            .map(|finding| {
                assert_eq!(finding.place.as_deref(), Some("/shop/src/api.ts:3"));
                (finding.message, finding.repair.unwrap())
            })
            .collect()
    }

    #[test]
    fn reports_ports_of_other_checkouts_and_of_moved_services() {
        let found = findings(
            &Remedy::Gateway("http://fix.shop.localhost".into()),
            Sources::All,
        );
        let messages: Vec<&str> = found.iter().map(|(message, _)| message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "calls http://localhost:8000, which belongs to `api` of `shop`; `api` of this checkout is on 8003",
                "calls http://localhost:8100, but `api` of this checkout is on 8003",
                "calls http://localhost:7000, which belongs to `api` of `shop`",
            ]
        );
        assert!(found[0].1.contains("open http://fix.shop.localhost"));
        assert!(!found[2].1.contains("gateway"));
    }

    #[test]
    fn proposes_what_works() {
        assert!(
            findings(&Remedy::StartGateway, Sources::All)[0]
                .1
                .contains("portway gateway")
        );
        let none = |sources| findings(&Remedy::None, sources).swap_remove(0).1;
        assert!(none(Sources::All).contains("`VITE_API_URL`"));
        assert!(none(Sources::Pages).contains("from `API_URL`"));
    }
}
