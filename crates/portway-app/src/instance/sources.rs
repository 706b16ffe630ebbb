//! The files that a project was read from, and which of them have changed since.
//!
//! A file has changed if its content has. It is read again only if its size or times differ.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use portway_detect::variables;
use portway_project::PlannedService;
use portway_project::manifest::FILE_NAME;
use portway_project::user_file::{self, MAX_TEXT_BYTES};

use crate::preferences;
use crate::project::Project;

/// The files from which services are detected, in the root and in the directory of each detected service.
/// Others can contribute as well; a change of them takes effect at the next start.
const DETECTED_FROM: [&str; 22] = [
    "Cargo.toml",
    "Gemfile",
    "Pipfile",
    "Procfile",
    "Procfile.dev",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "compose.yaml",
    "compose.yml",
    "deno.json",
    "deno.jsonc",
    "docker-compose.yaml",
    "docker-compose.yml",
    "go.mod",
    "manage.py",
    "package.json",
    "pom.xml",
    "process-compose.yaml",
    "process-compose.yml",
    "pyproject.toml",
    "requirements.txt",
];

/// The maximum number of directories of detected services that are checked.
const MAX_DETECTED_DIRS: usize = 32;

/// What shows, without reading it, that a file may have changed. `None` if the file does not exist.
type Stamp = Option<(u64, Option<SystemTime>, u64, i64)>;

fn stamp(path: &Path) -> Stamp {
    path.metadata().ok().map(|metadata| {
        let (inode, changed) = identity(&metadata);
        (metadata.len(), metadata.modified().ok(), inode, changed)
    })
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, i64) {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = metadata.ctime().wrapping_mul(1_000_000_000);
    (
        metadata.ino(),
        nanoseconds.wrapping_add(metadata.ctime_nsec()),
    )
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> (u64, i64) {
    (0, 0)
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    hasher.finish()
}

/// Returns the digest of a file; `None` if it cannot be read.
fn read_digest(path: &Path) -> Option<u64> {
    let content = user_file::read(path, MAX_TEXT_BYTES).ok()?;
    Some(digest(&content))
}

/// A file as it was when it was read.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    digest: Option<u64>,
    /// The file as it was at the last check, and whether it had changed.
    last: Option<(Stamp, bool)>,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let digest = read_digest(&path);
        Self {
            path,
            digest,
            last: None,
        }
    }

    fn has_changed(&mut self) -> bool {
        let now = stamp(&self.path);
        match &self.last {
            Some((last, has_changed)) if *last == now => *has_changed,
            _ => {
                let has_changed = read_digest(&self.path) != self.digest;
                self.last = Some((now, has_changed));
                has_changed
            }
        }
    }
}

/// Returns the application's own `.env` files, in its directory and above, if their variables are mapped.
fn own_env_files(root: &Path, service: &PlannedService) -> Vec<PathBuf> {
    if !service.map_env {
        return Vec::new();
    }
    let dir = Path::new(service.dir.as_deref().unwrap_or(""));
    dir.ancestors()
        .flat_map(|dir| variables::IN_USE.map(|name| root.join(dir).join(name)))
        .collect()
}

/// Returns the application's files whose variables are mapped.
fn mapped_files(root: &Path, service: &PlannedService) -> Vec<PathBuf> {
    let mut files = own_env_files(root, service);
    if service.map_env {
        files.extend(service.compose.iter().map(|of| root.join(&of.file)));
    }
    files
}

/// The files that a project was read from.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    root: PathBuf,
    files: Vec<Source>,
    /// Distinguishes these files from those of another reading. Clones share it.
    version: Arc<()>,
}

impl Sources {
    /// Reads the files of a project that has just been loaded, before its `env_file`s are used.
    pub(super) fn read(project: &Project) -> Self {
        let root = &project.checkout.root;
        let mut paths = BTreeSet::new();
        for service in project.plan.services.values() {
            let dir = service.working_dir(root);
            let files = service.env_files.iter();
            paths.extend(files.map(|name| dir.join(name).components().collect::<PathBuf>()));
            paths.extend(mapped_files(root, service));
        }
        paths.extend(preferences::file());
        if let Some(found) = &project.found {
            let dirs = found.services.iter().map(|service| root.join(&service.dir));
            let dirs: BTreeSet<PathBuf> = dirs.take(MAX_DETECTED_DIRS).collect();
            for dir in dirs.iter().chain([root]) {
                paths.extend(DETECTED_FROM.iter().map(|name| dir.join(name)));
            }
            // A manifest takes precedence.
            paths.insert(root.join(FILE_NAME));
        }
        let mut files: Vec<Source> = Vec::new();
        if project.found.is_none() {
            let manifest = &project.source;
            files.push(Source {
                path: manifest.file.clone(),
                digest: Some(digest(manifest.text.as_bytes())),
                last: None,
            });
        }
        files.extend(paths.into_iter().map(Source::read));
        Self {
            root: root.clone(),
            files,
            version: Arc::default(),
        }
    }

    /// Returns whether these are the files of the same reading.
    pub(super) fn is_version_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.version, &other.version)
    }

    /// Returns the files that have changed, relative to the project's root if they are in it.
    pub(super) fn changed(&mut self) -> Vec<String> {
        self.changed_among(|_| true)
    }

    /// Returns the application's own `.env` files that have changed. The service reads them when it
    /// starts, so a value that Portway does not pass to it may have changed, too.
    pub(super) fn changed_env_files(&mut self, service: &PlannedService) -> Vec<String> {
        let own = own_env_files(&self.root, service);
        self.changed_among(|path| own.iter().any(|file| file == path))
    }

    fn changed_among(&mut self, is_wanted: impl Fn(&Path) -> bool) -> Vec<String> {
        let root = &self.root;
        let files = self.files.iter_mut();
        files
            .filter(|source| is_wanted(&source.path))
            .filter_map(|source| {
                let path = source.path.strip_prefix(root).unwrap_or(&source.path);
                let name = path.display().to_string();
                source.has_changed().then_some(name)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_another_content_is_a_change() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("a.env");
        fs::write(&file, "A=1").unwrap();
        let missing = temp.path().join("missing.env");
        let mut sources = Sources {
            root: temp.path().to_owned(),
            files: vec![Source::read(file.clone()), Source::read(missing.clone())],
            version: Arc::default(),
        };
        assert_eq!(sources.changed(), [""; 0]);
        // The same content in a new file.
        fs::remove_file(&file).unwrap();
        fs::write(&file, "A=1").unwrap();
        assert_eq!(sources.changed(), [""; 0]);
        fs::write(&file, "A=2").unwrap();
        assert_eq!(sources.changed(), ["a.env"]);
        fs::write(&missing, "").unwrap();
        assert_eq!(sources.changed(), ["a.env", "missing.env"]);
        fs::write(&file, "A=1").unwrap();
        fs::remove_file(&missing).unwrap();
        assert_eq!(sources.changed(), [""; 0]);
    }
}
