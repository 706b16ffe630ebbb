//! The keeper's one loop.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::{Order, Report, Task};
use crate::platform;
use crate::state::ExitStatus;

/// How often SIGKILL is repeated while something of the tree is left: a process that forks between
/// two looks is caught by the next.
const KILL_AGAIN: Duration = Duration::from_millis(5);

/// How often it is looked whether what the leader left behind still runs.
const LOOK_FOR_REST: Duration = Duration::from_millis(200);

/// What ends the tree, and when.
#[derive(Clone, Copy, Debug)]
enum Ending {
    No,
    /// Asked; killed at the deadline.
    Asked(Instant),
    Killing,
}

struct Tree<'a> {
    task: &'a Task,
    supervisor: UnixStream,
    /// The service's first process, until it has ended.
    leader: Option<Pid>,
    ending: Ending,
}

/// Keeps one tree until nothing of it is left.
pub(super) fn run(task: &Task) -> io::Result<()> {
    // In a session of its own a signal from the terminal reaches the supervisor alone, which
    // knows the order in which to stop.
    let _ = rustix::process::setsid();
    platform::become_reaper()?;
    let supervisor = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    supervisor.set_nonblocking(true)?;
    let (children, on_child) = UnixStream::pair()?;
    let (signals, on_signal) = UnixStream::pair()?;
    children.set_nonblocking(true)?;
    signals.set_nonblocking(true)?;
    pipe::register(SIGCHLD, on_child)?;
    // Handlers also undo an inherited "ignore": the service starts with the defaults.
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        pipe::register(signal, on_signal.try_clone()?)?;
    }
    let mut tree = Tree {
        task,
        supervisor,
        leader: None,
        ending: Ending::No,
    };
    match tree.start() {
        Ok(pid) => {
            tree.leader = Some(pid);
            tree.report(&Report::Started(pid.as_raw_nonzero().get().unsigned_abs()));
        }
        Err(error) => {
            tree.report(&Report::Failed(error.to_string()));
            tree.report(&Report::Gone);
            return Ok(());
        }
    }
    let mut listening = true;
    loop {
        if !tree.reap() {
            tree.report(&Report::Gone);
            return Ok(());
        }
        tree.press_on();
        let mut waits = vec![
            PollFd::new(&children, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
        ];
        if listening {
            waits.push(PollFd::from_borrowed_fd(
                tree.supervisor.as_fd(),
                PollFlags::IN,
            ));
        }
        match poll(&mut waits, tree.pause().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        drop(waits);
        drain(&children);
        if drain(&signals) {
            tree.ask_to_end();
        }
        if listening {
            listening = tree.take_orders();
        }
    }
}

/// Starts the service's first process. It is reaped by [`Tree::reap`], like everything else below
/// this one.
fn spawn(mut command: Command) -> io::Result<Pid> {
    command.stdin(Stdio::null());
    platform::tie_to_keeper(&mut command);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn()?;
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a process without a number"))
}

/// What `PWD` has to be, where there is one: as a shell has it, the way on which somebody came
/// here as long as it leads here.
fn working_dir() -> Option<PathBuf> {
    let came = PathBuf::from(env::var_os("PWD")?);
    let place = |path: &Path| fs::metadata(path).ok().map(|at| (at.dev(), at.ino()));
    let leads_here = came.is_absolute() && place(&came) == place(Path::new("."));
    if leads_here {
        Some(came)
    } else {
        env::current_dir().ok()
    }
}

impl Tree<'_> {
    fn start(&self) -> io::Result<Pid> {
        let command = &self.task.command;
        if self.task.socket {
            let mut shell = Command::new("/bin/sh");
            // The socket protocol wants the pid of the program itself, which only the shell that
            // becomes it can know.
            shell.args(["-c", &format!("export LISTEN_PID=$$; exec {command}")]);
            shell.env("LISTEN_FDS", "1");
            return spawn(shell);
        }
        if let Some([program, arguments @ ..]) = super::shell::words(command).as_deref() {
            let mut direct = Command::new(program);
            direct.args(arguments);
            direct.envs(working_dir().map(|dir| ("PWD", dir)));
            // The shell knows best how to say what is wrong.
            if let Ok(pid) = spawn(direct) {
                return Ok(pid);
            }
        }
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", super::shell::direct(command).as_ref()]);
        spawn(shell)
    }

    /// Collects whatever has ended; false when nothing is left.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.leader => {
                    self.leader = None;
                    let ended = match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => ExitStatus::Code(code),
                        (None, signal) => ExitStatus::Signal(signal.unwrap_or(0)),
                    };
                    self.report(&Report::Exited(ended));
                    if matches!(self.ending, Ending::Asked(_)) {
                        self.signal_rest();
                    }
                }
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return true,
                // There is no child. Where orphans fall to another process, some may be left.
                Err(_) => return !platform::REAPS_ALL && !platform::tree().is_empty(),
            }
        }
    }

    /// Reads the supervisor's orders; false when it is gone.
    fn take_orders(&mut self) -> bool {
        let mut orders = [0; 16];
        match (&self.supervisor).read(&mut orders) {
            Ok(0) => {
                self.ask_to_end();
                false
            }
            Ok(count) => {
                for order in &orders[..count] {
                    if *order == Order::Stop as u8 {
                        self.ask_to_end();
                    } else if *order == Order::Kill as u8 {
                        self.ending = Ending::Killing;
                    }
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => {
                self.ask_to_end();
                false
            }
        }
    }

    fn ask_to_end(&mut self) {
        if !matches!(self.ending, Ending::No) {
            return;
        }
        self.ending = Ending::Asked(Instant::now() + self.task.grace);
        match self.leader {
            Some(leader) => {
                let _ = kill_process_group(leader, platform::signal(self.task.signal));
                // A stopped process does not see a signal until it goes on.
                let _ = kill_process_group(leader, Signal::CONT);
            }
            None => self.signal_rest(),
        }
    }

    fn signal_rest(&self) {
        platform::signal_tree(platform::signal(self.task.signal));
    }

    /// Kills when the time has come.
    fn press_on(&mut self) {
        if let Ending::Asked(deadline) = self.ending
            && Instant::now() >= deadline
        {
            self.ending = Ending::Killing;
        }
        if let Ending::Killing = self.ending {
            platform::signal_tree(Signal::KILL);
        }
    }

    /// How long nothing has to be done; `None` for ever.
    fn pause(&self) -> Option<Timespec> {
        let pause = match self.ending {
            // Of the end of what is not its child a keeper is not told.
            Ending::No if !platform::REAPS_ALL && self.leader.is_none() => LOOK_FOR_REST,
            Ending::No => return None,
            Ending::Asked(deadline) => deadline.saturating_duration_since(Instant::now()),
            Ending::Killing => KILL_AGAIN,
        };
        Timespec::try_from(pause + Duration::from_millis(1)).ok()
    }

    fn report(&self, report: &Report) {
        let mut line = serde_json::to_vec(report).unwrap_or_default();
        line.push(b'\n');
        // A supervisor that is gone need not hear it.
        let _ = (&self.supervisor).write_all(&line);
    }
}

/// Empties a pipe of wake-ups; true when there was one.
fn drain(mut pipe: &UnixStream) -> bool {
    let mut bytes = [0; 64];
    matches!(pipe.read(&mut bytes), Ok(count) if count > 0)
}
