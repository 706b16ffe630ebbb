//! What remains after each kind of end: nothing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use portway_isolation::{NetworkConfig, Outbound, OutboundKind};

use crate::support::{
    Running, as_ordinary_user, create, echo, exchange, for_each_user, listen, network, serve,
    wait_until,
};

fn pid(number: u32) -> Pid {
    Pid::from_raw(number as i32).unwrap()
}

pub(crate) fn kill(process: u32) {
    kill_process(pid(process), Signal::KILL).unwrap();
}

/// Returns whether a process runs. A zombie does not.
pub(crate) fn is_alive(process: u32) -> bool {
    portway_ports::ProcessId::read(process).is_some()
}

/// Returns the children of all threads of a process.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    let lists = threads
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let pids = lists.collect::<Vec<_>>().join(" ");
    pids.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// Returns the command line of a process.
pub(crate) fn program(process: u32) -> String {
    let bytes = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn outbound(kind: OutboundKind) -> Outbound {
    let path = Path::new("/usr/bin").join(kind.program());
    assert!(
        path.exists(),
        "`{}` is missing\nhelp: run `cargo xtask setup`",
        kind.program()
    );
    Outbound {
        kind,
        path,
        has_ipv6: false,
    }
}

const KINDS: [OutboundKind; 2] = [OutboundKind::Slirp4netns, OutboundKind::Pasta];

/// The processes of a network that another process created.
struct Creator {
    running: Running,
    creator: u32,
    helper: u32,
    outbound: u32,
    command: u32,
}

impl Creator {
    /// Starts the example with a command that runs until it is killed.
    fn start(kind: OutboundKind, is_ordinary: bool) -> Self {
        let example = crate::support::program();
        let mut command = match is_ordinary {
            true => as_ordinary_user(&example),
            false => Command::new(&example),
        };
        command.args(["--outbound", kind.program(), "0:5000", "--", "sleep", "600"]);
        let mut running = Running::start(&mut command);
        let _ = running.line();
        // `unshare` and `sh` replace themselves by the next program.
        let creator = running.0.id();
        let mut found = None;
        wait_until("all processes run", || {
            let all = children(creator);
            let find = |words: &[&str]| {
                all.iter()
                    .copied()
                    .find(|pid| words.iter().all(|word| program(*pid).contains(word)))
            };
            let helper = find(&[portway_isolation::COMMAND]);
            let command = find(&["sleep"]);
            let outbound = find(&[kind.program(), "/ns/net"]).filter(|pid| {
                // It has attached itself once the device is there.
                fs::read_to_string(format!("/proc/{}/net/route", helper.unwrap_or(0)))
                    .is_ok_and(|routes| routes.lines().count() > 1)
                    && is_alive(*pid)
            });
            found = helper.zip(outbound).zip(command);
            found.is_some()
        });
        let ((helper, outbound), command) = found.unwrap();
        Self {
            running,
            creator,
            helper,
            outbound,
            command,
        }
    }
}

impl Drop for Creator {
    fn drop(&mut self) {
        // The keeper of a service does this.
        let _ = kill_process(pid(self.command), Signal::KILL);
        let _ = self.running.0.kill();
    }
}

fn each(test: impl Fn(OutboundKind, bool)) {
    for kind in KINDS {
        test(kind, true);
        if rustix::process::geteuid().is_root() {
            test(kind, false);
        }
    }
}

#[test]
fn helper_and_way_out_end_with_a_killed_creator() {
    each(|kind, is_ordinary| {
        let all = Creator::start(kind, is_ordinary);
        kill(all.creator);
        wait_until("helper and way out are gone", || {
            !is_alive(all.helper) && !is_alive(all.outbound)
        });
    });
}

#[test]
fn every_order_of_kills_leaves_nothing() {
    each(|kind, is_ordinary| {
        for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]] {
            let all = Creator::start(kind, is_ordinary);
            let before = descendants(all.creator);
            for at in order {
                // A process may have ended with an earlier one.
                let process = [all.creator, all.helper, all.outbound][at];
                let _ = kill_process(pid(process), Signal::KILL);
            }
            // Processes that were restarted in between are children of the creator, too.
            wait_until("nothing is left", || {
                before
                    .iter()
                    .filter(|pid| **pid != all.command)
                    .all(|pid| !is_alive(*pid))
                    && children(all.creator).is_empty()
            });
        }
    });
}

/// Returns a process and everything below it.
fn descendants(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let mut at = 0;
    while let Some(process) = all.get(at) {
        all.extend(children(*process));
        at += 1;
    }
    all
}

#[test]
fn helper_and_way_out_end_when_the_network_is_dropped() {
    // Only children of this network count, so the test has a process of its own.
    crate::support::alone(|| {
        for kind in KINDS {
            let network = create(NetworkConfig::new(
                crate::support::program(),
                Some(outbound(kind)),
            ));
            let own = std::process::id();
            wait_until("both run", || children(own).len() == 2);
            drop(network);
            assert_eq!(children(own), [], "{kind:?}");
        }
    });
}

#[test]
fn a_killed_helper_is_replaced_in_the_same_namespace() {
    crate::support::alone(|| {
        let network = network();
        serve(network.listen(([127, 0, 0, 1], 5000).into()).unwrap(), echo);
        let (listener, address) = listen();
        let _forward = network.forward_tcp(listener, 5000).unwrap();
        for _ in 0..2 {
            let [helper] = children(std::process::id())[..] else {
                panic!()
            };
            kill(helper);
            // More connections than sockets were created in advance.
            for _ in 0..100 {
                assert_eq!(exchange(address, b"still here"), b"still here");
            }
            wait_until(
                "another helper runs",
                || matches!(children(std::process::id())[..], [other] if other != helper),
            );
            assert_eq!(network.listeners(&[]).unwrap(), []);
            drop(network.listen(([127, 0, 0, 1], 5001).into()).unwrap());
        }
    });
}

#[test]
fn stop_requests_do_not_end_a_helper() {
    crate::support::alone(|| {
        let network = network();
        let [helper] = children(std::process::id())[..] else {
            panic!()
        };
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            kill_process(pid(helper), signal).unwrap();
        }
        drop(network.listen(([127, 0, 0, 1], 5000).into()).unwrap());
        assert_eq!(children(std::process::id()), [helper]);
    });
}

#[test]
fn a_namespace_lives_as_long_as_a_program_inside() {
    for_each_user(|| {
        let network = network();
        let mut command = Command::new("python3");
        command.stdin(std::process::Stdio::piped()).args([
            "-c",
            "import socket\n\
             s = socket.create_server(('127.0.0.1', 5000))\n\
             print('ready', flush=True); input()\n\
             socket.create_connection(('127.0.0.1', 5000)); print('works', flush=True)\n",
        ]);
        network.namespace().enter(&mut command).unwrap();
        let mut program = Running::start(&mut command);
        assert_eq!(program.line(), "ready");
        drop(network);
        program.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert_eq!(program.line(), "works");
    });
}

#[test]
fn a_death_signal_from_outside_reaches_a_program_inside() {
    // A keeper outside ties the program that it starts inside to itself in this way.
    for is_ordinary in [true, false] {
        let example = crate::support::program();
        let mut command = match is_ordinary {
            true => as_ordinary_user(&example),
            false => Command::new(&example),
        };
        command.args(["--", "setpriv", "--pdeathsig", "KILL", "sleep", "600"]);
        let mut creator = Running::start(&mut command);
        let _ = creator.line();
        let id = creator.0.id();
        let mut sleep = None;
        wait_until("the program runs", || {
            sleep = children(id)
                .into_iter()
                .find(|pid| program(*pid).starts_with("sleep"));
            sleep.is_some()
        });
        kill(id);
        wait_until("the program is gone", || !sleep.is_some_and(is_alive));
    }
}
