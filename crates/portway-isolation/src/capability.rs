//! Whether this machine can isolate the network of an instance.
//!
//! [`Facts::read`] tries what isolation needs, in a child process that exits at once. [`evaluate`] is
//! a pure function from these facts to a [`Capability`].

use std::io;

use crate::outbound::Outbound;
use crate::platform;

/// What a namespace needs, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creating the namespaces.
    Create = 1,
    /// Mapping the own user and group into the user namespace.
    Map = 2,
    /// Enabling the loopback interface.
    Loopback = 3,
    /// Opening `/dev/net/tun`, for the way out to other machines.
    Tun = 4,
}

/// A failed attempt to create a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The step that failed.
    pub step: Step,
    /// The error number of the system.
    pub error: i32,
}

/// What [`evaluate`] needs to know about the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether this is Linux.
    pub is_supported_system: bool,
    /// Whether this process runs as root.
    pub is_root: bool,
    /// The attempt, if it failed.
    pub failed: Option<Attempt>,
    /// `kernel.unprivileged_userns_clone`, a setting of Debian's kernels.
    pub unprivileged_userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, a setting of Ubuntu.
    pub apparmor_restrict_unprivileged_userns: Option<u64>,
    /// `user.max_user_namespaces`.
    pub max_user_namespaces: Option<u64>,
    /// The program for the way out, if it is installed.
    pub outbound: Option<Outbound>,
}

/// A reason why isolation is not available, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The cause, as one line in lower case.
    pub cause: String,
    /// What removes it: a command, or a sentence if there is none.
    pub help: String,
}

/// Whether this machine can isolate the network of an instance, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The program for the way out, if it is installed.
    pub outbound: Option<Outbound>,
    /// Everything that is missing, the most important first. Empty if isolation is available.
    pub obstacles: Vec<Obstacle>,
}

impl Capability {
    /// Returns whether isolation is available.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.obstacles.is_empty()
    }
}

impl Facts {
    /// Tries to create a namespace in a child process, and searches `PATH` for a program for the way
    /// out. Takes a few milliseconds.
    #[must_use]
    pub fn read() -> Self {
        platform::facts()
    }
}

/// Reads the facts of this machine and evaluates them.
#[must_use]
pub fn capability() -> Capability {
    evaluate(&Facts::read())
}

/// Evaluates facts.
#[must_use]
pub fn evaluate(facts: &Facts) -> Capability {
    let mut obstacles = Vec::new();
    let mut add = |cause: &str, help: &str| {
        obstacles.push(Obstacle {
            cause: cause.to_owned(),
            help: help.to_owned(),
        });
    };
    if !facts.is_supported_system {
        add(
            "network isolation is only supported on Linux",
            "services run without it, each with a port of its own",
        );
    } else {
        if let Some(failed) = facts.failed {
            let (cause, help) = describe(facts, failed);
            add(&cause, &help);
        }
        if facts.outbound.is_none() {
            add(
                "neither `slirp4netns` nor `pasta` is installed, so services could not reach other machines",
                "sudo apt install slirp4netns",
            );
        }
    }
    Capability {
        outbound: facts.outbound.clone(),
        obstacles,
    }
}

/// Returns the cause of a failed attempt and what removes it.
fn describe(facts: &Facts, failed: Attempt) -> (String, String) {
    let error = io::Error::from_raw_os_error(failed.error);
    if failed.step == Step::Tun {
        return if error.kind() == io::ErrorKind::PermissionDenied {
            (
                "this user may not open `/dev/net/tun`".into(),
                "sudo chmod 0666 /dev/net/tun".into(),
            )
        } else {
            (
                format!("cannot open `/dev/net/tun`: {error}"),
                "sudo modprobe tun".into(),
            )
        };
    }
    if facts.is_root {
        return (
            format!("this system does not let root create a network namespace: {error}"),
            "in a container, start it with `--cap-add SYS_ADMIN`".into(),
        );
    }
    let restricted = |setting: &str, value: &str| {
        (
            format!("`{setting}` does not let this user create a user namespace"),
            format!("sudo sysctl -w {setting}={value}"),
        )
    };
    if facts.unprivileged_userns_clone == Some(0) {
        return restricted("kernel.unprivileged_userns_clone", "1");
    }
    if facts.max_user_namespaces == Some(0) {
        return restricted("user.max_user_namespaces", "10000");
    }
    if facts.apparmor_restrict_unprivileged_userns == Some(1) {
        return restricted("kernel.apparmor_restrict_unprivileged_userns", "0");
    }
    let subject = match failed.step {
        Step::Map => "map this user into a user namespace",
        Step::Loopback => "set up a network namespace",
        Step::Create | Step::Tun => "create user and network namespaces",
    };
    (
        format!("this system does not let this user {subject}: {error}"),
        "a container or a security module of this machine may forbid it; ask its administrator"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::OutboundKind;

    const EPERM: i32 = 1;
    const ENOENT: i32 = 2;
    const EACCES: i32 = 13;

    fn facts() -> Facts {
        Facts {
            is_supported_system: true,
            outbound: Some(Outbound {
                kind: OutboundKind::Pasta,
                path: "/usr/bin/pasta".into(),
                has_ipv6: false,
            }),
            ..Facts::default()
        }
    }

    fn failed(step: Step, error: i32) -> Facts {
        Facts {
            failed: Some(Attempt { step, error }),
            ..facts()
        }
    }

    fn help(facts: &Facts) -> String {
        let capability = evaluate(facts);
        assert!(!capability.is_available());
        assert_eq!(capability.obstacles.len(), 1, "{capability:?}");
        capability.obstacles[0].help.clone()
    }

    #[test]
    fn a_machine_without_obstacles_can_isolate() {
        let capability = evaluate(&facts());
        assert!(capability.is_available());
        assert_eq!(capability.outbound, facts().outbound);
    }

    #[test]
    fn every_obstacle_has_a_cause_and_a_way_out() {
        let create = failed(Step::Create, EPERM);
        let cases = [
            (Facts::default(), "services run without it"),
            (
                Facts {
                    outbound: None,
                    ..facts()
                },
                "apt install slirp4netns",
            ),
            (create.clone(), "container"),
            (
                Facts {
                    unprivileged_userns_clone: Some(0),
                    ..create.clone()
                },
                "sysctl -w kernel.unprivileged_userns_clone=1",
            ),
            (
                Facts {
                    max_user_namespaces: Some(0),
                    ..create.clone()
                },
                "sysctl -w user.max_user_namespaces=10000",
            ),
            (
                Facts {
                    apparmor_restrict_unprivileged_userns: Some(1),
                    ..failed(Step::Loopback, EPERM)
                },
                "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (
                Facts {
                    is_root: true,
                    unprivileged_userns_clone: Some(0),
                    ..create
                },
                "--cap-add SYS_ADMIN",
            ),
            (failed(Step::Map, EPERM), "container"),
            (failed(Step::Tun, EACCES), "chmod 0666 /dev/net/tun"),
            (failed(Step::Tun, ENOENT), "modprobe tun"),
        ];
        for (facts, expected) in cases {
            let help = help(&facts);
            assert!(help.contains(expected), "{facts:?}: {help}");
        }
    }

    #[test]
    fn a_setting_is_named_only_if_an_attempt_failed() {
        let restricted = Facts {
            apparmor_restrict_unprivileged_userns: Some(1),
            ..facts()
        };
        // AppArmor may permit this program.
        assert!(evaluate(&restricted).is_available());
    }

    #[test]
    fn every_obstacle_is_reported() {
        let both = Facts {
            outbound: None,
            ..failed(Step::Create, EPERM)
        };
        assert_eq!(evaluate(&both).obstacles.len(), 2);
    }
}
