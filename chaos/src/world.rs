//! Where a run takes place: real checkouts, a home and a block of ports that it has to itself.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portway_api::InstanceStatus;
use portway_ports::Process;
use portway_testing::PortBlock;
use rustix::process::Signal;

use crate::clock::Clock;
use crate::plan::{PORTS, SERVICES};
use crate::{Result, Tools};

/// Longer than anything takes that ends at all, on a machine however busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// The checkout that is left alone and must never notice anything.
pub(crate) const QUIET: &str = "quiet";

/// The places of a run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tools: Tools,
    pub(crate) ports: PortBlock,
    pub(crate) clock: Option<Clock>,
    root: PathBuf,
    /// What commands print.
    printed: PathBuf,
    commands: AtomicU64,
    /// How many restarts there were of the service that is restarted again and again.
    pub(crate) restarts: AtomicU64,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) words: String,
    /// The exit code, or 128 and the signal.
    pub(crate) code: i32,
    /// It had to be killed, for it did not end by itself.
    pub(crate) hung: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// Makes the checkouts: `quiet`, and `c0` with its worktrees `c1`, `c2`…
    pub(crate) fn new(tools: &Tools, root: &Path, lanes: usize) -> Result<Self> {
        // Beside it, so that a disk that is full there takes no words away.
        let printed = root.with_extension("printed");
        let inside = ["home", "state", "moods"].map(|name| root.join(name));
        for dir in inside.iter().chain([&printed]) {
            fs::create_dir_all(dir).map_err(|error| error.to_string())?;
        }
        let target = tools.scratch.display().to_string();
        let world = Self {
            tools: tools.clone(),
            ports: PortBlock::claim(&target, PORTS.div_ceil(portway_testing::BLOCK)),
            clock: Clock::find(root),
            root: root.to_owned(),
            printed,
            commands: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
        };
        for name in [QUIET, "c0"] {
            let dir = world.checkout(name);
            fs::create_dir(&dir).map_err(|error| error.to_string())?;
            world.git(&dir, &["init", "--quiet"])?;
            let manifest = world.manifest(name);
            fs::write(dir.join("portway.toml"), manifest).map_err(|error| error.to_string())?;
            world.git(&dir, &["add", "."])?;
            world.git(&dir, &["commit", "--quiet", "--message", "chaos"])?;
        }
        for lane in 1..lanes {
            world.add_worktree(lane)?;
        }
        Ok(world)
    }

    /// Checks out the worktree of a lane (not of the first, which is the main checkout).
    pub(crate) fn add_worktree(&self, lane: usize) -> Result<()> {
        let (name, dir) = (format!("c{lane}"), self.lane(lane));
        let main = self.lane(0);
        self.git(&main, &["worktree", "prune"])?;
        let dir = dir.to_string_lossy();
        self.git(&main, &["worktree", "add", "--quiet", "-B", &name, &dir])
    }

    /// Both services may have ports of a range of their own and of one that they share.
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

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn checkout(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn lane(&self, lane: usize) -> PathBuf {
        self.checkout(&format!("c{lane}"))
    }

    /// Where instances have their locks and logs.
    pub(crate) fn instances(&self) -> PathBuf {
        self.root.join("state/portway/instances")
    }

    /// The file that tells a service how to behave.
    pub(crate) fn mood(&self, lane: usize, service: usize) -> PathBuf {
        self.root
            .join(format!("moods/c{lane}.{}", SERVICES[service]))
    }

    /// A command in a directory of the run, with nothing of the machine's that could matter.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("LANG", "C.UTF-8")
            .env("CHAOS_MOODS", self.path("moods"))
            .env("CHAOS_FIRST", self.ports.port(0).to_string())
            .env("CHAOS_COUNT", PORTS.to_string())
            .current_dir(if dir.exists() { dir } else { &self.root })
            .stdin(Stdio::null());
        command
    }

    /// Portway in a checkout; every second lane has a clock of its own.
    pub(crate) fn portway(&self, dir: &Path, words: &[String]) -> Command {
        let mut command = self.command(&self.tools.portway, dir);
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let odd = name.ends_with(['1', '3', '5', '7', '9']);
        if let Some(clock) = self.clock.as_ref().filter(|_| odd) {
            clock.apply(&mut command);
        }
        command.arg("-C").arg(dir).args(words);
        command
    }

    /// Starts Portway with what it prints going into files.
    pub(crate) fn start(&self, dir: &Path, words: &[String]) -> Result<Started> {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let printed = self.printed.join(number.to_string());
        let open =
            |kind| File::create(printed.with_extension(kind)).map_err(|error| error.to_string());
        let child = self
            .portway(dir, words)
            .stdout(open("out")?)
            .stderr(open("err")?)
            .spawn()
            .map_err(|error| format!("cannot run portway: {error}"))?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        Ok(Started {
            child,
            words: format!("{name}: portway {}", words.join(" ")),
            printed,
        })
    }

    /// Runs Portway to its end.
    pub(crate) fn run(&self, dir: &Path, words: &str) -> Result<Ran> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        self.start(dir, &words)?.end()
    }

    /// All instances; none when the answer cannot be had now.
    pub(crate) fn instances_now(&self) -> Vec<InstanceStatus> {
        let ran = self.run(&self.root, "ps --json");
        ran.ok()
            .and_then(|ran| serde_json::from_str(&ran.out).ok())
            .unwrap_or_default()
    }

    /// The instance of a checkout.
    pub(crate) fn instance_now(&self, dir: &Path) -> Option<InstanceStatus> {
        let dir = dir.to_string_lossy();
        let mut all = self.instances_now().into_iter();
        all.find(|instance| instance.directory == dir)
    }

    /// Every process of this run, whoever started it.
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

    pub(crate) fn git(&self, dir: &Path, words: &[&str]) -> Result<()> {
        let mut command = self.command("git", dir);
        let name = ["-c", "user.name=chaos", "-c", "user.email=chaos@localhost"];
        command.args(name).args(["-c", "init.defaultBranch=main"]);
        let output = command.args(words).output();
        let output = output.map_err(|error| format!("cannot run git: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("git {}: {why}", words.join(" ")))
    }

    /// What git sees in a checkout that is not in it.
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

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    words: String,
    printed: PathBuf,
}

impl Started {
    pub(crate) fn signal(&self, signal: Signal) {
        // It has not been waited for, so that the number is still its own.
        let pid = i32::try_from(self.child.id()).ok();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Waits at most so long; true when it has ended.
    pub(crate) fn wait(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.has_ended() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.has_ended()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<Ran> {
        let hung = !self.wait(PATIENCE);
        if hung {
            let _ = self.child.kill();
        }
        let status = self
            .child
            .wait()
            .map_err(|error: io::Error| error.to_string())?;
        let read = |kind| fs::read(self.printed.with_extension(kind)).unwrap_or_default();
        let read = |kind| String::from_utf8_lossy(&read(kind)).into_owned();
        Ok(Ran {
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            hung,
            out: read("out"),
            err: read("err"),
            words: self.words,
        })
    }
}
