//! Many checkouts of one project, each with a supervisor, a keeper and a service of its own.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portway_testing::{BLOCK_SIZE, PortBlock};

use crate::Result;
use crate::sample::{Sample, sample};
use crate::world::World;

/// The home of all of them.
pub(super) const HOME: &str = "scale-home";
/// How many blocks of ports the project's range has: one for each instance and some to spare.
const BLOCKS: u16 = 14;
/// How many are started before the next are.
const TOGETHER: u16 = 10;
/// The longest that these may take until they are ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// For how long the instances are watched at rest.
const REST: Duration = Duration::from_secs(5);
/// How many of the kernel's ticks a second has, for `/proc/PID/stat`.
const TICKS: f64 = 100.0;

/// Running instances; dropped, all are ended.
pub(super) struct Crowd<'a> {
    pub(super) world: &'a World,
    ports: PortBlock,
    supervisors: Vec<Child>,
}

/// What `portway ps` tells of an instance with one service.
pub(super) struct Told {
    pub(super) directory: PathBuf,
    pub(super) state: String,
    pub(super) port: u16,
    /// The supervisor and the service's first process; 0 where it does not run.
    pids: [u32; 2],
}

impl<'a> Crowd<'a> {
    pub(super) fn new(world: &'a World) -> Result<Self> {
        let dir = world.cache.join("ports");
        Ok(Self {
            world,
            ports: PortBlock::claim(&dir.display().to_string(), BLOCKS),
            supervisors: Vec::new(),
        })
    }

    /// First and last port of the range that all share.
    pub(super) fn range(&self) -> (u16, u16) {
        (self.ports.port(0), self.ports.port(BLOCKS * BLOCK_SIZE - 1))
    }

    pub(super) fn count(&self) -> usize {
        self.supervisors.len()
    }

    /// A new checkout of the project.
    pub(super) fn checkout(&self, name: &str) -> Result<PathBuf> {
        let (low, high) = self.range();
        let helper = self.world.helper.display();
        let manifest = format!(
            "[services.api]\ncommand = \"{helper} help:listen {{port}}\"\nport = \"{low}-{high}\"\n"
        );
        self.world.checkout(name, &manifest)
    }

    /// `portway` in a checkout; it must succeed.
    pub(super) fn portway(&self, dir: &Path, words: &[&str]) -> Result<Sample> {
        let mut command = self.world.command(&self.world.portway, HOME);
        let one = sample(command.arg("-C").arg(dir).args(words))?;
        match one.output.status.success() {
            true => Ok(one),
            false => Err(format!(
                "portway {}: {}",
                words.join(" "),
                String::from_utf8_lossy(&one.output.stderr)
            )),
        }
    }

    /// Starts instances until `count` run and are ready.
    pub(super) fn grow(&mut self, count: u16) -> Result<()> {
        let mut number = self.count() as u16;
        while number < count {
            for _ in 0..TOGETHER.min(count - number) {
                let dir = self.checkout(&format!("scale-{number}"))?;
                let mut up = self.world.bound(&self.world.portway, HOME);
                up.arg("-C").arg(dir).arg("up");
                up.stdout(Stdio::null()).stderr(Stdio::null());
                let child = up.spawn();
                self.supervisors
                    .push(child.map_err(|error| format!("cannot run {up:?}: {error}"))?);
                number += 1;
            }
            let until = Instant::now() + PATIENCE;
            while self.check(&self.ps()?.1).is_err() {
                if Instant::now() > until {
                    return self.check(&self.ps()?.1);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Asks `portway ps`.
    pub(super) fn ps(&self) -> Result<(Sample, Vec<Told>)> {
        let one = self.portway(self.world.path("").as_path(), &["ps", "--json"])?;
        let told = told(&one.output.stdout)?;
        Ok((one, told))
    }

    /// Whether exactly the crowd runs, each service ready on a port of its own in the range.
    pub(super) fn check(&self, told: &[Told]) -> Result<()> {
        let running: Vec<&Told> = told.iter().filter(|one| one.state == "ready").collect();
        let (low, high) = self.range();
        let ports: HashSet<u16> = running
            .iter()
            .map(|one| one.port)
            .filter(|port| (low..=high).contains(port))
            .collect();
        match (running.len(), ports.len()) == (self.count(), self.count()) {
            true => Ok(()),
            false => Err(format!(
                "of {} instances `portway ps` tells {} as ready, on {} ports",
                self.count(),
                running.len(),
                ports.len()
            )),
        }
    }

    /// The processes of all instances: supervisors, keepers, services.
    fn processes(&self) -> Result<Vec<u32>> {
        let (_, told) = self.ps()?;
        let mut all = HashSet::new();
        for [supervisor, service] in told.iter().map(|one| one.pids) {
            // The keeper stands between them.
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

    /// Megabytes that each instance shares with nobody, on average.
    pub(super) fn memory(&self) -> Result<f64> {
        let all = self.processes()?;
        let kilobytes: f64 = all
            .iter()
            .filter_map(|pid| crate::up::processes::private(*pid))
            .sum();
        Ok(kilobytes / 1024.0 / self.count() as f64)
    }

    /// Per cent of one core that all take together at rest.
    pub(super) fn idle(&self) -> Result<f64> {
        let all = self.processes()?;
        let ticks = || -> f64 { all.iter().filter_map(|pid| ticks(*pid)).sum() };
        let (before, began) = (ticks(), Instant::now());
        std::thread::sleep(REST);
        Ok((ticks() - before) / TICKS / began.elapsed().as_secs_f64() * 100.0)
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        for child in &self.supervisors {
            // Asked, and not killed: each ends its service.
            let pid = i32::try_from(child.id()).map(Pid::from_raw);
            let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
        }
        for child in &mut self.supervisors {
            let _ = child.wait();
        }
    }
}

/// Reads `portway ps --json`.
fn told(output: &[u8]) -> Result<Vec<Told>> {
    let json: serde_json::Value =
        serde_json::from_slice(output).map_err(|error| format!("portway ps: {error}"))?;
    let number = |value: &serde_json::Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let one = |instance: &serde_json::Value| {
        let service = &instance["services"][0];
        Told {
            directory: instance["directory"].as_str().unwrap_or_default().into(),
            state: instance["state"].as_str().unwrap_or_default().to_owned(),
            port: number(&service["ports"][0]["port"])
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or(0),
            pids: [&instance["pid"], &service["pid"]].map(|pid| number(pid).unwrap_or(0)),
        }
    };
    Ok(json.as_array().into_iter().flatten().map(one).collect())
}

/// The fields of `/proc/PID/stat` from the state on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may have any in it.
    let (_, tail) = text.rsplit_once(')')?;
    Some(tail.split_whitespace().map(str::to_owned).collect())
}

/// The processor time of a process, user and system, in the kernel's ticks.
fn ticks(pid: u32) -> Option<f64> {
    let fields = stat(pid)?;
    let field = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(field(11)? + field(12)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ps_tells_is_read() {
        let text = br#"[{"directory": "/a", "state": "ready", "pid": 7,
            "services": [{"pid": 9, "ports": [{"port": 12001}]}]},
            {"directory": "/b", "state": "stopped", "pid": null, "services": []}]"#;
        let told = told(text).unwrap();
        assert_eq!((told[0].port, told[0].pids), (12001, [7, 9]));
        assert_eq!(told[1].state, "stopped");
        assert_eq!((told[1].port, told[1].pids), (0, [0, 0]));
    }

    #[test]
    fn a_process_has_a_parent_and_has_worked() {
        let own = stat(std::process::id()).unwrap();
        assert_ne!(own[1], "0");
        assert!(ticks(std::process::id()).unwrap() >= 0.0);
    }
}
