//! Carries out the actions of a plan in one checkout.

mod directory;
mod ports_file;
mod processes;
mod state;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Result;
use crate::env::{ChaosEnv, CommandResult, RunningCommand, TIMEOUT};
use crate::invariants::commands::{self, Conditions};
use crate::plan::{Action, Pause, PortwayCommand, ProcessRole, SERVICES};
use crate::violations::Violations;

/// How long a command may run before it receives SIGINT. It would otherwise wait for minutes for a
/// service that never becomes ready.
const INTERRUPT_DELAY: Duration = Duration::from_secs(3);

/// How long to wait for an instance to stop after a command reported that it is not running.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// One checkout and its running commands.
#[derive(Debug)]
pub(crate) struct Checkout<'a> {
    pub(crate) env: &'a ChaosEnv,
    pub(crate) violations: &'a Violations,
    pub(crate) number: usize,
    /// The running `up` in the foreground.
    foreground: Option<RunningCommand>,
    /// Whether an action has edited `.ports.json`, as a user does, since the last recovery.
    was_edited: bool,
    /// Whether an action has limited the descriptors of the supervisor since the last recovery.
    was_limited: bool,
    /// Whether an action has replaced the directory since the last recovery.
    was_replaced: bool,
}

impl<'a> Checkout<'a> {
    pub(crate) fn new(env: &'a ChaosEnv, violations: &'a Violations, number: usize) -> Self {
        Self {
            env,
            violations,
            number,
            foreground: None,
            was_edited: false,
            was_limited: false,
            was_replaced: false,
        }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.env.checkout(self.number)
    }

    /// Run a command until it exits, and check its result.
    pub(crate) fn run(&self, line: &str) -> Result<CommandResult> {
        let result = self.env.run(&self.dir(), line)?;
        self.check(&result, self.conditions());
        Ok(result)
    }

    /// What may explain the failure of a command that runs now.
    fn conditions(&self) -> Conditions {
        Conditions {
            is_limited: self.was_limited,
            is_replaced: self.was_replaced,
            is_state_deleted: self.env.is_state_deleted(),
            ..Conditions::default()
        }
    }

    fn check(&self, result: &CommandResult, conditions: Conditions) {
        let violation = commands::evaluate(result, conditions, || self.is_running());
        self.violations
            .record("commands exit as documented", violation);
    }

    /// Whether the instance still runs after [`STOP_TIMEOUT`].
    fn is_running(&self) -> bool {
        let deadline = Instant::now() + STOP_TIMEOUT;
        let runs = || {
            let instance = self.env.instance(&self.dir());
            instance.is_some_and(|instance| instance.pid.is_some())
        };
        while runs() {
            if Instant::now() > deadline {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn start(&self, command: PortwayCommand) -> Result<RunningCommand> {
        let arguments = command.arguments(|index| self.env.ports.port(index));
        self.env.start(&self.dir(), &arguments)
    }

    fn finish(&self, command: RunningCommand, was_signaled: bool) -> Result<()> {
        let result = command.finish()?;
        let conditions = Conditions {
            was_signaled,
            ..self.conditions()
        };
        self.check(&result, conditions);
        Ok(())
    }

    /// Wait for a command, and interrupt it after [`INTERRUPT_DELAY`].
    fn finish_or_interrupt(&self, mut command: RunningCommand) -> Result<()> {
        let must_interrupt = !command.wait(INTERRUPT_DELAY);
        if must_interrupt {
            command.signal(Signal::INT);
        }
        self.finish(command, must_interrupt)
    }

    fn run_with_pause(&self, command: PortwayCommand, pause: Pause) -> Result<()> {
        let command = self.start(command)?;
        thread::sleep(pause.delay);
        command.signal(Signal::STOP);
        thread::sleep(pause.duration);
        command.signal(Signal::CONT);
        self.finish_or_interrupt(command)
    }

    /// Carry out one action. An action with many parts starts no part after `deadline`.
    pub(crate) fn act(&mut self, action: &Action, deadline: Instant) -> Result<()> {
        match action {
            Action::Run(command) => self.finish_or_interrupt(self.start(*command)?)?,
            Action::KillCommand(command, delay) => {
                let command = self.start(*command)?;
                thread::sleep(*delay);
                command.signal(Signal::KILL);
                self.finish(command, true)?;
            }
            Action::KillWhileWriting(command) => self.kill_while_writing(*command)?,
            Action::RaceDetectWithUp => self.race_detect_with_up()?,
            Action::PauseCommand(command, pause) => self.run_with_pause(*command, *pause)?,
            Action::StartForeground => {
                let command = self.env.start(&self.dir(), &["up".to_owned()])?;
                if let Some(previous) = self.foreground.replace(command) {
                    previous.signal(Signal::INT);
                    self.finish(previous, true)?;
                }
            }
            Action::Inject(role, fault) => self.inject(*role, *fault),
            Action::KillKeeperAndSupervisor(service) => {
                let both = [
                    self.find(ProcessRole::Keeper(*service)),
                    self.find(ProcessRole::Supervisor),
                ];
                processes::kill_together(&both.into_iter().flatten().collect::<Vec<_>>());
            }
            Action::KillPortway(with_guard) => self.kill_portway(*with_guard),
            Action::KillStartingKeeper(service, delay) => {
                self.kill_starting_keeper(*service, *delay)?;
            }
            Action::RunWhileSuspended(role, command) => {
                self.run_while_suspended(*role, *command)?;
            }
            Action::LimitDescriptors(command, limit) => {
                self.run_with_descriptors(*command, *limit)?;
            }
            Action::SetBehavior(service, behavior) => {
                let file = self.env.behavior_file(self.number, *service);
                replace(&file, behavior.as_bytes());
            }
            Action::Trigger(service, what) => self.trigger(*service, what),
            Action::ForcePort(service, index) => self.force_port(*service, *index),
            Action::CopyPortsFile(other) => {
                if let Ok(bytes) = fs::read(self.env.checkout(*other).join(".ports.json")) {
                    self.was_edited = true;
                    replace(&self.ports_file(), &bytes);
                }
            }
            Action::DeleteCheckout => self.delete_checkout()?,
            Action::MoveCheckout(command) => self.move_checkout(*command)?,
            Action::ReplaceCheckout(command) => self.replace_checkout(*command)?,
            Action::DeleteState(part) => self.delete_state(*part),
            Action::RunConcurrently(commands) => self.run_concurrently(commands)?,
            Action::RestartRepeatedly(service, count) => {
                self.restart_repeatedly(*service, *count, deadline)?;
            }
            Action::Idle(duration) => thread::sleep(*duration),
        }
        Ok(())
    }

    fn run_concurrently(&self, commands: &[(PortwayCommand, Option<Pause>)]) -> Result<()> {
        thread::scope(|scope| {
            let start = |(command, pause): &(PortwayCommand, Option<Pause>)| {
                let (command, pause) = (*command, *pause);
                scope.spawn(move || match pause {
                    Some(pause) => self.run_with_pause(command, pause),
                    None => self.finish_or_interrupt(self.start(command)?),
                })
            };
            let threads: Vec<_> = commands.iter().map(start).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(panicked))
        })
    }

    /// Restart a service without misbehavior, which takes little time.
    fn restart_repeatedly(&self, service: usize, count: usize, deadline: Instant) -> Result<()> {
        self.reset_behaviors();
        for _ in 0..count {
            if self.violations.must_stop() || Instant::now() > deadline {
                break;
            }
            let mut restart = self.start(PortwayCommand::Restart(service))?;
            let must_interrupt = !restart.wait(INTERRUPT_DELAY);
            if must_interrupt {
                restart.signal(Signal::INT);
            }
            let result = restart.finish()?;
            let conditions = Conditions {
                was_signaled: must_interrupt,
                ..self.conditions()
            };
            self.check(&result, conditions);
            if result.code == 0 {
                self.env.restarts.fetch_add(1, Ordering::Relaxed);
            } else {
                self.finish_or_interrupt(self.start(PortwayCommand::Up)?)?;
            }
        }
        Ok(())
    }

    /// Let every service behave well from its next start.
    fn reset_behaviors(&self) {
        for service in 0..SERVICES.len() {
            // An error means that no behavior is set.
            let _ = fs::remove_file(self.env.behavior_file(self.number, service));
        }
    }

    /// Interrupt the `up` in the foreground, if it runs.
    pub(crate) fn stop_foreground(&mut self) -> Result<()> {
        if let Some(command) = self.foreground.take() {
            command.signal(Signal::INT);
            self.finish(command, true)?;
        }
        Ok(())
    }

    /// Stop everything, let every service behave well, and run `portway up`, which must succeed.
    pub(crate) fn recover(&mut self) -> Result<()> {
        self.reset_behaviors();
        if let Some(command) = &mut self.foreground
            && command.has_exited()
        {
            self.stop_foreground()?;
        }
        if !self.was_edited {
            self.check_ports_file();
        }
        // A service keeps its behavior until its next start.
        self.run(["down", "down --now"][self.number % 2])?;
        if std::mem::take(&mut self.was_edited) || self.env.is_state_deleted() {
            // A forced port may be in use. Portway's error proposes to delete the file. Without its
            // state, Portway does not know that it wrote the file itself.
            let _ = fs::remove_file(self.ports_file());
        }
        self.stop_foreground()?;
        self.was_limited = false;
        self.was_replaced = false;
        self.check_nothing_left();
        let result = self.run("up --detach")?;
        if result.code != 0 {
            let violation = format!("`up` fails after the faults: {result:?}");
            self.violations
                .record("everything recovers", Some(violation));
        }
        Ok(())
    }
}

/// The error of a thread that panicked.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Result<()> {
    Err("a thread of the run panicked".to_owned())
}

/// Replace a file atomically.
fn replace(file: &Path, bytes: &[u8]) {
    let new = file.with_extension("edited");
    // An error means that the directory was deleted.
    let _ = fs::write(&new, bytes).and_then(|()| fs::rename(&new, file));
}

/// Delete a directory while other processes may still write into it.
pub(crate) fn delete(dir: &Path) {
    let deadline = Instant::now() + TIMEOUT;
    while fs::remove_dir_all(dir).is_err() && dir.exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}
