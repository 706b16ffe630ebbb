//! `portway.toml`: the description of a project that a person writes.
//!
//! Parsing checks the form of the file. Building a [`Plan`](crate::Plan) checks whether its parts
//! fit together. The JSON schema for editors is generated from these types and their docs.

mod database;
mod forms;
mod hints;
mod probes;
mod schema;
mod settings;
mod windows;

use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use database::Database;
pub use forms::{After, ComposeService, EnvFile, EnvFiles, Prepare, Route};
pub use probes::{Liveness, Ready};
pub use schema::SCHEMA_URL;
pub use settings::{Project, Worktree};
pub use windows::OnWindows;

use crate::checkout::directories_above;
use crate::diagnostic::{Diagnostic, Problem, Text};
use crate::kind::Kind;
use crate::policy::{
    Isolation, ListenerOwner, PortProtocol, RestartPolicy, Rewrite, SocketMode, StopSignal,
};
use crate::port_spec::PortSpec;
use crate::preferences::{Preferences, Setting, Table};
use crate::units::{HumanDuration, HumanSize};
use crate::user_file;

/// The manifest's file name.
pub const FILE_NAME: &str = "portway.toml";

/// A whole `portway.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "portway.toml")]
pub struct Manifest {
    /// Settings of the project as a whole.
    #[serde(default)]
    pub project: Project,
    /// The services, in the order in which they are displayed and get their ports.
    #[serde(default)]
    pub services: IndexMap<String, Service>,
    /// Names for several services at once, for commands such as `portway up NAME`.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Vec<String>>")]
    pub groups: IndexMap<String, Vec<Text>>,
    /// Whether to publish the HTTP services on the local network, where every device can reach
    /// them. `portway up --lan` and `portway up --no-lan` override it.
    #[serde(default)]
    pub lan: bool,
    /// Whether to stop all services when one fails, as `portway up --abort-on-failure` does.
    /// Otherwise the others keep running.
    #[serde(default)]
    pub abort_on_failure: bool,
    /// What separates the services of a checkout from those of other checkouts: `"none"`, so that each
    /// service has a port of its own, or `"network"`, so that each checkout has a network of its own in
    /// which every service uses its usual port. Only on Linux. `portway up --isolate` overrides it.
    /// Default: the preference `isolation`.
    pub isolation: Option<Isolation>,
    /// Paths of the main service's origin that the gateway routes to other services, so that a
    /// page and its API share one origin: `"/api" = "backend"`.
    #[serde(default)]
    pub routes: IndexMap<String, Route>,
    /// Settings of linked git worktrees.
    #[serde(default)]
    pub worktree: Worktree,
    /// Preferences of the project, such as the port range of a kind of service. They override each
    /// user's own preferences.
    #[serde(default)]
    pub preferences: Table,
    /// The file that the manifest was read from. Its directory is the project's root.
    #[serde(skip)]
    #[schemars(skip)]
    pub source: Source,
}

/// The file that a manifest was read from. Later errors show their position in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Its path.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

/// One service: a process with its own ports.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The shell command that runs the service in the foreground. Placeholders: `{port}`,
    /// `{host}`, `{url}`, `{name}`, `{SERVICE.port}`, `{SERVICE.host}`, `{SERVICE.url}`, and
    /// `{ports.NAME}` and `{urls.NAME}` for named ports, `{origins}`, `{instance}`, `{project}` and
    /// `{branch}`. Other braces are left unchanged.
    #[schemars(with = "String")]
    pub command: Text,
    /// The directory in which the command runs, relative to the project's root.
    #[schemars(with = "Option<String>")]
    pub dir: Option<Text>,
    /// The prepare step: a command that runs before the first start, and again when its inputs
    /// have changed.
    pub prepare: Option<Prepare>,
    /// The service's port. A service named `backend`, or of a kind other than `http`, `tcp` and `udp`,
    /// gets one without this key.
    pub port: Option<PortSpec>,
    /// Several named ports instead of one. The main port is `http` if there is one with that name,
    /// otherwise the first.
    #[serde(default)]
    pub ports: IndexMap<String, PortSpec>,
    /// The protocol of the service. Default: inferred from its name and its command.
    pub kind: Option<Kind>,
    /// The transport protocol of the service's ports. Default: `"udp"` for the kind `udp`, otherwise
    /// `"tcp"`.
    pub protocol: Option<PortProtocol>,
    /// The services to wait for before this one starts.
    #[serde(default)]
    pub after: After,
    /// When the service is ready. Default: when it listens on its port.
    #[schemars(with = "Option<Ready>")]
    pub ready: Option<Spanned<Ready>>,
    /// The path of the main port that reports the service's health. `.ports.json` contains it as
    /// `NAME_health_url`. Without `ready`, it is also the readiness probe.
    #[schemars(with = "Option<String>")]
    pub health: Option<Text>,
    /// A probe that repeats while the service runs.
    #[schemars(with = "Option<Liveness>")]
    pub liveness: Option<Spanned<Liveness>>,
    /// When to restart the service after its process exits.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// How to stop the service.
    #[serde(default)]
    pub stop: Stop,
    /// Environment variables of the service. They override all others. Placeholders are replaced.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, String>")]
    pub env: IndexMap<String, Text>,
    /// Files with environment variables, relative to the service's directory. The variables that
    /// Portway sets override them, so an outdated port in these files has no effect. A file must exist
    /// unless it is written as `{ path = ".env.local", optional = true }`.
    #[serde(default)]
    pub env_file: EnvFiles,
    /// A service of a compose file, if the code of this one runs in it otherwise. This service gets its
    /// `environment` and `env_file`, mapped to the ports of this instance. If `map_env` is false and it is
    /// a database, the other services get its address with user, password and database.
    pub compose: Option<ComposeService>,
    /// The database of the application, of which each linked git worktree gets a copy: the name of
    /// the one to copy, or a table.
    pub database: Option<Database>,
    /// The database that must have no tables, or else the command does not run and the service counts as
    /// completed: the name of a PostgreSQL or MySQL service that `portway compose run` starts, or the file
    /// of a SQLite database, relative to the project's root. For a command that creates the tables. It
    /// runs once per start, whatever `restart` says, and waits until the database is ready.
    #[schemars(with = "Option<String>")]
    pub only_if_empty: Option<Text>,
    /// Whether to rewrite the variables that the application's own files set, such as `.env`, to the
    /// ports of this instance. Default: true.
    pub map_env: Option<bool>,
    /// Whether the service starts only on request: `portway up --with NAME`.
    #[serde(default)]
    pub optional: bool,
    /// Whether the instance's own host name routes to this service. Default: the first frontend,
    /// otherwise the first HTTP service.
    #[serde(default)]
    pub main: bool,
    /// Whether to publish the service on the local network. Only for HTTP services. Default: the
    /// manifest's `lan`, or `--lan` and `--no-lan`.
    pub lan: Option<bool>,
    /// The largest request body that the gateway passes on. It rejects a larger one with status
    /// 413. Only for HTTP services.
    #[schemars(with = "Option<HumanSize>")]
    pub max_body: Option<Spanned<HumanSize>>,
    /// Whether the gateway rewrites `http://localhost:N` in the responses of the service, where N is
    /// the usual port of a service that has another port in this checkout: `"auto"` or `false`. In
    /// pages, scripts, styles and JSON of a frontend, and in headers of every HTTP service. Default:
    /// `"auto"`.
    #[serde(default)]
    pub rewrite: Rewrite,
    /// Whether the service may use another port if its forced port is in use. Default: true for a
    /// frontend, false for all others.
    pub fallback: Option<bool>,
    /// Which process must listen on the port.
    pub owner: Option<ListenerOwner>,
    /// How the service gets its listening socket.
    #[serde(default)]
    pub socket: SocketMode,
    /// Whether the service runs in a terminal of its own, so that debuggers, prompts and keys work with
    /// `portway attach`. Otherwise its standard input is a pipe that stays open. Default: false. On
    /// Windows, it has no effect.
    #[serde(default)]
    pub tty: bool,
    /// `"none"` keeps the service in the host's network if the checkout has a network of its own. Default:
    /// `"none"` for a container, otherwise as the project.
    pub isolation: Option<Isolation>,
    /// What is different on Windows, such as the path of a program. Other systems only check it.
    #[serde(default)]
    pub windows: OnWindows,
}

/// How to stop a service.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal that requests the service to stop.
    pub signal: StopSignal,
    /// How long to wait before the process tree is killed. Default: 10 seconds.
    pub grace: HumanDuration,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signal: StopSignal::default(),
            grace: HumanDuration::from_secs(10),
        }
    }
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Neither this directory nor one above it has a manifest.
    #[error("there is no `portway.toml` in `{0}` or a directory above it")]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("cannot read `{file}`: {source}")]
    Unreadable {
        /// The manifest.
        file: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// The file has an error.
    #[error(transparent)]
    Invalid(#[from] Box<Diagnostic>),
}

impl Manifest {
    /// Reads the manifest of `from`, or of the closest directory above it that has one. A linked
    /// worktree inside its main checkout does not use the manifest of the main checkout.
    ///
    /// # Errors
    /// When there is none, or it cannot be read or parsed.
    pub fn find(from: &Path) -> Result<Self, ManifestError> {
        let file = directories_above(from)
            .map(|dir| dir.join(FILE_NAME))
            .find(|file| file.symlink_metadata().is_ok())
            .ok_or_else(|| ManifestError::Missing(from.to_owned()))?;
        Self::read(&file)
    }

    /// Reads one file.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub fn read(file: &Path) -> Result<Self, ManifestError> {
        let text = user_file::read_text(file).map_err(|error| ManifestError::Unreadable {
            file: file.to_owned(),
            source: error.into(),
        })?;
        Ok(Self::parse(file, &text).map_err(Box::new)?)
    }

    /// Parses the text of a manifest. `file` is its path, for errors and for the project's root.
    ///
    /// # Errors
    /// When the text is not TOML, or has an unknown key or an invalid value.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Diagnostic> {
        let mut manifest: Self = toml::from_str(text).map_err(|error| {
            Diagnostic::new(file, text, Problem::from_toml(&error, hints::find))
        })?;
        manifest.source = Source {
            file: file.to_owned(),
            text: text.to_owned(),
        };
        manifest.settings()?;
        if cfg!(windows) {
            manifest.services.values_mut().for_each(windows::apply);
        }
        Ok(manifest)
    }

    /// The settings in its `[preferences]` table.
    ///
    /// # Errors
    /// When a key is unknown or only for users, or a value is invalid. [`Manifest::parse`] rejects
    /// such a manifest.
    pub fn settings(&self) -> Result<Vec<Setting>, Diagnostic> {
        let Source { file, text } = &self.source;
        self.preferences.settings(file, text)
    }

    /// Applies the user's preferred ports to a manifest that was generated from detected services.
    /// `framework` returns the framework of a service.
    ///
    /// A detected port is a guess, not a person's choice, unless the code requires a single port.
    pub fn apply_preferred_ports<'a>(
        &mut self,
        preferences: &Preferences,
        framework: impl Fn(&str) -> Option<&'a str>,
    ) {
        let project = self.project.name.clone().unwrap_or_default();
        for (name, service) in &mut self.services {
            let Some(spec) = service.port.as_mut().filter(|spec| spec.range.size() > 1) else {
                continue;
            };
            let preferred = preferences.service_port(&project, name);
            match preferred.and_then(PortSpec::from_port) {
                Some(preferred) => *spec = spec.preferring(preferred),
                None => {
                    let chosen = framework(name).and_then(|name| preferences.framework_port(name));
                    spec.explicit = chosen == Some(spec.prefer);
                }
            }
        }
    }

    /// The project's root: the directory of the manifest.
    pub fn root(&self) -> &Path {
        self.source.file.parent().unwrap_or(Path::new("."))
    }

    /// The line that starts the definition of a service, counted from 1.
    pub fn line_of(&self, service: &str) -> Option<usize> {
        let span = self.services.get(service)?.command.span();
        let here = self.diagnostic(Problem::at(span, ""));
        let (command, _) = here.line_and_column()?;
        let mut above = self.source.text.lines().take(command).collect::<Vec<_>>();
        above.reverse();
        let header = above
            .iter()
            .position(|line| line.trim_start().starts_with('['));
        Some(command - header.unwrap_or(0))
    }

    /// An error about the `dir` of a service, which the plan passes on without its position.
    pub fn dir_diagnostic(&self, service: &str, message: String, help: String) -> Diagnostic {
        let dir = self.services.get(service).and_then(|one| one.dir.as_ref());
        let span = dir.map_or(0..0, Spanned::span);
        *self.diagnostic(Problem::at(span, message).help(help))
    }

    pub(crate) fn diagnostic(&self, problem: Problem) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(
            &self.source.file,
            &self.source.text,
            problem,
        ))
    }
}

#[cfg(test)]
mod tests;
