//! One start of services under one tool.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::contenders::Contender;
use super::processes::{self, Process};
use crate::Result;
use crate::ports::ranges::Ranges;
use crate::world::World;

/// The longest that a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of a service's process, which is this program.
const SERVICE: &str = "portway-bench";

/// The variable that everything of a stack has in its environment, with the stack's tag.
const MARK: &str = "PORTWAY_BENCH_STACK";

/// How a stack is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stop {
    /// As a person does it in a terminal.
    Polite,
    /// SIGTERM to the supervisor alone.
    Terminate,
    /// SIGKILL to the supervisor alone.
    Kill,
}

/// What the supervision costs.
#[derive(Debug)]
pub(super) struct Cost {
    /// Megabytes, resident.
    pub(super) supervisor: f64,
    /// Kilobytes, private, of each process that is neither supervisor nor service.
    pub(super) helpers: Vec<f64>,
}

/// Running services; dropped, all of it is ended.
#[derive(Debug)]
pub(super) struct Stack {
    child: Child,
    /// Stands in the arguments of every service and of nothing else on the machine.
    tag: String,
    supervisor: u32,
    /// Whether that has left the process group of what was started.
    detaches: bool,
    /// Milliseconds from the start until every port accepted.
    pub(super) wall: f64,
}

impl Stack {
    pub(super) fn start(
        world: &World,
        contender: &Contender,
        ranges: &Ranges,
        count: u16,
        families: bool,
    ) -> Result<Self> {
        static STARTS: AtomicUsize = AtomicUsize::new(0);
        let number = STARTS.fetch_add(1, Ordering::Relaxed);
        let tag = format!("bench-{}-{number}-end", std::process::id());
        // Other ports each time: these are in TIME_WAIT afterwards.
        let first = ranges.first().0 + (number as u16 % 9) * 20;
        let ports: Vec<u16> = (first..first + count).collect();
        let verb = if families {
            "help:family"
        } else {
            "help:listen"
        };
        let services: Vec<String> = ports
            .iter()
            .map(|port| format!("{} {verb} {port} {tag}", world.helper.display()))
            .collect();
        let mut command = (contender.prepare)(world, &services, &ports)?;
        command
            .env(MARK, &tag)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let began = Instant::now();
        let child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let mut stack = Self {
            supervisor: child.id(),
            detaches: contender.detaches,
            child,
            tag,
            wall: 0.0,
        };
        let mut waiting = ports;
        while !waiting.is_empty() {
            waiting.retain(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err());
            if began.elapsed() > PATIENCE {
                return Err(format!("{}: {waiting:?} do not accept", contender.name));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        stack.wall = began.elapsed().as_secs_f64() * 1000.0;
        if let Some(is_supervisor) = contender.supervisor {
            let all = stack.processes();
            let found = all.iter().find(|one| is_supervisor(one));
            stack.supervisor = found.ok_or("a supervisor is not found")?.pid;
        }
        Ok(stack)
    }

    /// All that the start has brought about, also what has left the tree of the started process.
    fn processes(&self) -> Vec<Process> {
        let mut all = processes::tree(self.child.id());
        let has = |all: &[Process], pid| all.iter().any(|one| one.pid == pid);
        for one in processes::marked(MARK, &self.tag) {
            if !has(&all, one.pid) {
                all.push(one);
            }
        }
        all
    }

    pub(super) fn cost(&self) -> Result<Cost> {
        let helpers = self.processes().into_iter().filter(|one| {
            let is_service = one.name == SERVICE && one.words.contains(&self.tag);
            let is_terminal = one.pid == self.child.id();
            one.pid != self.supervisor && !is_terminal && !is_service
        });
        Ok(Cost {
            supervisor: processes::resident(self.supervisor).ok_or("the supervisor is gone")?,
            helpers: helpers
                .filter_map(|one| processes::private(one.pid))
                .collect(),
        })
    }

    /// Ends it; how many services and grandchildren are left after `grace` at the most.
    pub(super) fn stop(mut self, stop: Stop, grace: Duration) -> Result<(usize, usize)> {
        let pid = |pid: u32| {
            i32::try_from(pid)
                .map(Pid::from_raw)
                .map_err(|e| e.to_string())
        };
        let sent = match stop {
            Stop::Polite if self.detaches => kill(pid(self.supervisor)?, Signal::SIGINT),
            Stop::Polite => killpg(pid(self.child.id())?, Signal::SIGINT),
            Stop::Terminate => kill(pid(self.supervisor)?, Signal::SIGTERM),
            Stop::Kill => kill(pid(self.supervisor)?, Signal::SIGKILL),
        };
        sent.map_err(|error| error.to_string())?;
        let until = Instant::now() + grace;
        loop {
            let _ = self.child.try_wait();
            let left = self.left();
            if left == (0, 0) || Instant::now() > until {
                return Ok(left);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Services and grandchildren that run.
    fn left(&self) -> (usize, usize) {
        let all = processes::all();
        let count = |verb: &str| {
            let own = |one: &&Process| {
                one.name == SERVICE && one.words.contains(&self.tag) && one.words.contains(verb)
            };
            all.iter().filter(own).count()
        };
        (
            count("help:family") + count("help:listen"),
            count("help:linger"),
        )
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let pid = |pid: u32| i32::try_from(pid).map(Pid::from_raw);
        // The supervisor first, so that it starts nothing again.
        let mut doomed: Vec<u32> = self.processes().iter().map(|one| one.pid).collect();
        doomed.sort_by_key(|&one| one != self.supervisor);
        let tagged = processes::all()
            .into_iter()
            .filter(|one| one.words.contains(&self.tag));
        doomed.extend(tagged.map(|one| one.pid));
        for one in doomed {
            let _ = pid(one).map(|pid| kill(pid, Signal::SIGKILL));
        }
        let _ = self.child.wait();
        let until = Instant::now() + Duration::from_secs(5);
        while self.left() != (0, 0) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
