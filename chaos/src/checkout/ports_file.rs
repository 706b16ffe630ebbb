//! Actions and checks that concern `.ports.json`.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::thread;

use rustix::process::Signal;
use serde_json::{Map, Value};

use super::{Checkout, INTERRUPT_DELAY, replace};
use crate::Result;
use crate::env::RunningCommand;
use crate::invariants::{consistent, ready_services};
use crate::plan::{PortwayCommand, SERVICES};

impl Checkout<'_> {
    pub(super) fn ports_file(&self) -> PathBuf {
        self.dir().join(".ports.json")
    }

    /// Start a command that has to create `.ports.json`, and wait until it starts writing.
    fn start_writing(&self, command: PortwayCommand) -> Result<RunningCommand> {
        // An error means that there is no file.
        let _ = fs::remove_file(self.ports_file());
        let mut command = self.start(command)?;
        let is_writing = || {
            let files = fs::read_dir(self.dir()).into_iter().flatten().flatten();
            let mut names = files.map(|file| file.file_name());
            names.any(|name| name.to_string_lossy().starts_with(".ports.json."))
        };
        while !is_writing() && !command.has_exited() {}
        Ok(command)
    }

    pub(super) fn kill_while_writing(&mut self, command: PortwayCommand) -> Result<()> {
        self.was_edited = true;
        let command = self.start_writing(command)?;
        command.signal(Signal::KILL);
        self.finish(command, true)
    }

    pub(super) fn race_detect_with_up(&mut self) -> Result<()> {
        let bytes = fs::read(self.ports_file()).unwrap_or_default();
        let content: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
        self.finish_or_interrupt(self.start(PortwayCommand::Down)?)?;
        let detect = self.start_writing(PortwayCommand::Detect)?;
        detect.signal(Signal::STOP);
        let ports = content.values().filter_map(Value::as_u64);
        let taken: Vec<_> = ports
            .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port as u16)).ok())
            .collect();
        // If the paused command has locked the registry, `up` waits for it.
        let up = self.start(PortwayCommand::Up)?;
        thread::sleep(INTERRUPT_DELAY / 3);
        detect.signal(Signal::CONT);
        self.finish_or_interrupt(up)?;
        self.finish(detect, false)?;
        drop(taken);
        // The file was deleted before both commands, so both have detected that.
        self.was_edited = false;
        self.check_ports_file();
        Ok(())
    }

    pub(super) fn force_port(&mut self, service: usize, index: u16) {
        let bytes = fs::read(self.ports_file()).unwrap_or_default();
        let Ok(mut content) = serde_json::from_slice::<Map<String, Value>>(&bytes) else {
            return;
        };
        let port = self.env.ports.port(index);
        if content
            .values()
            .any(|value| value.as_u64() == Some(port.into()))
        {
            return;
        }
        let name = SERVICES[service];
        content.insert(format!("{name}_port"), port.into());
        content.insert(
            format!("{name}_url"),
            format!("http://localhost:{port}").into(),
        );
        self.was_edited = true;
        replace(
            &self.ports_file(),
            Value::Object(content).to_string().as_bytes(),
        );
    }

    /// Check `.ports.json` if all services are ready and no command runs in the checkout. Without
    /// leases, a command that was overtaken cannot know that the file is newer than its ports.
    pub(super) fn check_ports_file(&self) {
        if self.env.is_state_deleted() {
            return;
        }
        let services = || {
            let instance = self.env.instance(&self.dir());
            ready_services(instance.as_slice())
        };
        let before = services();
        let file = fs::read(self.ports_file()).unwrap_or_default();
        if before.len() == SERVICES.len() && before == services() {
            let violation = consistent::evaluate_file(&before, &file);
            self.violations
                .record(".ports.json matches the status", violation);
        }
    }
}
