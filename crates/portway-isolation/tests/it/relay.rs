//! Connections through the relay.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::support::{
    Running, TIMEOUT, connect, echo, exchange, for_each_user, listen, network, serve, wait_until,
};

/// A server with a literal port, as applications have them.
const SERVER: &str = "
import socket, sys
s = socket.socket(FAMILY)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((HOST, 5000))
s.listen()
print('ready', flush=True)
while True:
    c, _ = s.accept()
    c.sendall(b'NAME')
    c.close()
";

fn server(family: &str, host: &str, name: &str) -> String {
    SERVER
        .replace("FAMILY", &format!("socket.{family}"))
        .replace("HOST", &format!("'{host}'"))
        .replace("NAME", name)
}

fn inner(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn two_servers_with_the_same_literal_port_run_at_once() {
    for_each_user(|| {
        let instances = ["one", "two"].map(|name| {
            let network = network();
            let mut program = Running::python(&network, &server("AF_INET", "127.0.0.1", name));
            assert_eq!(program.line(), "ready");
            let (listener, address) = listen();
            let forward = network.forward_tcp(listener, 5000).unwrap();
            (network, program, forward, address, name)
        });
        for (.., address, name) in &instances {
            assert_eq!(exchange(*address, b""), name.as_bytes());
        }
    });
}

#[test]
fn a_server_that_only_listens_on_ipv6_is_reached() {
    for_each_user(|| {
        for host in ["::1", "::"] {
            let network = network();
            let mut program = Running::python(&network, &server("AF_INET6", host, "six"));
            assert_eq!(program.line(), "ready");
            let (listener, address) = listen();
            let _forward = network.forward_tcp(listener, 5000).unwrap();
            for _ in 0..20 {
                assert_eq!(exchange(address, b""), b"six", "{host}");
            }
        }
    });
}

#[test]
fn the_first_clients_of_a_server_on_ipv6_are_served_at_once() {
    for_each_user(|| {
        let network = network();
        serve(network.listen("[::1]:5000".parse().unwrap()).unwrap(), echo);
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        // No socket for IPv6 was created yet, and the first client changes which address is tried first.
        let clients: Vec<TcpStream> = (0..30).map(|_| connect(address)).collect();
        for mut client in clients {
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
    });
}

#[test]
fn a_client_is_reset_at_once_if_nothing_listens_inside() {
    for_each_user(|| {
        let network = network();
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        for _ in 0..50 {
            let mut client = connect(address);
            let error = client.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        // A server that starts later is reached.
        serve(network.listen(inner(5000)).unwrap(), echo);
        assert_eq!(exchange(address, b"hello"), b"hello");
    });
}

/// Returns bytes that differ at every position.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn much_data_arrives_in_both_directions_and_each_half_ends_by_itself() {
    for_each_user(|| {
        let (up, down) = (bytes(64 << 20), bytes((64 << 20) + 12_345));
        let network = network();
        let expected = up.clone();
        let response = down.clone();
        serve(network.listen(inner(5000)).unwrap(), move |mut stream| {
            // Both directions at once: a server that only answers afterwards would hide a deadlock.
            let mut writer = stream.try_clone().unwrap();
            let response = response.clone();
            let writing = thread::spawn(move || {
                writer.write_all(&response).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            writing.join().unwrap();
            assert!(received == expected, "the server got other bytes");
        });
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        let stream = connect(address);
        let mut writer = stream.try_clone().unwrap();
        let writing = thread::spawn(move || {
            writer.write_all(&up).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        (&stream).read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == down, "the client got other bytes");
    });
}

#[test]
fn a_response_follows_the_end_of_the_request() {
    for_each_user(|| {
        let network = network();
        serve(network.listen(inner(5000)).unwrap(), |mut stream| {
            let mut request = Vec::new();
            stream.read_to_end(&mut request).unwrap();
            stream.write_all(&request).unwrap();
        });
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        for length in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
            let request = bytes(length);
            assert!(exchange(address, &request) == request, "{length}");
        }
    });
}

#[test]
fn a_reset_is_passed_on_in_both_directions() {
    for_each_user(|| {
        let network = network();
        let inside = network.listen(inner(5000)).unwrap();
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        let reset = |stream: TcpStream| {
            let socket = socket2::Socket::from(stream);
            socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        };
        let pair = || {
            let mut client = connect(address);
            client.write_all(b"a").unwrap();
            let (mut server, _) = inside.accept().unwrap();
            server.read_exact(&mut [0]).unwrap();
            (client, server)
        };
        for is_client in [true, false] {
            let (client, server) = pair();
            let (gone, mut left) = if is_client {
                (client, server)
            } else {
                (server, client)
            };
            reset(gone);
            let error = left.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn a_slow_reader_does_not_stop_other_connections() {
    for_each_user(|| {
        let network = network();
        serve(network.listen(inner(5000)).unwrap(), echo);
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        let slow = connect(address);
        slow.set_nonblocking(true).unwrap();
        // Until every buffer on the way is full.
        let mut sent = 0;
        let mut full = 0;
        while full < 20 {
            match (&slow).write(&[7; 65_536]) {
                Ok(count) => (sent, full) = (sent + count, 0),
                Err(_) => {
                    full += 1;
                    assert_eq!(exchange(address, b"fast"), b"fast");
                }
            }
        }
        slow.set_nonblocking(false).unwrap();
        slow.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        (&slow).read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), sent);
    });
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn connections_leave_no_descriptor() {
    // Other tests open descriptors in this process, so this one has a process of its own.
    crate::support::alone(|| {
        let network = network();
        let inside = network.listen(inner(5000)).unwrap();
        serve(inside, echo);
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        let (refusing, closed) = listen();
        let _refused = network.forward_tcp(refusing, 5001).unwrap();
        let round = |count: usize| {
            for number in 0..count {
                match number % 4 {
                    0 => assert_eq!(exchange(address, b"x"), b"x"),
                    1 => drop(connect(address)),
                    2 => assert!(connect(closed).read(&mut [0]).is_err()),
                    _ => {
                        let request = bytes(200_000);
                        assert!(exchange(address, &request) == request);
                    }
                }
            }
        };
        round(100);
        // The sockets of the pool and some pipes stay.
        wait_until("the first connections are closed", || descriptors() < 100);
        let before = descriptors();
        round(500);
        wait_until("all connections are closed", || {
            descriptors() <= before + 40
        });
    });
}

#[test]
fn a_process_without_free_descriptors_relays_again_when_it_has_some() {
    crate::support::alone(|| {
        let network = network();
        // In a process of its own: the limit must not apply to it.
        let mut server = Running::python(&network, &server("AF_INET", "127.0.0.1", "a"));
        assert_eq!(server.line(), "ready");
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        let before = descriptors() as u64;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let maximum = limit.maximum;
        let current = Some(before + 150);
        let lower = rustix::process::Rlimit { current, maximum };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, lower).unwrap();
        let mut clients = Vec::new();
        // The limit applies to these clients, too. Without a descriptor, the relay accepts nothing.
        let timeout = std::time::Duration::from_millis(500);
        while let Ok(client) = TcpStream::connect_timeout(&address, timeout) {
            clients.push(client);
        }
        assert!(!clients.is_empty());
        drop(clients);
        wait_until("the relay works", || {
            let Ok(mut client) = TcpStream::connect(address) else {
                return false;
            };
            client.set_read_timeout(Some(TIMEOUT)).unwrap();
            matches!(client.read(&mut [0]), Ok(1))
        });
    });
}

#[test]
fn a_dropped_forward_frees_the_port_and_keeps_connections() {
    for_each_user(|| {
        let network = network();
        serve(network.listen(inner(5000)).unwrap(), echo);
        let (listener, address) = listen();
        let forward = network.forward_tcp(listener, 5000).unwrap();
        let mut client = connect(address);
        client.write_all(b"a").unwrap();
        client.read_exact(&mut [0]).unwrap();
        drop(forward);
        assert!(TcpStream::connect(address).is_err());
        client.write_all(b"b").unwrap();
        client.read_exact(&mut [0]).unwrap();
        let again = TcpListener::bind(address).unwrap();
        let _forward = network.forward_tcp(again, 5000).unwrap();
        assert_eq!(exchange(address, b"c"), b"c");
        // The end of the network closes what is left.
        drop(network);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
    });
}

#[test]
fn a_server_outside_appears_inside() {
    for_each_user(|| {
        let network = network();
        let (outside, address) = listen();
        serve(outside, echo);
        let inside = network.listen(inner(5432)).unwrap();
        let _forward = network.publish_tcp(inside, vec![address]).unwrap();
        let mut client = Running::python(
            &network,
            "import socket; s = socket.create_connection(('127.0.0.1', 5432)); s.sendall(b'hi'); \
             print(s.recv(2).decode(), flush=True)",
        );
        assert_eq!(client.line(), "hi");
    });
}

#[test]
fn many_connections_at_once_get_their_own_data() {
    for_each_user(|| {
        let network = network();
        serve(network.listen(inner(5000)).unwrap(), echo);
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        let mut clients: Vec<TcpStream> = (0..200).map(|_| connect(address)).collect();
        for round in 0..3_u8 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.write_all(&[number as u8, round]).unwrap();
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let mut response = [0; 2];
                client.read_exact(&mut response).unwrap();
                assert_eq!(response, [number as u8, round]);
            }
        }
    });
}
