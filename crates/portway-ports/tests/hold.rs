//! What a hold guarantees, measured on this machine's kernel.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use portway_ports::{
    Families, Hold, HoldError, PortPolicy, PortRange, bound_owners, listeners, owners,
};
use portway_testing::PortBlock;
use socket2::{Domain, Socket, Type};

fn block() -> PortBlock {
    PortBlock::claim(env!("CARGO_TARGET_TMPDIR"), 1)
}

/// Binds and listens as a server does.
fn serve(host: &str, port: u16, reuse: bool) -> Result<Socket, ErrorKind> {
    let address = SocketAddr::new(host.parse::<IpAddr>().unwrap(), port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_address(reuse).unwrap();
    let bound = socket.bind(&address.into());
    bound
        .and_then(|()| socket.listen(16))
        .map_err(|error| error.kind())?;
    Ok(socket)
}

const HOSTS: [&str; 5] = ["127.0.0.1", "0.0.0.0", "127.0.0.2", "::1", "::"];

#[track_caller]
fn assert_refuses_every_bind(port: u16) {
    for host in HOSTS {
        for reuse in [false, true] {
            assert_eq!(
                serve(host, port, reuse).err(),
                Some(ErrorKind::AddrInUse),
                "{host}, reuse {reuse}"
            );
        }
    }
}

/// Leaves connections in TIME_WAIT, as a server that closes its connections first does.
fn leave_time_wait(port: u16) {
    let server = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for _ in 0..3 {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        drop(server.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_hard_hold_refuses_every_bind() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    assert_refuses_every_bind(hold.port());
    drop(hold);
    assert!(serve("127.0.0.1", block.port(0), false).is_ok());
}

#[test]
fn clients_of_a_held_port_are_refused_immediately() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    for soft in [false, true] {
        if soft {
            hold.soften().unwrap();
        }
        for host in ["127.0.0.1", "::1"] {
            let error = TcpStream::connect((host, hold.port())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{host}");
        }
    }
}

#[test]
fn the_kernel_never_chooses_a_held_port() {
    // A port of the range from which the kernel chooses.
    let policy = PortPolicy::read().unwrap();
    let hold = policy
        .ephemeral
        .unwrap()
        .ports()
        .find_map(|port| Hold::acquire(port).ok())
        .unwrap();
    hold.soften().unwrap();
    for _ in 0..20_000 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        let chosen = socket.local_addr().unwrap().as_socket().unwrap().port();
        assert_ne!(chosen, hold.port());
    }
}

#[test]
fn a_soft_hold_admits_only_sockets_with_reuseaddr() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    hold.soften().unwrap();
    for host in HOSTS {
        assert_eq!(
            serve(host, hold.port(), false).err(),
            Some(ErrorKind::AddrInUse),
            "{host}"
        );
        assert!(serve(host, hold.port(), true).is_ok(), "{host}");
    }
    hold.harden().unwrap();
    assert_refuses_every_bind(hold.port());
}

#[test]
fn a_server_listens_on_top_of_a_hold() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    hold.soften().unwrap();
    let server = serve("127.0.0.1", hold.port(), true).unwrap();
    hold.harden().unwrap();
    // The server still listens, and no other socket can bind any address.
    assert!(TcpStream::connect(("127.0.0.1", hold.port())).is_ok());
    assert_refuses_every_bind(hold.port());
    drop(server);
    assert_refuses_every_bind(hold.port());
    hold.soften().unwrap();
    assert!(serve("127.0.0.1", hold.port(), true).is_ok());
}

#[test]
fn a_settled_hold_lets_the_server_bind_again_and_protects_localhost() {
    let block = block();
    for (index, host) in ["127.0.0.1", "::1", "::"].into_iter().enumerate() {
        let hold = Hold::acquire(block.port(index as u16)).unwrap();
        let port = hold.port();
        hold.soften().unwrap();
        let server = serve(host, port, true).unwrap();
        let families = Families::of(&listeners(port).unwrap());
        hold.settle(families).unwrap();
        for localhost in ["127.0.0.1", "::1"] {
            for reuse in [false, true] {
                let other = serve(localhost, port, reuse).err();
                assert_eq!(
                    other,
                    Some(ErrorKind::AddrInUse),
                    "{localhost} beside {host}"
                );
            }
        }
        drop(server);
        assert!(serve(host, port, true).is_ok(), "binding {host} again");
    }
}

#[test]
fn time_wait_does_not_prevent_a_hold() {
    let block = block();
    let port = block.port(0);
    leave_time_wait(port);
    let plain = serve("127.0.0.1", port, false).err();
    assert_eq!(
        plain,
        Some(ErrorKind::AddrInUse),
        "the test needs a connection in TIME_WAIT"
    );
    let hold = Hold::acquire(port).unwrap();
    assert_refuses_every_bind(port);
    hold.soften().unwrap();
    let server = serve("127.0.0.1", port, true).unwrap();
    hold.harden().unwrap();
    assert_refuses_every_bind(port);
    drop(server);
}

#[test]
fn one_of_several_threads_acquires_a_port_in_time_wait() {
    let block = block();
    let port = block.port(0);
    leave_time_wait(port);
    let barrier = std::sync::Barrier::new(8);
    let holds: Vec<_> = thread::scope(|scope| {
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    Hold::acquire(port)
                })
            })
            .collect();
        attempts
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect()
    });
    let acquired = holds.iter().filter(|hold| hold.is_ok()).count();
    assert_eq!(acquired, 1);
}

#[test]
fn an_open_connection_prevents_a_hold() {
    let block = block();
    let port = block.port(0);
    // The server has closed its listening socket and still serves a client.
    let server = serve("127.0.0.1", port, true).unwrap();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = server.accept().unwrap();
    drop(server);
    assert!(matches!(Hold::acquire(port), Err(HoldError::InUse(_))));
    drop((client, accepted));
}

#[test]
fn a_listener_on_any_address_prevents_a_hold() {
    let block = block();
    for host in HOSTS {
        let server = serve(host, block.port(0), true).unwrap();
        assert!(
            matches!(Hold::acquire(block.port(0)), Err(HoldError::InUse(_))),
            "{host}"
        );
        drop(server);
    }
}

#[test]
fn a_second_hold_joins_a_soft_hold() {
    let block = block();
    let first = Hold::acquire(block.port(0)).unwrap();
    assert!(Hold::join(block.port(0)).is_err());
    first.soften().unwrap();
    let second = Hold::join(block.port(0)).unwrap();
    second.harden().unwrap();
    drop(first);
    assert_refuses_every_bind(block.port(0));
}

#[test]
fn retake_holds_a_released_port_again() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    hold.release();
    assert!(!hold.is_bound());
    let server = serve("127.0.0.1", hold.port(), false).unwrap();
    assert!(hold.retake().is_err());
    drop(server);
    hold.retake().unwrap();
    assert_refuses_every_bind(hold.port());
}

#[test]
fn listening_socket_leaves_no_gap() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    let socket = hold.listening_socket().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", hold.port())).is_ok());
    assert_eq!(
        serve("::1", hold.port(), true).err(),
        Some(ErrorKind::AddrInUse)
    );
    drop(socket);
}

#[test]
fn listen_beside_restores_the_state_of_the_hold() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    let port = hold.port();
    hold.soften().unwrap();
    let server = serve("::1", port, true).unwrap();
    hold.settle(Families {
        v4: false,
        v6: true,
    })
    .unwrap();
    // Another address, in the family in which the hold is hard.
    let beside = "127.0.0.7".parse().unwrap();
    let listener = hold.listen_beside(beside).unwrap();
    assert!(TcpStream::connect((beside, port)).is_ok());
    let in_use = Some(ErrorKind::AddrInUse);
    assert!(matches!(
        hold.listen_beside(beside),
        Err(HoldError::InUse(_))
    ));
    for host in ["127.0.0.1", "127.0.0.8"] {
        assert_eq!(serve(host, port, true).err(), in_use, "{host}");
    }
    drop((server, listener));
    assert!(serve("::1", port, true).is_ok());
    assert_eq!(serve("127.0.0.1", port, true).err(), in_use);
}

#[test]
fn in_range_holds_the_lowest_free_port() {
    let block = block();
    let policy = PortPolicy::read().unwrap();
    let range = PortRange::new(block.port(0), block.port(2)).unwrap();
    let holds: Vec<_> = (0..3)
        .map(|_| Hold::in_range(range, &policy).unwrap())
        .collect();
    let ports: Vec<_> = holds.iter().map(Hold::port).collect();
    assert_eq!(ports, range.ports().collect::<Vec<_>>());
    assert!(matches!(
        Hold::in_range(range, &policy),
        Err(HoldError::RangeFull(full)) if full == range
    ));
}

#[test]
fn any_holds_different_ports() {
    let holds: Vec<_> = (0..20).map(|_| Hold::any().unwrap()).collect();
    let mut ports: Vec<_> = holds.iter().map(Hold::port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 20);
    assert!(ports.iter().all(|port| (24_000..=32_767).contains(port)));
}

#[test]
fn clients_do_not_own_a_port() {
    let block = block();
    let server = TcpListener::bind(("127.0.0.1", block.port(0))).unwrap();
    // A client whose local port is the second one.
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let local = SocketAddr::from(([127, 0, 0, 1], block.port(1)));
    client.bind(&local.into()).unwrap();
    client
        .connect(&server.local_addr().unwrap().into())
        .unwrap();
    assert!(owners(block.port(1)).unwrap().is_empty());
    let found = owners(block.port(0)).unwrap();
    assert_eq!(found.len(), 1);
    let process = found[0].process.as_ref().unwrap();
    assert_eq!(process.id.pid, std::process::id());
}

#[test]
fn bound_owners_reports_sockets_that_do_not_listen() {
    let block = block();
    let _hold = Hold::acquire(block.port(0)).unwrap();
    let found = bound_owners(block.port(0)).unwrap();
    // Older kernels do not report bound sockets.
    if kernel() >= (6, 8) {
        let pids: Vec<u32> = found
            .iter()
            .filter_map(|owner| Some(owner.process.as_ref()?.id.pid))
            .collect();
        assert_eq!(pids, [std::process::id(); 2]);
    }
    assert!(owners(block.port(0)).unwrap().is_empty());
}

fn kernel() -> (u32, u32) {
    let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}
