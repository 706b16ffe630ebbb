//! Which ports are not assigned automatically, and why.

use std::fmt;
use std::io;

use crate::PortRange;
use crate::platform;

/// Ports from 1024 up that browsers and Node's `fetch` refuse to connect to: the "bad ports" of the
/// WHATWG fetch standard, section 2.9. Lower ports are privileged on most systems.
const BLOCKED_BY_BROWSERS: [u16; 20] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080, 65535,
];

/// The reason why a port is not assigned automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exclusion {
    /// Browsers refuse to connect to the port.
    BlockedByBrowsers,
    /// The kernel assigns the ports of this range to outgoing connections.
    Ephemeral(PortRange),
    /// An ordinary user may not bind the port. The value is the first port that needs no elevated
    /// privileges.
    Privileged(u16),
    /// A service of the operating system usually listens on the port.
    SystemService(&'static str),
    /// The operating system or its administrator reserves the range.
    Reserved(PortRange),
    /// The caller excludes the range ([`PortPolicy::excluded`]).
    Excluded(PortRange),
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlockedByBrowsers => write!(f, "browsers refuse to connect to this port"),
            Self::Ephemeral(range) => write!(
                f,
                "the system assigns ports of {range} to outgoing connections"
            ),
            Self::Privileged(first) => {
                write!(f, "ports below {first} require elevated privileges")
            }
            Self::SystemService(name) => write!(f, "{name} uses this port"),
            Self::Reserved(range) => write!(f, "the system reserves {range}"),
            Self::Excluded(range) => write!(f, "your preferences exclude {range}"),
        }
    }
}

/// The ports that must not be assigned automatically on one machine.
///
/// A plain value: a test on one system can evaluate the policy of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortPolicy {
    /// The range from which the kernel takes the ports of outgoing connections, if the system
    /// reports one.
    pub ephemeral: Option<PortRange>,
    /// The first port that needs no elevated privileges; 0 if every port may be bound by every
    /// user.
    pub first_unprivileged: u16,
    /// Ports on which services of the operating system usually listen, with the services' names.
    pub system_services: Vec<(u16, &'static str)>,
    /// Ranges that the system or its administrator reserves: `ip_local_reserved_ports` on Linux,
    /// the excluded port ranges of `netsh` on Windows.
    pub reserved: Vec<PortRange>,
    /// Further ranges that the caller excludes. [`PortPolicy::read`] leaves this empty.
    pub excluded: Vec<PortRange>,
}

impl PortPolicy {
    /// Reads the policy of this machine. On Windows this runs `netsh`, which takes about 50 ms.
    ///
    /// # Errors
    /// Fails if the system does not report its settings, for example in a sandbox without `/proc`.
    pub fn read() -> io::Result<Self> {
        platform::policy()
    }

    /// Returns the reason why `port` is not assigned automatically, or `None` if it may be.
    ///
    /// A reserved port inside the ephemeral range is reported as reserved: the kernel does not
    /// assign it to outgoing connections.
    #[must_use]
    pub fn exclusion(&self, port: u16) -> Option<Exclusion> {
        let containing = |ranges: &[PortRange]| ranges.iter().copied().find(|r| r.contains(port));
        if let Some(range) = containing(&self.excluded) {
            return Some(Exclusion::Excluded(range));
        }
        if port < self.first_unprivileged {
            return Some(Exclusion::Privileged(self.first_unprivileged));
        }
        if BLOCKED_BY_BROWSERS.contains(&port) {
            return Some(Exclusion::BlockedByBrowsers);
        }
        if let Some((_, name)) = self.system_services.iter().find(|(used, _)| *used == port) {
            return Some(Exclusion::SystemService(name));
        }
        if let Some(range) = containing(&self.reserved) {
            return Some(Exclusion::Reserved(range));
        }
        self.ephemeral
            .filter(|range| range.contains(port))
            .map(Exclusion::Ephemeral)
    }

    /// Returns those of `ports` that are excluded, grouped by reason, in their order.
    #[must_use]
    pub fn exclusions(&self, ports: impl IntoIterator<Item = u16>) -> Vec<(Exclusion, Vec<u16>)> {
        let mut groups: Vec<(Exclusion, Vec<u16>)> = Vec::new();
        for port in ports {
            let Some(reason) = self.exclusion(port) else {
                continue;
            };
            match groups.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, ports)) => ports.push(port),
                None => groups.push((reason, vec![port])),
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linux() -> PortPolicy {
        PortPolicy {
            ephemeral: Some("32768-60999".parse().unwrap()),
            first_unprivileged: 1024,
            ..PortPolicy::default()
        }
    }

    #[test]
    fn common_development_ports_are_allowed() {
        for port in [3000, 5173, 5432, 6379, 8000, 9000, 32767, 61000] {
            assert_eq!(linux().exclusion(port), None, "{port}");
        }
    }

    #[test]
    fn reports_each_kind_of_exclusion() {
        assert_eq!(linux().exclusion(80), Some(Exclusion::Privileged(1024)));
        assert_eq!(linux().exclusion(6000), Some(Exclusion::BlockedByBrowsers));
        assert_eq!(linux().exclusion(6667), Some(Exclusion::BlockedByBrowsers));
        assert!(matches!(
            linux().exclusion(40000),
            Some(Exclusion::Ephemeral(_))
        ));
        let mac = PortPolicy {
            system_services: vec![(5000, "AirPlay Receiver")],
            ..PortPolicy::default()
        };
        assert_eq!(
            mac.exclusion(5000),
            Some(Exclusion::SystemService("AirPlay Receiver"))
        );
        let windows = PortPolicy {
            reserved: vec!["9000-9099".parse().unwrap()],
            ..PortPolicy::default()
        };
        assert!(matches!(
            windows.exclusion(9050),
            Some(Exclusion::Reserved(_))
        ));
        let user = PortPolicy {
            excluded: vec!["8080".parse().unwrap()],
            ..linux()
        };
        assert_eq!(
            user.exclusion(8080),
            Some(Exclusion::Excluded("8080".parse().unwrap()))
        );
        assert_eq!(user.exclusion(8081), None);
    }

    #[test]
    fn reserved_takes_precedence_over_ephemeral() {
        let policy = PortPolicy {
            reserved: vec!["40000-40099".parse().unwrap()],
            ..linux()
        };
        assert!(matches!(
            policy.exclusion(40050),
            Some(Exclusion::Reserved(_))
        ));
        assert!(matches!(
            policy.exclusion(40100),
            Some(Exclusion::Ephemeral(_))
        ));
    }

    #[test]
    fn groups_the_exclusions_of_a_range_by_reason() {
        let groups = linux().exclusions(6664..=6669);
        assert_eq!(
            groups,
            [(
                Exclusion::BlockedByBrowsers,
                vec![6665, 6666, 6667, 6668, 6669]
            )]
        );
        assert!(linux().exclusions(9000..=9099).is_empty());
    }

    #[test]
    fn reads_the_policy_of_this_machine() {
        assert!(PortPolicy::read().is_ok());
    }
}
