//! The helper: a process inside that creates sockets for its creator.
//!
//! It has one thread, no capabilities once the namespaces are there, and waits for requests. It exits
//! when its first connection ends, which also happens on SIGKILL of the creator.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::control::{self, MAX_SOCKETS, Request, Response, SocketKind};
use super::namespace::Namespace;
use super::setup::{self, IdentityMaps};
use crate::capability::{Attempt, Step};

/// The name of the process.
const NAME: &str = "portway-network";

pub(crate) fn run() -> u8 {
    // Signals of the terminal are for the creator, and a stop request ends services that still need
    // their network.
    let _ = rustix::process::setsid();
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    // Fails only without `/proc`; the helper works under any name.
    let _ = std::fs::write("/proc/self/comm", NAME);
    let Ok(creator) = io::stdin().as_fd().try_clone_to_owned() else {
        return 2;
    };
    let mut connections = vec![creator];
    loop {
        let ready = match wait(&connections) {
            Ok(ready) => ready,
            Err(Errno::INTR) => continue,
            Err(_) => return 1,
        };
        // The last first, so that the other positions stay valid.
        for at in ready.into_iter().rev() {
            match control::receive_request(&connections[at]) {
                Some((request, descriptors)) => {
                    let response = handle(request, descriptors, &mut connections);
                    // Fails only if the other side is gone, which the next request reports.
                    let _ = control::respond(&connections[at], &response);
                }
                None if at == 0 => return 0,
                None => drop(connections.remove(at)),
            }
        }
    }
}

/// Waits for requests. Returns the positions of the connections that have one or are at their end.
fn wait(connections: &[OwnedFd]) -> Result<Vec<usize>, Errno> {
    let mut waits: Vec<_> = connections
        .iter()
        .map(|connection| PollFd::new(connection, PollFlags::IN))
        .collect();
    poll(&mut waits, None)?;
    let waits = waits.iter().enumerate();
    let ready = waits.filter(|(_, wait)| !wait.revents().is_empty());
    Ok(ready.map(|(at, _)| at).collect())
}

fn handle(request: Request, descriptors: Vec<OwnedFd>, connections: &mut Vec<OwnedFd>) -> Response {
    match request {
        Request::Create => create(),
        Request::Join => join(descriptors).map_err(failed),
        Request::Sockets(kind, count) => sockets(kind, count).map_err(failed),
        Request::Connect => {
            let (own, other) = control::connection().map_err(failed)?;
            connections.push(own);
            Ok(vec![other])
        }
    }
}

fn create() -> Response {
    let maps = IdentityMaps::own();
    setup::create(maps.as_ref())?;
    setup::drop_capabilities().map_err(|error| failed(error.into()))?;
    let open = |name: &str| File::open(format!("/proc/self/ns/{name}")).map(OwnedFd::from);
    let mut namespaces = vec![open("net").map_err(failed)?];
    if maps.is_some() {
        namespaces.push(open("user").map_err(failed)?);
    }
    Ok(namespaces)
}

fn join(descriptors: Vec<OwnedFd>) -> io::Result<Vec<OwnedFd>> {
    let mut descriptors = descriptors.into_iter();
    let network = descriptors.next().ok_or(io::ErrorKind::InvalidInput)?;
    Namespace::from_descriptors(network, descriptors.next()).join()?;
    setup::drop_capabilities()?;
    Ok(Vec::new())
}

fn sockets(kind: SocketKind, count: u8) -> io::Result<Vec<OwnedFd>> {
    let sockets = (0..count.min(MAX_SOCKETS)).map(|_| kind.create());
    Ok(sockets.collect::<rustix::io::Result<_>>()?)
}

fn failed(error: io::Error) -> Attempt {
    let error = Errno::from_io_error(&error).unwrap_or(Errno::IO);
    Attempt {
        step: Step::Create,
        error: error.raw_os_error(),
    }
}
