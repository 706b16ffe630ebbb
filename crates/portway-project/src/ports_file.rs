//! `.ports.json`: the file from which programs of a project read the ports.
//!
//! Portway owns the keys of its services and keeps all others. It replaces the file atomically, so
//! that no program reads an incomplete file. An invalid file is an error and stays unchanged; it is
//! never treated as empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::{atomic_file, user_file};

/// The file's name in the project's root.
pub const FILE_NAME: &str = ".ports.json";

/// The prefix of temporary files that replace the file.
const TEMPORARY_PREFIX: &str = ".ports.json.portway-";

/// Maximum number of attempts to write the file. An attempt fails if another process removes the
/// temporary file, which is rare.
const MAX_ATTEMPTS: u32 = 10;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// An error about `.ports.json`.
#[derive(Debug, thiserror::Error)]
#[error("`{}` {problem}", file.display())]
pub struct PortsFileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: Box<PortsFileProblem>,
}

/// What is wrong with a `.ports.json`, as the end of a sentence.
#[derive(Debug, thiserror::Error)]
pub enum PortsFileProblem {
    /// The system cannot read it.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// The system cannot write it.
    #[error("cannot be written: {0}")]
    Unwritable(#[source] io::Error),
    /// It is a symbolic link.
    #[error("is a symbolic link, not a file")]
    SymbolicLink,
    /// It is a directory or a device.
    #[error("is not a file")]
    NotAFile,
    /// It is larger than the limit. The value is its size in bytes.
    #[error("has {0} bytes, more than the limit of {MAX_BYTES}")]
    TooLarge(u64),
    /// It is not UTF-8.
    #[error("is not UTF-8: {0}")]
    NotUtf8(#[source] std::str::Utf8Error),
    /// It is not JSON.
    #[error("is not valid JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// Its JSON value is not an object.
    #[error("does not contain a JSON object")]
    NotAnObject,
    /// A port is not a number from 1 to 65535.
    #[error("has `{key}` = {value}, which is not a port")]
    InvalidPort {
        /// The key.
        key: String,
        /// The value in the file.
        value: Value,
    },
    /// A service's URL is not on this machine.
    #[error("has `{key}` = {value}, which is not a local URL")]
    RemoteUrl {
        /// The key.
        key: String,
        /// The value in the file.
        value: Value,
    },
}

impl PortsFileError {
    fn new(root: &Path, problem: PortsFileProblem) -> Self {
        Self {
            file: root.join(FILE_NAME),
            problem: Box::new(problem),
        }
    }

    /// How to fix it.
    pub fn help(&self) -> String {
        match *self.problem {
            PortsFileProblem::Unwritable(_) => {
                let dir = self.file.parent().unwrap_or(Path::new("."));
                format!("make `{}` writable", dir.display())
            }
            PortsFileProblem::InvalidPort { .. } => {
                "write a number from 1 to 65535, or delete the key".into()
            }
            PortsFileProblem::RemoteUrl { .. } => {
                "delete the key; Portway writes the URL of the port".into()
            }
            _ => "fix it, or delete it; Portway creates a new one".into(),
        }
    }
}

impl PortsFileProblem {
    /// Returns whether the file cannot be written because its directory does not exist any more.
    pub fn is_directory_missing(&self) -> bool {
        matches!(self, Self::Unwritable(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The content of a `.ports.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortsFile {
    /// All its keys.
    pub content: Map<String, Value>,
}

impl PortsFile {
    /// Reads the file of the project at `root`; `None` if it does not exist.
    ///
    /// # Errors
    /// When it is not a regular file of at most 1 MiB that contains one JSON object.
    pub fn read(root: &Path) -> Result<Option<Self>, PortsFileError> {
        let file = root.join(FILE_NAME);
        let fail = |problem| PortsFileError::new(root, problem);
        let unreadable = |error| fail(PortsFileProblem::Unreadable(error));
        let metadata = match file.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(unreadable)?,
        };
        if metadata.is_symlink() {
            return Err(fail(PortsFileProblem::SymbolicLink));
        }
        if !metadata.is_file() {
            return Err(fail(PortsFileProblem::NotAFile));
        }
        if metadata.len() > MAX_BYTES {
            return Err(fail(PortsFileProblem::TooLarge(metadata.len())));
        }
        let bytes = user_file::read(&file, MAX_BYTES).map_err(|error| unreadable(error.into()))?;
        Self::parse(root, &bytes).map(Some)
    }

    /// Parses the content of the file of the project at `root`.
    ///
    /// # Errors
    /// When it is not one JSON object in UTF-8.
    pub fn parse(root: &Path, bytes: &[u8]) -> Result<Self, PortsFileError> {
        let fail = |problem| PortsFileError::new(root, problem);
        let text = str::from_utf8(bytes).map_err(|error| fail(PortsFileProblem::NotUtf8(error)))?;
        match serde_json::from_str(text) {
            Ok(Value::Object(content)) => Ok(Self { content }),
            Ok(_) => Err(fail(PortsFileProblem::NotAnObject)),
            Err(error) => Err(fail(PortsFileProblem::NotJson(error))),
        }
    }

    /// The ports in the file under `keys`, such as `backend_port`.
    ///
    /// # Errors
    /// When a value is not a port, or a service's URL is not local.
    pub fn ports<'a>(
        &self,
        root: &Path,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<IndexMap<String, u16>, PortsFileError> {
        let mut ports = IndexMap::new();
        for key in keys {
            if let Some(value) = self.content.get(key) {
                let port = value
                    .as_u64()
                    .and_then(|number| u16::try_from(number).ok())
                    .filter(|&port| port != 0)
                    .ok_or_else(|| {
                        let (key, value) = (key.to_owned(), value.clone());
                        PortsFileError::new(root, PortsFileProblem::InvalidPort { key, value })
                    })?;
                ports.insert(key.to_owned(), port);
            }
            self.check_local_url(root, &url_key(key))?;
        }
        Ok(ports)
    }

    /// Checks that the value under `key`, if there is one, is a URL on this machine.
    ///
    /// # Errors
    /// When it is something else.
    pub fn check_local_url(&self, root: &Path, key: &str) -> Result<(), PortsFileError> {
        match self.content.get(key) {
            Some(url) if !url.as_str().is_some_and(is_local_url) => {
                let (key, value) = (key.to_owned(), url.clone());
                Err(PortsFileError::new(
                    root,
                    PortsFileProblem::RemoteUrl { key, value },
                ))
            }
            _ => Ok(()),
        }
    }

    /// The URL `SCHEME://localhost:PORT` of a service's port, if the file contains it.
    pub fn local_url(&self, port: u16) -> Option<String> {
        let end = format!("://localhost:{port}");
        let is_scheme = |scheme: &str| {
            !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let mut urls = self.content.iter().filter(|(key, _)| key.ends_with("_url"));
        urls.find_map(|(_, url)| {
            let url = url.as_str()?;
            is_scheme(url.strip_suffix(&end)?).then(|| url.to_owned())
        })
    }

    /// The content with Portway's keys `owned` first, in their order, then the user's keys.
    /// `previous` are the keys that Portway wrote the last time; those that it no longer owns are
    /// removed.
    pub fn merged(&self, owned: &Map<String, Value>, previous: &[String]) -> Self {
        let mut content = owned.clone();
        for (key, value) in &self.content {
            if !owned.contains_key(key) && !previous.contains(key) {
                content.insert(key.clone(), value.clone());
            }
        }
        Self { content }
    }

    /// Writes the file as a whole, or not at all. An equal file is not written.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub fn write(&self, root: &Path) -> Result<(), PortsFileError> {
        remove_stale_files(root);
        let file = root.join(FILE_NAME);
        let mut text = serde_json::to_string_pretty(&self.content).unwrap_or_default();
        text.push('\n');
        if user_file::read_text(&file).is_ok_and(|current| current == text) {
            return Ok(());
        }
        let write = || atomic_file::replace(&file, TEMPORARY_PREFIX, &text);
        // Another process may remove the temporary file in the moment before it is locked.
        let is_removed =
            |error: &io::Error| error.kind() == io::ErrorKind::NotFound && root.is_dir();
        let mut attempts = (1..MAX_ATTEMPTS).map(|_| write());
        let written = attempts.find(|written| !written.as_ref().is_err_and(is_removed));
        written
            .unwrap_or_else(write)
            .map_err(|error| PortsFileError::new(root, PortsFileProblem::Unwritable(error)))
    }
}

/// Removes the temporary files of writers that were killed.
fn remove_stale_files(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_temporary = name
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY_PREFIX));
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_temporary && is_file && is_stale(&path) {
            // A file that cannot be removed does no harm, and the next write tries again.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether the process that writes a temporary file is gone.
fn is_stale(path: &Path) -> bool {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    // Opening without sharing fails as long as another process has the file open.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 0);
    options.open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// The key of the URL that belongs to the key of a port: `backend_url` for `backend_port`.
pub fn url_key(port_key: &str) -> String {
    format!("{}_url", port_key.strip_suffix("_port").unwrap_or(port_key))
}

/// Whether a URL is on this machine for every program that reads it.
///
/// URLs that programs read differently are not local: a browser ignores tabs, reads `\` as `/`, and
/// does not need `//` after `http:`.
fn is_local_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_ambiguous = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if !is_scheme || scheme.eq_ignore_ascii_case("file") || url.contains(is_ambiguous) {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    let end = match host.starts_with('[') {
        true => host.find(']').map_or(host.len(), |at| at + 1),
        false => host.find(':').unwrap_or(host.len()),
    };
    let (host, port) = host.split_at(end);
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&host)
        || host.ends_with(".localhost") && host.bytes().all(is_name);
    is_local && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

#[cfg(test)]
mod tests;
