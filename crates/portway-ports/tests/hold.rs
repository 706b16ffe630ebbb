//! The measured facts on which holding a port stands, on this machine's kernel.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use portway_ports::{
    Facts, Families, Hold, HoldError, PortRange, bound, hold_first_free, holders, listeners,
};
use portway_testing::PortBlock;
use socket2::{Domain, Socket, Type};

fn block() -> PortBlock {
    PortBlock::claim(env!("CARGO_TARGET_TMPDIR"), 1)
}

/// What a server of some kind gets when it binds and listens.
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
fn refuses_everyone(port: u16) {
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

/// Leaves connections in TIME_WAIT on the server's side, as a server that hangs up does.
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
    refuses_everyone(hold.port());
    drop(hold);
    assert!(serve("127.0.0.1", block.port(0), false).is_ok());
}

#[test]
fn a_held_port_is_refused_to_clients_at_once() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    for soft in [false, true] {
        if soft {
            hold.soften();
        }
        for host in ["127.0.0.1", "::1"] {
            let error = TcpStream::connect((host, hold.port())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{host}");
        }
    }
}

#[test]
fn the_kernel_never_chooses_a_held_port() {
    // A port from which the kernel does choose.
    let facts = Facts::read().unwrap();
    let hold = facts
        .ephemeral
        .unwrap()
        .ports()
        .find_map(|port| Hold::acquire(port).ok())
        .unwrap();
    hold.soften();
    for _ in 0..20_000 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        let chosen = socket.local_addr().unwrap().as_socket().unwrap().port();
        assert_ne!(chosen, hold.port());
    }
}

#[test]
fn a_soft_hold_lets_in_exactly_those_who_set_the_option() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    hold.soften();
    for host in HOSTS {
        assert_eq!(
            serve(host, hold.port(), false).err(),
            Some(ErrorKind::AddrInUse),
            "{host}"
        );
        assert!(serve(host, hold.port(), true).is_ok(), "{host}");
    }
    hold.harden();
    refuses_everyone(hold.port());
}

#[test]
fn a_server_serves_on_top_of_the_hold_and_leaves_no_gap() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    hold.soften();
    let server = serve("127.0.0.1", hold.port(), true).unwrap();
    hold.harden();
    // It still serves, and nobody comes beside it on any address.
    assert!(TcpStream::connect(("127.0.0.1", hold.port())).is_ok());
    refuses_everyone(hold.port());
    drop(server);
    refuses_everyone(hold.port());
    hold.soften();
    assert!(serve("127.0.0.1", hold.port(), true).is_ok());
}

#[test]
fn while_it_serves_it_may_bind_again_and_nobody_shadows_localhost() {
    let block = block();
    for (index, host) in ["127.0.0.1", "::1", "::"].into_iter().enumerate() {
        let hold = Hold::acquire(block.port(index as u16)).unwrap();
        let port = hold.port();
        hold.soften();
        let server = serve(host, port, true).unwrap();
        let families = Families::of(&listeners(Some(port)).unwrap());
        hold.settle(families);
        for localhost in ["127.0.0.1", "::1"] {
            for reuse in [false, true] {
                let stranger = serve(localhost, port, reuse).err();
                assert_eq!(
                    stranger,
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
fn time_wait_does_not_keep_a_port_from_being_held() {
    let block = block();
    let port = block.port(0);
    leave_time_wait(port);
    let plain = serve("127.0.0.1", port, false).err();
    assert_eq!(
        plain,
        Some(ErrorKind::AddrInUse),
        "there is no TIME_WAIT to test with"
    );
    let hold = Hold::acquire(port).unwrap();
    refuses_everyone(port);
    hold.soften();
    let server = serve("127.0.0.1", port, true).unwrap();
    hold.harden();
    refuses_everyone(port);
    drop(server);
}

#[test]
fn of_many_who_take_over_time_wait_one_wins() {
    let block = block();
    let port = block.port(0);
    leave_time_wait(port);
    let barrier = std::sync::Barrier::new(8);
    let holds: Vec<_> = thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    Hold::acquire(port)
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let won = holds.iter().filter(|hold| hold.is_ok()).count();
    assert_eq!(won, 1, "holders of one port");
}

#[test]
fn what_lives_is_not_taken_over() {
    let block = block();
    let port = block.port(0);
    // A server that has closed its own socket but still speaks with a client.
    let server = serve("127.0.0.1", port, true).unwrap();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = server.accept().unwrap();
    drop(server);
    assert!(matches!(Hold::acquire(port), Err(HoldError::Taken(_))));
    drop((client, accepted));
}

#[test]
fn holding_sees_a_listener_on_any_address() {
    let block = block();
    for host in HOSTS {
        let server = serve(host, block.port(0), true).unwrap();
        assert!(
            matches!(Hold::acquire(block.port(0)), Err(HoldError::Taken(_))),
            "{host}"
        );
        drop(server);
    }
}

#[test]
fn a_second_process_of_the_same_owner_may_join_a_soft_hold() {
    let block = block();
    let first = Hold::acquire(block.port(0)).unwrap();
    assert!(Hold::join(block.port(0)).is_err());
    first.soften();
    let second = Hold::join(block.port(0)).unwrap();
    second.harden();
    drop(first);
    refuses_everyone(block.port(0));
}

#[test]
fn a_released_port_is_taken_back() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    hold.release();
    assert!(!hold.is_kept());
    let server = serve("127.0.0.1", hold.port(), false).unwrap();
    assert!(hold.retake().is_err());
    drop(server);
    hold.retake().unwrap();
    refuses_everyone(hold.port());
}

#[test]
fn a_socket_is_handed_over_without_a_window() {
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
fn a_socket_beside_the_service_leaves_the_hold_as_it_was() {
    let block = block();
    let hold = Hold::acquire(block.port(0)).unwrap();
    let port = hold.port();
    hold.soften();
    let server = serve("::1", port, true).unwrap();
    hold.settle(Families {
        v4: false,
        v6: true,
    });
    // Another address of the machine, in the family that is hard.
    let beside = "127.0.0.7".parse().unwrap();
    let listener = hold.listen_beside(beside).unwrap();
    assert!(TcpStream::connect((beside, port)).is_ok());
    let taken = Some(ErrorKind::AddrInUse);
    assert_eq!(
        hold.listen_beside(beside).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    for host in ["127.0.0.1", "127.0.0.8"] {
        assert_eq!(serve(host, port, true).err(), taken, "{host}");
    }
    drop((server, listener));
    assert!(serve("::1", port, true).is_ok());
    assert_eq!(serve("127.0.0.1", port, true).err(), taken);
}

#[test]
fn the_first_free_port_of_a_range_and_never_another() {
    let block = block();
    let facts = Facts::read().unwrap();
    let range = PortRange::new(block.port(0), block.port(2)).unwrap();
    let holds: Vec<_> = (0..3)
        .map(|_| hold_first_free(range, &facts).unwrap())
        .collect();
    let ports: Vec<_> = holds.iter().map(Hold::port).collect();
    assert_eq!(ports, range.ports().collect::<Vec<_>>());
    assert!(matches!(
        hold_first_free(range, &facts),
        Err(HoldError::RangeFull(full)) if full == range
    ));
}

#[test]
fn holders_are_listeners_and_never_clients() {
    let block = block();
    let server = TcpListener::bind(("127.0.0.1", block.port(0))).unwrap();
    // A client whose local port is the one in question.
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let local = SocketAddr::from(([127, 0, 0, 1], block.port(1)));
    client.bind(&local.into()).unwrap();
    client
        .connect(&server.local_addr().unwrap().into())
        .unwrap();
    assert!(holders(block.port(1)).unwrap().is_empty());
    let found = holders(block.port(0)).unwrap();
    assert_eq!(found.len(), 1);
    let process = found[0].process.as_ref().unwrap();
    assert_eq!(process.id.pid, std::process::id());
}

#[test]
fn what_is_bound_and_does_not_listen_is_told_with_its_owner() {
    let block = block();
    let _hold = Hold::acquire(block.port(0)).unwrap();
    let found = bound(block.port(0)).unwrap();
    // Linux tells since 6.8.
    if kernel() >= (6, 8) {
        let pids: Vec<u32> = found
            .iter()
            .filter_map(|holder| Some(holder.process.as_ref()?.id.pid))
            .collect();
        assert_eq!(pids, [std::process::id(); 2]);
    }
    assert!(holders(block.port(0)).unwrap().is_empty());
}

fn kernel() -> (u32, u32) {
    let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}
