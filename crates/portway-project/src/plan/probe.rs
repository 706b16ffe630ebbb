//! The probes of a service, checked and ready to run.

use std::ops::Range;
use std::time::Duration;

use portway_ports::Protocol;

use super::PlannedPort;
use crate::diagnostic::{Problem, Text};
use crate::manifest::{Ready, Service};
use crate::suggest::suggestion;
use crate::units::HumanDuration;

/// A check that Portway runs against a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A GET request to this path succeeds with a status below 400.
    Http {
        /// The index into [`PlannedService::ports`](super::PlannedService::ports).
        port: usize,
        /// The path, which starts with `/`.
        path: String,
    },
    /// The port accepts a connection.
    Tcp {
        /// The index into [`PlannedService::ports`](super::PlannedService::ports).
        port: usize,
    },
    /// A Unix socket accepts a connection. The path is relative to the service's directory.
    Unix(String),
    /// This shell command, with unexpanded placeholders, exits with code 0.
    Exec(String),
}

/// When a service is ready.
#[derive(Clone, Debug, PartialEq)]
pub struct Readiness {
    /// The probe. Without one, a service is ready when its port accepts connections.
    pub probe: Option<ReadinessProbe>,
    /// How long the service may take to become ready.
    pub timeout: Duration,
}

/// A probe that decides when a service is ready.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadinessProbe {
    /// A check that repeats until it succeeds.
    Poll(Probe),
    /// A line of the service's output matches this pattern.
    Log(LogPattern),
}

/// A probe that repeats while a service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// The check.
    pub probe: Probe,
    /// The delay between two checks.
    pub interval: Duration,
    /// How long one check may take.
    pub timeout: Duration,
    /// How many checks in a row must fail before the service is restarted.
    pub failures: u32,
}

/// A compiled regular expression for a line of output.
#[derive(Clone, Debug)]
pub struct LogPattern(regex_lite::Regex);

impl LogPattern {
    /// Whether the line matches.
    pub fn is_match(&self, line: &str) -> bool {
        self.0.is_match(line)
    }

    /// The regular expression as it is written in the manifest.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for LogPattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// Checks `ready`. A service without it but with a `health` path is ready when that path responds.
pub(super) fn readiness(
    name: &str,
    spec: &Service,
    ports: &[PlannedPort],
) -> Result<Readiness, Problem> {
    let usual = |timeout: HumanDuration| {
        let probe = spec.health.as_ref().map(|path| {
            ReadinessProbe::Poll(Probe::Http {
                port: 0,
                path: path.get_ref().clone(),
            })
        });
        let timeout = timeout.0;
        Ok(Readiness { probe, timeout })
    };
    let Some(ready) = &spec.ready else {
        return usual(Ready::default_timeout());
    };
    let span = ready.span();
    let ready = ready.get_ref();
    let is_only_timeout = ready.http.is_none()
        && ready.tcp.is_none()
        && ready.exec.is_none()
        && ready.log.is_none()
        && ready.unix.is_none()
        && ready.port.is_none();
    if is_only_timeout {
        return usual(ready.timeout);
    }
    let pattern = ready.log.as_ref().map(compile).transpose()?;
    let fields = ProbeFields {
        key: "ready",
        span,
        http: ready.http.as_deref(),
        tcp: ready.tcp == Some(true),
        exec: ready.exec.as_ref(),
        unix: ready.unix.as_ref(),
        port: ready.port.as_deref(),
    };
    let probe = match (pattern, fields.count()) {
        (Some(pattern), 0) => {
            fields.port_index(name, ports)?;
            ReadinessProbe::Log(pattern)
        }
        (Some(_), _) => return Err(fields.not_exactly_one(name)),
        (None, _) => ReadinessProbe::Poll(fields.probe(name, ports)?),
    };
    Ok(Readiness {
        probe: Some(probe),
        timeout: ready.timeout.0,
    })
}

/// Checks `liveness`.
pub(super) fn liveness(
    name: &str,
    spec: &Service,
    ports: &[PlannedPort],
) -> Result<Option<Liveness>, Problem> {
    let Some(liveness) = &spec.liveness else {
        return Ok(None);
    };
    let span = liveness.span();
    let liveness = liveness.get_ref();
    let fields = ProbeFields {
        key: "liveness",
        span,
        http: liveness.http.as_deref(),
        tcp: liveness.tcp == Some(true),
        exec: liveness.exec.as_ref(),
        unix: None,
        port: liveness.port.as_deref(),
    };
    Ok(Some(Liveness {
        probe: fields.probe(name, ports)?,
        interval: liveness.interval.0,
        timeout: liveness.timeout.0,
        failures: liveness.failures,
    }))
}

fn compile(pattern: &Text) -> Result<LogPattern, Problem> {
    let compiled = regex_lite::Regex::new(pattern.get_ref());
    compiled.map(LogPattern).map_err(|error| {
        let message = format!(
            "`{}` is not a valid regular expression: {error}",
            pattern.get_ref()
        );
        Problem::at(pattern.span(), message)
            .help("fix the pattern, or escape special characters with `\\`")
    })
}

/// The keys that `ready` and `liveness` share.
struct ProbeFields<'a> {
    key: &'static str,
    /// Where the table is in the manifest.
    span: Range<usize>,
    http: Option<&'a str>,
    tcp: bool,
    exec: Option<&'a Text>,
    unix: Option<&'a Text>,
    port: Option<&'a str>,
}

impl ProbeFields<'_> {
    fn count(&self) -> usize {
        let keys = [
            self.http.is_some(),
            self.tcp,
            self.exec.is_some(),
            self.unix.is_some(),
        ];
        keys.into_iter().filter(|is_set| *is_set).count()
    }

    fn not_exactly_one(&self, name: &str) -> Problem {
        let message = format!("`{}` of `{name}` needs exactly one kind of probe", self.key);
        let log = if self.key == "ready" {
            ", `unix = \"path\"`, `log = \"pattern\"`"
        } else {
            ""
        };
        Problem::at(self.span.clone(), message).help(format!(
            "set one of `http = \"/path\"`, `tcp = true`, `exec = \"command\"`{log}"
        ))
    }

    fn probe(&self, name: &str, ports: &[PlannedPort]) -> Result<Probe, Problem> {
        if self.count() != 1 {
            return Err(self.not_exactly_one(name));
        }
        if let Some(path) = self.unix {
            return Ok(Probe::Unix(path.get_ref().clone()));
        }
        if self.exec.is_none() && ports.is_empty() {
            let message = format!(
                "`{}` of `{name}` probes a port, but `{name}` has no port",
                self.key
            );
            return Err(
                Problem::at(self.span.clone(), message).help("add one: `port = \"9100-9199\"`")
            );
        }
        let port = self.port_index(name, ports)?;
        let is_udp = ports
            .get(port)
            .is_some_and(|port| port.protocol == Protocol::Udp);
        if is_udp && self.exec.is_none() {
            let message = format!("`{}` of `{name}` probes a UDP port", self.key);
            return Err(Problem::at(self.span.clone(), message)
                .help("remove it: a UDP service is ready when it has bound its port"));
        }
        Ok(match (self.http, self.exec) {
            (Some(path), _) => {
                let slash = if path.starts_with('/') { "" } else { "/" };
                let path = format!("{slash}{path}");
                Probe::Http { port, path }
            }
            (None, Some(command)) => Probe::Exec(command.get_ref().clone()),
            (None, None) => Probe::Tcp { port },
        })
    }

    /// The index of the port to probe; the main port without a name.
    fn port_index(&self, name: &str, ports: &[PlannedPort]) -> Result<usize, Problem> {
        let Some(wanted) = self.port else {
            return Ok(0);
        };
        let known = ports.iter().filter_map(|port| port.name.as_deref());
        let index = ports
            .iter()
            .position(|port| port.name.as_deref() == Some(wanted));
        index.ok_or_else(|| {
            let message = format!(
                "`{}` of `{name}` probes the port `{wanted}`, which does not exist",
                self.key
            );
            let help = match known.clone().next() {
                Some(_) => suggestion(wanted, known),
                None => format!(
                    "remove `port` from `{}`, or name the ports of `{name}` in `ports`",
                    self.key
                ),
            };
            Problem::at(self.span.clone(), message).help(help)
        })
    }
}
