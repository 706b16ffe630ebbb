//! Why a service is not on the port that was wanted.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port that was wanted and not assigned, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortDisplacement {
    /// The port that was wanted.
    pub wanted: u16,
    /// Whether a person forced the wanted port, in `.ports.json` or on the command line.
    pub forced: bool,
    /// The text form of `reason`: what uses the wanted port, or why Portway does not assign it.
    pub holder: String,
    /// Whether the wanted port is free, and Portway does not assign it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub excluded: bool,
    /// Whether a worktree leaves the wanted port to the main checkout, as usual.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_to_main: bool,
    /// Why the wanted port was not assigned.
    #[serde(default)]
    pub reason: PortConflict,
}

impl PortDisplacement {
    /// Describes why the port `wanted` was not assigned. `forced`: a person forced that port.
    pub fn new(wanted: u16, forced: bool, reason: PortConflict) -> Self {
        Self {
            wanted,
            forced,
            holder: reason.to_string(),
            excluded: matches!(reason, PortConflict::Excluded { .. }),
            left_to_main: reason == PortConflict::MainCheckout,
            reason,
        }
    }
}

/// Why a wanted port was not assigned.
///
/// The text form is a noun phrase that names what uses the port; for an excluded port it is a
/// sentence that says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PortConflict {
    /// The port is reserved for the project's main checkout.
    MainCheckout,
    /// Another user of the machine had the port, and the service keeps the one that it got instead.
    OtherUser,
    /// Another service of the same instance uses the port.
    SameInstance {
        /// The service.
        service: String,
    },
    /// Another instance has a lease on the port.
    OtherInstance {
        /// The instance's id.
        id: String,
        /// The instance's name; missing when the registry no longer knows the instance.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<String>,
        /// The instance's directory; missing like `instance`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        directory: Option<String>,
        /// The service that has the lease.
        service: String,
        /// Whether the instance is running.
        running: bool,
    },
    /// A process listens on the port.
    Process {
        /// The process id.
        pid: u32,
        /// The process's short name.
        name: String,
        /// Its working directory; missing when the system does not reveal it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        directory: Option<String>,
    },
    /// A process listens on the port, and the system does not reveal which one.
    UnknownProcess {
        /// The user that owns the socket, when the system reveals it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A process has bound the port and does not listen on it.
    BoundSocket,
    /// Portway does not assign the port unless it is requested by number.
    Excluded {
        /// The kind of exclusion.
        exclusion: ExclusionKind,
        /// Why the port is excluded.
        message: String,
    },
}

impl Default for PortConflict {
    fn default() -> Self {
        Self::UnknownProcess { user: None }
    }
}

impl fmt::Display for PortConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MainCheckout => write!(f, "the main checkout"),
            Self::OtherUser => write!(f, "another user of this machine, who had it before"),
            Self::SameInstance { service } => write!(f, "`{service}` of this checkout"),
            Self::OtherInstance {
                instance: Some(instance),
                directory,
                service,
                running,
                ..
            } => {
                write!(f, "`{service}` of `{instance}`")?;
                if let Some(directory) = directory {
                    write!(f, " ({directory})")?;
                }
                match running {
                    true => Ok(()),
                    false => write!(f, ", which is stopped"),
                }
            }
            Self::OtherInstance { instance: None, .. } => write!(f, "another instance"),
            Self::Process {
                pid,
                name,
                directory: Some(directory),
            } => write!(f, "`{name}` (pid {pid}, in {directory})"),
            Self::Process { pid, name, .. } => write!(f, "`{name}` (pid {pid})"),
            Self::UnknownProcess { user: Some(user) } => write!(f, "a process of user {user}"),
            Self::UnknownProcess { user: None } => write!(f, "an unknown process"),
            Self::BoundSocket => write!(f, "a process that has bound it without listening"),
            Self::Excluded { message, .. } => write!(f, "{message}"),
        }
    }
}

/// Why Portway does not assign a port unless it is requested by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionKind {
    /// Browsers refuse to connect to it.
    BlockedByBrowsers,
    /// It is in the range from which the kernel takes source ports.
    Ephemeral,
    /// Binding it requires privileges that the user does not have.
    Privileged,
    /// A program of the operating system usually listens on it.
    SystemService,
    /// The operating system has reserved it.
    Reserved,
    /// The preference `never` excludes it.
    UserPreference,
    /// The operating system does not let the user bind it.
    PermissionDenied,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_existing_fields_follow_from_the_reason() {
        let process = PortConflict::Process {
            pid: 7,
            name: "node".into(),
            directory: Some("/p".into()),
        };
        let displacement = PortDisplacement::new(9000, true, process);
        assert_eq!(displacement.holder, "`node` (pid 7, in /p)");
        assert!(!displacement.excluded);
        let excluded = PortConflict::Excluded {
            exclusion: ExclusionKind::BlockedByBrowsers,
            message: "browsers refuse to open this port".into(),
        };
        let displacement = PortDisplacement::new(6000, false, excluded);
        assert_eq!(displacement.holder, "browsers refuse to open this port");
        assert!(displacement.excluded);
    }

    #[test]
    fn a_stopped_instance_is_named_as_stopped() {
        let reason = PortConflict::OtherInstance {
            id: "0a".into(),
            instance: Some("jobi".into()),
            directory: Some("/w/jobi".into()),
            service: "web".into(),
            running: false,
        };
        assert_eq!(
            reason.to_string(),
            "`web` of `jobi` (/w/jobi), which is stopped"
        );
    }
}
