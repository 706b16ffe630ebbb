//! The measured commands, and checks of their answers.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use super::instances::Instances;
use crate::Result;
use crate::env::BenchEnv;
use crate::sample::Sample;

/// The columns, in the order of the results of [`Commands::measure`].
pub(super) const NAMES: [&str; 4] = ["detect, again", "detect, new checkout", "ps", "up"];

/// Two more checkouts that already have ports and do not run.
pub(super) struct Commands<'a> {
    env: &'a BenchEnv,
    detected: (PathBuf, u16),
    started: (PathBuf, u16),
}

impl<'a> Commands<'a> {
    pub(super) fn new(env: &'a BenchEnv, instances: &Instances<'_>) -> Result<Self> {
        let prepare = |name: &str| {
            let dir = instances.checkout(name)?;
            let port = port(&instances.portway(&dir, &["detect", "--json"])?)?;
            Ok::<_, String>((dir, port))
        };
        Ok(Self {
            env,
            detected: prepare("scale-detected")?,
            started: prepare("scale-started")?,
        })
    }

    /// Run each of [`NAMES`] in turn. Returns the milliseconds of every round. The first round fills
    /// the file cache and is not counted.
    pub(super) fn measure(
        &self,
        instances: &Instances<'_>,
        rounds: usize,
    ) -> Result<[Vec<f64>; 4]> {
        let mut series: [Vec<f64>; 4] = Default::default();
        for round in 0..=rounds {
            let walls = [
                self.detect_again(instances)?,
                self.detect_new(instances)?,
                ps(instances)?,
                self.up(instances)?,
            ];
            if round > 0 {
                for (series, wall) in series.iter_mut().zip(walls) {
                    series.push(wall);
                }
            }
        }
        Ok(series)
    }

    fn detect_again(&self, instances: &Instances<'_>) -> Result<f64> {
        let (dir, expected) = &self.detected;
        let sample = instances.portway(dir, &["detect", "--json"])?;
        match port(&sample)? {
            port if port == *expected => Ok(sample.wall),
            port => Err(format!("detect returned {port}, and {expected} before")),
        }
    }

    /// A correct answer is a port of the range that no other instance has.
    fn detect_new(&self, instances: &Instances<'_>) -> Result<f64> {
        let dir = instances.checkout("scale-new")?;
        let sample = instances.portway(&dir, &["detect", "--json"])?;
        let port = port(&sample)?;
        let (_, listed) = instances.ps()?;
        let others = listed.iter().filter(|other| other.directory != dir);
        let is_taken = others.into_iter().any(|other| other.port == port);
        let (low, high) = instances.range();
        if is_taken || !(low..=high).contains(&port) {
            return Err(format!(
                "a new checkout got port {port}, which another instance has"
            ));
        }
        // The next round needs a new checkout without a lease.
        fs::remove_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        instances.portway(&self.env.path(""), &["prune"])?;
        Ok(sample.wall)
    }

    /// The time until `portway up --detach` returns. Stops the instance afterwards.
    fn up(&self, instances: &Instances<'_>) -> Result<f64> {
        let (dir, port) = &self.started;
        let sample = instances.portway(dir, &["up", "--detach"])?;
        let accepts = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
        instances.portway(dir, &["down"])?;
        match accepts {
            true => Ok(sample.wall),
            false => Err(format!("after `portway up` nothing listens on port {port}")),
        }
    }
}

/// A correct answer lists all running instances as ready, with different ports.
fn ps(instances: &Instances<'_>) -> Result<f64> {
    let (sample, listed) = instances.ps()?;
    instances.check(&listed).map(|()| sample.wall)
}

/// The port in the output of `portway detect --json`.
fn port(sample: &Sample) -> Result<u16> {
    let json: serde_json::Value = serde_json::from_slice(&sample.output.stdout)
        .map_err(|error| format!("portway detect: {error}"))?;
    json["services"][0]["ports"][0]["port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| "portway detect printed no port".to_owned())
}
