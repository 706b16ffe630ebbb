//! Services started once by one tool.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::competitors::Competitor;
use super::processes::{self, Process};
use crate::Result;
use crate::env::BenchEnv;
use crate::ports::ranges::Ranges;

/// Time limit for a start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The name of this program, which implements the services.
const SERVICE: &str = "portway-bench";

/// The environment variable with the stack's tag, in every process of the stack.
const TAG: &str = "PORTWAY_BENCH_STACK";

/// How to stop a stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stop {
    /// SIGINT to the process group, as Ctrl-C in a terminal does.
    Interrupt,
    /// SIGTERM to the supervisor only.
    Terminate,
    /// SIGKILL to the supervisor only.
    Kill,
}

/// The memory of the tool.
#[derive(Debug)]
pub(super) struct Overhead {
    /// Resident memory, in megabytes.
    pub(super) supervisor: f64,
    /// Private memory of each process that is neither supervisor nor service, in kilobytes.
    pub(super) helpers: Vec<f64>,
}

/// Running services. Dropping it kills all processes.
#[derive(Debug)]
pub(super) struct Stack {
    child: Child,
    /// A unique word in the arguments of every service.
    tag: String,
    supervisor: u32,
    /// Whether the supervisor has left the process group of the started process.
    detaches: bool,
    /// Time from the start until every port accepted connections, in milliseconds.
    pub(super) wall: f64,
}

impl Stack {
    /// Start `count` services, and wait until every port accepts connections. `with_children`: each
    /// service starts a child in a separate session.
    pub(super) fn start(
        env: &BenchEnv,
        competitor: &Competitor,
        ranges: &Ranges,
        count: u16,
        with_children: bool,
    ) -> Result<Self> {
        static STARTS: AtomicUsize = AtomicUsize::new(0);
        let number = STARTS.fetch_add(1, Ordering::Relaxed);
        let tag = format!("bench-{}-{number}-end", std::process::id());
        // Each start uses other ports, because used ports stay in TIME_WAIT.
        let first = ranges.backend().0 + (number as u16 % 9) * 20;
        let ports: Vec<u16> = (first..first + count).collect();
        let subcommand = if with_children {
            "helper:parent"
        } else {
            "helper:listen"
        };
        let services: Vec<String> = ports
            .iter()
            .map(|port| format!("{} {subcommand} {port} {tag}", env.helper.display()))
            .collect();
        let mut command = (competitor.prepare)(env, &services, &ports)?;
        command
            .env(TAG, &tag)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = Instant::now();
        let child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let mut stack = Self {
            supervisor: child.id(),
            detaches: competitor.detaches,
            child,
            tag,
            wall: 0.0,
        };
        let mut waiting = ports;
        while !waiting.is_empty() {
            waiting.retain(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err());
            if started.elapsed() > START_TIMEOUT {
                return Err(format!("{}: {waiting:?} do not accept", competitor.name));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        stack.wall = started.elapsed().as_secs_f64() * 1000.0;
        if let Some(is_supervisor) = competitor.supervisor {
            let all = stack.processes();
            let found = all.iter().find(|process| is_supervisor(process));
            stack.supervisor = found.ok_or("the supervisor was not found")?.pid;
        }
        Ok(stack)
    }

    /// All processes of the stack, including those that left the tree of the started process.
    fn processes(&self) -> Vec<Process> {
        let mut all = processes::tree(self.child.id());
        let contains = |all: &[Process], pid| all.iter().any(|process| process.pid == pid);
        for process in processes::with_variable(TAG, &self.tag) {
            if !contains(&all, process.pid) {
                all.push(process);
            }
        }
        all
    }

    pub(super) fn overhead(&self) -> Result<Overhead> {
        let helpers = self.processes().into_iter().filter(|process| {
            let is_service = process.name == SERVICE && process.arguments.contains(&self.tag);
            let is_terminal = process.pid == self.child.id();
            process.pid != self.supervisor && !is_terminal && !is_service
        });
        Ok(Overhead {
            supervisor: processes::resident(self.supervisor).ok_or("the supervisor has exited")?,
            helpers: helpers
                .filter_map(|process| processes::private(process.pid))
                .collect(),
        })
    }

    /// Stop the stack. Returns how many services and children are left after `limit`.
    pub(super) fn stop(mut self, stop: Stop, limit: Duration) -> Result<(usize, usize)> {
        let pid = |pid: u32| {
            i32::try_from(pid)
                .map(Pid::from_raw)
                .map_err(|e| e.to_string())
        };
        let sent = match stop {
            Stop::Interrupt if self.detaches => kill(pid(self.supervisor)?, Signal::SIGINT),
            Stop::Interrupt => killpg(pid(self.child.id())?, Signal::SIGINT),
            Stop::Terminate => kill(pid(self.supervisor)?, Signal::SIGTERM),
            Stop::Kill => kill(pid(self.supervisor)?, Signal::SIGKILL),
        };
        sent.map_err(|error| error.to_string())?;
        let deadline = Instant::now() + limit;
        loop {
            // Reaps the process. It does not matter whether it has exited.
            let _ = self.child.try_wait();
            let left = self.left();
            if left == (0, 0) || Instant::now() > deadline {
                return Ok(left);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The numbers of running services and children.
    fn left(&self) -> (usize, usize) {
        let all = processes::all();
        let count = |subcommand: &str| {
            let is_own = |process: &&Process| {
                process.name == SERVICE
                    && process.arguments.contains(&self.tag)
                    && process.arguments.contains(subcommand)
            };
            all.iter().filter(is_own).count()
        };
        (
            count("helper:parent") + count("helper:listen"),
            count("helper:child"),
        )
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let pid = |pid: u32| i32::try_from(pid).map(Pid::from_raw);
        // The supervisor first, so that it does not restart services.
        let mut pids: Vec<u32> = self.processes().iter().map(|process| process.pid).collect();
        pids.sort_by_key(|&pid| pid != self.supervisor);
        let tagged = processes::all()
            .into_iter()
            .filter(|process| process.arguments.contains(&self.tag));
        pids.extend(tagged.map(|process| process.pid));
        for number in pids {
            // An error means that it has exited.
            let _ = pid(number).map(|pid| kill(pid, Signal::SIGKILL));
        }
        let _ = self.child.wait();
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.left() != (0, 0) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
