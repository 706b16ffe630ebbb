//! The arguments of the tools. Their doc comments are the descriptions that clients read.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

/// The checkout that a call is about.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Checkout {
    /// A directory in the checkout, as an absolute path. Default: the directory of the server.
    directory: Option<PathBuf>,
}

/// One service of a checkout.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Service {
    /// A directory in the checkout, as an absolute path. Default: the directory of the server.
    directory: Option<PathBuf>,
    /// The service, or `SERVICE.NAME` for a named port. Default: the main or only service.
    pub(super) service: Option<String>,
}

/// A service whose URL is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Url {
    /// A directory in the checkout, as an absolute path. Default: the directory of the server.
    directory: Option<PathBuf>,
    /// The service, or `SERVICE.NAME` for a named port. Default: the main or only service.
    pub(super) service: Option<String>,
    /// Return the URL with the service's name, which the gateway serves, instead of the port.
    pub(super) by_name: bool,
}

/// Services of a checkout.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Services {
    /// A directory in the checkout, as an absolute path. Default: the directory of the server.
    directory: Option<PathBuf>,
    /// The services. Default: all.
    pub(super) services: Vec<String>,
}

/// Services to wait for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wait {
    /// A directory in the checkout, as an absolute path. Default: the directory of the server.
    directory: Option<PathBuf>,
    /// The services. Default: all that were started.
    pub(super) services: Vec<String>,
    /// The maximum time to wait, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub(super) timeout_seconds: Option<u64>,
}

/// Log lines of a checkout.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Logs {
    /// A directory in the checkout, as an absolute path. Default: the directory of the server.
    directory: Option<PathBuf>,
    /// The services. Default: all.
    pub(super) services: Vec<String>,
    /// The maximum number of lines, counted from the end. Default: 100.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) lines: Option<usize>,
    /// Only lines of the last so many seconds.
    pub(super) since_seconds: Option<u64>,
    /// Only lines that match this regular expression.
    pub(super) grep: Option<String>,
}

/// The instances to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Instances {
    /// Only the instance with this name, such as `fix-login.shop`. Default: all of this machine.
    pub(super) instance: Option<String>,
}

/// Ports to look up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ports {
    /// The ports. Default: all that listen or belong to a running instance.
    pub(super) ports: Vec<u16>,
}

/// One port.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Port {
    /// The port, from 1 to 65535.
    #[schemars(range(min = 1))]
    pub(super) port: u16,
}

/// Arguments that can name a directory.
pub(super) trait InDirectory {
    /// The directory that the client named.
    fn directory(&self) -> Option<&Path>;
}

macro_rules! in_directory {
    ($($type:ty),*) => {
        $(impl InDirectory for $type {
            fn directory(&self) -> Option<&Path> {
                self.directory.as_deref()
            }
        })*
    };
}

in_directory!(Checkout, Service, Url, Services, Wait, Logs);
