//! The commands that are measured, and whether their answers are right.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use super::crowd::Crowd;
use crate::Result;
use crate::sample::Sample;
use crate::world::World;

/// The columns, in the order in which [`Verbs::measure`] answers.
pub(super) const NAMES: [&str; 4] = ["detect, again", "detect, new checkout", "ps", "up"];

/// Checkouts beside the crowd that have their ports already and do not run.
pub(super) struct Verbs<'a> {
    world: &'a World,
    detected: (PathBuf, u16),
    started: (PathBuf, u16),
}

impl<'a> Verbs<'a> {
    pub(super) fn new(world: &'a World, crowd: &Crowd<'_>) -> Result<Self> {
        let kept = |name: &str| {
            let dir = crowd.checkout(name)?;
            let port = port(&crowd.portway(&dir, &["detect", "--json"])?)?;
            Ok::<_, String>((dir, port))
        };
        Ok(Self {
            world,
            detected: kept("scale-detected")?,
            started: kept("scale-started")?,
        })
    }

    /// Milliseconds of every round for each of [`NAMES`], interleaved. The first round warms the
    /// file cache and is not counted.
    pub(super) fn measure(&self, crowd: &Crowd<'_>, rounds: usize) -> Result<[Vec<f64>; 4]> {
        let mut series: [Vec<f64>; 4] = Default::default();
        for round in 0..=rounds {
            let walls = [
                self.detect_again(crowd)?,
                self.detect_new(crowd)?,
                ps(crowd)?,
                self.up(crowd)?,
            ];
            if round > 0 {
                for (series, wall) in series.iter_mut().zip(walls) {
                    series.push(wall);
                }
            }
        }
        Ok(series)
    }

    fn detect_again(&self, crowd: &Crowd<'_>) -> Result<f64> {
        let (dir, kept) = &self.detected;
        let one = crowd.portway(dir, &["detect", "--json"])?;
        match port(&one)? {
            same if same == *kept => Ok(one.wall),
            other => Err(format!("detect answered {other}, and {kept} before")),
        }
    }

    /// Right is a port that no running instance has, nor any of the two that are kept.
    fn detect_new(&self, crowd: &Crowd<'_>) -> Result<f64> {
        let dir = crowd.checkout("scale-new")?;
        let one = crowd.portway(&dir, &["detect", "--json"])?;
        let port = port(&one)?;
        let (_, told) = crowd.ps()?;
        let others = told.iter().filter(|one| one.directory != dir);
        let is_taken = others.into_iter().any(|one| one.port == port);
        let (low, high) = crowd.range();
        if is_taken || !(low..=high).contains(&port) {
            return Err(format!("a new checkout got {port}, which it may not have"));
        }
        // Nothing of it shall be there in the next round.
        fs::remove_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        crowd.portway(&self.world.path(""), &["prune"])?;
        Ok(one.wall)
    }

    /// Until `portway up --detach` says that all is ready; the instance is ended again.
    fn up(&self, crowd: &Crowd<'_>) -> Result<f64> {
        let (dir, port) = &self.started;
        let one = crowd.portway(dir, &["up", "--detach"])?;
        let accepts = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
        crowd.portway(dir, &["down"])?;
        match accepts {
            true => Ok(one.wall),
            false => Err(format!("after `portway up` nobody listens on {port}")),
        }
    }
}

/// Right is an answer that has the whole crowd, ready, with ports of their own.
fn ps(crowd: &Crowd<'_>) -> Result<f64> {
    let (one, told) = crowd.ps()?;
    crowd.check(&told).map(|()| one.wall)
}

/// The port in `portway detect --json` of a project with one.
fn port(one: &Sample) -> Result<u16> {
    let json: serde_json::Value = serde_json::from_slice(&one.output.stdout)
        .map_err(|error| format!("portway detect: {error}"))?;
    json["services"][0]["ports"][0]["port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| "portway detect told no port".to_owned())
}
