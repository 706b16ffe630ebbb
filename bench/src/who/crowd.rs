//! The processes of the table: idle ones, a stranger who listens, and a service of Portway's.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::world::{World, run};

/// The home of all of them.
pub(super) const HOME: &str = "who-home";

/// Processes that end with this value.
#[derive(Debug)]
pub(super) struct Idle(Vec<Child>);

/// Starts idle processes and waits until each has all its descriptors.
pub(super) fn idle(world: &World, count: usize, descriptors: usize) -> Result<Idle> {
    let mut all = Idle(Vec::new());
    for _ in 0..count {
        let mut command = world.command(&world.helper, HOME);
        command
            .args(["help:idle", &descriptors.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        all.0.push(spawn(&mut command)?);
    }
    let until = Instant::now() + Duration::from_secs(60);
    for child in &all.0 {
        let dir = PathBuf::from(format!("/proc/{}/fd", child.id()));
        while fs::read_dir(&dir).map_or(0, Iterator::count) < descriptors {
            if Instant::now() > until {
                return Err("the idle processes do not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(all)
}

fn spawn(command: &mut Command) -> Result<Child> {
    let child = command.spawn();
    child.map_err(|error| format!("cannot run {command:?}: {error}"))
}

impl Drop for Idle {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server that Portway did not start.
#[derive(Debug)]
pub(super) struct Stranger(Child);

impl Stranger {
    pub(super) fn start(world: &World, port: u16) -> Result<Self> {
        let mut command = world.command(&world.helper, HOME);
        command
            .args(["help:serve", &port.to_string(), "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = spawn(&mut command)?;
        let output = child.stdout.take();
        let stranger = Self(child);
        let mut line = String::new();
        if let Some(output) = output {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        match line.trim().ends_with("bound") {
            true => Ok(stranger),
            false => Err(format!("port {port} of the harness is taken")),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running instance of Portway with one service.
#[derive(Debug)]
pub(super) struct Own {
    /// The supervisor.
    up: Child,
    /// The service's process.
    pub(super) pid: u32,
}

impl Own {
    pub(super) fn start(world: &World, port: u16) -> Result<Self> {
        let manifest = format!(
            "[services.api]\ncommand = \"{} help:listen {{port}}\"\nport = \"{port}-{port}\"\n",
            world.helper.display()
        );
        let dir = world.checkout("who-checkout", &manifest)?;
        let portway = |mut command: Command, verb: &[&str]| {
            command.arg("-C").arg(&dir).args(verb);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let mut up = portway(world.bound(&world.portway, HOME), &["up"]);
        let mut own = Self {
            up: spawn(&mut up)?,
            pid: 0,
        };
        let until = Instant::now() + Duration::from_secs(60);
        // `wait` needs an instance that runs.
        while run(&mut portway(world.command(&world.portway, HOME), &["wait"])).is_err() {
            if Instant::now() > until {
                return Err("an instance of Portway does not start".to_owned());
            }
        }
        let output = portway(world.command(&world.portway, HOME), &["ps", "--json"])
            .stdout(Stdio::piped())
            .output();
        let output = output.map_err(|error| error.to_string())?;
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let pid = json[0]["services"][0]["pid"].as_u64();
        own.pid = pid
            .and_then(|pid| u32::try_from(pid).ok())
            .ok_or("`portway ps` tells no process of the service")?;
        Ok(own)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Asked, and not killed: it ends its service.
        let pid = i32::try_from(self.up.id()).map(Pid::from_raw);
        let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
        let _ = self.up.wait();
    }
}
