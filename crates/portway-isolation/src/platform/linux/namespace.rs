//! A namespace that processes can enter.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::setup;

/// An open network namespace, with the user namespace that owns it unless root created it. It lives
/// as long as this value or a process inside.
#[derive(Debug)]
pub struct Namespace {
    user: Option<OwnedFd>,
    network: OwnedFd,
}

impl Namespace {
    /// Returns the namespace with these descriptors, for example those that another process inherited.
    #[must_use]
    pub fn from_descriptors(network: OwnedFd, user: Option<OwnedFd>) -> Self {
        Self { user, network }
    }

    /// Opens the namespaces of a process. `None` if the process is in the network namespace of this
    /// process.
    ///
    /// # Errors
    /// If the process is gone or belongs to another user.
    pub fn of_process(pid: u32) -> io::Result<Option<Self>> {
        let open = |process: &str, name: &str| File::open(format!("/proc/{process}/ns/{name}"));
        let process = pid.to_string();
        let network = open(&process, "net")?;
        if is_same(&network, &open("self", "net")?)? {
            return Ok(None);
        }
        let user = open(&process, "user")?;
        let is_own_user = is_same(&user, &open("self", "user")?)?;
        Ok(Some(Self {
            user: (!is_own_user).then(|| user.into()),
            network: network.into(),
        }))
    }

    /// Opens the same namespace a second time.
    ///
    /// # Errors
    /// If no file descriptor is free.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            user: self.user.as_ref().map(OwnedFd::try_clone).transpose()?,
            network: self.network.try_clone()?,
        })
    }

    /// Returns the descriptor of the network namespace.
    #[must_use]
    pub fn network(&self) -> BorrowedFd<'_> {
        self.network.as_fd()
    }

    /// Returns the descriptor of the user namespace, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<BorrowedFd<'_>> {
        self.user.as_ref().map(AsFd::as_fd)
    }

    /// Returns the number of the network namespace, the inode in `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// If the system does not report it.
    pub fn inode(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.network)?.st_ino)
    }

    /// Moves this process into the namespace. Its user, groups and files stay the same. In a user
    /// namespace, it has no capabilities afterwards.
    ///
    /// The process must have one thread. The function neither allocates nor locks, so it can also run
    /// between fork and exec.
    ///
    /// # Errors
    /// If the process has several threads, or belongs to another user than the namespace.
    pub fn join(&self) -> io::Result<()> {
        if let Some(user) = &self.user {
            move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
        }
        move_into_link_name_space(self.network.as_fd(), Some(LinkNameSpaceType::Network))?;
        if self.user.is_some() {
            setup::drop_capabilities()?;
        }
        Ok(())
    }

    /// Makes a process start inside. Closures that the command got earlier run outside, later ones
    /// inside: a death signal must be set later.
    ///
    /// # Errors
    /// If no file descriptor is free. If the process cannot enter the namespace, starting it fails.
    pub fn enter(&self, command: &mut Command) -> io::Result<()> {
        let namespace = self.try_clone()?;
        // SAFETY: the closure runs between fork and exec. `join` neither allocates nor locks.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(move || namespace.join());
        }
        Ok(())
    }
}

fn is_same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}
