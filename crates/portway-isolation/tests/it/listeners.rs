//! The listening sockets inside, and the processes that have them open.

use portway_ports::PortOwner;

use crate::support::{Running, for_each_user, listen, network, wait_until};

fn pids(owner: &PortOwner) -> Vec<u32> {
    let first = owner.process.as_ref().map(|process| process.id.pid);
    first.into_iter().chain(owner.other_pids.clone()).collect()
}

#[test]
fn a_listener_inside_is_reported_with_its_owner_until_it_closes() {
    for_each_user(|| {
        let network = network();
        assert_eq!(network.listeners(&[]).unwrap(), []);
        let mut program = Running::python(
            &network,
            "import socket, time\n\
             t = socket.create_server(('127.0.0.1', 5000))\n\
             u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('0.0.0.0', 5353))\n\
             v = socket.create_server(('::1', 80), family=socket.AF_INET6)\n\
             print('ready', flush=True)\n\
             time.sleep(600)\n",
        );
        assert_eq!(program.line(), "ready");
        let pid = program.0.id();
        for likely in [&[][..], &[pid]] {
            let owners = network.listeners(likely).unwrap();
            let mut found: Vec<_> = owners
                .iter()
                .map(|owner| (owner.listener.port, owner.listener.address.to_string()))
                .collect();
            found.sort();
            let expected = [(80, "::1"), (5000, "127.0.0.1"), (5353, "0.0.0.0")];
            assert_eq!(found, expected.map(|(port, host)| (port, host.to_owned())));
            assert!(
                owners.iter().all(|owner| pids(owner) == [pid]),
                "{owners:?}"
            );
        }
        drop(program);
        wait_until("the listeners are gone", || {
            network.listeners(&[]).unwrap().is_empty()
        });
    });
}

#[test]
fn all_workers_of_a_listener_are_reported() {
    for_each_user(|| {
        let network = network();
        let mut program = Running::python(
            &network,
            "import os, socket, time\n\
             s = socket.create_server(('0.0.0.0', 8000))\n\
             pid = os.fork()\n\
             if pid: print(pid, flush=True)\n\
             time.sleep(600)\n",
        );
        let worker: u32 = program.line().parse().unwrap();
        let mut expected = vec![program.0.id(), worker];
        expected.sort_unstable();
        let owners = network.listeners(&[]).unwrap();
        let result = owners.first().map(pids);
        let worker = rustix::process::Pid::from_raw(worker as i32).unwrap();
        rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
        assert_eq!(result, Some(expected));
    });
}

#[test]
fn sockets_outside_and_those_of_the_relay_are_not_reported() {
    for_each_user(|| {
        let network = network();
        let (outside, _) = listen();
        let inside = network.listen("127.0.0.1:5432".parse().unwrap()).unwrap();
        let _forward = network
            .publish_tcp(inside, vec![outside.local_addr().unwrap()])
            .unwrap();
        assert_eq!(network.listeners(&[]).unwrap(), []);
    });
}
