//! The environment of a run: real checkouts, a home directory, and its own block of ports.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portway_api::InstanceStatus;
use portway_ports::Process;
use portway_testing::PortBlock;
use rustix::process::Signal;

use crate::clock::FakeClock;
use crate::plan::{PORTS, SERVICES};
use crate::{Result, Tools};

/// Time limit of every command and every wait, long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(150);

/// The checkout without faults. Nothing may change there.
pub(crate) const CONTROL: &str = "control";

/// The files, ports, and programs of a run.
#[derive(Debug)]
pub(crate) struct ChaosEnv {
    pub(crate) tools: Tools,
    pub(crate) ports: PortBlock,
    pub(crate) clock: Option<FakeClock>,
    root: PathBuf,
    /// The directory for the output of commands.
    output: PathBuf,
    /// The number of commands so far.
    commands: AtomicU64,
    /// The number of successful restarts by `Action::RestartRepeatedly`.
    pub(crate) restarts: AtomicU64,
    /// Whether an action has deleted a part of Portway's state since the last recovery.
    is_state_deleted: AtomicBool,
    /// Held while a worktree is added.
    git_lock: Mutex<()>,
}

/// How a command exited.
#[derive(Debug)]
pub(crate) struct CommandResult {
    /// The checkout and the command line, for messages.
    pub(crate) title: String,
    /// The exit code, or 128 plus the signal.
    pub(crate) code: i32,
    /// Whether it was killed after [`TIMEOUT`].
    pub(crate) timed_out: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl ChaosEnv {
    /// Create the checkouts: `control`, and `c0` with its worktrees `c1`, `c2`…
    pub(crate) fn new(tools: &Tools, root: &Path, checkouts: usize) -> Result<Self> {
        // Not below `root`, where the disk may be full.
        let output = root.with_extension("output");
        let inside = ["home", "state", "behaviors"].map(|name| root.join(name));
        for dir in inside.iter().chain([&output]) {
            fs::create_dir_all(dir).map_err(|error| error.to_string())?;
        }
        let target = tools.scratch.display().to_string();
        let env = Self {
            tools: tools.clone(),
            ports: PortBlock::claim(&target, PORTS.div_ceil(portway_testing::BLOCK_SIZE)),
            clock: FakeClock::find(root),
            root: root.to_owned(),
            output,
            commands: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            is_state_deleted: AtomicBool::new(false),
            git_lock: Mutex::new(()),
        };
        for name in [CONTROL, "c0"] {
            let dir = env.path(name);
            fs::create_dir(&dir).map_err(|error| error.to_string())?;
            env.git(&dir, &["init", "--quiet"])?;
            let manifest = env.manifest(name);
            fs::write(dir.join("portway.toml"), manifest).map_err(|error| error.to_string())?;
            env.git(&dir, &["add", "."])?;
            env.git(&dir, &["commit", "--quiet", "--message", "chaos"])?;
        }
        for checkout in 1..checkouts {
            env.add_worktree(checkout)?;
        }
        Ok(env)
    }

    /// Check out a worktree. Checkout 0 is the main checkout and is not one.
    pub(crate) fn add_worktree(&self, checkout: usize) -> Result<()> {
        let (name, dir) = (format!("c{checkout}"), self.checkout(checkout));
        let main = self.checkout(0);
        let _lock = self.lock_git();
        forget_worktree(&main, &dir);
        let dir = dir.to_string_lossy();
        self.git(&main, &["worktree", "add", "--quiet", "-B", &name, &dir])
    }

    /// Let no other thread change the repository: git locks its files only briefly.
    pub(crate) fn lock_git(&self) -> MutexGuard<'_, ()> {
        let lock = self.git_lock.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// The manifest of a checkout. The port ranges of its two services overlap.
    fn manifest(&self, name: &str) -> String {
        let service = self.tools.service.display();
        let third = PORTS / 3;
        let range =
            |from: u16, to: u16| format!("{}-{}", self.ports.port(from), self.ports.port(to));
        let ranges = [range(0, 2 * third), range(third, PORTS - 1)];
        let mut manifest = format!("[project]\nname = \"{name}\"\n");
        for (service_name, range) in SERVICES.iter().zip(ranges) {
            manifest.push_str(&format!(
                "[services.{service_name}]\ncommand = \"{service} {{port}}\"\nport = \"{range}\"\n\
                 stop = {{ grace = \"1s\" }}\n"
            ));
        }
        manifest
    }

    /// A file or directory of the run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The directory of a checkout with faults.
    pub(crate) fn checkout(&self, number: usize) -> PathBuf {
        self.path(&format!("c{number}"))
    }

    /// Portway's state directory.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.root.join("state/portway")
    }

    /// Where Portway keeps the locks and logs of instances.
    pub(crate) fn instances_dir(&self) -> PathBuf {
        self.state_dir().join("instances")
    }

    /// Record that an action deletes a part of Portway's state, which concerns all checkouts.
    pub(crate) fn mark_state_deleted(&self) {
        self.is_state_deleted.store(true, Ordering::SeqCst);
    }

    /// Record that every instance has been started again.
    pub(crate) fn mark_state_restored(&self) {
        self.is_state_deleted.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_state_deleted(&self) -> bool {
        self.is_state_deleted.load(Ordering::SeqCst)
    }

    /// The file that sets the behavior of a service.
    pub(crate) fn behavior_file(&self, checkout: usize, service: usize) -> PathBuf {
        self.root
            .join(format!("behaviors/c{checkout}.{}", SERVICES[service]))
    }

    /// A command in a directory of the run, with an environment that does not depend on the
    /// machine.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("LANG", "C.UTF-8")
            .env("CHAOS_BEHAVIORS", self.path("behaviors"))
            .env("CHAOS_FIRST", self.ports.port(0).to_string())
            .env("CHAOS_COUNT", PORTS.to_string())
            .current_dir(if dir.exists() { dir } else { &self.root })
            .stdin(Stdio::null());
        command
    }

    /// Portway in a checkout. Every second checkout has a fake clock. `limit` is the number of files
    /// that it may open.
    fn portway(&self, dir: &Path, arguments: &[String], limit: Option<u64>) -> Command {
        let mut command = match limit {
            Some(limit) => {
                let mut command = self.command("sh", dir);
                command.args(["-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh"]);
                command.arg(limit.to_string()).arg(&self.tools.portway);
                command
            }
            None => self.command(&self.tools.portway, dir),
        };
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let odd = name.ends_with(['1', '3', '5', '7', '9']);
        if let Some(clock) = self.clock.as_ref().filter(|_| odd) {
            clock.apply(&mut command);
        }
        command.arg("-C").arg(dir).args(arguments);
        command
    }

    /// Start Portway with its output in files.
    pub(crate) fn start(&self, dir: &Path, arguments: &[String]) -> Result<RunningCommand> {
        self.start_command(dir, arguments, None)
    }

    /// Start Portway, which may open only `limit` files.
    pub(crate) fn start_limited(
        &self,
        dir: &Path,
        arguments: &[String],
        limit: u64,
    ) -> Result<RunningCommand> {
        self.start_command(dir, arguments, Some(limit))
    }

    fn start_command(
        &self,
        dir: &Path,
        arguments: &[String],
        limit: Option<u64>,
    ) -> Result<RunningCommand> {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let output = self.output.join(number.to_string());
        let open =
            |kind| File::create(output.with_extension(kind)).map_err(|error| error.to_string());
        let child = self
            .portway(dir, arguments, limit)
            .stdout(open("out")?)
            .stderr(open("err")?)
            .spawn()
            .map_err(|error| format!("cannot run portway: {error}"))?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        Ok(RunningCommand {
            child,
            title: format!("{name}: portway {}", arguments.join(" ")),
            output,
        })
    }

    /// Run Portway until it exits. `line` has the arguments, separated by spaces.
    pub(crate) fn run(&self, dir: &Path, line: &str) -> Result<CommandResult> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        self.start(dir, &arguments)?.finish()
    }

    /// All instances. Empty if `portway ps` fails.
    pub(crate) fn instances(&self) -> Vec<InstanceStatus> {
        let result = self.run(&self.root, "ps --json");
        result
            .ok()
            .and_then(|result| serde_json::from_str(&result.stdout).ok())
            .unwrap_or_default()
    }

    /// The instance of a checkout.
    pub(crate) fn instance(&self, dir: &Path) -> Option<InstanceStatus> {
        let dir = dir.to_string_lossy();
        let mut all = self.instances().into_iter();
        all.find(|instance| instance.directory == dir)
    }

    /// Every process of this run.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let state = self.path("state").display().to_string();
        portway_supervisor::process::pids()
            .into_iter()
            .filter(|pid| {
                portway_supervisor::process::env_var(*pid, "XDG_STATE_HOME").as_ref()
                    == Some(&state)
            })
            .filter_map(Process::read)
            .collect()
    }

    pub(crate) fn git(&self, dir: &Path, arguments: &[&str]) -> Result<()> {
        let mut command = self.command("git", dir);
        let name = ["-c", "user.name=chaos", "-c", "user.email=chaos@localhost"];
        command.args(name).args(["-c", "init.defaultBranch=main"]);
        let output = command.args(arguments).output();
        let output = output.map_err(|error| format!("cannot run git: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        Err(format!("git {}: {message}", arguments.join(" ")))
    }

    /// The files of a checkout that git would commit or reports as changed.
    pub(crate) fn untracked(&self, dir: &Path) -> Vec<String> {
        let output = self
            .command("git", dir)
            .args(["status", "--porcelain"])
            .output();
        let text = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// Delete git's record of the previous worktree in `dir`. `git worktree prune` would also delete those
/// of worktrees that are renamed for a moment.
fn forget_worktree(main: &Path, dir: &Path) {
    let link = dir.join(".git");
    let records = fs::read_dir(main.join(".git/worktrees"));
    for record in records.into_iter().flatten().flatten() {
        let target = fs::read_to_string(record.path().join("gitdir")).unwrap_or_default();
        if Path::new(target.trim_end()) == link {
            // If it stays, git reports it.
            let _ = fs::remove_dir_all(record.path());
        }
    }
}

/// A running command.
#[derive(Debug)]
pub(crate) struct RunningCommand {
    child: Child,
    title: String,
    /// The files with its output, without their extension.
    output: PathBuf,
}

impl RunningCommand {
    /// Send a signal. An error means that it has exited, which the caller detects later.
    pub(crate) fn signal(&self, signal: Signal) {
        // The child has not been waited for, so its pid cannot be reused.
        let pid = i32::try_from(self.child.id()).ok();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    pub(crate) fn has_exited(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Wait until the command exits or the time limit has passed. Returns whether it has exited.
    pub(crate) fn wait(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.has_exited() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.has_exited()
    }

    /// Wait until the command exits, and kill it after [`TIMEOUT`].
    pub(crate) fn finish(mut self) -> Result<CommandResult> {
        let timed_out = !self.wait(TIMEOUT);
        if timed_out {
            // An error means that it has just exited.
            let _ = self.child.kill();
        }
        let status = self
            .child
            .wait()
            .map_err(|error: io::Error| error.to_string())?;
        let read = |kind| fs::read(self.output.with_extension(kind)).unwrap_or_default();
        let read = |kind| String::from_utf8_lossy(&read(kind)).into_owned();
        Ok(CommandResult {
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            timed_out,
            stdout: read("out"),
            stderr: read("err"),
            title: self.title,
        })
    }
}
