//! The probes of a service: when it is ready, and whether it is alive.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::Text;
use crate::units::HumanDuration;

/// When a service is ready. Set one of `http`, `tcp`, `exec`, `log` and `unix`, or only `timeout`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// A path that responds with a status below 400.
    pub http: Option<String>,
    /// `true`: the port accepts a connection.
    pub tcp: Option<bool>,
    /// A shell command that exits with code 0. Placeholders are replaced.
    #[schemars(with = "Option<String>")]
    pub exec: Option<Text>,
    /// A regular expression that matches a line of the service's output.
    #[schemars(with = "Option<String>")]
    pub log: Option<Text>,
    /// A Unix socket that accepts a connection: its path, relative to the service's directory. A
    /// service with this probe gets a port only if the manifest gives it one.
    #[schemars(with = "Option<String>")]
    pub unix: Option<Text>,
    /// The named port to probe. Default: the main port.
    pub port: Option<String>,
    /// How long the service may take to become ready. Default: one minute.
    #[serde(default = "Ready::default_timeout")]
    pub timeout: HumanDuration,
}

impl Ready {
    /// One minute.
    pub(crate) fn default_timeout() -> HumanDuration {
        HumanDuration::from_secs(60)
    }
}

/// A probe that repeats while a service runs. Set exactly one of `http`, `tcp` and `exec`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    /// A path that responds with a status below 400.
    pub http: Option<String>,
    /// `true`: the port accepts a connection.
    pub tcp: Option<bool>,
    /// A shell command that exits with code 0. Placeholders are replaced.
    #[schemars(with = "Option<String>")]
    pub exec: Option<Text>,
    /// The named port to probe. Default: the main port.
    pub port: Option<String>,
    /// The delay between two probes. Default: 10 seconds.
    #[serde(default = "Liveness::default_interval")]
    pub interval: HumanDuration,
    /// How long one probe may take. Default: 5 seconds.
    #[serde(default = "Liveness::default_timeout")]
    pub timeout: HumanDuration,
    /// How many probes in a row must fail before the service is restarted. Default: 3.
    #[serde(default = "Liveness::default_failures")]
    pub failures: u32,
}

impl Liveness {
    fn default_interval() -> HumanDuration {
        HumanDuration::from_secs(10)
    }
    fn default_timeout() -> HumanDuration {
        HumanDuration::from_secs(5)
    }
    fn default_failures() -> u32 {
        3
    }
}
