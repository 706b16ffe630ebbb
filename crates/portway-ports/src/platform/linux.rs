//! Linux: netlink `sock_diag` for sockets, `/proc` for processes.
//!
//! `/proc/net/tcp` is never read: the kernel walks its whole connection table for it, some 15 ms of
//! CPU where `sock_diag` needs 0.03.

use std::collections::HashMap;
use std::fs;
use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::{Socket as Netlink, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};
use rustix::io::Errno;

use crate::exclude::Facts;
use crate::listen::Listener;
use crate::process::{Process, ProcessId};
use crate::range::PortRange;
use crate::reserved::reserved_ports;

/// Setting `SO_REUSEADDR` on a socket that is bound already opens it for others.
pub(crate) const HOLD_FLIPS: bool = true;

pub(crate) fn facts() -> io::Result<Facts> {
    let sysctl = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
    let numbers = sysctl("ip_local_port_range")?;
    let mut numbers = numbers.split_whitespace().map(str::parse::<u16>);
    let ephemeral = match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => PortRange::new(first, last).ok(),
        _ => None,
    };
    // Kernels before 4.11 have no such setting; there it is 1024 by definition.
    let unprivileged_start = sysctl("ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024);
    // Without it nothing is set aside.
    let reserved = sysctl("ip_local_reserved_ports").unwrap_or_default();
    Ok(Facts {
        ephemeral,
        unprivileged_start,
        reserved: reserved_ports(&reserved),
        ..Facts::default()
    })
}

/// Without `SO_REUSEADDR` a bind is exclusive already.
#[allow(
    clippy::unnecessary_wraps,
    reason = "other systems need an option here"
)]
pub(crate) fn bind_exclusively(_socket: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn no_such_family(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT)
    )
}

/// Whether anything but TIME_WAIT exists with `port` as its local port.
pub(crate) fn anything_lives(port: u16) -> io::Result<bool> {
    let alive = StateFlags::all() - StateFlags::TIME_WAIT;
    Ok(!dump(alive, Some(port))?.is_empty())
}

pub(crate) fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    Ok(dump(StateFlags::LISTEN, port)?
        .into_iter()
        .map(|socket| Listener {
            address: socket.header.socket_id.source_address,
            port: socket.header.socket_id.source_port,
            uid: socket.header.uid,
            socket: u64::from(socket.header.inode),
        })
        .collect())
}

/// Asks the kernel for the TCP sockets in `states` with the local port `port`.
fn dump(states: StateFlags, port: Option<u16>) -> io::Result<Vec<InetResponse>> {
    let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
    netlink.bind_auto()?;
    netlink.connect(&NetlinkAddress::new(0, 0))?;
    let mut found = Vec::new();
    for (family, mut socket_id) in [
        (AF_INET, SocketId::new_v4()),
        (AF_INET6, SocketId::new_v6()),
    ] {
        socket_id.source_port = port.unwrap_or(0);
        let request = InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: states.clone(),
            socket_id,
        };
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut packet = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        netlink.send(&bytes, 0)?;
        read_dump(&netlink, &mut found)?;
    }
    // The kernel honours the port filter; this line only guards against one that would not.
    found.retain(|socket| port.is_none_or(|port| socket.header.socket_id.source_port == port));
    Ok(found)
}

/// Reads one dump to its end.
fn read_dump(netlink: &Netlink, found: &mut Vec<InetResponse>) -> io::Result<()> {
    // The kernel fills at most 32 KiB per message.
    let mut buffer = Vec::with_capacity(32 * 1024);
    loop {
        buffer.clear();
        netlink.recv(&mut buffer, 0)?;
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let length = message.header.length as usize;
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket)) => {
                    found.push(*socket);
                }
                NetlinkPayload::Done(_) => return Ok(()),
                // A family that the kernel was built without.
                NetlinkPayload::Error(error)
                    if error.raw_code() == -Errno::NOENT.raw_os_error() =>
                {
                    return Ok(());
                }
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages are aligned to four bytes.
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            if length == 0 {
                break;
            }
        }
    }
}

/// For each of `sockets` the lowest pid that has it open, as far as this user may look.
pub(crate) fn owners(sockets: &[u64]) -> HashMap<u64, u32> {
    let mut owners = HashMap::new();
    let mut pids: Vec<u32> = pids().collect();
    pids.sort_unstable();
    for pid in pids {
        for socket in open_sockets(pid) {
            if sockets.contains(&socket) {
                owners.entry(socket).or_insert(pid);
            }
        }
    }
    owners
}

pub(crate) fn has_open(pid: u32, socket: u64) -> bool {
    open_sockets(pid).any(|open| open == socket)
}

fn open_sockets(pid: u32) -> impl Iterator<Item = u64> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?;
            inode.strip_suffix(']')?.parse().ok()
        })
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let (name, stat) = stat(pid)?;
    let command = fs::read(format!("/proc/{pid}/cmdline"))
        .map(|bytes| {
            let words: Vec<_> = bytes
                .split(|&byte| byte == 0)
                .map(String::from_utf8_lossy)
                .collect();
            words.join(" ").trim_end().to_owned()
        })
        .ok()
        .filter(|command| !command.is_empty())
        .unwrap_or_else(|| name.clone());
    Some(Process {
        id: stat.id,
        parent: stat.parent,
        name,
        command,
        dir: fs::read_link(format!("/proc/{pid}/cwd")).ok(),
    })
}

pub(crate) fn has_variable(pid: u32, variable: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|all| {
        all.split(|&byte| byte == 0)
            .any(|one| one == variable.as_bytes())
    })
}

/// The numbers of `/proc/PID/stat` that matter here.
struct Stat {
    id: ProcessId,
    parent: u32,
}

/// `None` for a process that is gone or a zombie: a zombie owns nothing and cannot be signalled.
fn stat(pid: u32) -> Option<(String, Stat)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name stands in parentheses and may itself hold any of them; the numbers follow the last.
    let (name, numbers) = text.split_once('(')?.1.rsplit_once(')')?;
    let mut numbers = numbers.split_whitespace();
    let state = numbers.next()?;
    let parent = numbers.next()?.parse().ok()?;
    // Field 22 of the line is the start time: 19 fields after the parent, which is field 4.
    let started = numbers.nth(17)?.parse().ok()?;
    let stat = Stat {
        id: ProcessId { pid, started },
        parent,
    };
    (!matches!(state, "Z" | "X")).then(|| (name.to_owned(), stat))
}

pub(crate) fn descendants(root: u32) -> Vec<ProcessId> {
    let mut children: HashMap<u32, Vec<ProcessId>> = HashMap::new();
    for (_, stat) in pids().filter_map(stat) {
        children.entry(stat.parent).or_default().push(stat.id);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        // `remove`, so that a pid that was used again while we read cannot make a circle.
        for child in children.remove(&parent).unwrap_or_default() {
            next.push(child.pid);
            found.push(child);
        }
    }
    found
}
