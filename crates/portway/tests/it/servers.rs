//! Servers that Portway did not start.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::sandbox::{RunningCommand, Sandbox, http_get, test_service, wait_until};

/// A test service that runs below a shell, in its own process group.
pub struct ShellServer(RunningCommand);

impl ShellServer {
    /// Starts the test service as a person does: as a command of a shell. `arguments` may contain
    /// the placeholders of a sandbox.
    pub fn start(sandbox: &Sandbox, arguments: &str) -> Self {
        Self::run(sandbox, &sandbox.expand(&format!("%service {arguments}")))
    }

    /// Runs a command in a shell of its own process group.
    pub fn run(sandbox: &Sandbox, script: &str) -> Self {
        let mut command = sandbox.command("sh");
        // The second command keeps the shell from replacing itself with the first.
        command.args(["-c", &format!("{script}; :")]);
        command.process_group(0);
        Self(RunningCommand::start(command))
    }

    /// The pid of the shell.
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Waits until the shell has exited.
    pub fn wait(&mut self) {
        self.0.wait();
    }
}

impl Drop for ShellServer {
    fn drop(&mut self) {
        let group = Pid::from_raw(self.pid() as i32).unwrap();
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// A test service without the environment of a sandbox.
pub struct UnrelatedServer(Child);

impl UnrelatedServer {
    /// Starts a test service on `port` in `dir` and waits until it listens.
    pub fn start(port: u16, dir: &Path) -> Self {
        let mut command = Command::new(test_service());
        command.args(["serve", &port.to_string()]).current_dir(dir);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        wait_until("the unrelated server listens", || {
            http_get(port, "/").is_some()
        });
        Self(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for UnrelatedServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a process listens on a port, on any address.
pub fn wait_until_served(port: u16) {
    wait_until("a process listens", || {
        !portway_ports::owners(port).unwrap().is_empty()
    });
}
