//! Counts the connections of a process to its service.

use std::collections::HashSet;
use std::fs;

/// Count the connections of `pids` to `port` of this machine, in any state.
pub(super) fn count_connections(port: u16, pids: &[u32]) -> usize {
    let inodes = inodes(port);
    let count = |pid: &u32| {
        let links = fs::read_dir(format!("/proc/{pid}/fd"));
        let links = links.into_iter().flatten().flatten();
        links
            .filter_map(|link| fs::read_link(link.path()).ok())
            .filter(|target| {
                let target = target.to_string_lossy();
                let inode = target
                    .strip_prefix("socket:[")
                    .and_then(|rest| rest.strip_suffix(']'));
                inode.is_some_and(|inode| inodes.contains(inode))
            })
            .count()
    };
    pids.iter().map(count).sum()
}

/// The inodes of all sockets that are connected to `port`.
fn inodes(port: u16) -> HashSet<String> {
    let suffix = format!(":{port:04X}");
    let mut inodes = HashSet::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        inodes.extend(text.lines().filter_map(|line| {
            let mut fields = line.split_whitespace();
            fields.nth(2).filter(|address| address.ends_with(&suffix))?;
            fields.nth(6).map(str::to_owned)
        }));
    }
    inodes
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn counts_open_connections_of_the_given_processes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = [std::process::id()];
        assert_eq!(count_connections(port, &own), 0);
        let connections: Vec<TcpStream> = (0..3)
            .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
            .collect();
        assert_eq!(count_connections(port, &own), 3);
        assert_eq!(count_connections(port, &[]), 0);
        drop(connections);
        assert_eq!(count_connections(port, &own), 0);
    }
}
