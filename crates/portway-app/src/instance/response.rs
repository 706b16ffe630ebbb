//! Waiting for a supervisor: what is reported meanwhile, and when the command gives up.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use portway_api::ErrorCode;
use portway_registry::{RegistryWait, RunningRecord};
use portway_supervisor::control;
use portway_supervisor::process::is_suspended;
use tokio::time::{Instant, timeout};

use crate::error::CommandError;

/// How long a command waits in silence.
pub(crate) const REPORT_DELAY: Duration = Duration::from_secs(2);

/// How long a command waits for a supervisor that is suspended.
const SUSPENDED_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a supervisor that serves its socket may take to respond.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a supervisor may take to serve its socket. It first waits for the processes that a killed
/// one left, which may have long grace periods.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a supervisor may take to exit after its last service has stopped.
const EXIT_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a supervisor that does not respond is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

type Print = Box<dyn Fn(&str) + Send + Sync>;

static NOTICE: OnceLock<Print> = OnceLock::new();

/// Sets the function that prints what a command waits for. Only the first call has an effect.
pub fn on_wait(print: impl Fn(&str) + Send + Sync + 'static) {
    // Later calls are ignored.
    let _ = NOTICE.set(Box::new(print));
    let is_reported = std::sync::atomic::AtomicBool::new(false);
    portway_registry::on_wait(move |wait| {
        if !is_reported.swap(true, std::sync::atomic::Ordering::Relaxed) {
            report(&registry_wait(wait));
        }
        wait.holder.is_some_and(is_suspended)
    });
}

/// Prints what the command waits for, or another fact about the instance.
pub(crate) fn report(text: &str) {
    if let Some(print) = NOTICE.get() {
        print(text);
    }
}

fn registry_wait(wait: &RegistryWait) -> String {
    let file = wait.file.display();
    match wait.holder {
        Some(pid) if is_suspended(pid) => format!(
            "waiting for process {pid}, which is suspended and has locked `{file}`: {}",
            resume(pid)
        ),
        Some(pid) => format!("waiting for process {pid} to release its lock on `{file}`"),
        None => format!("waiting for another `portway` command to release its lock on `{file}`"),
    }
}

/// How to resume a suspended process.
fn resume(pid: u32) -> String {
    format!("run `kill -CONT {pid}`, or `fg` in its terminal")
}

/// A command's wait for the supervisor of one instance.
pub(crate) struct SupervisorWait {
    dir: PathBuf,
    start: Instant,
    is_reported: bool,
}

impl SupervisorWait {
    /// Starts to wait for the supervisor of the instance with this directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            start: Instant::now(),
            is_reported: false,
        }
    }

    /// Waits for a response of the supervisor.
    ///
    /// # Errors
    /// When it is suspended or does not respond in time.
    pub(crate) async fn response<T>(
        &mut self,
        response: impl Future<Output = T>,
    ) -> Result<T, CommandError> {
        self.response_within(RESPONSE_TIMEOUT, response).await
    }

    /// Same as [`SupervisorWait::response`], with another time limit.
    pub(crate) async fn response_within<T>(
        &mut self,
        limit: Duration,
        response: impl Future<Output = T>,
    ) -> Result<T, CommandError> {
        tokio::pin!(response);
        let deadline = Instant::now() + limit;
        loop {
            match timeout(CHECK_INTERVAL, &mut response).await {
                Ok(response) => return Ok(response),
                Err(_) => self.check("respond", deadline)?,
            }
        }
    }

    /// Reports that the command waits for the supervisor to serve its socket.
    ///
    /// # Errors
    /// When it is suspended or does not start in time.
    pub(crate) fn start(&mut self) -> Result<(), CommandError> {
        if self.start.elapsed() < REPORT_DELAY {
            return Ok(());
        }
        self.check("start", self.start + START_TIMEOUT)
    }

    /// Reports that the command waits for the supervisor to exit.
    ///
    /// # Errors
    /// When it is suspended or does not exit in time.
    pub(crate) fn exit(&mut self) -> Result<(), CommandError> {
        self.check("exit", self.start + EXIT_TIMEOUT)
    }

    fn check(&mut self, action: &str, deadline: Instant) -> Result<(), CommandError> {
        let elapsed = self.start.elapsed();
        if elapsed < REPORT_DELAY {
            return Ok(());
        }
        let who = Supervisor::read(&self.dir);
        let is_suspended = who.pid.filter(|&pid| is_suspended(pid));
        if !std::mem::replace(&mut self.is_reported, true) {
            report(&match is_suspended {
                Some(pid) => format!("waiting for {who}, which is suspended: {}", resume(pid)),
                None => format!("waiting for {who} to {action}"),
            });
        }
        if let Some(pid) = is_suspended.filter(|_| elapsed >= SUSPENDED_TIMEOUT) {
            return Err(who.suspended(pid));
        }
        if Instant::now() >= deadline {
            return Err(who.unresponsive(elapsed));
        }
        Ok(())
    }
}

/// Returns an error if the supervisor of the instance with this directory is suspended.
pub(crate) fn check_suspended(dir: &Path) -> Result<(), CommandError> {
    let who = Supervisor::read(dir);
    match who.pid.filter(|&pid| is_suspended(pid)) {
        Some(pid) => Err(who.suspended(pid)),
        None => Ok(()),
    }
}

/// A supervisor, as messages name it.
struct Supervisor {
    name: Option<String>,
    pid: Option<u32>,
}

impl Supervisor {
    fn read(dir: &Path) -> Self {
        let record = RunningRecord::read(dir);
        Self {
            pid: supervisor_pid(dir, record.as_ref()),
            name: record.map(|record| record.instance.name),
        }
    }

    fn suspended(&self, pid: u32) -> CommandError {
        CommandError::new(ErrorCode::Unresponsive, format!("{self} is suspended"))
            .hint(format!("{} to resume it", resume(pid)))
            .hint(format!(
                "run `kill -KILL {pid}` to kill the supervisor; its services then stop, too"
            ))
    }

    fn unresponsive(&self, elapsed: Duration) -> CommandError {
        let message = format!("{self} did not respond for {} s", elapsed.as_secs());
        let error = CommandError::new(ErrorCode::Unresponsive, message);
        match self.pid {
            Some(pid) => error.hint(format!(
                "run `kill -KILL {pid}` to kill the supervisor; its services then stop, too"
            )),
            None => error,
        }
    }
}

impl std::fmt::Display for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "the supervisor of `{name}`")?,
            None => write!(f, "the supervisor of this checkout")?,
        }
        match self.pid {
            Some(pid) => write!(f, " (pid {pid})"),
            None => Ok(()),
        }
    }
}

/// Returns the pid of the supervisor of the instance with this directory. The caller knows that the
/// instance is running.
pub(crate) fn supervisor_pid(dir: &Path, record: Option<&RunningRecord>) -> Option<u32> {
    let recorded = record.map(|record| record.pid);
    recorded.or_else(|| control::supervisor_pid(&dir.join(control::SOCKET)))
}
