//! Reads the listening sockets in the network of another process.

use std::{fs, io};

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Returns the numbers (inodes) of the TCP sockets that listen on a port in the network of a process.
pub(crate) fn listening_sockets(pid: u32, port: u16) -> io::Result<Vec<u64>> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}"));
    let mut sockets = listening(&read("tcp")?, port);
    // Missing without IPv6.
    sockets.extend(listening(&read("tcp6").unwrap_or_default(), port));
    Ok(sockets)
}

/// Evaluates the text of `/proc/net/tcp` or `/proc/net/tcp6`.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let sockets = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_wanted = u16::from_str_radix(local, 16) == Ok(port);
        (is_wanted && *fields.get(3)? == LISTENING).then(|| fields.get(9)?.parse().ok())?
    });
    sockets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_listen_on_the_port_are_found() {
        let header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let table = format!(
            "{header}\
             \x20  0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 71 1\n\
             \x20  1: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 72 1\n\
             \x20  2: 0100007F:1388 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  0  0 73 1\n\
             \x20  3: broken\n"
        );
        assert_eq!(listening(&table, 5000), [71]);
        let table = format!(
            "{header}   0: 00000000000000000000000001000000:1388 \
             00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 74 1\n"
        );
        assert_eq!(listening(&table, 5000), [74]);
        assert_eq!(listening("", 5000), [0_u64; 0]);
    }
}
