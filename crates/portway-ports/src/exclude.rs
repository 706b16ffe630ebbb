//! Ports that are never given out unless a person asks for them by number.

use std::fmt;
use std::io;

use crate::PortRange;
use crate::platform;

/// Ports that browsers and Node's `fetch` refuse to talk to ("bad ports" of the WHATWG fetch
/// standard, section 2.9), from 1024 up; the lower ones are privileged anyway.
const BLOCKED_BY_BROWSERS: [u16; 20] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080, 65535,
];

/// Why a port is not given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Browsers refuse to open it.
    BlockedByBrowsers,
    /// The kernel hands it out as a source port of outgoing connections.
    Ephemeral(PortRange),
    /// Binding it needs rights that an ordinary user has not; the value is the first port that
    /// needs none.
    Privileged(u16),
    /// A program of the operating system sits there.
    SystemSquatter(&'static str),
    /// The operating system, or whoever administers it, has set the range aside.
    Reserved(PortRange),
    /// The user never wants it.
    RuledOut(PortRange),
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlockedByBrowsers => write!(f, "browsers refuse to open this port"),
            Self::Ephemeral(range) => write!(
                f,
                "it lies in {range}, from which the system takes source ports"
            ),
            Self::Privileged(first) => {
                write!(f, "ports below {first} need more rights than a user has")
            }
            Self::SystemSquatter(who) => write!(f, "{who} uses it"),
            Self::Reserved(range) => write!(f, "the system has set {range} aside"),
            Self::RuledOut(range) => write!(f, "`never` rules {range} out"),
        }
    }
}

/// What this machine says about its ports, read once at the start of a command. A plain value, so
/// that a test on one system can ask what would be done on another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The range of source ports of outgoing connections, where the system tells one.
    pub ephemeral: Option<PortRange>,
    /// The first port that needs no special rights; 0 where every port is free to all.
    pub unprivileged_start: u16,
    /// Ports on which programs of the system itself usually listen, with their names.
    pub squatters: Vec<(u16, &'static str)>,
    /// Ranges that are set aside for programs that ask for them by number: on Linux
    /// `ip_local_reserved_ports`, on Windows the excluded port ranges of `netsh`
    /// ([`excluded_ranges`](crate::excluded_ranges)).
    pub reserved: Vec<PortRange>,
    /// Ranges that the user never wants to be given. The machine does not tell them; they are
    /// added by whoever knows the user.
    pub ruled_out: Vec<PortRange>,
}

impl Facts {
    /// Reads the facts of this machine.
    ///
    /// # Errors
    /// When the system does not tell them, as in a sandbox without `/proc`.
    pub fn read() -> io::Result<Self> {
        platform::facts()
    }

    /// Why `port` is not given out, or `None` where it is like any other. A port that the system
    /// has set aside is no source port, also where it lies in that range.
    pub fn exclusion(&self, port: u16) -> Option<Exclusion> {
        let within = |ranges: &[PortRange]| ranges.iter().copied().find(|r| r.contains(port));
        if let Some(range) = within(&self.ruled_out) {
            return Some(Exclusion::RuledOut(range));
        }
        if port < self.unprivileged_start {
            return Some(Exclusion::Privileged(self.unprivileged_start));
        }
        if BLOCKED_BY_BROWSERS.contains(&port) {
            return Some(Exclusion::BlockedByBrowsers);
        }
        if let Some((_, who)) = self.squatters.iter().find(|(squat, _)| *squat == port) {
            return Some(Exclusion::SystemSquatter(who));
        }
        if let Some(range) = within(&self.reserved) {
            return Some(Exclusion::Reserved(range));
        }
        self.ephemeral
            .filter(|range| range.contains(port))
            .map(Exclusion::Ephemeral)
    }

    /// The reasons for which ports of `range` are not given out, each with the ports of its own,
    /// lowest first.
    pub fn exclusions(&self, range: PortRange) -> Vec<(Exclusion, Vec<u16>)> {
        let mut reasons: Vec<(Exclusion, Vec<u16>)> = Vec::new();
        for port in range.ports() {
            let Some(why) = self.exclusion(port) else {
                continue;
            };
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, ports)) => ports.push(port),
                None => reasons.push((why, vec![port])),
            }
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linux() -> Facts {
        Facts {
            ephemeral: Some("32768-60999".parse().unwrap()),
            unprivileged_start: 1024,
            ..Facts::default()
        }
    }

    #[test]
    fn ordinary_development_ports_are_given_out() {
        for port in [3000, 5173, 5432, 6379, 8000, 9000, 32767, 61000] {
            assert_eq!(linux().exclusion(port), None, "{port}");
        }
    }

    #[test]
    fn each_kind_of_exclusion_is_found() {
        assert_eq!(linux().exclusion(80), Some(Exclusion::Privileged(1024)));
        assert_eq!(linux().exclusion(6000), Some(Exclusion::BlockedByBrowsers));
        assert_eq!(linux().exclusion(6667), Some(Exclusion::BlockedByBrowsers));
        assert!(matches!(
            linux().exclusion(40000),
            Some(Exclusion::Ephemeral(_))
        ));
        let mac = Facts {
            squatters: vec![(5000, "AirPlay Receiver")],
            ..Facts::default()
        };
        assert_eq!(
            mac.exclusion(5000),
            Some(Exclusion::SystemSquatter("AirPlay Receiver"))
        );
        let windows = Facts {
            reserved: vec!["9000-9099".parse().unwrap()],
            ..Facts::default()
        };
        assert!(matches!(
            windows.exclusion(9050),
            Some(Exclusion::Reserved(_))
        ));
        let user = Facts {
            ruled_out: vec!["8080".parse().unwrap()],
            ..linux()
        };
        let why = user.exclusion(8080).unwrap();
        assert_eq!(why.to_string(), "`never` rules 8080 out");
        assert_eq!(user.exclusion(8081), None);
    }

    #[test]
    fn a_reserved_port_is_not_called_a_source_port() {
        let facts = Facts {
            reserved: vec!["40000-40099".parse().unwrap()],
            ..linux()
        };
        assert!(matches!(
            facts.exclusion(40050),
            Some(Exclusion::Reserved(_))
        ));
        assert!(matches!(
            facts.exclusion(40100),
            Some(Exclusion::Ephemeral(_))
        ));
    }

    #[test]
    fn the_reasons_of_a_range_are_gathered() {
        let reasons = linux().exclusions("6664-6669".parse().unwrap());
        assert_eq!(
            reasons,
            [(
                Exclusion::BlockedByBrowsers,
                vec![6665, 6666, 6667, 6668, 6669]
            )]
        );
        assert!(linux().exclusions("9000-9099".parse().unwrap()).is_empty());
    }

    #[test]
    fn this_machine_tells_its_facts() {
        assert!(Facts::read().is_ok());
    }
}
