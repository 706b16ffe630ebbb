//! Instances with a network of their own: nothing of them is left either, including the network, its helper
//! and the program for the way out.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use portway_ports::{Process, ProcessId};
use portway_supervisor::process::descendants;
use rustix::process::Signal;

use super::killed::kill_together;
use super::terminal::{CTRL_C, Terminal};
use super::{
    GRACE, GRANDCHILDREN, assert_nothing_left, family_with, keeper, kill, pids, service,
    supervisor, wait_until_complete,
};
use crate::sandbox::{Sandbox, http_get, wait_until};

/// A [`family`](super::family) in a network of its own, with a service whose processes leave that network.
fn family() -> Sandbox {
    let unshared = match can_unshare() {
        true => "[services.unshared]\ncommand = \"unshare --net tail -f /dev/null\"\n",
        false => "",
    };
    family_with("isolation = \"network\"\n", "", unshared)
}

/// Whether this user may create another network inside the one of the instance.
fn can_unshare() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "true"]).stderr(Stdio::null());
    unshare.status().is_ok_and(|status| status.success())
}

/// An isolated instance that is running.
struct Running {
    /// The supervisor and all processes below it.
    processes: Vec<ProcessId>,
    /// The number of the network.
    network: String,
    /// Keeps the number from being given to the network of the next instance.
    _network: fs::File,
    /// The ports of the machine.
    ports: Vec<u64>,
}

impl Running {
    fn read(sandbox: &Sandbox) -> Self {
        let running = Self {
            ports: ports(sandbox),
            ..Self::read_starting(sandbox)
        };
        assert!(running.outbound().is_some(), "the way out is a child");
        running
    }

    /// Reads an instance whose services are not ready yet.
    fn read_starting(sandbox: &Sandbox) -> Self {
        let processes = Self::read_all(sandbox);
        let helper = helper(sandbox);
        Self {
            processes: processes.into_iter().filter_map(ProcessId::read).collect(),
            _network: fs::File::open(format!("/proc/{helper}/ns/net")).unwrap(),
            network: network(helper).unwrap(),
            ports: Vec::new(),
        }
    }

    /// The pids of the supervisor and of all processes below it.
    fn read_all(sandbox: &Sandbox) -> Vec<u32> {
        let pid = supervisor(sandbox);
        let mut all: Vec<u32> = descendants(pid).iter().map(|one| one.pid).collect();
        all.push(pid);
        all
    }

    /// The program for the way out.
    fn outbound(&self) -> Option<u32> {
        let pids = self.processes.iter().map(|process| process.pid);
        let is_outbound =
            |process: &Process| ["slirp4netns", "pasta"].contains(&process.name.as_str());
        pids.filter_map(Process::read)
            .find(is_outbound)
            .map(|process| process.id.pid)
    }

    /// What is left of it: processes, and the network as long as any process is in it.
    fn left(&self) -> Vec<String> {
        let alive = |process: &&ProcessId| ProcessId::read(process.pid) == Some(**process);
        let processes = self.processes.iter().filter(alive);
        let mut left: Vec<String> = processes
            .filter_map(|process| Process::read(process.pid))
            .map(|process| process.command)
            .collect();
        left.extend(
            portway_supervisor::process::pids()
                .into_iter()
                .filter(|pid| network(*pid).as_ref() == Some(&self.network))
                .map(|pid| format!("{pid} is in the network")),
        );
        left
    }

    #[track_caller]
    fn wait_until_gone(&self) {
        wait_until("nothing of the instance is left", || self.left().is_empty());
    }
}

fn network(pid: u32) -> Option<String> {
    let link = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
    Some(link.display().to_string())
}

fn helper(sandbox: &Sandbox) -> u32 {
    let pid = sandbox.status()["network"]["pid"].as_u64().unwrap();
    u32::try_from(pid).unwrap()
}

fn ports(sandbox: &Sandbox) -> Vec<u64> {
    GRANDCHILDREN
        .iter()
        .map(|name| service(sandbox, name)["ports"][0]["port"].as_u64().unwrap())
        .collect()
}

fn start(sandbox: &Sandbox) -> Running {
    sandbox.run(&["up", "--detach"]).success();
    wait_until_complete(sandbox);
    Running::read(sandbox)
}

/// Which processes are killed together.
type Victims = fn(&Sandbox, &Running) -> Vec<u32>;

fn keepers(sandbox: &Sandbox) -> Vec<u32> {
    pids(sandbox, "__keeper")
}

fn own(sandbox: &Sandbox, running: &Running) -> Vec<u32> {
    let mut all = keepers(sandbox);
    all.extend([supervisor(sandbox), helper(sandbox)]);
    all.extend(running.outbound());
    all
}

#[test]
fn nothing_is_left_whatever_is_killed() {
    let kinds: [(&str, Victims); 5] = [
        ("supervisor", |sandbox, _| vec![supervisor(sandbox)]),
        ("supervisor and helper", |sandbox, _| {
            vec![supervisor(sandbox), helper(sandbox)]
        }),
        ("supervisor and the way out", |sandbox, running| {
            let mut all = vec![supervisor(sandbox)];
            all.extend(running.outbound());
            all
        }),
        ("supervisor and keepers", |sandbox, _| {
            let mut all = keepers(sandbox);
            all.push(supervisor(sandbox));
            all
        }),
        ("all except the guard", own),
    ];
    let sandbox = family();
    let mut ports = None;
    for (kind, victims) in kinds {
        let running = start(&sandbox);
        assert_eq!(
            *ports.get_or_insert(running.ports.clone()),
            running.ports,
            "{kind}"
        );
        kill_together(&victims(&sandbox, &running));
        running.wait_until_gone();
    }
}

#[test]
fn the_next_start_ends_what_is_left_when_the_guard_is_killed_too() {
    let sandbox = family();
    let before = start(&sandbox);
    let mut victims = own(&sandbox, &before);
    victims.extend(pids(&sandbox, "__guard"));
    kill_together(&victims);
    let now = start(&sandbox);
    before.wait_until_gone();
    assert_eq!(before.ports, now.ports);
    sandbox.run(&["down"]).success();
    now.wait_until_gone();
}

#[test]
fn the_network_works_again_after_a_part_of_it_was_killed() {
    let sandbox = family();
    let running = start(&sandbox);
    let port = u16::try_from(running.ports[0]).unwrap();
    let pid = http_get(port, "/").unwrap();
    for part in [helper(&sandbox), running.outbound().unwrap()] {
        kill(part, Signal::KILL);
        wait_until("the port works", || {
            http_get(port, "/").as_ref() == Some(&pid)
        });
        wait_until("the part is replaced", || {
            let now = Running::read_all(&sandbox);
            !now.contains(&part) && now.len() == running.processes.len()
        });
    }
    kill(keeper(&sandbox, "plain"), Signal::KILL);
    wait_until("the service runs again", || {
        http_get(port, "/").is_some_and(|now| now != pid)
    });
    wait_until_complete(&sandbox);
    let now = Running::read(&sandbox);
    assert_eq!(now.network, running.network);
    sandbox.run(&["down"]).success();
    now.wait_until_gone();
    running.wait_until_gone();
}

#[test]
fn a_terminal_that_closes_and_ctrl_c_leave_nothing() {
    for closes in [true, false] {
        let sandbox = family();
        let mut terminal = Terminal::up(&sandbox);
        wait_until_complete(&sandbox);
        let running = Running::read(&sandbox);
        let start = Instant::now();
        if closes {
            terminal.close();
        } else {
            terminal.press(CTRL_C);
        }
        terminal.wait();
        assert_nothing_left(&sandbox, start, GRACE);
        running.wait_until_gone();
    }
}

#[test]
fn down_and_a_kill_while_services_start_leave_nothing() {
    for is_killed in [true, false] {
        let sandbox = Sandbox::new().manifest(
            "isolation = \"network\"\n[services.slow]\n\
             command = \"%service serve {port} --delay 600000 --grandchild daemon\"\nport = \"%0-%9\"",
        );
        let mut up = sandbox.spawn(&["up"]);
        wait_until("the service starts", || {
            !pids(&sandbox, "service sleep").is_empty()
        });
        let running = Running::read_starting(&sandbox);
        if is_killed {
            kill(up.pid(), Signal::KILL);
        } else {
            sandbox.run(&["down"]).success();
        }
        up.wait();
        running.wait_until_gone();
        sandbox.wait_until_empty();
    }
}
