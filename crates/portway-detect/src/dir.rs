//! One directory of the checkout, as the readers see it: bounded, and without following directory
//! links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_project::checkout::is_nested_worktree;
use portway_project::dotenv;
use portway_project::user_file::{self, UserFileError};

use super::Skipped;
use super::records::Records;

/// Maximum number of invalid lines of a file that are reported one by one.
const MAX_REPORTED_LINES: usize = 5;

/// How much of the start of a large file is read, in bytes.
const MAX_START: u64 = 1 << 10;

/// Maximum number of directory entries that are considered.
const MAX_ENTRIES: usize = 2000;

/// A directory of the checkout: its entries and access to its files.
pub struct Dir<'a> {
    /// Absolute path.
    real: PathBuf,
    /// Path relative to the root, separated by `/`; empty for the root.
    path: String,
    /// Entries by name; true for a directory.
    entries: BTreeMap<String, bool>,
    records: &'a Records,
}

impl<'a> Dir<'a> {
    pub(super) fn open(real: &Path, path: &str, records: &'a Records) -> Self {
        let entries = fs::read_dir(real).into_iter().flatten().flatten();
        let entries = entries
            .take(MAX_ENTRIES)
            .filter_map(|entry| {
                // Links to files are followed; links to directories are not, because they may form
                // a cycle.
                let is_dir = entry.file_type().ok()?.is_dir();
                let is_part = !is_dir || !is_nested_worktree(&entry.path());
                is_part.then_some((entry.file_name().into_string().ok()?, is_dir))
            })
            .collect();
        Self {
            real: real.to_owned(),
            path: path.to_owned(),
            entries,
            records,
        }
    }

    /// Returns the path relative to the root, separated by `/`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the last component of the path; empty for the root.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    /// Returns the name of the directory on disk, in lower case; also for the root.
    pub(super) fn real_name(&self) -> Option<String> {
        Some(self.real.file_name()?.to_str()?.to_lowercase())
    }

    /// Returns the path of a file in it, relative to the root, for messages.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    /// Returns whether it has an entry with this name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Returns the first of `names` that exists.
    pub fn first_of<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.has(name))
    }

    /// Iterates over the names of its files, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let files = self.entries.iter().filter(|(_, is_dir)| !**is_dir);
        files.map(|(name, _)| name.as_str())
    }

    /// Iterates over the names of its directories, sorted.
    pub fn dirs(&self) -> impl Iterator<Item = &str> {
        let dirs = self.entries.iter().filter(|(_, is_dir)| **is_dir);
        dirs.map(|(name, _)| name.as_str())
    }

    /// Opens a subdirectory.
    pub fn sub(&self, name: &str) -> Option<Dir<'a>> {
        let is_dir = *self.entries.get(name)?;
        is_dir.then(|| Dir::open(&self.real.join(name), &self.path_of(name), self.records))
    }

    /// Opens a directory below it by a path separated by `/`; itself if the path is empty.
    pub fn below(&self, path: &str) -> Option<Dir<'a>> {
        let own = Dir::open(&self.real, &self.path, self.records);
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.try_fold(own, |dir, part| dir.sub(part))
    }

    /// Opens the parent directory, if that is still in the checkout.
    pub fn up(&self) -> Option<Dir<'a>> {
        if self.path.is_empty() {
            return None;
        }
        let above = self.path.rsplit_once('/').map_or("", |(above, _)| above);
        Some(Dir::open(self.real.parent()?, above, self.records))
    }

    /// Iterates over it and its ancestors up to the root, nearest first.
    pub fn upwards(&self) -> impl Iterator<Item = Dir<'a>> {
        let own = Dir::open(&self.real, &self.path, self.records);
        std::iter::successors(Some(own), Dir::up)
    }

    /// Iterates over its subdirectories, except those that detection skips.
    pub fn subs(&self) -> impl Iterator<Item = Dir<'a>> {
        let names = self.dirs().filter(|name| !super::is_skipped(name));
        names.filter_map(|name| self.sub(name))
    }

    /// Reads a text file. Returns `None` if there is none; records a file that cannot be read.
    pub fn read(&self, name: &str) -> Option<String> {
        if *self.entries.get(name)? {
            return None;
        }
        match user_file::read_text(&self.real.join(name)) {
            Ok(text) => return Some(text),
            Err(UserFileError::Directory) => self.skip(name, "is a directory"),
            Err(UserFileError::NotRegular) => self.skip(name, "is not a regular file"),
            Err(UserFileError::TooLarge(_)) => self.skip(name, "is larger than 1 MiB"),
            Err(UserFileError::NotUtf8) => self.skip(name, "is not UTF-8"),
            Err(UserFileError::Io(error)) => self.skip(name, format!("cannot be read: {error}")),
        }
        None
    }

    /// Reads the first lines of a file of any size, such as a lock file. Records nothing.
    pub(super) fn read_start(&self, name: &str) -> Option<String> {
        let is_file = !*self.entries.get(name)?;
        let path = self.real.join(name);
        is_file
            .then(|| user_file::read_start(&path, MAX_START).ok())
            .flatten()
    }

    /// Reads a JSON file; records invalid JSON.
    pub fn json(&self, name: &str) -> Option<serde_json::Value> {
        self.json_of(name, &self.read(name)?)
    }

    /// Reads a JSON file that may have comments and trailing commas; records invalid JSON.
    pub fn jsonc(&self, name: &str) -> Option<serde_json::Value> {
        self.json_of(name, &super::jsonc::plain(&self.read(name)?))
    }

    fn json_of(&self, name: &str, text: &str) -> Option<serde_json::Value> {
        // Editors on Windows often write a byte order mark, which JSON does not allow.
        match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(value) => Some(value),
            Err(error) => {
                self.skip(name, format!("is not JSON: {error}"));
                None
            }
        }
    }

    /// Reads a TOML file; records invalid TOML.
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

    /// Reads a YAML file; records invalid YAML.
    pub fn yaml(&self, name: &str) -> Option<serde_json::Value> {
        let text = self.read(name)?;
        match super::yaml::parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.skip(name, format!("cannot be parsed as YAML: {error}"));
                None
            }
        }
    }

    /// Reads the variables of a `.env` file; records invalid lines.
    pub fn dotenv(&self, name: &str) -> Option<IndexMap<String, String>> {
        let (variables, errors) = dotenv::parse_valid_lines(&self.read(name)?, &|_| None);
        let more = errors.len().saturating_sub(MAX_REPORTED_LINES);
        for error in errors.into_iter().take(MAX_REPORTED_LINES) {
            let place = format!("{name}:{}", error.line);
            self.skip(&place, error.predicate());
        }
        if more > 0 {
            self.skip(name, format!("has {more} more invalid lines"));
        }
        Some(variables)
    }

    /// Records that a file cannot be used; `why` is the predicate of a sentence whose subject is
    /// the file.
    pub fn skip(&self, name: &str, why: impl Into<String>) {
        self.records.skip(self.record(name, why.into()));
    }

    /// Records that a file, or a part of it, is left out by a decision; `why` is the predicate of a
    /// sentence whose subject is the file.
    pub(super) fn pass_over(&self, name: &str, why: impl Into<String>) {
        self.records.pass_over(self.record(name, why.into()));
    }

    fn record(&self, name: &str, why: String) -> Skipped {
        Skipped {
            file: self.path_of(name),
            why,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn skips_a_pipe_without_blocking() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("Procfile");
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
        let records = Records::default();
        assert_eq!(Dir::open(temp.path(), "", &records).read("Procfile"), None);
        assert_eq!(records.into_inner().0[0].why, "is not a regular file");
    }
}
