//! Windows: sockets from the tables of `iphlpapi`, settings from `netsh`.

mod processes;
mod tables;

use std::io;
use std::os::windows::io::AsRawSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOL_SOCKET, WSAEADDRNOTAVAIL, WSAEAFNOSUPPORT, WSAEPROTONOSUPPORT,
    setsockopt,
};

use crate::listener::Listener;
use crate::parse::{dynamic_ports, excluded_ranges};
use crate::policy::PortPolicy;

pub(crate) use super::owner_pid::{has_open, socket_owners, socket_owners_among};
pub(crate) use super::unsupported::{ConnectionUsers, LocalhostSockets, hides_sockets};
pub(crate) use processes::{process, process_id, started_at};
pub(crate) use tables::{has_active_sockets, listeners};

/// `SO_REUSEADDR` would admit every process, so a soft hold has no sockets.
pub(crate) const SOFT_HOLD_KEEPS_SOCKETS: bool = false;

/// Connections in TIME_WAIT do not prevent a bind on Windows.
pub(crate) const REUSE_PASSES_TIME_WAIT: bool = false;

/// Runs `netsh` for the excluded ranges of both families and protocols and for the ephemeral range.
/// Hyper-V and WinNAT choose new excluded ranges whenever the machine starts.
pub(crate) fn policy() -> io::Result<PortPolicy> {
    let system = std::env::var_os("SystemRoot").map_or_else(|| "C:\\Windows".into(), PathBuf::from);
    let netsh = |args: &str| {
        Command::new(system.join("System32\\netsh.exe"))
            .args(args.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    };
    // All at the same time: each takes about 50 ms.
    let excluded = [
        "interface ipv4 show excludedportrange protocol=tcp",
        "interface ipv6 show excludedportrange protocol=tcp",
        "interface ipv4 show excludedportrange protocol=udp",
        "interface ipv6 show excludedportrange protocol=udp",
    ]
    .map(netsh);
    let dynamic = netsh("interface ipv4 show dynamicport tcp");
    let text = |child: io::Result<std::process::Child>| {
        let output = child?.wait_with_output()?;
        // The text is in the machine's own code page; only its digits are used.
        Ok::<_, io::Error>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let mut reserved = Vec::new();
    for child in excluded {
        for range in excluded_ranges(&text(child)?) {
            if !reserved.contains(&range) {
                reserved.push(range);
            }
        }
    }
    Ok(PortPolicy {
        ephemeral: dynamic_ports(&text(dynamic)?),
        reserved,
        ..PortPolicy::default()
    })
}

/// Makes the socket exclude all others, with and without `SO_REUSEADDR`.
pub(crate) fn set_exclusive(socket: &socket2::Socket) -> io::Result<()> {
    let on: i32 = 1;
    let handle = usize::try_from(socket.as_raw_socket()).map_err(io::Error::other)?;
    // SAFETY: the socket is open while it is borrowed, and the option's value is a live i32 whose
    // size is passed with it.
    #[allow(unsafe_code)]
    let status = unsafe {
        setsockopt(
            handle,
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            (&raw const on).cast(),
            size_of::<i32>() as i32,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets the options of a server's socket: exclusive too, so that no other process can bind a more
/// specific address.
pub(crate) fn prepare_server_socket(socket: &socket2::Socket) -> io::Result<()> {
    set_exclusive(socket)
}

/// Returns whether an error means that the machine does not support the address family.
pub(crate) fn is_unsupported_family(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(WSAEAFNOSUPPORT | WSAEADDRNOTAVAIL | WSAEPROTONOSUPPORT)
    )
}

/// The user of this process is not compared with those of sockets.
pub(crate) fn own_user() -> Option<u32> {
    None
}

/// The owners of UDP sockets are not read on Windows.
pub(crate) fn udp_sockets() -> io::Result<Vec<Listener>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Windows does not report sockets that are bound and do not listen.
#[allow(clippy::unnecessary_wraps, reason = "can fail on other systems")]
pub(crate) fn bound(_port: u16) -> io::Result<Vec<Listener>> {
    Ok(Vec::new())
}
