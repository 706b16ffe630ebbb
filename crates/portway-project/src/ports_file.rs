//! `.ports.json`: the shared file that tells every program of a project the ports.
//!
//! Portway owns the keys of its services and leaves all others alone. The file is replaced whole
//! (temporary file, fsync, rename), so nobody ever reads half of it. A file that cannot be used is
//! an error and stays as it is; it is never taken for an empty one.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::{Map, Value};

/// The file's name in the project's root.
pub const FILE_NAME: &str = ".ports.json";

/// How the names of files begin that are about to take its place.
const TEMPORARY: &str = ".ports.json.portway-";

/// How often a file is made that is swept away before it is in its place. Once is rare.
const TRIES: u32 = 10;

/// A file larger than this was not made for this purpose.
const MAX_BYTES: u64 = 1 << 20;

/// Why `.ports.json` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` {problem}", file.display())]
pub struct PortsFileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, as the end of a sentence.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

impl PortsFileError {
    /// An error about the file as a whole.
    fn at(root: &Path, problem: String) -> Self {
        Self {
            file: root.join(FILE_NAME),
            problem,
            hint: "mend it, or delete it and Portway will write it anew".into(),
        }
    }
}

/// The content of a `.ports.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortsFile {
    /// All its keys.
    pub content: Map<String, Value>,
}

impl PortsFile {
    /// Reads the file of the project at `root`; `None` when there is none.
    ///
    /// # Errors
    /// When it is something else than a small regular file with one JSON object in it.
    pub fn read(root: &Path) -> Result<Option<Self>, PortsFileError> {
        let file = root.join(FILE_NAME);
        let fail = |problem: String| PortsFileError::at(root, problem);
        let metadata = match file.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| fail(format!("cannot be read: {error}")))?,
        };
        if metadata.is_symlink() {
            return Err(fail("is a link to elsewhere, not a file".into()));
        }
        if !metadata.is_file() {
            return Err(fail("is not a file".into()));
        }
        if metadata.len() > MAX_BYTES {
            return Err(fail(format!("has {} bytes, far too many", metadata.len())));
        }
        let mut bytes = Vec::new();
        fs::File::open(&file)
            .and_then(|open| open.take(MAX_BYTES).read_to_end(&mut bytes))
            .map_err(|error| fail(format!("cannot be read: {error}")))?;
        Self::parse(root, &bytes).map(Some)
    }

    /// Reads the content of the file of the project at `root`.
    ///
    /// # Errors
    /// When it is something else than one JSON object in UTF-8.
    pub fn parse(root: &Path, bytes: &[u8]) -> Result<Self, PortsFileError> {
        let fail = |problem: String| PortsFileError::at(root, problem);
        let text = str::from_utf8(bytes).map_err(|error| fail(format!("is not UTF-8: {error}")))?;
        match serde_json::from_str(text) {
            Ok(Value::Object(content)) => Ok(Self { content }),
            Ok(_) => Err(fail("holds no JSON object".into())),
            Err(error) => Err(fail(format!("is not JSON: {error}"))),
        }
    }

    /// The ports that the file gives for `keys`, such as `backend_port`.
    ///
    /// # Errors
    /// When one of them is no port, or a service's URL is not a local one.
    pub fn ports<'a>(
        &self,
        root: &Path,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<IndexMap<String, u16>, PortsFileError> {
        let mut ports = IndexMap::new();
        for key in keys {
            let fail = |problem: String, hint: &str| PortsFileError {
                file: root.join(FILE_NAME),
                problem,
                hint: hint.into(),
            };
            if let Some(value) = self.content.get(key) {
                let port = value
                    .as_u64()
                    .and_then(|number| u16::try_from(number).ok())
                    .filter(|&port| port != 0)
                    .ok_or_else(|| {
                        fail(
                            format!("has `{key}` = {value}, which is not a port"),
                            "write a number from 1 to 65535 there, or delete the key",
                        )
                    })?;
                ports.insert(key.to_owned(), port);
            }
            self.local_url(root, &url_key(key))?;
        }
        Ok(ports)
    }

    /// Whether what the file has under `key`, if anything, is a local URL.
    ///
    /// # Errors
    /// When it is something else.
    pub fn local_url(&self, root: &Path, key: &str) -> Result<(), PortsFileError> {
        match self.content.get(key) {
            Some(url) if !url.as_str().is_some_and(is_local_url) => Err(PortsFileError {
                file: root.join(FILE_NAME),
                problem: format!("has `{key}` = {url}, which is not a local URL"),
                hint: "delete the key; Portway writes it from the port".into(),
            }),
            _ => Ok(()),
        }
    }

    /// The file's content after Portway has put `owned` into it, in its own order and before the
    /// user's keys. `previous` are the keys that Portway owned the last time: those that are not
    /// owned any more go.
    pub fn merged(&self, owned: &Map<String, Value>, previous: &Map<String, Value>) -> Self {
        let mut content = owned.clone();
        for (key, value) in &self.content {
            if !owned.contains_key(key) && !previous.contains_key(key) {
                content.insert(key.clone(), value.clone());
            }
        }
        Self { content }
    }

    /// Writes the file whole, or not at all.
    ///
    /// # Errors
    /// When the directory does not let it be written.
    pub fn write(&self, root: &Path) -> Result<(), PortsFileError> {
        sweep(root);
        let file = root.join(FILE_NAME);
        let mut text = serde_json::to_string_pretty(&self.content).unwrap_or_default();
        text.push('\n');
        if fs::read_to_string(&file).is_ok_and(|current| current == text) {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            let mut temporary = tempfile::Builder::new();
            temporary.prefix(TEMPORARY);
            #[cfg(unix)]
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            #[cfg(unix)]
            temporary.permissions(mode);
            let mut temporary = temporary.tempfile_in(root)?;
            // Tells those who sweep that its writer lives; on Windows an open file does.
            #[cfg(unix)]
            temporary.as_file().lock()?;
            if let Ok(current) = fs::metadata(&file) {
                temporary.as_file().set_permissions(current.permissions())?;
            }
            temporary.write_all(text.as_bytes())?;
            temporary.as_file().sync_all()?;
            temporary.persist(&file)?;
            Ok(())
        };
        // Swept away in the instants in which it was not locked.
        let is_swept = |error: &io::Error| error.kind() == io::ErrorKind::NotFound && root.is_dir();
        let write = || {
            let mut tries = (1..TRIES).map(|_| write());
            let done = tries.find(|done| !done.as_ref().is_err_and(is_swept));
            done.unwrap_or_else(write)
        };
        write().map_err(|error| PortsFileError {
            file: file.clone(),
            problem: format!("cannot be written: {error}"),
            hint: format!("make `{}` writable", root.display()),
        })
    }
}

/// Removes what writers have left that were killed before their file was whole.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY));
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_ours && is_file && is_left(&path) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether nobody writes a temporary file any more.
fn is_left(path: &Path) -> bool {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    // To nobody else, which fails while anybody has it open.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 0);
    options.open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// The key of the URL that goes with the key of a port: `backend_url` for `backend_port`.
pub fn url_key(port_key: &str) -> String {
    format!("{}_url", port_key.strip_suffix("_port").unwrap_or(port_key))
}

/// Whether a URL stays on this machine, for whoever reads it. What programs read differently is not
/// local: a browser drops tabs, takes `\` for `/`, and needs no `//` behind `http:`.
fn is_local_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if !is_scheme || scheme.eq_ignore_ascii_case("file") || url.contains(is_odd) {
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
mod tests {
    use super::*;

    fn file(text: &str) -> PortsFile {
        let Value::Object(content) = serde_json::from_str(text).unwrap() else {
            panic!("not an object");
        };
        PortsFile { content }
    }

    #[test]
    fn foreign_keys_are_kept_and_stale_own_ones_go() {
        let old = file(r#"{"mine": [1], "backend_port": 9000, "redis_port": 6379}"#);
        let owned = file(r#"{"backend_port": 9001}"#).content;
        let previous = file(r#"{"backend_port": 9000, "redis_port": 6379}"#).content;
        let merged = old.merged(&owned, &previous).content;
        assert_eq!(
            serde_json::to_string(&merged).unwrap(),
            r#"{"backend_port":9001,"mine":[1]}"#
        );
    }

    #[test]
    fn foreign_numbers_do_not_drift() {
        let temp = tempfile::tempdir().unwrap();
        let text = r#"{"mine": [9066666666666666666666666666666666666666666666, 0.1]}"#;
        let first = file(text);
        first.write(temp.path()).unwrap();
        assert_eq!(PortsFile::read(temp.path()).unwrap(), Some(first));
    }

    #[test]
    fn writing_replaces_the_file_and_leaves_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let written = file(r#"{"backend_port": 9000}"#);
        written.write(temp.path()).unwrap();
        assert_eq!(PortsFile::read(temp.path()).unwrap(), Some(written));
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_writer_has_left_goes_with_the_next_write() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        let (dead, living) = (path(".ports.json.portway-a"), path(".ports.json.portway-b"));
        for path in [&dead, &living, &path(".ports.json.backup")] {
            fs::write(path, "{").unwrap();
        }
        let writer = fs::File::open(&living).unwrap();
        writer.lock().unwrap();
        let written = file(r#"{"backend_port": 9000}"#);
        written.write(temp.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.exists());
        drop(writer);
        // Also where the file is as it should be.
        written.write(temp.path()).unwrap();
        assert!(!living.exists());
        assert!(path(".ports.json.backup").exists());
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
    }

    #[test]
    fn ports_must_be_ports_and_urls_local() {
        let root = Path::new("/p");
        let ports = |text: &str| file(text).ports(root, ["backend_port"]);
        assert_eq!(
            ports(r#"{"backend_port": 9000, "backend_url": "http://localhost:9000"}"#).unwrap()["backend_port"],
            9000
        );
        assert!(ports("{}").unwrap().is_empty());
        for text in [
            r#"{"backend_port": 0}"#,
            r#"{"backend_port": 70000}"#,
            r#"{"backend_port": "9000"}"#,
            r#"{"backend_port": 9000, "backend_url": "http://evil.example:9000"}"#,
            r#"{"backend_port": 9000, "backend_url": "http://localhost@evil.example"}"#,
            r#"{"backend_port": 9000, "backend_url": 3}"#,
        ] {
            assert!(ports(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_is_local_for_a_browser_too() {
        for url in [
            "http://localhost",
            "http://localhost:5173/a?b#c://d",
            "redis://user:word@127.0.0.1:6379",
            "http://[::1]:80/",
            "http://api.jobi.localhost:9000/health",
        ] {
            assert!(is_local_url(url), "{url}");
        }
        for url in [
            "localhost:9000",
            "http:evil.example/://localhost",
            "http://evil.example\\@localhost",
            "ht\ttp://localhost",
            "http://evil.example\n/@localhost",
            "http://[::1]evil.example/",
            "http://localhost:51-3",
            "http://localhost:0",
            "http://localhost:+80",
            "http://localhost:70000",
            "http://%65vil.localhost",
            "file://localhost/etc/passwd",
            "://localhost",
        ] {
            assert!(!is_local_url(url), "{url}");
        }
    }

    #[test]
    fn what_is_no_ports_file_is_an_error_and_stays() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join(FILE_NAME);
        let problem = || PortsFile::read(temp.path()).unwrap_err().problem;
        fs::write(&path, "{broken").unwrap();
        assert!(problem().starts_with("is not JSON"));
        fs::write(&path, "[]").unwrap();
        assert_eq!(problem(), "holds no JSON object");
        assert_eq!(fs::read_to_string(&path).unwrap(), "[]");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(problem(), "is not a file");
    }
}
