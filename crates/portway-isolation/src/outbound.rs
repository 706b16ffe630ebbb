//! The program that connects a namespace to other machines: `slirp4netns` or `pasta`.
//!
//! Both read packets from a tap device inside and use ordinary sockets outside, so they need no
//! privileges. Neither binds a port, inside or outside, and neither lets a program inside connect to
//! the machine's own loopback addresses.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::platform;

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboundKind {
    /// `slirp4netns`: an address of its own inside (10.0.2.100). Uses about 1 MB of memory.
    Slirp4netns,
    /// `pasta`: the addresses and routes of the machine. Uses about 30 MB of memory.
    Pasta,
}

/// All kinds, the preferred one first: 1 MB of memory per instance is better than 30 MB.
pub(crate) const KINDS: [OutboundKind; 2] = [OutboundKind::Slirp4netns, OutboundKind::Pasta];

/// A program that connects a namespace to other machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Which program it is.
    pub kind: OutboundKind,
    /// Its path.
    pub path: PathBuf,
    /// Whether the machine has a default route for IPv6.
    pub has_ipv6: bool,
}

impl OutboundKind {
    /// The name of the program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Slirp4netns => "slirp4netns",
            Self::Pasta => "pasta",
        }
    }
}

impl Outbound {
    /// Finds a program on `PATH` by its name. `None` if it is not installed or not supported here.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let kind = KINDS.into_iter().find(|kind| kind.program() == name)?;
        platform::find_outbound(kind)
    }

    /// Returns the arguments that attach the program to the namespaces of the process `pid`.
    #[must_use]
    pub fn arguments(&self, pid: u32, has_user_namespace: bool) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        match self.kind {
            OutboundKind::Slirp4netns => {
                // The largest packets that it supports: fewer of them for the same bytes.
                arguments.extend(["--configure", "--mtu=65520"].map(OsString::from));
                arguments.extend(["--disable-host-loopback", "--disable-dns"].map(OsString::from));
                if self.has_ipv6 {
                    arguments.push("--enable-ipv6".into());
                }
                if has_user_namespace {
                    arguments.push(format!("--userns-path=/proc/{pid}/ns/user").into());
                } else {
                    // Needs root in the user namespace.
                    arguments.push("--enable-sandbox".into());
                }
                arguments.push("--netns-type=path".into());
                arguments.push(format!("/proc/{pid}/ns/net").into());
                arguments.push("tap0".into());
            }
            OutboundKind::Pasta => {
                arguments.extend(["--config-net", "--foreground", "--quiet"].map(OsString::from));
                // No port is forwarded, in either direction.
                arguments.extend(["-t", "none", "-u", "none"].map(OsString::from));
                arguments.extend(["-T", "none", "-U", "none"].map(OsString::from));
                // The address of the gateway means the gateway, not this machine.
                arguments.push("--no-map-gw".into());
                // The end of the program does not depend on the namespace.
                arguments.push("--no-netns-quit".into());
                if has_user_namespace {
                    arguments.extend(["--userns".into(), format!("/proc/{pid}/ns/user").into()]);
                } else {
                    // As another user, it could not enter the namespace.
                    arguments.extend(["--runas", "0", "--netns-only"].map(OsString::from));
                }
                arguments.extend(["--netns".into(), format!("/proc/{pid}/ns/net").into()]);
            }
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(kind: OutboundKind, has_ipv6: bool, has_user_namespace: bool) -> String {
        let path = kind.program().into();
        let outbound = Outbound {
            kind,
            path,
            has_ipv6,
        };
        let arguments = outbound.arguments(7, has_user_namespace);
        let arguments: Vec<_> = arguments.iter().map(|one| one.to_string_lossy()).collect();
        arguments.join(" ")
    }

    #[test]
    fn the_programs_forward_no_port_and_hide_the_loopback_of_the_machine() {
        let pasta = arguments(OutboundKind::Pasta, true, true);
        assert!(pasta.contains("-t none -u none -T none -U none --no-map-gw"));
        let slirp = arguments(OutboundKind::Slirp4netns, true, true);
        assert!(slirp.contains("--disable-host-loopback"));
    }

    #[test]
    fn the_programs_enter_a_user_namespace_only_if_there_is_one() {
        for kind in KINDS {
            assert!(arguments(kind, false, true).contains("/proc/7/ns/user"));
            assert!(!arguments(kind, false, false).contains("user"));
            assert!(arguments(kind, false, false).contains("/proc/7/ns/net"));
        }
    }

    #[test]
    fn ipv6_needs_a_route() {
        let has = |has_ipv6| arguments(OutboundKind::Slirp4netns, has_ipv6, true).contains("ipv6");
        assert!(has(true) && !has(false));
    }
}
