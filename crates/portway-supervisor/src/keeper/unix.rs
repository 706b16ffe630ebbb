//! The keeper on Linux and macOS: a loop that waits for children, signals and commands.

mod start;
mod stop;

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::pipe;

use super::{KeeperCommand, Report, Task, TaskCommand, TaskInput};
use crate::platform::{self, ControlGroup};
use crate::process::ProcessId;
use crate::record::{Kind, Own, Record};
use crate::state::ExitStatus;
use crate::stuck::{KillWatch, StuckProcess};

/// A variable that decides whether control groups are used: `1` wherever one can be created, `0` never.
/// By default they are used where the service manager has delegated a group.
const GROUPS_VARIABLE: &str = "PORTWAY_CGROUPS";

/// How often SIGKILL is repeated while processes are left. The next round catches a process that was
/// forked during the previous one.
const KILL_INTERVAL: Duration = Duration::from_millis(5);

/// How long SIGKILL is repeated without a pause to outrun processes that fork and exit.
const RACE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the keeper checks for remaining processes after the leader has exited, on systems that
/// do not report their exit.
const TREE_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Whether the process tree is being stopped.
#[derive(Clone, Copy, Debug)]
enum StopState {
    Running,
    /// The stop signal was sent. SIGKILL follows at this time.
    Stopping(Instant),
    /// Killing since this time.
    Killing(Instant),
}

struct Tree<'a> {
    task: &'a Task,
    supervisor: UnixStream,
    /// The process that runs the command, until it has exited.
    leader: Option<Pid>,
    stop_state: StopState,
    /// The other end of the leader's input, which keeps it open.
    held_input: Option<OwnedFd>,
    /// The leader's end of its input, until it has started.
    input: Option<OwnedFd>,
    /// Whether the input is a terminal.
    has_terminal: bool,
    /// The control group of the tree, if there is one.
    group: Option<ControlGroup>,
    record: Option<Own>,
    /// When the whole tree was last read to kill it.
    last_tree_read: Option<Instant>,
    watch: KillWatch,
    /// The processes that cannot be killed, once the keeper gives up.
    stuck: Vec<ProcessId>,
}

/// Starts the command and waits until no process of the tree is left.
pub(super) fn run(task: &Task) -> io::Result<()> {
    let supervisor = match task.command {
        TaskCommand::Foreground(connection, _) => {
            UnixStream::from(platform::take_inherited(connection)?)
        }
        TaskCommand::Shell(_) => {
            // In a separate session, signals from the terminal reach only the supervisor, which stops
            // services in order. The call fails only if the process already leads a session.
            let _ = rustix::process::setsid();
            UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?)
        }
    };
    platform::become_reaper()?;
    supervisor.set_nonblocking(true)?;
    let record = task.record.as_ref().map(Own::take).transpose()?;
    let (children, on_child) = UnixStream::pair()?;
    let (signals, on_signal) = UnixStream::pair()?;
    let (ignored, on_ignored) = UnixStream::pair()?;
    children.set_nonblocking(true)?;
    signals.set_nonblocking(true)?;
    ignored.set_nonblocking(true)?;
    pipe::register(SIGCHLD, on_child)?;
    // A handler also resets a signal that was inherited as ignored, so that the service starts with
    // the default behavior.
    let is_foreground = matches!(task.command, TaskCommand::Foreground(..));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        // The terminal sends its signals to the command in the foreground, too.
        let from_terminal = is_foreground && signal != SIGTERM;
        let target = if from_terminal {
            &on_ignored
        } else {
            &on_signal
        };
        pipe::register(signal, target.try_clone()?)?;
    }
    if is_foreground {
        pipe::register(SIGQUIT, on_ignored)?;
    }
    let (held_input, input) = take_input(task.input)?;
    let mut tree = Tree {
        task,
        supervisor,
        leader: None,
        stop_state: StopState::Running,
        held_input,
        input,
        has_terminal: matches!(task.input, TaskInput::Terminal(_)),
        group: record.as_ref().and_then(create_group),
        record,
        last_tree_read: None,
        watch: KillWatch::default(),
        stuck: Vec::new(),
    };
    tree.write_record();
    match tree.start() {
        Ok(pid) => {
            tree.leader = Some(pid);
            tree.input = None;
            if tree.has_terminal {
                tree.write_record();
            }
            tree.report(&Report::Started(number(pid)));
        }
        Err(error) => {
            tree.report(&Report::StartFailed(error.into()));
            tree.finish();
            return Ok(());
        }
    }
    let mut is_connected = true;
    loop {
        if !tree.reap() {
            tree.finish();
            return Ok(());
        }
        tree.kill_if_due();
        if !tree.stuck.is_empty() {
            tree.give_up();
            return Ok(());
        }
        let mut waits = vec![
            PollFd::new(&children, PollFlags::IN),
            PollFd::new(&signals, PollFlags::IN),
        ];
        if is_connected {
            waits.push(PollFd::from_borrowed_fd(
                tree.supervisor.as_fd(),
                PollFlags::IN,
            ));
        }
        // Nobody else reads the terminal then, and a service that prints must not wait.
        let terminal = tree.held_input.as_ref().filter(|_| tree.has_terminal);
        let terminal = terminal.filter(|_| !is_connected);
        if let Some(terminal) = terminal {
            waits.push(PollFd::new(terminal, PollFlags::IN));
        }
        match poll(&mut waits, tree.wait_timeout().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let has_output =
            terminal.is_some() && waits.last().is_some_and(|w| !w.revents().is_empty());
        drop(waits);
        if has_output && !discard_output(&tree) {
            tree.held_input = None;
        }
        drain(&children);
        drain(&ignored);
        if drain(&signals) {
            tree.request_stop();
        }
        if is_connected {
            is_connected = tree.receive_commands();
        }
    }
}

/// Takes the input of the leader: the end that this keeper holds, and the leader's.
fn take_input(input: TaskInput) -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
    match input {
        TaskInput::Empty => Ok((None, None)),
        TaskInput::Pipe(reader, writer) => {
            let writer = platform::take_inherited(writer)?;
            Ok((Some(writer), Some(platform::take_inherited(reader)?)))
        }
        TaskInput::Terminal(fd) => {
            let terminal = platform::take_inherited(fd)?;
            let other = platform::open_terminal_of_service(&terminal)?;
            Ok((Some(terminal), Some(other)))
        }
    }
}

/// Reads what the service has printed to its terminal. Returns false at the end.
fn discard_output(tree: &Tree<'_>) -> bool {
    let mut bytes = [0; 4096];
    let Some(terminal) = &tree.held_input else {
        return false;
    };
    match rustix::io::read(terminal, &mut bytes[..]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error, rustix::io::Errno::AGAIN | rustix::io::Errno::INTR),
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// Creates the control group of this keeper, where the system allows it.
fn create_group(record: &Own) -> Option<ControlGroup> {
    let name = record.group_name()?;
    match env::var(GROUPS_VARIABLE).as_deref() {
        Ok("0") => None,
        Ok("1") => ControlGroup::create(&name),
        _ => ControlGroup::create_delegated(&name),
    }
}

impl Tree<'_> {
    /// Continues without a group, because the system allows to create one but not to use it.
    fn leave_group(&mut self) {
        if let Some(group) = self.group.take() {
            group.remove();
            self.write_record();
        }
    }

    fn write_record(&self) {
        let Some((own, id)) = self
            .record
            .as_ref()
            .zip(ProcessId::read(std::process::id()))
        else {
            return;
        };
        let (kind, service) = match &self.task.command {
            TaskCommand::Shell(_) => (Kind::Service, env::var(crate::mark::NAME).ok()),
            TaskCommand::Foreground(_, words) => {
                let program = words
                    .first()
                    .map(|word| word.to_string_lossy().into_owned());
                (Kind::Command, program)
            }
        };
        let service = service.unwrap_or_default();
        let name = service.rsplit('/').next().unwrap_or_default();
        let record = Record {
            pid: id.pid,
            started: id.started,
            group: self.group.as_ref().map(|group| group.path().to_owned()),
            session: self.leader.filter(|_| self.has_terminal).map(number),
            ..Record::new(kind, name)
        };
        // On a full disk the record stays without the group; the processes are found by their mark.
        let _ = own.write(&record);
    }

    /// Reports the end of the tree and removes its group and record.
    fn finish(&mut self) {
        if let Some(group) = self.group.take() {
            // A process that joined the group from elsewhere.
            if group.is_populated() {
                group.kill();
            }
            group.remove();
            if group.is_populated() {
                self.record = None;
            }
        }
        if let Some(record) = self.record.take() {
            record.remove();
        }
        self.report(&Report::TreeGone);
    }

    /// Reports the processes that cannot be killed. Group and record stay for a later command.
    fn give_up(&mut self) {
        let stuck = self.stuck.iter().copied().filter_map(StuckProcess::read);
        self.report(&Report::Stuck(stuck.collect()));
        self.report(&Report::TreeGone);
    }

    /// Waits for processes that have exited, without blocking. Returns false when none is left.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, wait_status))) if Some(pid) == self.leader => {
                    self.leader = None;
                    self.report(&Report::LeaderExited(exit_status(wait_status)));
                    match self.stop_state {
                        StopState::Stopping(_) => self.signal_tree(),
                        StopState::Running if self.is_foreground() => self.request_stop(),
                        _ => {}
                    }
                }
                Ok(Some((_, wait_status))) => {
                    let status = exit_status(wait_status);
                    if self.leader.is_none()
                        && matches!(self.stop_state, StopState::Running)
                        && !status.is_success()
                    {
                        self.report(&Report::DaemonFailed(status));
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return true,
                // There are no children. On systems without subreapers, other processes of the
                // tree may be left.
                Err(_) => return !platform::REAPS_ALL && !platform::tree().is_empty(),
            }
        }
    }

    /// Carries out the supervisor's commands. Returns false when the supervisor is gone.
    fn receive_commands(&mut self) -> bool {
        let mut commands = [0; 16];
        match (&self.supervisor).read(&mut commands) {
            Ok(0) => {
                self.request_stop();
                false
            }
            Ok(count) => {
                for command in &commands[..count] {
                    if *command == KeeperCommand::Stop as u8 {
                        self.request_stop();
                    } else if *command == KeeperCommand::Kill as u8 {
                        self.start_killing();
                    } else if *command == KeeperCommand::Terminate as u8 {
                        self.signal_leader(Signal::TERM);
                    } else if *command == KeeperCommand::HangUp as u8 {
                        self.signal_leader(Signal::HUP);
                    }
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => {
                self.request_stop();
                false
            }
        }
    }

    /// Returns how long to wait for an event. `None` means no limit.
    fn wait_timeout(&self) -> Option<Timespec> {
        let timeout = match self.stop_state {
            StopState::Running if !platform::REAPS_ALL && self.leader.is_none() => {
                TREE_POLL_INTERVAL
            }
            StopState::Running => return None,
            StopState::Stopping(deadline) => deadline.saturating_duration_since(Instant::now()),
            StopState::Killing(since) if self.group.is_none() && since.elapsed() < RACE_TIMEOUT => {
                return Some(Timespec::default());
            }
            StopState::Killing(_) => KILL_INTERVAL,
        };
        Timespec::try_from(timeout + Duration::from_millis(1)).ok()
    }

    fn report(&self, report: &Report) {
        let mut line = serde_json::to_vec(report).unwrap_or_default();
        line.push(b'\n');
        // A write fails only if the supervisor is gone.
        let _ = (&self.supervisor).write_all(&line);
    }
}

fn exit_status(status: WaitStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, signal) => ExitStatus::Signal(signal.unwrap_or(0)),
    }
}

/// Empties a wake-up pipe. Returns whether it contained anything.
fn drain(mut pipe: &UnixStream) -> bool {
    let mut bytes = [0; 64];
    matches!(pipe.read(&mut bytes), Ok(count) if count > 0)
}
