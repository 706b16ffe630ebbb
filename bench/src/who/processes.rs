//! The processes on the machine: idle ones, an unrelated server, and a service of Portway.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::env::{BenchEnv, run};

/// The home directory of all processes.
pub(super) const HOME: &str = "who-home";

/// Idle processes. Dropping it kills them.
#[derive(Debug)]
pub(super) struct IdleProcesses(Vec<Child>);

/// Start idle processes, and wait until each has opened all its descriptors.
pub(super) fn start_idle(
    env: &BenchEnv,
    count: usize,
    descriptors: usize,
) -> Result<IdleProcesses> {
    let mut all = IdleProcesses(Vec::new());
    for _ in 0..count {
        let mut command = env.command(&env.helper, HOME);
        command
            .args(["helper:idle", &descriptors.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        all.0.push(spawn(&mut command)?);
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    for child in &all.0 {
        let dir = PathBuf::from(format!("/proc/{}/fd", child.id()));
        while fs::read_dir(&dir).map_or(0, Iterator::count) < descriptors {
            if Instant::now() > deadline {
                return Err("the idle processes are not ready in time".to_owned());
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

impl Drop for IdleProcesses {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server that Portway did not start. Dropping it kills the server.
#[derive(Debug)]
pub(super) struct UnrelatedServer(Child);

impl UnrelatedServer {
    pub(super) fn start(env: &BenchEnv, port: u16) -> Result<Self> {
        let mut command = env.command(&env.helper, HOME);
        command
            .args(["helper:serve", &port.to_string(), "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = spawn(&mut command)?;
        let output = child.stdout.take();
        let server = Self(child);
        let mut line = String::new();
        if let Some(output) = output {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        match line.trim().ends_with("bound") {
            true => Ok(server),
            false => Err(format!("port {port} of the harness is in use")),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for UnrelatedServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running instance with one service. Dropping it stops the instance.
#[derive(Debug)]
pub(super) struct PortwayInstance {
    supervisor: Child,
    /// The service's process.
    pub(super) service_pid: u32,
}

impl PortwayInstance {
    pub(super) fn start(env: &BenchEnv, port: u16) -> Result<Self> {
        let manifest = format!(
            "[services.api]\ncommand = \"{} helper:listen {{port}}\"\nport = \"{port}-{port}\"\n",
            env.helper.display()
        );
        let dir = env.checkout("who-checkout", &manifest)?;
        let portway = |mut command: Command, arguments: &[&str]| {
            command.arg("-C").arg(&dir).args(arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let mut up = portway(env.child_command(&env.portway, HOME), &["up"]);
        let mut instance = Self {
            supervisor: spawn(&mut up)?,
            service_pid: 0,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        // `wait` fails until the instance runs.
        while run(&mut portway(env.command(&env.portway, HOME), &["wait"])).is_err() {
            if Instant::now() > deadline {
                return Err("the instance is not ready in time".to_owned());
            }
        }
        let output = portway(env.command(&env.portway, HOME), &["ps", "--json"])
            .stdout(Stdio::piped())
            .output();
        let output = output.map_err(|error| error.to_string())?;
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let pid = json[0]["services"][0]["pid"].as_u64();
        instance.service_pid = pid
            .and_then(|pid| u32::try_from(pid).ok())
            .ok_or("`portway ps` reports no process of the service")?;
        Ok(instance)
    }
}

impl Drop for PortwayInstance {
    fn drop(&mut self) {
        // SIGTERM, so that it stops its service. An error means that it has exited.
        let pid = i32::try_from(self.supervisor.id()).map(Pid::from_raw);
        let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
        let _ = self.supervisor.wait();
    }
}
