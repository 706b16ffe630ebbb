//! Socket numbers for systems that report the owner of a socket and no number for the socket
//! itself. The owner's pid is part of the number.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;

/// Returns a number for a listening socket: the owner's pid in the upper half, the port and a
/// checksum of the address in the lower. The checksum only has to distinguish the few addresses on
/// which one process listens with one port.
pub(crate) fn socket(pid: u32, address: IpAddr, port: u16) -> u64 {
    let bytes = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let checksum = bytes.iter().fold(u16::from(address.is_ipv4()), |sum, &b| {
        sum.wrapping_mul(31).wrapping_add(u16::from(b))
    });
    u64::from(pid) << 32 | u64::from(port) << 16 | u64::from(checksum)
}

fn owner(socket: u64) -> u32 {
    (socket >> 32) as u32
}

/// For each of `sockets`, returns the pid that has it open.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn socket_owners(sockets: &HashSet<u64>) -> io::Result<HashMap<u64, Vec<u32>>> {
    Ok(sockets.iter().map(|&s| (s, vec![owner(s)])).collect())
}

/// Returns the same as [`socket_owners`], but only considers `pids`.
pub(crate) fn socket_owners_among(
    pids: &[u32],
    sockets: &HashSet<u64>,
) -> io::Result<HashMap<u64, Vec<u32>>> {
    let mut owners = socket_owners(sockets)?;
    owners.retain(|_, owners| owners.iter().all(|owner| pids.contains(owner)));
    Ok(owners)
}

#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn has_open(pid: u32, socket: u64) -> io::Result<bool> {
    Ok(owner(socket) == pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_number_contains_its_owner() {
        let one = socket(4711, "127.0.0.1".parse().unwrap(), 9000);
        let other = socket(4711, "::1".parse().unwrap(), 9000);
        assert_ne!(one, other);
        assert!(has_open(4711, one).unwrap() && !has_open(4712, one).unwrap());
        assert_eq!(socket_owners(&HashSet::from([one])).unwrap()[&one], [4711]);
    }
}
