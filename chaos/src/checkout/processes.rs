//! Actions that signal the processes of an instance.

use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use portway_ports::{Process, ProcessId};
use portway_supervisor::process::{descendants, env_var, send_signal};
use rustix::process::Signal;

use super::Checkout;
use crate::Result;
use crate::env::TIMEOUT;
use crate::invariants::cleanup;
use crate::invariants::commands::Conditions;
use crate::plan::{Fault, PortwayCommand, ProcessRole, SERVICES};
use crate::probe;

/// How long to wait for a restart to start its keeper.
const KEEPER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a command that waits for a suspended process runs before it receives SIGINT. It must
/// not be necessary for commands that have a time limit themselves.
const SUSPENDED_TIMEOUT: Duration = Duration::from_secs(60);

/// Send SIGKILL to processes at the same time: they are stopped first, so that none sees the end
/// of another.
pub(super) fn kill_together(processes: &[ProcessId]) {
    for signal in [Signal::STOP, Signal::KILL] {
        for process in processes {
            // An error means that it has exited.
            let _ = send_signal(*process, signal);
        }
    }
}

/// The hidden command that a process of Portway runs, such as `__keeper`.
fn hidden_command(process: ProcessId) -> Option<String> {
    let arguments = Process::read(process.pid)?.args;
    arguments
        .into_iter()
        .nth(1)
        .filter(|argument| argument.starts_with("__"))
}

impl Checkout<'_> {
    /// A process of the instance. `None` if it is not a process of this run.
    pub(super) fn find(&self, role: ProcessRole) -> Option<ProcessId> {
        let instance = self.env.instance(&self.dir())?;
        let service = |index: usize| {
            let mut services = instance.services.iter();
            services
                .find(|service| service.name == SERVICES[index])?
                .pid
        };
        let pid = match role {
            ProcessRole::Supervisor => instance.pid?,
            ProcessRole::Service(index) => service(index)?,
            ProcessRole::Keeper(index) => Process::read(service(index)?)?.parent,
        };
        let state = self.env.path("state").display().to_string();
        let is_own = env_var(pid, "XDG_STATE_HOME") == Some(state);
        Process::read(pid)
            .filter(|_| is_own)
            .map(|process| process.id)
    }

    pub(super) fn inject(&self, role: ProcessRole, fault: Fault) {
        let Some(process) = self.find(role) else {
            return;
        };
        let send = |signal| {
            // An error means that it has exited.
            let _ = send_signal(process, signal);
        };
        match fault {
            Fault::Kill => send(Signal::KILL),
            Fault::Terminate => send(Signal::TERM),
            Fault::Pause(duration) => {
                send(Signal::STOP);
                thread::sleep(duration);
                send(Signal::CONT);
            }
        }
    }

    pub(super) fn trigger(&self, service: usize, what: &str) {
        let Some(instance) = self.env.instance(&self.dir()) else {
            return;
        };
        let mut services = instance.services.iter();
        let service = services.find(|status| status.name == SERVICES[service]);
        if let Some(port) = service.and_then(|service| service.ports.first()) {
            // The service may exit instead of answering.
            let _ = probe::get(
                Ipv4Addr::LOCALHOST.into(),
                port.port,
                &format!("/do/{what}"),
            );
        }
    }

    /// The keepers of the instance, and its guard if `with_guard`.
    fn helpers(&self, supervisor: ProcessId, with_guard: bool) -> Vec<ProcessId> {
        let mut helpers = descendants(supervisor.pid);
        helpers.retain(|process| match hidden_command(*process).as_deref() {
            Some("__keeper") => true,
            Some("__guard") => with_guard,
            _ => false,
        });
        helpers
    }

    pub(super) fn kill_portway(&self, with_guard: bool) {
        if let Some(supervisor) = self.find(ProcessRole::Supervisor) {
            let mut all = self.helpers(supervisor, with_guard);
            all.push(supervisor);
            kill_together(&all);
        }
    }

    pub(super) fn kill_starting_keeper(&self, service: usize, delay: Duration) -> Result<()> {
        let Some(supervisor) = self.find(ProcessRole::Supervisor) else {
            return Ok(());
        };
        let before = self.helpers(supervisor, false);
        let mut restart = self.start(PortwayCommand::Restart(service))?;
        let deadline = Instant::now() + KEEPER_TIMEOUT;
        while !restart.has_exited() && Instant::now() < deadline {
            let now = self.helpers(supervisor, false);
            if let Some(new) = now.into_iter().find(|process| !before.contains(process)) {
                thread::sleep(delay);
                // An error means that it has exited.
                let _ = send_signal(new, Signal::KILL);
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.finish_or_interrupt(restart)
    }

    pub(super) fn run_while_suspended(
        &self,
        role: ProcessRole,
        command: PortwayCommand,
    ) -> Result<()> {
        let Some(process) = self.find(role) else {
            return Ok(());
        };
        // An error means that it has exited.
        let _ = send_signal(process, Signal::STOP);
        let mut command = self.start(command)?;
        let must_interrupt = !command.wait(SUSPENDED_TIMEOUT);
        if must_interrupt {
            command.signal(Signal::INT);
        }
        let result = command.finish();
        let conditions = Conditions {
            was_signaled: must_interrupt,
            is_suspended: true,
            ..self.conditions()
        };
        self.check(&result?, conditions);
        let _ = send_signal(process, Signal::CONT);
        Ok(())
    }

    /// After `portway down`, no process of the instance may be left. Some exit in this moment.
    pub(super) fn check_nothing_left(&self) {
        let left = || {
            let dir = self.dir();
            let mut processes = self.env.processes();
            processes.retain(|process| {
                let link = fs::read_link(format!("/proc/{}/cwd", process.id.pid));
                let is_service = env_var(process.id.pid, "PORTWAY_RUN").is_some();
                is_service && link.is_ok_and(|path| path == dir)
            });
            processes
        };
        let deadline = Instant::now() + cleanup::EXIT_GRACE.min(TIMEOUT);
        let mut processes = left();
        while !processes.is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
            processes = left();
        }
        let violation = processes.first();
        let violation = violation.map(|process| format!("a process survives: {process:?}"));
        self.violations
            .record("`down` stops every process", violation);
    }
}
