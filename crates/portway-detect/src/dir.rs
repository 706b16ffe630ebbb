//! One directory as the readers see it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Skipped;

/// A file larger than this tells nothing that is worth the time.
const MAX_BYTES: u64 = 1 << 20;

/// A directory with more entries than this is no project's.
const MAX_ENTRIES: usize = 2000;

/// A directory of the checkout: its names, and its files as far as they can be read.
pub struct Dir<'a> {
    /// Where it is.
    real: PathBuf,
    /// Relative to the root, with `/` between its parts; empty for the root.
    path: String,
    /// Its entries by name; true for a directory.
    entries: BTreeMap<String, bool>,
    skipped: &'a RefCell<Vec<Skipped>>,
}

impl<'a> Dir<'a> {
    pub(super) fn open(real: &Path, path: &str, skipped: &'a RefCell<Vec<Skipped>>) -> Self {
        let entries = fs::read_dir(real).into_iter().flatten().flatten();
        let entries = entries
            .take(MAX_ENTRIES)
            .filter_map(|entry| {
                // Links are followed for files and not for directories, which could make a circle.
                let kind = entry.file_type().ok()?;
                Some((entry.file_name().into_string().ok()?, kind.is_dir()))
            })
            .collect();
        Self {
            real: real.to_owned(),
            path: path.to_owned(),
            entries,
            skipped,
        }
    }

    /// The directory relative to the root, with `/` between its parts; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its last part; empty for the root.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    /// The path, relative to the root, of a file in it; for words.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    /// Whether it has an entry with this name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The first of `names` that it has.
    pub fn first_of<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.has(name))
    }

    /// The names of its files, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let files = self.entries.iter().filter(|(_, is_dir)| !**is_dir);
        files.map(|(name, _)| name.as_str())
    }

    /// The names of its directories, in order.
    pub fn dirs(&self) -> impl Iterator<Item = &str> {
        let dirs = self.entries.iter().filter(|(_, is_dir)| **is_dir);
        dirs.map(|(name, _)| name.as_str())
    }

    /// A directory in it.
    pub fn sub(&self, name: &str) -> Option<Dir<'a>> {
        let is_dir = *self.entries.get(name)?;
        is_dir.then(|| Dir::open(&self.real.join(name), &self.path_of(name), self.skipped))
    }

    /// A directory below it, by its path with `/` between the parts; itself where that is empty.
    pub fn below(&self, path: &str) -> Option<Dir<'a>> {
        let own = Dir::open(&self.real, &self.path, self.skipped);
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.try_fold(own, |dir, part| dir.sub(part))
    }

    /// The directory above it, as long as that lies in the checkout.
    pub fn up(&self) -> Option<Dir<'a>> {
        if self.path.is_empty() {
            return None;
        }
        let above = self.path.rsplit_once('/').map_or("", |(above, _)| above);
        Some(Dir::open(self.real.parent()?, above, self.skipped))
    }

    /// It and those above it up to the root, the nearest first.
    pub fn upwards(&self) -> impl Iterator<Item = Dir<'a>> {
        let own = Dir::open(&self.real, &self.path, self.skipped);
        std::iter::successors(Some(own), Dir::up)
    }

    /// The directories in it that are worth a look.
    pub fn subs(&self) -> impl Iterator<Item = Dir<'a>> {
        let names = self.dirs().filter(|name| !super::is_passed_over(name));
        names.filter_map(|name| self.sub(name))
    }

    /// The text of a file in it. `None` when there is none; one that cannot be read is noted.
    pub fn read(&self, name: &str) -> Option<String> {
        if *self.entries.get(name)? {
            return None;
        }
        let path = self.real.join(name);
        // Whoever opens a pipe waits for somebody at its other end.
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            self.skip(name, "is no file");
            return None;
        }
        let mut bytes = Vec::new();
        let read =
            fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            self.skip(name, format!("cannot be read: {error}"));
            return None;
        }
        if bytes.len() as u64 > MAX_BYTES {
            self.skip(name, "is larger than 1 MiB");
            return None;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) => {
                self.skip(name, "is not UTF-8");
                None
            }
        }
    }

    /// A JSON file in it; one that is not JSON is noted.
    pub fn json(&self, name: &str) -> Option<serde_json::Value> {
        self.json_of(name, &self.read(name)?)
    }

    /// A JSON file in which comments and trailing commas may be; one that is not JSON is noted.
    pub fn jsonc(&self, name: &str) -> Option<serde_json::Value> {
        self.json_of(name, &super::jsonc::plain(&self.read(name)?))
    }

    fn json_of(&self, name: &str, text: &str) -> Option<serde_json::Value> {
        // A byte order mark, which Windows' editors like to write, is no part of JSON.
        match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(value) => Some(value),
            Err(error) => {
                self.skip(name, format!("is not JSON: {error}"));
                None
            }
        }
    }

    /// A TOML file in it; one that is not TOML is noted.
    pub fn toml(&self, name: &str) -> Option<toml::Table> {
        let text = self.read(name)?;
        match text.parse() {
            Ok(table) => Some(table),
            Err(error) => {
                let error: toml::de::Error = error;
                let message = error.message().replace('\n', "; ");
                self.skip(name, format!("is not TOML: {message}"));
                None
            }
        }
    }

    /// A YAML file in it; one that is not YAML is noted.
    pub fn yaml(&self, name: &str) -> Option<serde_json::Value> {
        let text = self.read(name)?;
        match super::yaml::parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.skip(name, format!("is not YAML that can be used: {error}"));
                None
            }
        }
    }

    /// Notes that a file cannot be used; `why` is the end of a sentence.
    pub fn skip(&self, name: &str, why: impl Into<String>) {
        let skipped = Skipped {
            file: self.path_of(name),
            why: why.into(),
        };
        let mut all = self.skipped.borrow_mut();
        if !all.contains(&skipped) {
            all.push(skipped);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_passed_over_and_not_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("Procfile");
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
        let skipped = RefCell::default();
        assert_eq!(Dir::open(temp.path(), "", &skipped).read("Procfile"), None);
        assert_eq!(skipped.borrow()[0].why, "is no file");
    }
}
