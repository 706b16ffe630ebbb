//! The addresses of this machine on its local networks.

use std::net::{IpAddr, Ipv4Addr};

/// Prefixes of the names of interfaces that connect containers and virtual machines.
const VIRTUAL_INTERFACES: [&str; 8] = [
    "docker", "br-", "veth", "virbr", "lxc", "podman", "cni", "vmnet",
];

/// Returns the addresses of this machine on its local networks, lowest first: the private and
/// link-local IPv4 addresses of interfaces that are up. Empty without a network.
///
/// Public addresses are left out, so that a service is not published to the internet.
pub fn local_addresses() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<Ipv4Addr> = interfaces
        .iter()
        .filter(|interface| interface.is_oper_up() && !interface.is_p2p())
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(address) if is_local(&interface.name, address) => Some(address),
            _ => None,
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn is_local(interface: &str, address: Ipv4Addr) -> bool {
    let is_virtual = VIRTUAL_INTERFACES
        .iter()
        .any(|prefix| interface.starts_with(prefix));
    (address.is_private() || address.is_link_local()) && !is_virtual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_addresses_of_physical_networks_are_local() {
        let is_local = |interface, address: &str| is_local(interface, address.parse().unwrap());
        for address in ["192.168.1.5", "10.0.0.1", "172.16.0.9", "169.254.7.7"] {
            assert!(is_local("eth0", address), "{address}");
        }
        for address in ["127.0.0.1", "8.8.8.8", "172.32.0.1", "100.64.0.1"] {
            assert!(!is_local("eth0", address), "{address}");
        }
        assert!(!is_local("docker0", "172.17.0.1"));
        assert!(!is_local("br-0a1b2c", "172.18.0.1"));
    }
}
