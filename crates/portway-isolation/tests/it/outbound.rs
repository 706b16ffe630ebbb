//! The way out to other machines.
//!
//! The machine of these tests is itself a network namespace, with a network device that leads nowhere
//! and a server on an address that a program inside can only reach through the way out.

use std::fs::Permissions;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;

use portway_isolation::{Network, NetworkConfig, Outbound, OutboundKind};

use crate::support::{
    Running, TIMEOUT, as_ordinary_user, create, echo, program, serve, wait_until,
};

/// Makes a namespace look like a machine, whose other address is [`SERVER`].
const MACHINE: &str = "ip link set lo up && ip link add eth0 type veth peer name peer0 && \
    ip link set peer0 up && ip address add 10.99.0.2/24 dev eth0 && ip link set eth0 up && \
    ip route add default via 10.99.0.1 && ip address add 198.51.100.1/32 dev lo && \
    ip -6 address add 2001:db8:99::2/64 dev eth0 nodad && \
    ip -6 route add default via 2001:db8:99::1 && \
    ip -6 address add 2001:db8:51::1/128 dev lo nodad && \
    echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start && \
    printf 'nameserver 127.0.0.53\\n' > $RESOLV && mount --bind $RESOLV /etc/resolv.conf && \
    exec \"$@\"";

/// An address of that machine which no namespace of an instance has.
const SERVER: &str = "198.51.100.1";

/// The same with IPv6.
const SERVER_V6: &str = "2001:db8:51::1";

/// Set in a process on that machine.
const VARIABLE: &str = "PORTWAY_TEST_MACHINE";

/// Connects and prints what it receives.
const CLIENT: &str = "
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))
s.sendall(b'hello')
print(s.recv(5).decode(), flush=True)
";

/// Runs a test on such a machine as root and as an ordinary user.
fn on_a_machine(test: impl Fn(Outbound)) {
    if std::env::var_os(VARIABLE).is_some() {
        for kind in [OutboundKind::Slirp4netns, OutboundKind::Pasta] {
            let name = kind.program();
            let path = Path::new("/usr/bin").join(name);
            assert!(
                path.exists(),
                "`{name}` is missing\nhelp: run `cargo xtask setup`"
            );
            test(Outbound {
                kind,
                path,
                has_ipv6: false,
            });
        }
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can make a machine of a namespace");
        return;
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let own = std::env::current_exe().unwrap();
    let ordinary = as_ordinary_user(&own);
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    for command in [&Command::new(&own), &ordinary] {
        let status = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                MACHINE,
                "sh",
            ])
            .arg(command.get_program())
            .args(command.get_args())
            .args(["--exact", &name, "--nocapture"])
            .env(VARIABLE, "1")
            .env("RESOLV", dir.path().join("resolv.conf"))
            .status()
            .unwrap();
        assert!(status.success(), "fails with {command:?}");
    }
}

fn with_outbound(outbound: &Outbound) -> Network {
    let network = create(NetworkConfig::new(program(), Some(outbound.clone())));
    assert!(network.wait_for_outbound(TIMEOUT).unwrap(), "{outbound:?}");
    network
}

/// Returns what a program inside receives from a server on `address`.
fn ask(network: &Network, address: &str, port: u16) -> String {
    ask_for(TIMEOUT.as_secs(), network, address, port)
}

fn ask_for(seconds: u64, network: &Network, address: &str, port: u16) -> String {
    let mut command = Command::new("python3");
    command.args([
        "-c",
        CLIENT,
        address,
        &port.to_string(),
        &seconds.to_string(),
    ]);
    command.stderr(Stdio::null());
    network.namespace().enter(&mut command).unwrap();
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_program_inside_reaches_other_machines_and_not_the_loopback_of_this_one() {
    on_a_machine(|outbound| {
        let listener = TcpListener::bind((SERVER, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        serve(listener, echo);
        let loopback = TcpListener::bind(("127.0.0.1", port)).unwrap();
        serve(loopback, echo);
        let network = with_outbound(&outbound);
        assert_eq!(ask(&network, SERVER, port), "hello", "{outbound:?}");
        // 127.0.0.1 is the namespace's own, and no address stands for the machine's.
        for address in ["127.0.0.1", "10.0.2.2", "10.99.0.1"] {
            let answer = ask_for(1, &network, address, port);
            assert_eq!(answer, "", "{outbound:?}: {address}");
        }
    });
}

#[test]
fn a_program_inside_reaches_other_machines_with_ipv6() {
    on_a_machine(|mut outbound| {
        outbound.has_ipv6 = true;
        let listener = TcpListener::bind((SERVER_V6, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        serve(listener, echo);
        let network = with_outbound(&outbound);
        // The address inside is announced some seconds after the way out is there.
        wait_until("IPv6 works", || {
            ask_for(1, &network, SERVER_V6, port) == "hello"
        });
    });
}

#[test]
fn the_way_out_binds_no_port_on_either_side() {
    on_a_machine(|outbound| {
        let network = with_outbound(&outbound);
        let inside = network.listeners(&[]).unwrap();
        assert!(inside.is_empty(), "{outbound:?}: {inside:?}");
        let outside = portway_ports::all_listeners().unwrap();
        assert!(outside.is_empty(), "{outbound:?}: {outside:?}");
    });
}

#[test]
fn a_killed_way_out_comes_back_and_loopback_never_breaks() {
    on_a_machine(|outbound| {
        let network = with_outbound(&outbound);
        let listener = TcpListener::bind((SERVER, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        serve(listener, echo);
        serve(network.listen(([127, 0, 0, 1], 5000).into()).unwrap(), echo);
        let (host, address) = crate::support::listen();
        let _forward = network.forward_tcp(host, 5000).unwrap();
        for _ in 0..2 {
            let pid = crate::lifetime::children(std::process::id())
                .into_iter()
                .find(|pid| crate::lifetime::program(*pid).contains(outbound.kind.program()))
                .unwrap();
            crate::lifetime::kill(pid);
            wait_until("it is gone", || !crate::lifetime::is_alive(pid));
            assert_eq!(crate::support::exchange(address, b"on"), b"on");
            assert_eq!(ask(&network, "127.0.0.1", 5000), "hello");
            wait_until("the way out is back", || {
                ask_for(1, &network, SERVER, port) == "hello"
            });
        }
    });
}

#[test]
fn a_name_server_on_loopback_is_reached_from_inside() {
    let start_server = || {
        // A name server that sends back what it receives.
        let server = UdpSocket::bind("127.0.0.53:53").unwrap();
        let tcp = TcpListener::bind("127.0.0.53:53").unwrap();
        serve(tcp, echo);
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((count, client)) = server.recv_from(&mut bytes) {
                let _ = server.send_to(&bytes[..count], client);
            }
        });
    };
    let started = Once::new();
    on_a_machine(|outbound| {
        started.call_once(start_server);
        let network = with_outbound(&outbound);
        assert_eq!(ask(&network, "127.0.0.53", 53), "hello");
        let mut client = Running::python(
            &network,
            "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(30); \
             s.sendto(b'name', ('127.0.0.53', 53)); print(s.recv(99).decode(), flush=True)",
        );
        assert_eq!(client.line(), "name");
        // The socket of the client counts until it is closed.
        drop(client);
        assert_eq!(network.listeners(&[]).unwrap(), []);
    });
}
