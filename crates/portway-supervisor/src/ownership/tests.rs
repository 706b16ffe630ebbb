//! Which sockets take a port from a service, measured with sockets of this process.

use socket2::{Domain, Socket, Type};

use super::*;

/// Listens on an address, and returns the socket and what the system reports of it.
fn listen(address: &str, port: u16, only_v6: bool) -> (Socket, Listener) {
    let address: IpAddr = address.parse().unwrap();
    let at = std::net::SocketAddr::new(address, port);
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None).unwrap();
    if address.is_ipv6() {
        socket.set_only_v6(only_v6).unwrap();
    }
    socket.bind(&at.into()).unwrap();
    socket.listen(1).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let mut listeners = portway_ports::listeners(port).unwrap();
    listeners.retain(|listener| listener.address == address);
    (socket, listeners.remove(0))
}

#[test]
fn only_a_socket_that_gets_connections_to_localhost_takes_the_port() {
    let get = |address: &str, only_v6| listen(address, 0, only_v6).1;
    let v4 = get("127.0.0.1", false);
    let v6 = get("::1", false);
    let all_v4 = get("0.0.0.0", false);
    let dual = get("::", false);
    let all_v6 = get("::", true);
    let other = get("127.0.0.2", false);
    assert!(all_v6.only_v6 && !dual.only_v6 && !v4.only_v6);
    for (listener, own, takes) in [
        // Before the service listens.
        (&v4, &[][..], true),
        (&dual, &[], true),
        (&other, &[], false),
        // While it listens.
        (&other, &[&v4], false),
        (&all_v4, &[&v4], false),
        (&all_v4, &[&dual], true),
        (&v4, &[&all_v4], true),
        (&v4, &[&v4], true),
        (&v6, &[&v4], true),
        (&v4, &[&v6], true),
        (&dual, &[&v4, &v6], false),
        (&dual, &[&v4], true),
        (&v4, &[&all_v6], true),
    ] {
        assert_eq!(
            takes_localhost(listener, own),
            takes,
            "{listener:?} beside {own:?}"
        );
    }
}

#[test]
fn reports_sockets_on_other_addresses_without_taking_the_port() {
    let (_own, own) = listen("127.0.0.1", 0, false);
    let port = own.port;
    let (_other, other) = listen("127.0.0.2", port, false);
    let listeners = Listeners::read(false).unwrap();
    // This process is not below the keeper, so its socket is only known as verified.
    // This process is not below the keeper, so its first socket is only known as verified.
    let (ownership, beside) = evaluate(
        &listeners,
        &[(Protocol::Tcp, port)],
        std::process::id(),
        false,
        &[own.socket],
    );
    let families = Families {
        v4: true,
        v6: false,
    };
    let sockets = vec![own.socket];
    assert_eq!(ownership, PortOwnership::Own { families, sockets });
    assert_eq!(beside, [other]);
}
