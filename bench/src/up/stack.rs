//! Services started once by one tool.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::competitors::Competitor;
use super::processes::{self, Process};
use crate::Result;
use crate::env::BenchEnv;
use crate::ports::ranges::Ranges;

/// Time limit for a start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The name of this program, which implements the services.
pub(super) const SERVICE: &str = "portway-bench";

/// The environment variable with the stack's tag, in every process of the stack.
const TAG: &str = "PORTWAY_BENCH_STACK";

/// What the services do in addition to listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load<'a> {
    /// Nothing.
    None,
    /// Each has a child in a separate session.
    Child,
    /// Each has a child in a separate session that runs this program, which has the set-uid bit.
    SetUidChild(&'a Path),
    /// Each has a child in a separate session that forks and exits again and again.
    Chain,
    /// Each prints without end, and has a child. No process reads the output of the tool.
    Flood,
}

/// How the tool is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It starts the services of a file.
    Up,
    /// Like `Up`, in a terminal that closes when the started process is killed.
    UpInTerminal,
    /// It runs one command.
    Exec,
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
    pub(super) child: Child,
    /// A unique word in the arguments of every service.
    pub(super) tag: String,
    pub(super) supervisor: u32,
    /// Whether the supervisor has left the process group of the started process.
    pub(super) detaches: bool,
    /// Starts the tool again.
    command: Command,
    pub(super) ports: Vec<u16>,
    /// Time from the start until every port accepted connections, in milliseconds.
    pub(super) wall: f64,
}

impl Stack {
    /// Start `count` services, and wait until every port accepts connections.
    pub(super) fn start(
        env: &BenchEnv,
        competitor: &Competitor,
        ranges: &Ranges,
        count: u16,
        load: Load<'_>,
        mode: Mode,
    ) -> Result<Self> {
        static STARTS: AtomicUsize = AtomicUsize::new(0);
        let number = STARTS.fetch_add(1, Ordering::Relaxed);
        let tag = format!("bench-{}-{number}-end", std::process::id());
        // Each start uses other ports, because used ports stay in TIME_WAIT.
        let first = ranges.backend().0 + (number as u16 % 9) * 20;
        let ports: Vec<u16> = (first..first + count).collect();
        let subcommand = match load {
            Load::None => "helper:listen",
            Load::Child | Load::SetUidChild(_) => "helper:parent",
            Load::Chain => "helper:chained",
            Load::Flood => "helper:flood",
        };
        let program = match load {
            Load::SetUidChild(program) => format!(" {}", program.display()),
            _ => String::new(),
        };
        let services: Vec<String> = ports
            .iter()
            .map(|port| {
                format!(
                    "{} {subcommand} {port} {tag}{program}",
                    env.helper.display()
                )
            })
            .collect();
        let prepare = match (mode, &competitor.exec) {
            (Mode::Exec, Some(exec)) => exec,
            (Mode::Exec, None) => return Err("it has no command that runs a command".to_owned()),
            _ => &competitor.prepare,
        };
        let mut command = prepare(env, &services, &ports)?;
        env.hand_over_all()?;
        if command.get_current_dir().is_none() {
            // Some tools write a log into their working directory.
            command.current_dir(env.path("."));
        }
        if mode == Mode::UpInTerminal {
            command = terminal(env, &command);
        }
        let output = || match load {
            // Its other end stays open and is not read.
            Load::Flood => Stdio::piped(),
            _ => Stdio::null(),
        };
        command
            .env(TAG, &tag)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output())
            .stderr(output());
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
            command,
            ports: ports.clone(),
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
        let is_supervisor = competitor.supervisor;
        if let Some(is_supervisor) = is_supervisor {
            let all = stack.processes();
            let found = all.iter().find(|process| is_supervisor(process));
            stack.supervisor = found.ok_or("the supervisor was not found")?.pid;
        } else if mode == Mode::UpInTerminal {
            stack.supervisor =
                processes::child(stack.child.id()).ok_or("no process in the terminal")?;
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
            let is_service = self.is_service(process);
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

    /// The processes of the tool that are neither the supervisor nor services.
    pub(super) fn helpers(&self) -> Vec<u32> {
        let all = self.processes().into_iter();
        all.filter(|process| !self.is_service(process))
            .map(|process| process.pid)
            .filter(|&pid| pid != self.supervisor && pid != self.child.id())
            .collect()
    }

    fn is_service(&self, process: &Process) -> bool {
        process.name == SERVICE && process.arguments.contains(&self.tag)
    }

    /// Wait until no service and no child has been found for some time, at most until `deadline`.
    /// Returns the numbers of those that were found last.
    pub(super) fn wait_until_empty(
        &mut self,
        deadline: Instant,
        quiet_time: Duration,
    ) -> (usize, usize) {
        let (mut found, mut last) = ((0, 0), Instant::now());
        loop {
            // Reaps the process. It does not matter whether it has exited.
            let _ = self.child.try_wait();
            let left = self.left();
            if left != (0, 0) {
                (found, last) = (left, Instant::now());
            }
            if last.elapsed() >= quiet_time {
                return (0, 0);
            }
            if Instant::now() > deadline {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Start the tool again with the same ports, while what is left of the first start still runs.
    /// Returns the milliseconds until new services listen on them; `None` after `limit`.
    pub(super) fn start_again(&mut self, limit: Duration) -> Result<Option<f64>> {
        let is_new = {
            let old: Vec<u32> = self.services().map(|process| process.pid).collect();
            move |process: &Process| !old.contains(&process.pid)
        };
        // What it was before, if it has not exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let started = Instant::now();
        self.child = self.command.spawn().map_err(|error| error.to_string())?;
        while started.elapsed() < limit {
            let accepts = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
            if self.ports.iter().all(accepts) {
                let wall = started.elapsed().as_secs_f64() * 1000.0;
                // A service that cannot listen exits at once.
                std::thread::sleep(Duration::from_millis(300));
                let count = self.services().filter(&is_new).count();
                if count == self.ports.len() {
                    return Ok(Some(wall));
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(None)
    }

    fn services(&self) -> impl Iterator<Item = Process> {
        processes::all().into_iter().filter(|process| {
            self.is_service(process) && !process.arguments.contains("helper:child")
        })
    }

    /// The numbers of running services and children.
    fn left(&self) -> (usize, usize) {
        let all: Vec<Process> = processes::all()
            .into_iter()
            .filter(|process| self.is_service(process))
            .collect();
        let is_child = |process: &&Process| process.arguments.contains("helper:child");
        let children = all.iter().filter(is_child).count();
        (all.len() - children, children)
    }
}

/// The command in a terminal of its own.
fn terminal(env: &BenchEnv, command: &Command) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")));
    let line = quoted.collect::<Vec<_>>().join(" ");
    let mut terminal = env.command("script", "up-home");
    terminal.args(["-q", "-c", &format!("exec {line}"), "/dev/null"]);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            terminal.env(name, value);
        }
    }
    if let Some(dir) = command.get_current_dir() {
        terminal.current_dir(dir);
    }
    terminal
}

impl Drop for Stack {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        // Again and again, because a tool may restart a service before it is killed itself. What is left
        // would use the ports of a later stack.
        loop {
            self.kill_all();
            // An error means that it was waited for already.
            let _ = self.child.wait();
            std::thread::sleep(Duration::from_millis(20));
            if self.left() == (0, 0) && self.processes().is_empty() || Instant::now() > deadline {
                return;
            }
        }
    }
}

impl Stack {
    fn kill_all(&self) {
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
    }
}
