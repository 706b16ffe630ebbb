//! Datagrams through the relay.

use std::net::{SocketAddr, UdpSocket};

use crate::support::{Running, TIMEOUT, for_each_user, network};

const ECHO: &str = "
import socket
s = socket.socket(FAMILY, socket.SOCK_DGRAM)
s.bind((HOST, 5353))
print('ready', flush=True)
while True:
    data, client = s.recvfrom(65536)
    s.sendto(data, client)
";

fn ask(client: &UdpSocket, server: SocketAddr, text: &[u8]) {
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    client.send_to(text, server).unwrap();
    let mut bytes = [0; 65_536];
    let (count, from) = client.recv_from(&mut bytes).unwrap();
    assert_eq!((&bytes[..count], from), (text, server));
}

#[test]
fn datagrams_reach_a_server_inside_and_their_responses_the_client() {
    for_each_user(|| {
        for (family, host) in [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")] {
            let network = network();
            let program = ECHO
                .replace("FAMILY", &format!("socket.{family}"))
                .replace("HOST", &format!("'{host}'"));
            let mut server = Running::python(&network, &program);
            assert_eq!(server.line(), "ready");
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = socket.local_addr().unwrap();
            let _forward = network.forward_udp(socket, 5353).unwrap();
            let clients = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
            for (number, client) in clients.iter().enumerate() {
                ask(
                    client,
                    address,
                    format!("client {number} of {host}").as_bytes(),
                );
            }
            ask(&clients[0], address, &[9; 60_000]);
            ask(&clients[2], address, b"");
        }
    });
}

#[test]
fn a_server_that_starts_after_its_client_is_reached() {
    for_each_user(|| {
        let network = network();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let _forward = network.forward_udp(socket, 5353).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"lost", address).unwrap();
        let program = ECHO
            .replace("FAMILY", "socket.AF_INET")
            .replace("HOST", "'127.0.0.1'");
        let mut server = Running::python(&network, &program);
        assert_eq!(server.line(), "ready");
        // The first datagram may have waited for a socket until the server was there.
        client.set_read_timeout(Some(TIMEOUT)).unwrap();
        client.send_to(b"again", address).unwrap();
        let mut bytes = [0; 99];
        while client.recv(&mut bytes).unwrap() != b"again".len() {}
        assert!(bytes.starts_with(b"again"));
    });
}

#[test]
fn a_socket_inside_reaches_a_server_outside() {
    for_each_user(|| {
        let network = network();
        let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = outside.local_addr().unwrap();
        let inside = network.bind_udp("127.0.0.53:53".parse().unwrap()).unwrap();
        let _forward = network.publish_udp(inside, vec![target]).unwrap();
        let mut client = Running::python(
            &network,
            "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('127.0.0.53', 53)); \
             s.send(b'question'); print(s.recv(99).decode(), flush=True)",
        );
        outside.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut bytes = [0; 99];
        let (count, from) = outside.recv_from(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"question");
        outside.send_to(b"answer", from).unwrap();
        assert_eq!(client.line(), "answer");
    });
}
