//! Linux: netlink `sock_diag` for sockets, `/proc` for processes.
//!
//! `/proc/net/tcp` is never read: the kernel walks its whole connection table for it, some 15 ms of
//! CPU where `sock_diag` needs 0.03.

mod open_files;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

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
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::exclude::Facts;
use crate::listen::Listener;
use crate::process::{Process, ProcessId};
use crate::range::PortRange;
use crate::reserved::reserved_ports;
use crate::usage::Usage;

/// Setting `SO_REUSEADDR` on a socket that is bound already opens it for others.
pub(crate) const HOLD_FLIPS: bool = true;

/// With `SO_REUSEADDR` a socket is bound over TIME_WAIT.
pub(crate) const PASSES_TIME_WAIT: bool = true;

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

/// Whether anything but TIME_WAIT exists with `port` as its local port.
pub(crate) fn anything_lives(port: u16) -> io::Result<bool> {
    let alive = StateFlags::all() - StateFlags::TIME_WAIT;
    Ok(!dump(alive, Some(port))?.is_empty())
}

pub(crate) fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    let found = dump(StateFlags::LISTEN, port)?;
    Ok(found.into_iter().map(listener).collect())
}

/// `TCP_BOUND_INACTIVE` of the kernel: bound and neither listening nor connected. Kernels before
/// 6.8 do not know it and answer nothing.
const BOUND_INACTIVE: u32 = 1 << 13;

pub(crate) fn bound(port: u16) -> io::Result<Vec<Listener>> {
    let found = dump(StateFlags::from_bits_retain(BOUND_INACTIVE), Some(port))?;
    Ok(found.into_iter().map(listener).collect())
}

fn listener(socket: InetResponse) -> Listener {
    Listener {
        address: socket.header.socket_id.source_address,
        port: socket.header.socket_id.source_port,
        uid: socket.header.uid,
        socket: u64::from(socket.header.inode),
    }
}

pub(crate) fn user_of_connection(client: SocketAddr, server: SocketAddr) -> Option<u32> {
    let (family, socket_id) = match client {
        SocketAddr::V4(_) => (AF_INET, SocketId::new_v4()),
        SocketAddr::V6(_) => (AF_INET6, SocketId::new_v6()),
    };
    let socket_id = SocketId {
        source_port: client.port(),
        destination_port: server.port(),
        source_address: client.ip(),
        destination_address: server.ip(),
        // Which socket of that address is not asked.
        cookie: [0xff; 8],
        ..socket_id
    };
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: socket_id.clone(),
    };
    let netlink = open_netlink().ok()?;
    // Without `NLM_F_DUMP` the kernel looks it up instead of walking its table.
    send(&netlink, NLM_F_REQUEST, request).ok()?;
    let mut answer = Vec::with_capacity(4096);
    netlink.recv(&mut answer, 0).ok()?;
    match NetlinkMessage::<SockDiagMessage>::deserialize(&answer)
        .ok()?
        .payload
    {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket)) => {
            let found = &socket.header.socket_id;
            // Where nothing is connected the kernel may answer with a listener.
            let is_it = (found.source_port, found.destination_port)
                == (socket_id.source_port, socket_id.destination_port);
            is_it.then_some(socket.header.uid)
        }
        _ => None,
    }
}

fn open_netlink() -> io::Result<Netlink> {
    let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
    netlink.bind_auto()?;
    netlink.connect(&NetlinkAddress::new(0, 0))?;
    Ok(netlink)
}

fn send(netlink: &Netlink, flags: u16, request: InetRequest) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut packet = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    netlink.send(&bytes, 0)?;
    Ok(())
}

/// Asks the kernel for the TCP sockets in `states` with the local port `port`.
fn dump(states: StateFlags, port: Option<u16>) -> io::Result<Vec<InetResponse>> {
    let netlink = open_netlink()?;
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
        send(&netlink, NLM_F_REQUEST | NLM_F_DUMP, request)?;
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

/// For each of `sockets` the pids that have it open, lowest first, as far as this user may look.
pub(crate) fn owners(sockets: &HashSet<u64>) -> HashMap<u64, Vec<u32>> {
    open_files::owners(pids().collect(), sockets)
}

/// As [`owners`], among `pids` alone.
pub(crate) fn owners_among(pids: &[u32], sockets: &HashSet<u64>) -> HashMap<u64, Vec<u32>> {
    open_files::owners(pids.to_vec(), sockets)
}

pub(crate) fn has_open(pid: u32, socket: u64) -> bool {
    open_files::any(pid, |open| open == socket)
}

pub(crate) fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A file of `/proc/PID`. It does not tell its length, and without room from the start it would be
/// read in many small pieces.
fn read(pid: u32, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    let mut file = File::open(format!("/proc/{pid}/{name}")).ok()?;
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let (name, stat) = stat(pid)?;
    let bytes = read(pid, "cmdline").unwrap_or_default();
    // A program that writes a title over its arguments leaves zeros behind it.
    let text = String::from_utf8_lossy(&bytes);
    let words: Vec<String> = text
        .trim_end_matches('\0')
        .split('\0')
        .map(str::to_owned)
        .collect();
    let command = words.join(" ");
    let hidden = command.trim().is_empty();
    Some(Process {
        id: stat.id,
        parent: stat.parent,
        group: stat.group,
        user: user(pid),
        command: if hidden { name.clone() } else { command },
        words: if hidden { Vec::new() } else { words },
        name,
        dir: fs::read_link(format!("/proc/{pid}/cwd")).ok(),
    })
}

/// The effective user of a process.
fn user(pid: u32) -> Option<u32> {
    let status = read(pid, "status")?;
    let line = String::from_utf8_lossy(&status);
    let line = line.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // Real, effective, saved, file system.
    line.split_whitespace().nth(1)?.parse().ok()
}

pub(crate) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(crate) fn user_name(user: u32) -> Option<String> {
    let user = uzers::get_user_by_uid(user)?;
    Some(user.name().to_string_lossy().into_owned())
}

pub(crate) fn started_at(process: ProcessId) -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    let boot: u64 = boot.trim().parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    Some(boot * 1000 + process.started * 1000 / ticks)
}

/// Tells by the control group: engines put the container's id of 64 hexadecimal digits into its
/// path (`docker-ID.scope`, `/docker/ID`, `libpod-ID.scope`, `cri-containerd-ID.scope`), LXC its
/// name (`lxc.payload.NAME`), systemd-nspawn the machine's (`machine-NAME.scope`).
pub(crate) fn container(pid: u32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().find_map(container_of_group)
}

fn container_of_group(line: &str) -> Option<String> {
    let path = line.splitn(3, ':').nth(2)?;
    // The innermost part decides: a container may itself run containers.
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
        // As the engines shorten it.
        is_id.then(|| id[..12].to_owned())
    })
}

pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let all = read(pid, "environ")?;
    all.split(|&byte| byte == 0).find_map(|one| {
        let value = one.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

/// Sends `signal` to exactly this process. A pidfd that was opened before the identity is checked
/// cannot come to mean another one.
pub(crate) fn send_signal(process: ProcessId, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::from(Errno::SRCH);
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pidfd = pidfd_open(pid.ok_or_else(gone)?, PidfdFlags::empty())?;
    if !process.is_alive() {
        return Err(gone());
    }
    Ok(pidfd_send_signal(pidfd, signal)?)
}

/// The numbers of `/proc/PID/stat` that matter here.
struct Stat {
    id: ProcessId,
    parent: u32,
    group: u32,
    /// Processor time, with that of children that have ended, in clock ticks.
    ticks: u64,
    /// Resident memory.
    pages: u64,
}

/// `None` for a process that is gone or a zombie: a zombie owns nothing and cannot be signalled.
fn stat(pid: u32) -> Option<(String, Stat)> {
    let text = read(pid, "stat")?;
    let text = String::from_utf8_lossy(&text);
    // The name stands in parentheses and may itself hold any of them; the numbers follow the last.
    let (name, numbers) = text.split_once('(')?.1.rsplit_once(')')?;
    let mut numbers = numbers.split_whitespace();
    let state = numbers.next()?;
    let parent = numbers.next()?.parse().ok()?;
    let group = numbers.next()?.parse().ok()?;
    // The group is field 5 of the line. Fields 14 to 17 are the processor time, its own and that of
    // children it has waited for, each in and out of the kernel; 22 is the start, 24 the memory.
    let mut ticks: u64 = numbers.nth(8)?.parse().ok()?;
    for _ in 0..3 {
        ticks += numbers.next()?.parse::<u64>().ok()?;
    }
    let started = numbers.nth(4)?.parse().ok()?;
    let pages = numbers.nth(1)?.parse().ok()?;
    let stat = Stat {
        id: ProcessId { pid, started },
        parent,
        group,
        ticks,
        pages,
    };
    (!matches!(state, "Z" | "X")).then(|| (name.to_owned(), stat))
}

/// From the lists of children that the kernel keeps. A list is walked anew when one of its processes
/// ends meanwhile, and another may be passed over by that.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let Some(children) = children(parent) else {
            // Gone meanwhile, or a kernel without `CONFIG_PROC_CHILDREN`.
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

/// The children of all threads of a process.
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

pub(crate) fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    let mut all: HashMap<u32, Stat> = HashMap::new();
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (_, stat) in pids().filter_map(stat) {
        children.entry(stat.parent).or_default().push(stat.id.pid);
        all.insert(stat.id.pid, stat);
    }
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let page = rustix::param::page_size() as u64;
    let of = |root: &u32| {
        all.get(root)?;
        let mut usage = Usage::default();
        let mut ticks = 0;
        // What was counted once is not counted again, so that a pid that was used again while we
        // read cannot make a circle.
        let mut seen = HashSet::new();
        let mut next = vec![*root];
        while let Some(pid) = next.pop() {
            let Some(stat) = all.get(&pid).filter(|_| seen.insert(pid)) else {
                continue;
            };
            ticks += stat.ticks;
            usage.memory += stat.pages * page;
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
    fn a_control_group_tells_the_container() {
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
