//! Starts the processes of a network: the helper inside, and the program for the way out.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

use super::control::{self, Request};
use super::namespace::Namespace;
use crate::network::{COMMAND, NetworkConfig, NetworkError};

/// How long a helper may take for a response. It needs less than a millisecond, on an idle machine.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A helper that has entered its namespace.
pub(super) struct Helper {
    pub(super) child: Child,
    /// The first connection. The helper exits when it is closed.
    pub(super) connection: OwnedFd,
    /// A second connection, on which a thread waits for each response.
    pub(super) requests: OwnedFd,
}

/// Starts a helper that creates a namespace.
pub(super) fn create(config: &NetworkConfig) -> Result<(Helper, Namespace), NetworkError> {
    let (helper, mut namespaces) = start(config, Request::Create, &[])?;
    let network = namespaces.next();
    let network = network.ok_or_else(|| NetworkError::Helper(io::ErrorKind::InvalidData.into()))?;
    let namespace = Namespace::from_descriptors(network, namespaces.next());
    Ok((helper, namespace))
}

/// Starts a helper that enters a namespace.
pub(super) fn join(config: &NetworkConfig, namespace: &Namespace) -> Result<Helper, NetworkError> {
    let mut descriptors = vec![namespace.network()];
    descriptors.extend(namespace.user());
    let (helper, _) = start(config, Request::Join, &descriptors)?;
    Ok(helper)
}

fn start(
    config: &NetworkConfig,
    request: Request,
    descriptors: &[std::os::fd::BorrowedFd<'_>],
) -> Result<(Helper, std::vec::IntoIter<OwnedFd>), NetworkError> {
    let (connection, remote) = control::connection().map_err(NetworkError::Relay)?;
    let child = spawn_helper(config, remote).map_err(NetworkError::Helper)?;
    let mut child = Some(child);
    let prepare = || {
        set_receive_timeout(&connection)?;
        let call = |request, descriptors: &[_]| {
            control::send_request(&connection, request, descriptors)?;
            control::receive_response(&connection, RecvFlags::empty())
        };
        let namespaces = match call(request, descriptors)? {
            Ok(namespaces) => namespaces,
            Err(attempt) => return Ok(Err(attempt)),
        };
        let requests = call(Request::Connect, &[])?.ok().and_then(|mut c| c.pop());
        let requests = requests.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        set_receive_timeout(&requests)?;
        Ok::<_, io::Error>(Ok((namespaces.into_iter(), requests)))
    };
    let result = prepare();
    match (result, child.take()) {
        (Ok(Ok((namespaces, requests))), Some(child)) => Ok((
            Helper {
                child,
                connection,
                requests,
            },
            namespaces,
        )),
        (result, child) => {
            if let Some(mut child) = child {
                end(&mut child);
            }
            Err(match result {
                Ok(Err(attempt)) => NetworkError::Refused(attempt),
                Err(error) => NetworkError::Helper(error),
                Ok(Ok(_)) => NetworkError::Helper(io::ErrorKind::NotFound.into()),
            })
        }
    }
}

fn set_receive_timeout(connection: &OwnedFd) -> io::Result<()> {
    Ok(set_socket_timeout(
        connection,
        Timeout::Recv,
        Some(RESPONSE_TIMEOUT),
    )?)
}

fn spawn_helper(config: &NetworkConfig, remote: OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(&config.program);
    command
        .args(&config.arguments)
        .arg(COMMAND)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(remote))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    (config.spawn)(&mut command)
}

/// Starts the program for the way out. The kernel kills it when this thread ends, which also happens
/// on SIGKILL of this process.
pub(super) fn outbound(
    config: &NetworkConfig,
    helper: u32,
    namespace: &Namespace,
) -> Option<io::Result<Child>> {
    let outbound = config.outbound.as_ref()?;
    let mut command = Command::new(&outbound.path);
    command
        .args(outbound.arguments(helper, namespace.user().is_some()))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let own = getpid();
    // SAFETY: the closure runs between fork and exec. It makes system calls only.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || end_with(own));
    }
    Some((config.spawn)(&mut command))
}

fn end_with(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have exited before the call.
    match getppid() == Some(parent) {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(
            rustix::io::Errno::SRCH.raw_os_error(),
        )),
    }
}

/// Kills a child and waits for it. Another part of the process may have waited for it already.
pub(super) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Returns a descriptor that becomes readable when a child exits.
pub(super) fn watch(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    let flags = rustix::process::PidfdFlags::empty();
    Ok(rustix::process::pidfd_open(pid, flags)?)
}

/// Duplicates a descriptor.
pub(super) fn duplicate(descriptor: impl AsFd) -> io::Result<OwnedFd> {
    descriptor.as_fd().try_clone_to_owned()
}

/// Waits for a child to exit.
pub(super) fn wait(child: &mut Child, timeout: Duration) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    if let (Ok(exit), Ok(timeout)) = (watch(child), Timespec::try_from(timeout)) {
        let _ = poll(&mut [PollFd::new(&exit, PollFlags::IN)], Some(&timeout));
    }
}
