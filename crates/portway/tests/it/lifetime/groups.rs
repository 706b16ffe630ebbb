//! Runs a test with control groups, where the system allows them, and without.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sandbox::Sandbox;

/// Whether Portway runs services in control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    Used,
    Unused,
}

impl Groups {
    /// The ways to run a test on this machine.
    pub(super) fn all() -> Vec<Self> {
        if can_create() {
            vec![Self::Used, Self::Unused]
        } else {
            skip("with control groups: this user cannot create one");
            vec![Self::Unused]
        }
    }

    /// Portway, not started yet.
    pub(super) fn portway(self, sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let mut command = sandbox.portway(arguments);
        self.set(&mut command);
        command
    }

    /// Sets the variable that selects the way.
    pub(super) fn set(self, command: &mut Command) {
        let is_used = self == Self::Used;
        command.env("PORTWAY_CGROUPS", if is_used { "1" } else { "0" });
    }

    /// Starts the instance in the background and checks whether the services are in groups.
    #[track_caller]
    pub(super) fn start(self, sandbox: &Sandbox) {
        let up = self.portway(sandbox, &["up", "--detach"]);
        sandbox.run_command(up).success();
        for service in super::instance(sandbox)["services"].as_array().unwrap() {
            let Some(pid) = service["pid"].as_u64() else {
                continue;
            };
            let group = group_of(pid as u32);
            let is_used = group.contains("/portway-");
            assert_eq!(is_used, self == Self::Used, "{service}: {group}");
        }
    }
}

/// Says that a test, or a part of it, needs what this machine does not have.
#[allow(
    clippy::print_stderr,
    reason = "the only output of a test that does nothing"
)]
pub(super) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// The control group of a process, as the kernel shows it.
fn group_of(pid: u32) -> String {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::"));
    unified.unwrap_or_default().to_owned()
}

/// Whether this user can create a group below the one of this process.
fn can_create() -> bool {
    let own = group_of(std::process::id());
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .filter(|mount| Path::new(mount).join("cgroup.procs").exists())
        .any(|mount| {
            let name = format!("portway-test-{}", std::process::id());
            let dir = Path::new(mount)
                .join(own.trim_start_matches('/'))
                .join(name);
            fs::create_dir(&dir).is_ok() && fs::remove_dir(&dir).is_ok()
        })
}
