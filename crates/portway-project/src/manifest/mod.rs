//! `portway.toml`: what a person writes about a project.
//!
//! Reading it checks the form; whether its parts fit together is checked when a
//! [`Plan`](crate::Plan) is made of it. The JSON schema that editors use is made from these types.

mod fields;
mod invalid;
mod units;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fields::{After, Condition, OneOrMany, PortSpec, Prepare, Route, Text};
pub use invalid::{Invalid, Problem};
pub use units::{Size, Span};

use crate::kind::Kind;
use crate::preferences::{Setting, Table};

/// The manifest's file name.
pub const FILE_NAME: &str = "portway.toml";

/// A manifest larger than this is a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// A whole `portway.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "portway.toml")]
pub struct Manifest {
    /// About the project as a whole.
    #[serde(default)]
    pub project: Project,
    /// The services, in the order in which they are shown and given ports.
    #[serde(default)]
    pub services: IndexMap<String, Service>,
    /// Names for several services at once: `portway up NAME`.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Vec<String>>")]
    pub groups: IndexMap<String, Vec<Text>>,
    /// Whether the services that speak HTTP are served on the local network, for every machine
    /// there: `portway up --lan`. `portway up --no-lan` outweighs it.
    #[serde(default)]
    pub lan: bool,
    /// Paths of the main service's origin that lead to other services, so that a page and its API
    /// have one origin behind the gateway: `"/api" = "backend"`.
    #[serde(default)]
    pub routes: IndexMap<String, Route>,
    /// Preferences of the project, such as the ports of a kind of service; they outweigh each
    /// user's own.
    #[serde(default)]
    pub preferences: Table,
    /// Where the manifest stands; the project's root is its directory.
    #[serde(skip)]
    #[schemars(skip)]
    pub source: Source,
}

/// The file that a manifest was read from, for errors that are found later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Its path.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

/// About the project as a whole.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The project's name; the directory's name where it is missing.
    pub name: Option<String>,
}

/// One service: a process with ports of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The shell command that runs in the foreground. Placeholders: `{port}`, `{host}`, `{url}`,
    /// `{name}`, `{SERVICE.port}`, `{SERVICE.host}`, `{SERVICE.url}`, and `{ports.NAME}`,
    /// `{urls.NAME}` for named ports; other braces stay as they are.
    #[schemars(with = "String")]
    pub command: Text,
    /// The directory in which it runs, relative to the project's root.
    #[schemars(with = "Option<String>")]
    pub dir: Option<Text>,
    /// What to run before the first start, and again when its inputs have changed.
    pub prepare: Option<Prepare>,
    /// Its port. A service named `backend` or `frontend`, or of a well-known kind, has one without
    /// asking.
    pub port: Option<PortSpec>,
    /// Several named ports instead of one; `http`, or else the first, is the main one.
    #[serde(default)]
    pub ports: IndexMap<String, PortSpec>,
    /// What it speaks; told by its name or program where it is missing.
    pub kind: Option<Kind>,
    /// The services to wait for.
    #[serde(default)]
    pub after: After,
    /// When it counts as ready; without it, when its port listens.
    pub ready: Option<Ready>,
    /// The path of its main port that tells whether it is well. It stands in `.ports.json` as
    /// `NAME_health_url`, and without `ready` it tells that the service is ready as well.
    #[schemars(with = "Option<String>")]
    pub health: Option<Text>,
    /// A probe that goes on while it runs.
    pub liveness: Option<Liveness>,
    /// Whether to start it again when it has ended by itself.
    #[serde(default)]
    pub restart: Restart,
    /// How to stop it.
    #[serde(default)]
    pub stop: Stop,
    /// Environment variables for it; they win over everything else. Placeholders are filled in.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, String>")]
    pub env: IndexMap<String, Text>,
    /// Files of environment variables, relative to its directory; what Portway itself tells a
    /// service wins over them, so that they cannot go stale.
    #[serde(default)]
    pub env_file: OneOrMany,
    /// Started only when asked for: `portway up --with NAME`.
    #[serde(default)]
    pub optional: bool,
    /// It is what the instance's own name leads to; the first frontend, or else the first service
    /// that speaks HTTP, where none says so.
    #[serde(default)]
    pub main: bool,
    /// Whether it is served on the local network; what the manifest or the command says for all
    /// where it is missing. Only for one that speaks HTTP.
    pub lan: Option<bool>,
    /// The largest body that the gateway passes on; a larger one is answered 413. For HTTP alone.
    #[schemars(with = "Option<Size>")]
    pub max_body: Option<toml::Spanned<Size>>,
    /// Whether it may take another port when the one that was forced is taken; true for a
    /// frontend, false for anything else.
    pub fallback: Option<bool>,
    /// Whose process must listen on the port.
    pub owner: Option<Owner>,
    /// How it gets its port.
    #[serde(default)]
    pub socket: SocketMode,
}

/// When a service counts as ready. Exactly one of `http`, `tcp`, `exec` and `log`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// A path that answers with a status below 400.
    pub http: Option<String>,
    /// `true`: the port accepts a connection.
    pub tcp: Option<bool>,
    /// A shell command that ends with success. Placeholders are filled in.
    #[schemars(with = "Option<String>")]
    pub exec: Option<Text>,
    /// A regular expression that a line of its output matches.
    #[schemars(with = "Option<String>")]
    pub log: Option<Text>,
    /// The named port to ask; the main one where it is missing.
    pub port: Option<String>,
    /// How long it may take, default one minute.
    #[serde(default = "Ready::default_timeout")]
    pub timeout: Span,
}

impl Ready {
    /// Ready when a path of the main port answers.
    pub(crate) fn at_path(path: &str) -> Self {
        Self {
            http: Some(path.to_owned()),
            tcp: None,
            exec: None,
            log: None,
            port: None,
            timeout: Self::default_timeout(),
        }
    }

    fn default_timeout() -> Span {
        Span::seconds(60)
    }
}

/// A probe that goes on while a service runs. Exactly one of `http`, `tcp` and `exec`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    /// A path that answers with a status below 400.
    pub http: Option<String>,
    /// `true`: the port accepts a connection.
    pub tcp: Option<bool>,
    /// A shell command that ends with success.
    #[schemars(with = "Option<String>")]
    pub exec: Option<Text>,
    /// The named port to ask; the main one where it is missing.
    pub port: Option<String>,
    /// The pause between two probes, default ten seconds.
    #[serde(default = "Liveness::default_interval")]
    pub interval: Span,
    /// How long one probe may take, default five seconds.
    #[serde(default = "Liveness::default_timeout")]
    pub timeout: Span,
    /// How many probes must fail in a row before the service is restarted, default 3.
    #[serde(default = "Liveness::default_failures")]
    pub failures: u32,
}

impl Liveness {
    fn default_interval() -> Span {
        Span::seconds(10)
    }
    fn default_timeout() -> Span {
        Span::seconds(5)
    }
    fn default_failures() -> u32 {
        3
    }
}

/// Whether to start a service again when it has ended by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    Never,
    /// When it ended with a failure: after a growing pause, and not for ever.
    #[default]
    OnFailure,
    /// However it ended.
    Always,
}

/// How to stop a service.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal that asks it to stop.
    pub signal: StopSignal,
    /// How long it may take before its whole tree is killed, default ten seconds.
    pub grace: Span,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signal: StopSignal::default(),
            grace: Span::seconds(10),
        }
    }
}

/// A signal that can ask a process to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopSignal {
    /// SIGTERM.
    #[default]
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGKILL: no time for anything.
    Kill,
}

/// Whose process must listen on a service's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// A process that the service's command started.
    Tree,
    /// Any process: the proxy of a container engine, for example. `docker` and `podman` commands
    /// imply it.
    Any,
}

/// How a service gets its port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SocketMode {
    /// It binds the port itself.
    #[default]
    Bind,
    /// It takes the listening socket from file descriptor 3 (`LISTEN_FDS=1`). Its command must be
    /// one program.
    Fd,
}

/// Why there is no manifest to work with.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// None in this directory or above.
    #[error("there is no `portway.toml` in `{0}` or above it")]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read `{file}`: {source}")]
    Unreadable {
        /// The manifest.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error(transparent)]
    Invalid(#[from] Box<Invalid>),
}

impl Manifest {
    /// The manifest of the directory `from`, or of the nearest directory above that has one.
    ///
    /// # Errors
    /// When there is none, or it cannot be read, or its form is wrong.
    pub fn find(from: &Path) -> Result<Self, ManifestError> {
        let file = from
            .ancestors()
            .map(|dir| dir.join(FILE_NAME))
            .find(|file| file.symlink_metadata().is_ok())
            .ok_or_else(|| ManifestError::Missing(from.to_owned()))?;
        Self::read(&file)
    }

    /// Reads one file.
    ///
    /// # Errors
    /// As [`Manifest::find`].
    pub fn read(file: &Path) -> Result<Self, ManifestError> {
        let read = || -> io::Result<String> {
            let mut text = String::new();
            let mut open = fs::File::open(file)?.take(MAX_BYTES + 1);
            open.read_to_string(&mut text)?;
            if text.len() as u64 > MAX_BYTES {
                return Err(io::Error::other("it is larger than 1 MiB"));
            }
            Ok(text)
        };
        let text = read().map_err(|source| ManifestError::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        Ok(Self::parse(file, &text).map_err(Box::new)?)
    }

    /// Reads a manifest's text; `file` is where it stands.
    ///
    /// # Errors
    /// When it is not TOML, has an unknown key or a value that cannot be.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Invalid> {
        let mut manifest: Self = toml::from_str(text)
            .map_err(|error| Invalid::new(file, text, Problem::from_toml(&error)))?;
        manifest.source = Source {
            file: file.to_owned(),
            text: text.to_owned(),
        };
        manifest.settings()?;
        Ok(manifest)
    }

    /// What its `[preferences]` set.
    ///
    /// # Errors
    /// When a key is unknown or a user's own, and when a value cannot be; a manifest that could be
    /// read has no such.
    pub fn settings(&self) -> Result<Vec<Setting>, Invalid> {
        let Source { file, text } = &self.source;
        self.preferences.settings(file, text)
    }

    /// The project's root: the directory of the manifest.
    pub fn root(&self) -> &Path {
        self.source.file.parent().unwrap_or(Path::new("."))
    }

    /// The JSON schema of `portway.toml`, as it is committed.
    pub fn json_schema() -> String {
        let schema = schemars::schema_for!(Self);
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    }

    pub(crate) fn invalid(&self, problem: Problem) -> Box<Invalid> {
        Box::new(Invalid::new(&self.source.file, &self.source.text, problem))
    }
}

#[cfg(test)]
mod tests;
