//! Windows: the tables of `iphlpapi` for sockets, `netsh` for what is set aside.

mod memory;
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

use crate::exclude::Facts;
use crate::listen::Listener;
use crate::reserved::{dynamic_ports, excluded_ranges};

pub(crate) use super::by_pid::{has_open, owners, owners_among, tree, usage};
pub(crate) use super::unasked::user_of_connection;
pub(crate) use processes::{
    ask_to_end, container, descendants, kill, own_user, pids, process, relations, spent,
    started_at, user_name, variable,
};
pub(crate) use tables::{anything_lives, listeners};

/// `SO_REUSEADDR` would let anyone take the port over: a hold is let go before the start.
pub(crate) const HOLD_FLIPS: bool = false;

/// TIME_WAIT keeps nobody from binding here.
pub(crate) const PASSES_TIME_WAIT: bool = false;

/// Asks `netsh` for the excluded ranges of both families and protocols and for the range of source
/// ports. Hyper-V and WinNAT draw the excluded ranges anew at each start of the machine.
pub(crate) fn facts() -> io::Result<Facts> {
    let system = std::env::var_os("SystemRoot").map_or_else(|| "C:\\Windows".into(), PathBuf::from);
    let netsh = |words: &str| {
        Command::new(system.join("System32\\netsh.exe"))
            .args(words.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    };
    // All at once: each takes some 50 ms.
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
        // In the machine's own code page; only its digits are read.
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
    Ok(Facts {
        ephemeral: dynamic_ports(&text(dynamic)?),
        reserved,
        ..Facts::default()
    })
}

pub(crate) fn bind_exclusively(socket: &socket2::Socket) -> io::Result<()> {
    let on: i32 = 1;
    let handle = usize::try_from(socket.as_raw_socket()).map_err(io::Error::other)?;
    // SAFETY: the socket is open while it is borrowed, and the option's value is a live i32 whose
    // size is passed with it.
    #[allow(unsafe_code)]
    let failed = unsafe {
        setsockopt(
            handle,
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            (&raw const on).cast(),
            size_of::<i32>() as i32,
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A server's own socket, too, is bound so that nobody can put himself before it.
pub(crate) fn bind_beside(socket: &socket2::Socket) -> io::Result<()> {
    bind_exclusively(socket)
}

pub(crate) fn no_such_family(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(WSAEAFNOSUPPORT | WSAEADDRNOTAVAIL | WSAEPROTONOSUPPORT)
    )
}

/// Windows does not tell which sockets are bound and do not listen.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn bound(_port: u16) -> io::Result<Vec<Listener>> {
    Ok(Vec::new())
}
