//! Reads what this machine permits.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::geteuid;

use super::setup::{self, IdentityMaps};
use crate::capability::{Attempt, Facts, Step};
use crate::outbound::{KINDS, Outbound, OutboundKind};

/// The error with which a child reports success, since it must not run a program.
const SUCCESS: i32 = i32::MAX;
/// A child reports a failed step as `step * STEP + error`. Error numbers are below 4096.
const STEP: i32 = 1 << 16;

pub(crate) fn read() -> Facts {
    let setting = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
        text.trim().parse().ok()
    };
    Facts {
        is_supported_system: true,
        is_root: geteuid().is_root(),
        failed: try_create().err(),
        unprivileged_userns_clone: setting("kernel/unprivileged_userns_clone"),
        apparmor_restrict_unprivileged_userns: setting(
            "kernel/apparmor_restrict_unprivileged_userns",
        ),
        max_user_namespaces: setting("user/max_user_namespaces"),
        outbound: KINDS.into_iter().find_map(find_outbound),
    }
}

pub(crate) fn find_outbound(kind: OutboundKind) -> Option<Outbound> {
    let path = which::which(kind.program()).ok()?;
    let has_ipv6 = has_ipv6_route();
    Some(Outbound {
        kind,
        path,
        has_ipv6,
    })
}

/// Returns whether the machine has a default route for IPv6.
fn has_ipv6_route() -> bool {
    let routes = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    has_default_route(&routes)
}

/// Evaluates the text of `/proc/net/ipv6_route`.
pub(super) fn has_default_route(routes: &str) -> bool {
    routes.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let to_all = fields
            .first()
            .is_some_and(|to| to.bytes().all(|b| b == b'0'));
        // The kernel has a route of its own that rejects everything, on loopback.
        to_all && fields.get(1) == Some(&"00") && fields.last() != Some(&"lo")
    })
}

/// Creates namespaces in a child process, which exits at once.
fn try_create() -> Result<(), Attempt> {
    let maps = IdentityMaps::own();
    // The program never runs: the closure always fails, and its error is the result.
    let mut command = Command::new("/proc/self/exe");
    // SAFETY: the closure runs between fork and exec. Its functions neither allocate nor lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            let attempt = setup::create(maps.as_ref()).and_then(|()| setup::open_tun());
            Err(io::Error::from_raw_os_error(encode(attempt)))
        });
    }
    match command.spawn() {
        Err(error) => decode(error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())),
        Ok(mut child) => {
            // Unreachable. The child must not stay.
            let _ = child.kill();
            let _ = child.wait();
            Ok(())
        }
    }
}

fn encode(attempt: Result<(), Attempt>) -> i32 {
    match attempt {
        Ok(()) => SUCCESS,
        Err(Attempt { step, error }) => step as i32 * STEP + error,
    }
}

fn decode(code: i32) -> Result<(), Attempt> {
    if code == SUCCESS {
        return Ok(());
    }
    let step = match code / STEP {
        2 => Step::Map,
        3 => Step::Loopback,
        4 => Step::Tun,
        // Without a step, the child itself could not be created.
        _ => Step::Create,
    };
    Err(Attempt {
        step,
        error: code % STEP,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_a_child_survives_the_way_through_an_error() {
        assert_eq!(decode(encode(Ok(()))), Ok(()));
        for step in [Step::Create, Step::Map, Step::Loopback, Step::Tun] {
            for error in [1, 13, 133] {
                let attempt = Err(Attempt { step, error });
                assert_eq!(decode(encode(attempt)), attempt);
            }
        }
    }

    #[test]
    fn the_attempt_leaves_this_process_in_its_namespace() {
        let own = || fs::read_link("/proc/self/ns/net").unwrap();
        let before = own();
        let _ = read();
        assert_eq!(own(), before);
    }

    #[test]
    fn a_default_route_for_ipv6_is_found() {
        let zeros = "0".repeat(32);
        let route = |to: &str, length: &str, interface: &str| {
            format!(
                "{to} {length} {zeros} 00 {zeros} 00000400 00000001 00000000 00000003 {interface}\n"
            )
        };
        let reject = route(&zeros, "00", "lo");
        let other = route(&format!("fd{}", "0".repeat(30)), "40", "eth0");
        assert!(!has_default_route(&format!("{reject}{other}")));
        let default = route(&zeros, "00", "eth0");
        assert!(has_default_route(&format!("{reject}{default}")));
        assert!(!has_default_route(""));
    }
}
