//! The TCP sockets of the machine with the pids of their owners, from `iphlpapi`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP_STATE_TIME_WAIT, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID,
    TCP_TABLE_CLASS, TCP_TABLE_OWNER_PID_ALL, TCP_TABLE_OWNER_PID_LISTENER,
};
use windows_sys::Win32::Networking::WinSock::{ADDRESS_FAMILY, AF_INET, AF_INET6};

use super::super::owner_pid::socket;
use super::processes::users;
use crate::listener::Listener;
use crate::protocol::Protocol;

/// One row of a table.
struct Row {
    address: IpAddr,
    port: u16,
    state: u32,
    pid: u32,
}

/// Returns whether a socket in any state but TIME_WAIT has the local port `port`.
pub(crate) fn has_active_sockets(port: u16) -> io::Result<bool> {
    let all = rows(TCP_TABLE_OWNER_PID_ALL)?;
    Ok(all
        .iter()
        .any(|row| row.port == port && row.state != MIB_TCP_STATE_TIME_WAIT as u32))
}

pub(crate) fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    let mut found = rows(TCP_TABLE_OWNER_PID_LISTENER)?;
    found.retain(|row| port.is_none_or(|port| row.port == port));
    let pids: Vec<u32> = found.iter().map(|row| row.pid).collect();
    let users = users(&pids);
    Ok(found
        .into_iter()
        .map(|row| Listener {
            address: row.address,
            protocol: Protocol::Tcp,
            port: row.port,
            only_v6: false,
            user: users.get(&row.pid).copied(),
            socket: socket(row.pid, row.address, row.port),
        })
        .collect())
}

fn rows(class: TCP_TABLE_CLASS) -> io::Result<Vec<Row>> {
    let v4 = table::<MIB_TCPROW_OWNER_PID>(AF_INET, class)?;
    let v6 = table::<MIB_TCP6ROW_OWNER_PID>(AF_INET6, class)?;
    // The port is in the low half of the field, in network byte order.
    let port = |field: u32| u16::from_be(field as u16);
    let v4 = v4.into_iter().map(|row| Row {
        address: Ipv4Addr::from(row.dwLocalAddr.to_ne_bytes()).into(),
        port: port(row.dwLocalPort),
        state: row.dwState,
        pid: row.dwOwningPid,
    });
    let v6 = v6.into_iter().map(|row| Row {
        address: Ipv6Addr::from(row.ucLocalAddr).into(),
        port: port(row.dwLocalPort),
        state: row.dwState,
        pid: row.dwOwningPid,
    });
    Ok(v4.chain(v6).collect())
}

/// A row of a table that `GetExtendedTcpTable` fills: it consists of numbers, so every bit pattern
/// is valid. The rows follow a count of 32 bits without a gap.
trait Plain: Copy {}
impl Plain for MIB_TCPROW_OWNER_PID {}
impl Plain for MIB_TCP6ROW_OWNER_PID {}

fn table<T: Plain>(family: ADDRESS_FAMILY, class: TCP_TABLE_CLASS) -> io::Result<Vec<T>> {
    let mut bytes: Vec<u8> = vec![0; 16 * 1024];
    loop {
        let mut size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // SAFETY: the buffer is writable for `size` bytes, and both pointers are valid during the
        // call.
        #[allow(unsafe_code)]
        let code = unsafe {
            GetExtendedTcpTable(
                bytes.as_mut_ptr().cast(),
                &raw mut size,
                0,
                u32::from(family),
                class,
                0,
            )
        };
        match code {
            NO_ERROR => break,
            // The table can grow until the next call, so the buffer gets more than was required.
            ERROR_INSUFFICIENT_BUFFER => bytes.resize(size as usize + 4096, 0),
            // A machine without this address family has no table for it.
            _ if family == AF_INET6 => return Ok(Vec::new()),
            code => return Err(io::Error::from_raw_os_error(code.cast_signed())),
        }
    }
    let Some((count, rows)) = bytes.split_first_chunk::<4>() else {
        return Ok(Vec::new());
    };
    let count = u32::from_ne_bytes(*count) as usize;
    Ok(rows
        .chunks_exact(size_of::<T>())
        .take(count)
        // SAFETY: the chunk has the size of `T`, which is plain; it is read unaligned.
        .map(
            #[allow(unsafe_code)]
            |row| unsafe { row.as_ptr().cast::<T>().read_unaligned() },
        )
        .collect())
}
