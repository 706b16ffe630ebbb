//! macOS and Windows: processes as `sysinfo` reads them.

use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use crate::process::{ProcessId, Usage};

/// Reads processes; `None` if the system does not report them.
fn read(which: ProcessesToUpdate<'_>, kind: ProcessRefreshKind) -> Option<System> {
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(which, true, kind);
    Some(system)
}

pub(in crate::process) fn pids() -> Vec<u32> {
    let system = read(ProcessesToUpdate::All, ProcessRefreshKind::nothing());
    let pids = system.iter().flat_map(|system| system.processes().keys());
    pids.map(|pid| pid.as_u32()).collect()
}

pub(in crate::process) fn env_var(pid: u32, name: &str) -> Option<String> {
    let pid = Pid::from_u32(pid);
    let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let system = read(ProcessesToUpdate::Some(&[pid]), kind)?;
    let environ = system.process(pid)?.environ();
    environ.iter().find_map(|variable| {
        let variable = variable.to_string_lossy();
        let (key, value) = variable.split_once('=')?;
        is_same_name(key, name).then(|| value.to_owned())
    })
}

pub(in crate::process) fn is_suspended(pid: u32) -> bool {
    let pid = Pid::from_u32(pid);
    let system = read(
        ProcessesToUpdate::Some(&[pid]),
        ProcessRefreshKind::nothing(),
    );
    let process = system.as_ref().and_then(|system| system.process(pid));
    process.is_some_and(|process| process.status() == ProcessStatus::Stop)
}

/// Returns whether two names mean the same environment variable. Windows ignores case.
fn is_same_name(one: &str, other: &str) -> bool {
    if cfg!(windows) {
        one.eq_ignore_ascii_case(other)
    } else {
        one == other
    }
}

/// Returns every running process with the pid of its parent.
fn relations(system: &System) -> Vec<(ProcessId, u32)> {
    let all = system.processes().iter();
    all.filter_map(|(pid, process)| {
        let parent = process.parent().map_or(0, Pid::as_u32);
        Some((ProcessId::read(pid.as_u32())?, parent))
    })
    .collect()
}

pub(in crate::process) fn descendants(root: u32) -> Vec<ProcessId> {
    let system = read(ProcessesToUpdate::All, ProcessRefreshKind::nothing());
    match (ProcessId::read(root), system) {
        (Some(root), Some(system)) => below(root, &relations(&system)),
        _ => Vec::new(),
    }
}

/// Not reported.
pub(in crate::process) fn is_forked_copy(_pid: u32) -> bool {
    false
}

pub(in crate::process) fn tree_pids(root: u32) -> Vec<u32> {
    let below = descendants(root);
    let below = below.iter().map(|process| process.pid);
    std::iter::once(root).chain(below).collect()
}

/// Measures running processes only: the systems do not report what exited children used.
pub(in crate::process) fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
    let Some(system) = read(ProcessesToUpdate::All, kind) else {
        return vec![None; roots.len()];
    };
    let all = relations(&system);
    let of = |root: &u32| {
        let (root, _) = *all.iter().find(|(process, _)| process.pid == *root)?;
        let mut usage = Usage::default();
        for process in std::iter::once(root).chain(below(root, &all)) {
            if let Some(process) = system.process(Pid::from_u32(process.pid)) {
                usage.cpu += Duration::from_millis(process.accumulated_cpu_time());
                usage.memory += process.memory();
                usage.processes += 1;
            }
        }
        Some(usage)
    };
    roots.iter().map(of).collect()
}

/// Returns the processes below `root`, given every process with the pid of its parent.
fn below(root: ProcessId, all: &[(ProcessId, u32)]) -> Vec<ProcessId> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        // A parent's pid may have been reused: a child is never older than its parent.
        let children = all
            .iter()
            .filter(|(child, of)| *of == parent.pid && child.started >= parent.started)
            .map(|(child, _)| *child)
            .filter(|child| !found.contains(child))
            .collect::<Vec<_>>();
        found.extend(children);
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_pid_is_not_a_parent() {
        let id = |pid, started| ProcessId { pid, started };
        let all = [
            (id(2, 20), 1),
            (id(3, 30), 2),
            // The parent was another process with the pid 2.
            (id(4, 10), 2),
            (id(5, 50), 9),
        ];
        assert_eq!(below(id(1, 10), &all), [id(2, 20), id(3, 30)]);
    }
}
