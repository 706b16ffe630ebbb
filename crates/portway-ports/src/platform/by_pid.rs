//! Sockets of systems that name a socket's owner and give it no number of its own: the owner's pid
//! is put into the number that stands for it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::process::ProcessId;
use crate::usage::Usage;

/// What identifies a listening socket: its owner's pid above, its port and address below. The
/// address only has to tell apart the few on which one process listens with one port.
pub(crate) fn socket(pid: u32, address: IpAddr, port: u16) -> u64 {
    let bytes = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let address = bytes.iter().fold(u16::from(address.is_ipv4()), |sum, &b| {
        sum.wrapping_mul(31).wrapping_add(u16::from(b))
    });
    u64::from(pid) << 32 | u64::from(port) << 16 | u64::from(address)
}

fn owner(socket: u64) -> u32 {
    (socket >> 32) as u32
}

/// For each of `sockets` the pid that has it open.
pub(crate) fn owners(sockets: &HashSet<u64>) -> HashMap<u64, Vec<u32>> {
    sockets.iter().map(|&s| (s, vec![owner(s)])).collect()
}

/// As [`owners`], among `pids` alone.
pub(crate) fn owners_among(pids: &[u32], sockets: &HashSet<u64>) -> HashMap<u64, Vec<u32>> {
    let mut owners = owners(sockets);
    owners.retain(|_, owners| owners.iter().all(|owner| pids.contains(owner)));
    owners
}

pub(crate) fn has_open(pid: u32, socket: u64) -> bool {
    owner(socket) == pid
}

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let below = super::descendants(root);
    let below = below.iter().map(|process| process.pid);
    std::iter::once(root).chain(below).collect()
}

/// What each of `roots` uses, with everything below it. What ended children used is not told.
pub(crate) fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    let all = super::relations();
    let of = |root: &u32| {
        let (root, _) = *all.iter().find(|(one, _)| one.pid == *root)?;
        let mut usage = Usage::default();
        for process in std::iter::once(root).chain(below(root, &all)) {
            // One that has ended meanwhile, or that this user may not look into, uses nothing.
            if let Some((cpu, memory)) = super::spent(process.pid) {
                usage.cpu += cpu;
                usage.memory += memory;
                usage.processes += 1;
            }
        }
        Some(usage)
    };
    roots.iter().map(of).collect()
}

/// What is below `root`, given every process with the pid of its parent.
pub(crate) fn below(root: ProcessId, all: &[(ProcessId, u32)]) -> Vec<ProcessId> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        // A parent's pid may have been used again: a child is never older than its parent.
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
    fn a_socket_names_its_owner() {
        let one = socket(4711, "127.0.0.1".parse().unwrap(), 9000);
        let other = socket(4711, "::1".parse().unwrap(), 9000);
        assert_ne!(one, other);
        assert!(has_open(4711, one) && !has_open(4712, one));
        assert_eq!(owners(&HashSet::from([one]))[&one], [4711]);
    }

    #[test]
    fn a_pid_that_was_used_again_is_no_parent() {
        let id = |pid, started| ProcessId { pid, started };
        let all = [
            (id(2, 20), 1),
            (id(3, 30), 2),
            // Its parent was another process with the pid 2.
            (id(4, 10), 2),
            (id(5, 50), 9),
        ];
        assert_eq!(below(id(1, 10), &all), [id(2, 20), id(3, 30)]);
    }
}
