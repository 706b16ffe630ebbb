//! Linux: processes from `/proc`, signals through pidfds.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::process::{ProcessId, Usage};

pub(in crate::process) fn pids() -> Vec<u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Reads a file of `/proc/PID`. These files report no length; the initial capacity avoids many
/// small reads.
fn read(pid: u32, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    let mut file = File::open(format!("/proc/{pid}/{name}")).ok()?;
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

pub(in crate::process) fn is_suspended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name in parentheses: `T` for a signal, `t` for a debugger.
    let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
    fields.starts_with(['T', 't'])
}

/// Reads the container from the control group. Container engines put an id of 64 hexadecimal digits
/// into its path (`docker-ID.scope`, `/docker/ID`, `libpod-ID.scope`, `cri-containerd-ID.scope`),
/// LXC a name (`lxc.payload.NAME`) and systemd-nspawn the machine's name (`machine-NAME.scope`).
pub(in crate::process) fn container(pid: u32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().find_map(container_of_group)
}

/// Returns the container of one line of `/proc/PID/cgroup`.
fn container_of_group(line: &str) -> Option<String> {
    let path = line.splitn(3, ':').nth(2)?;
    // A container can contain others, so the innermost part decides.
    path.rsplit('/').find_map(|part| {
        if let Some(name) = part.strip_prefix("lxc.payload.") {
            return Some(name.to_owned());
        }
        let scope = part.strip_suffix(".scope").unwrap_or(part);
        if let Some(name) = scope.strip_prefix("machine-") {
            return Some(name.to_owned());
        }
        let id = scope.rsplit('-').next().unwrap_or(scope);
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Container engines shorten ids to twelve digits.
        is_id.then(|| id[..12].to_owned())
    })
}

pub(in crate::process) fn env_var(pid: u32, name: &str) -> Option<String> {
    let all = read(pid, "environ")?;
    all.split(|&byte| byte == 0).find_map(|variable| {
        let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

/// Sends `signal` to a process. The pidfd is opened before the identity is checked, so it cannot
/// refer to another process afterwards.
pub(in crate::process) fn send_signal(process: ProcessId, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::from(Errno::SRCH);
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pidfd = pidfd_open(pid.ok_or_else(gone)?, PidfdFlags::empty())?;
    if !process.is_alive() {
        return Err(gone());
    }
    Ok(pidfd_send_signal(pidfd, signal)?)
}

/// Fields of `/proc/PID/stat`.
struct Stat {
    id: ProcessId,
    parent: u32,
    /// Processor time, including children that have exited and were waited for, in clock ticks.
    ticks: u64,
    /// Resident memory.
    pages: u64,
}

/// `None` if the process is gone or a zombie, which cannot be signaled.
fn stat(pid: u32) -> Option<Stat> {
    let text = read(pid, "stat")?;
    let text = String::from_utf8_lossy(&text);
    // The name is in parentheses and may itself contain parentheses; the other fields follow the
    // last one.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // The parent is field 4 of the line. Fields 14 to 17 are processor time: of the process and of
    // its children, each in user and kernel mode. 22 is the start time, 24 the memory.
    let mut ticks: u64 = fields.nth(9)?.parse().ok()?;
    for _ in 0..3 {
        ticks += fields.next()?.parse::<u64>().ok()?;
    }
    let started = fields.nth(4)?.parse().ok()?;
    let pages = fields.nth(1)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Stat {
        id: ProcessId { pid, started },
        parent,
        ticks,
        pages,
    })
}

/// Returns whether a process was forked and has not executed a program since: it runs the program of
/// its parent.
pub(in crate::process) fn is_forked_copy(pid: u32) -> bool {
    /// `PF_FORKNOEXEC` of the kernel.
    const FORKED: u64 = 0x40;
    let flags = || -> Option<u64> {
        let text = read(pid, "stat")?;
        let text = String::from_utf8_lossy(&text);
        // The flags are field 9; the fields after the name start with 3.
        let fields = text.rsplit_once(')')?.1;
        fields.split_whitespace().nth(6)?.parse().ok()
    };
    flags().is_some_and(|flags| flags & FORKED != 0)
}

/// Follows the lists of children that the kernel keeps. The kernel restarts a list if one of its
/// processes exits while it is read, and can then skip another.
pub(in crate::process) fn tree_pids(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let Some(children) = children(parent) else {
            // The process has exited, or the kernel was built without `CONFIG_PROC_CHILDREN`.
            if parent == root {
                found.extend(descendants(root).iter().map(|process| process.pid));
                return found;
            }
            continue;
        };
        let new = children.into_iter().filter(|child| !found.contains(child));
        found.extend(new.collect::<Vec<_>>());
    }
    found
}

/// Returns the children of all threads of a process.
fn children(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let list = fs::read_to_string(thread.path().join("children")).ok()?;
        found.extend(
            list.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    Some(found)
}

pub(in crate::process) fn descendants(root: u32) -> Vec<ProcessId> {
    let mut children: HashMap<u32, Vec<ProcessId>> = HashMap::new();
    for stat in pids().into_iter().filter_map(stat) {
        children.entry(stat.parent).or_default().push(stat.id);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        // Removing the entry prevents an endless loop if a pid is reused during the call.
        for child in children.remove(&parent).unwrap_or_default() {
            next.push(child.pid);
            found.push(child);
        }
    }
    found
}

pub(in crate::process) fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    let mut all: HashMap<u32, Stat> = HashMap::new();
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for stat in pids().into_iter().filter_map(stat) {
        children.entry(stat.parent).or_default().push(stat.id.pid);
        all.insert(stat.id.pid, stat);
    }
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let page_size = rustix::param::page_size() as u64;
    let of = |root: &u32| {
        all.get(root)?;
        let mut usage = Usage::default();
        let mut ticks = 0;
        // Counting each process once prevents an endless loop if a pid is reused during the call.
        let mut seen = HashSet::new();
        let mut next = vec![*root];
        while let Some(pid) = next.pop() {
            let Some(stat) = all.get(&pid).filter(|_| seen.insert(pid)) else {
                continue;
            };
            ticks += stat.ticks;
            usage.memory += stat.pages * page_size;
            usage.processes += 1;
            next.extend(children.get(&pid).into_iter().flatten());
        }
        usage.cpu = Duration::from_millis(ticks * 1000 / ticks_per_second);
        Some(usage)
    };
    roots.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_container_in_the_control_group() {
        let id = "0123456789abcdef".repeat(4);
        for (line, name) in [
            (
                format!("0::/system.slice/docker-{id}.scope"),
                Some("0123456789ab"),
            ),
            (format!("12:pids:/docker/{id}"), Some("0123456789ab")),
            (
                format!("0::/user.slice/libpod-{id}.scope/container"),
                Some("0123456789ab"),
            ),
            (
                format!("0::/kubepods/pod1/cri-containerd-{id}.scope"),
                Some("0123456789ab"),
            ),
            ("0::/lxc.payload.web/init.scope".to_owned(), Some("web")),
            (
                "0::/machine.slice/machine-deb.scope".to_owned(),
                Some("deb"),
            ),
            (
                "0::/user.slice/user-1000.slice/session-2.scope".to_owned(),
                None,
            ),
            ("0::/".to_owned(), None),
        ] {
            assert_eq!(container_of_group(&line).as_deref(), name, "{line}");
        }
    }
}
