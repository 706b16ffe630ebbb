//! How Portway starts, restarts and stops a service: choices that the manifest writes as one word.
//!
//! The manifest parses these types and the plan passes them on unchanged.

use std::borrow::Cow;
use std::time::Duration;

use portway_ports::Protocol;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The state that another service must reach before this one starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartCondition {
    /// When the other service's prepare step has succeeded, whether it runs or not: this service uses
    /// what that step makes, such as a virtual environment.
    Prepared,
    /// As soon as the other service's process runs.
    Started,
    /// When the other service is ready.
    #[default]
    Ready,
    /// When the other service has exited successfully, such as a database migration.
    Completed,
    /// When the other service has exited, whether it succeeded or failed.
    Finished,
}

/// Whether to restart a service whose process exits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never restart it.
    Never,
    /// Restart it after a failure, with a growing delay and a limited number of attempts.
    #[default]
    OnFailure,
    /// Restart it after every exit.
    Always,
}

/// The signal that requests a service to stop.
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
    /// SIGKILL: the service cannot clean up.
    Kill,
}

/// How to stop a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopPolicy {
    /// The signal to send first.
    pub signal: StopSignal,
    /// How long to wait before the process tree is killed.
    pub grace: Duration,
}

/// Which process must listen on a service's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListenerOwner {
    /// A process in the process tree of the service's command.
    Tree,
    /// Any process, such as the proxy of a container engine. This is the default for `docker` and
    /// `podman` commands.
    Any,
}

/// The transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl From<PortProtocol> for Protocol {
    fn from(protocol: PortProtocol) -> Self {
        match protocol {
            PortProtocol::Tcp => Self::Tcp,
            PortProtocol::Udp => Self::Udp,
        }
    }
}

/// How a service gets its listening socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SocketMode {
    /// The service binds the port.
    #[default]
    Bind,
    /// Portway passes the listening socket as file descriptor 3 (`LISTEN_FDS=1`). The command must
    /// be a single program.
    Fd,
}

/// Whether the gateway rewrites local URLs in the responses of a service: `"auto"` or `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RewriteForm")]
pub enum Rewrite {
    /// Where they contain the usual port of a service that has another port in this instance.
    #[default]
    Auto,
    /// Never.
    Never,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"auto\" or false")]
enum RewriteForm {
    Word(String),
    Switch(bool),
}

impl TryFrom<RewriteForm> for Rewrite {
    type Error = &'static str;
    fn try_from(form: RewriteForm) -> Result<Self, Self::Error> {
        match form {
            RewriteForm::Word(word) if word == "auto" => Ok(Self::Auto),
            RewriteForm::Switch(false) => Ok(Self::Never),
            _ => Err("expected \"auto\" or false"),
        }
    }
}

impl JsonSchema for Rewrite {
    fn schema_name() -> Cow<'static, str> {
        "Rewrite".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whether the gateway rewrites local URLs in the responses of a service.",
            "enum": ["auto", false]
        })
    }
}

/// What separates the services of an instance from those of other checkouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// Their ports.
    #[default]
    None,
    /// A network of their own, in which each service uses its usual port. Only on Linux.
    Network,
}

/// Whether services are published on the local network, as one source states it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LanAccess {
    /// This source does not state it.
    #[default]
    Unspecified,
    /// They are published.
    Enabled,
    /// They are not published.
    Disabled,
}

impl From<Option<bool>> for LanAccess {
    fn from(choice: Option<bool>) -> Self {
        match choice {
            None => Self::Unspecified,
            Some(true) => Self::Enabled,
            Some(false) => Self::Disabled,
        }
    }
}
