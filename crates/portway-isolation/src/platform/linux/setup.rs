//! Creates namespaces and sets them up. These functions also run between fork and exec, so they
//! neither allocate nor lock.

use std::ffi::CStr;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::ioctl::{Setter, ioctl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use crate::capability::{Attempt, Step};

/// `SIOCSIFFLAGS`: sets the flags of an interface.
const SET_FLAGS: u32 = 0x8914;
/// `IFF_UP` of an interface.
const UP: i16 = 1;

/// `struct ifreq` of the kernel, for its flags.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// The maps of a user namespace in which the own user and group have their own numbers.
#[derive(Clone, Debug)]
pub(super) struct IdentityMaps {
    user: String,
    group: String,
}

impl IdentityMaps {
    /// Returns the maps for this process. `None` for root, which needs no user namespace: its services
    /// keep what root may do.
    pub(super) fn own() -> Option<Self> {
        let (user, group) = (geteuid(), getegid());
        let map = |number: u32| format!("{number} {number} 1\n");
        (!user.is_root()).then(|| Self {
            user: map(user.as_raw()),
            group: map(group.as_raw()),
        })
    }
}

/// Moves this process into a new network namespace and, with maps, into a new user namespace that
/// owns it. Loopback works afterwards, and every port can be bound inside.
pub(super) fn create(maps: Option<&IdentityMaps>) -> Result<(), Attempt> {
    let mut flags = UnshareFlags::NEWNET;
    if maps.is_some() {
        flags |= UnshareFlags::NEWUSER;
    }
    // SAFETY: the flags do not contain `FILES`.
    #[allow(unsafe_code)]
    let unshared = unsafe { rustix::thread::unshare_unsafe(flags) };
    unshared.map_err(failed(Step::Create))?;
    if let Some(maps) = maps {
        // A user may only map its group if `setgroups` is denied.
        write(c"/proc/self/setgroups", b"deny")
            .and_then(|()| write(c"/proc/self/uid_map", maps.user.as_bytes()))
            .and_then(|()| write(c"/proc/self/gid_map", maps.group.as_bytes()))
            .map_err(failed(Step::Map))?;
    }
    enable_loopback().map_err(failed(Step::Loopback))?;
    // The low ports of this namespace mean nothing outside. Without the setting, only they are
    // missing.
    let _ = write(c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0");
    Ok(())
}

/// Opens the device that the way out needs.
pub(super) fn open_tun() -> Result<(), Attempt> {
    open(
        c"/dev/net/tun",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map(drop)
    .map_err(failed(Step::Tun))
}

/// Gives up all capabilities of this process, permanently.
pub(super) fn drop_capabilities() -> Result<(), Errno> {
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )
}

fn failed(step: Step) -> impl Fn(Errno) -> Attempt {
    move |error| Attempt {
        step,
        error: error.raw_os_error(),
    }
}

fn write(path: &CStr, text: &[u8]) -> Result<(), Errno> {
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    // The kernel accepts such a text in one piece only.
    rustix::io::write(&file, text).map(drop)
}

fn enable_loopback() -> Result<(), Errno> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut name = [0; 16];
    name[..2].copy_from_slice(b"lo");
    let request = InterfaceRequest {
        name,
        flags: UP,
        rest: [0; 22],
    };
    // SAFETY: the kernel reads a `struct ifreq` for this request, whose size and layout
    // `InterfaceRequest` has.
    #[allow(unsafe_code)]
    unsafe {
        ioctl(&socket, Setter::<SET_FLAGS, InterfaceRequest>::new(request))
    }
}
