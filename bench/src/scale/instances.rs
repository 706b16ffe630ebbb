//! Many running checkouts of one project, each with a supervisor, a keeper, and a service.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portway_testing::{BLOCK_SIZE, PortBlock};

use crate::Result;
use crate::env::BenchEnv;
use crate::sample::{Sample, measure_portway};

/// The home directory of all instances.
pub(super) const HOME: &str = "scale-home";
/// The number of port blocks in the project's range: a port for each instance, and some more.
const BLOCKS: u16 = 14;
/// The number of instances that start at the same time.
const BATCH_SIZE: u16 = 10;
/// Time limit for a batch to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the idle instances are observed.
const IDLE_TIME: Duration = Duration::from_secs(5);
/// The unit of times in `/proc/PID/stat`, in ticks per second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Running instances. Dropping it stops them.
pub(super) struct Instances<'a> {
    pub(super) env: &'a BenchEnv,
    ports: PortBlock,
    supervisors: Vec<Child>,
}

/// An instance with one service, as `portway ps` lists it.
pub(super) struct ListedInstance {
    pub(super) directory: PathBuf,
    pub(super) state: String,
    pub(super) port: u16,
    /// The supervisor and the service's first process. 0 if it does not run.
    pids: [u32; 2],
}

impl<'a> Instances<'a> {
    pub(super) fn new(env: &'a BenchEnv) -> Result<Self> {
        let dir = env.cache.join("ports");
        Ok(Self {
            env,
            ports: PortBlock::claim(&dir.display().to_string(), BLOCKS),
            supervisors: Vec::new(),
        })
    }

    /// First and last port of the project's range.
    pub(super) fn range(&self) -> (u16, u16) {
        (self.ports.port(0), self.ports.port(BLOCKS * BLOCK_SIZE - 1))
    }

    pub(super) fn count(&self) -> usize {
        self.supervisors.len()
    }

    /// Create a checkout of the project.
    pub(super) fn checkout(&self, name: &str) -> Result<PathBuf> {
        let (low, high) = self.range();
        let helper = self.env.helper.display();
        let manifest = format!(
            "[services.api]\ncommand = \"{helper} helper:listen {{port}}\"\nport = \"{low}-{high}\"\n"
        );
        self.env.checkout(name, &manifest)
    }

    /// Run Portway in a checkout. Returns an error if it fails.
    pub(super) fn portway(&self, dir: &Path, arguments: &[&str]) -> Result<Sample> {
        measure_portway(self.env, HOME, dir, arguments)
    }

    /// Start instances until `count` are ready.
    pub(super) fn start(&mut self, count: u16) -> Result<()> {
        let mut number = self.count() as u16;
        while number < count {
            for _ in 0..BATCH_SIZE.min(count - number) {
                let dir = self.checkout(&format!("scale-{number}"))?;
                let mut up = self.env.child_command(&self.env.portway, HOME);
                up.arg("-C").arg(dir).arg("up");
                up.stdout(Stdio::null()).stderr(Stdio::null());
                let child = up.spawn();
                self.supervisors
                    .push(child.map_err(|error| format!("cannot run {up:?}: {error}"))?);
                number += 1;
            }
            let deadline = Instant::now() + READY_TIMEOUT;
            while self.check(&self.ps()?.1).is_err() {
                if Instant::now() > deadline {
                    return self.check(&self.ps()?.1);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Run `portway ps`.
    pub(super) fn ps(&self) -> Result<(Sample, Vec<ListedInstance>)> {
        let sample = self.portway(self.env.path("").as_path(), &["ps", "--json"])?;
        let listed = parse(&sample.output.stdout)?;
        Ok((sample, listed))
    }

    /// Check that all instances are ready, each on a different port of the range.
    pub(super) fn check(&self, listed: &[ListedInstance]) -> Result<()> {
        let running: Vec<&ListedInstance> = listed
            .iter()
            .filter(|instance| instance.state == "ready")
            .collect();
        let (low, high) = self.range();
        let ports: HashSet<u16> = running
            .iter()
            .map(|instance| instance.port)
            .filter(|port| (low..=high).contains(port))
            .collect();
        match (running.len(), ports.len()) == (self.count(), self.count()) {
            true => Ok(()),
            false => Err(format!(
                "of {} instances, `portway ps` lists {} as ready, on {} ports",
                self.count(),
                running.len(),
                ports.len()
            )),
        }
    }

    /// The processes of all instances: supervisors, keepers, and services.
    fn processes(&self) -> Result<Vec<u32>> {
        let (_, listed) = self.ps()?;
        let mut all = HashSet::new();
        for [supervisor, service] in listed.iter().map(|instance| instance.pids) {
            // The keeper is the parent of the service.
            let keeper = stat(service)
                .and_then(|fields| fields.get(1)?.parse().ok())
                .unwrap_or(0);
            all.extend([supervisor, service, keeper]);
        }
        all.remove(&0);
        match all.len() == 3 * self.count() {
            true => Ok(all.into_iter().collect()),
            false => Err(format!(
                "{} instances have {} processes",
                self.count(),
                all.len()
            )),
        }
    }

    /// Average private memory of an instance, in megabytes.
    pub(super) fn memory(&self) -> Result<f64> {
        let all = self.processes()?;
        let kilobytes: f64 = all
            .iter()
            .filter_map(|pid| crate::up::processes::private(*pid))
            .sum();
        Ok(kilobytes / 1024.0 / self.count() as f64)
    }

    /// Processor time of all idle instances together, in percent of one core.
    pub(super) fn idle_load(&self) -> Result<f64> {
        let all = self.processes()?;
        let ticks = || -> f64 { all.iter().filter_map(|pid| ticks(*pid)).sum() };
        let (before, started) = (ticks(), Instant::now());
        std::thread::sleep(IDLE_TIME);
        Ok((ticks() - before) / TICKS_PER_SECOND / started.elapsed().as_secs_f64() * 100.0)
    }
}

impl Drop for Instances<'_> {
    fn drop(&mut self) {
        for child in &self.supervisors {
            // SIGTERM, so that each stops its service. An error means that it has exited.
            let pid = i32::try_from(child.id()).map(Pid::from_raw);
            let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
        }
        for child in &mut self.supervisors {
            let _ = child.wait();
        }
    }
}

/// Parse the output of `portway ps --json`.
fn parse(output: &[u8]) -> Result<Vec<ListedInstance>> {
    let json: serde_json::Value =
        serde_json::from_slice(output).map_err(|error| format!("portway ps: {error}"))?;
    let number = |value: &serde_json::Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let convert = |instance: &serde_json::Value| {
        let service = &instance["services"][0];
        ListedInstance {
            directory: instance["directory"].as_str().unwrap_or_default().into(),
            state: instance["state"].as_str().unwrap_or_default().to_owned(),
            port: number(&service["ports"][0]["port"])
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or(0),
            pids: [&instance["pid"], &service["pid"]].map(|pid| number(pid).unwrap_or(0)),
        }
    };
    Ok(json.as_array().into_iter().flatten().map(convert).collect())
}

/// The fields of `/proc/PID/stat`, starting with the state.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses, and may contain some.
    let (_, tail) = text.rsplit_once(')')?;
    Some(tail.split_whitespace().map(str::to_owned).collect())
}

/// User and system time of a process, in ticks.
fn ticks(pid: u32) -> Option<f64> {
    let fields = stat(pid)?;
    let field = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(field(11)? + field(12)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_output_of_ps() {
        let text = br#"[{"directory": "/a", "state": "ready", "pid": 7,
            "services": [{"pid": 9, "ports": [{"port": 12001}]}]},
            {"directory": "/b", "state": "stopped", "pid": null, "services": []}]"#;
        let listed = parse(text).unwrap();
        assert_eq!((listed[0].port, listed[0].pids), (12001, [7, 9]));
        assert_eq!(listed[1].state, "stopped");
        assert_eq!((listed[1].port, listed[1].pids), (0, [0, 0]));
    }

    #[test]
    fn reads_the_parent_and_the_processor_time() {
        let own = stat(std::process::id()).unwrap();
        assert_ne!(own[1], "0");
        assert!(ticks(std::process::id()).unwrap() >= 0.0);
    }
}
