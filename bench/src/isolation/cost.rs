//! What a network costs: the time to create it, and memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portway_isolation::{Network, NetworkConfig, Outbound};

use crate::Result;
use crate::env::BenchEnv;
use crate::stats::{Summary, format_number};
use crate::table::Table;

/// How long the way out may take.
const OUTBOUND_TIMEOUT: Duration = Duration::from_secs(20);

/// The programs for the way out, by name.
const OUTBOUND: [&str; 2] = ["slirp4netns", "pasta"];

/// Creates a network whose helper is this program.
pub(super) fn network(env: &BenchEnv, outbound: Option<Outbound>) -> Result<Network> {
    let config = NetworkConfig::new(env.helper.clone(), outbound);
    Network::create(config).map_err(|error| {
        let obstacles = portway_isolation::capability().obstacles;
        format!("{error}: {obstacles:?}")
    })
}

/// Measures the time and the memory of networks. Returns a table.
pub(super) fn measure(env: &BenchEnv, rounds: usize) -> Result<String> {
    let mut table = Table::new(&[
        "way out",
        "loopback works after, ms",
        "quartiles",
        "other machines after, ms",
        "memory, MB",
    ]);
    for name in [None, Some(OUTBOUND[0]), Some(OUTBOUND[1])] {
        let outbound = name.and_then(Outbound::find);
        if name.is_some() && outbound.is_none() {
            continue;
        }
        let (mut created, mut connected) = (Vec::new(), Vec::new());
        let mut added = Vec::new();
        for _ in 0..rounds {
            let before = memory(std::process::id());
            let started = Instant::now();
            let network = network(env, outbound.clone())?;
            created.push(milliseconds(started));
            if outbound.is_some() {
                let reached = network.wait_for_outbound(OUTBOUND_TIMEOUT);
                if !reached.map_err(|error| error.to_string())? {
                    return Err(format!("{name:?}: there is no way out"));
                }
                connected.push(milliseconds(started));
                // It has attached itself and is about to serve.
                std::thread::sleep(Duration::from_millis(100));
            }
            // With the relay's thread in this process. The helper shares the pages of this program.
            let children: f64 = children().into_iter().map(memory).sum();
            added.push(children + memory(std::process::id()) - before);
        }
        let median = |values: &[f64]| {
            Summary::of(values).map_or_else(|| "–".to_owned(), |it| format_number(it.median))
        };
        let quartiles = Summary::of(&created).map_or_else(String::new, |it| {
            format!("{}–{}", format_number(it.low), format_number(it.high))
        });
        table.rows.push(vec![
            name.unwrap_or("none").to_owned(),
            median(&created),
            quartiles,
            median(&connected),
            median(&added),
        ]);
    }
    Ok(table.markdown())
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}

/// The directories of the threads of a process.
pub(super) fn threads(pid: u32) -> impl Iterator<Item = PathBuf> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    threads.map(|thread| thread.path())
}

/// The processor time that a thread has used, in milliseconds.
pub(super) fn processor_time(thread: &Path) -> f64 {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.unwrap_or(0.0) / 1e6
}

/// The processor time that the relays of this process have used, in milliseconds.
pub(super) fn relays() -> f64 {
    let is_relay = |thread: &PathBuf| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == "network")
    };
    let relays = threads(std::process::id()).filter(is_relay);
    relays.map(|thread| processor_time(&thread)).sum()
}

/// The children of all threads of this process.
fn children() -> Vec<u32> {
    let lists = threads(std::process::id())
        .map(|thread| fs::read_to_string(thread.join("children")).unwrap_or_default());
    let lists: Vec<String> = lists.collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.filter_map(|pid| pid.parse().ok()).collect()
}

/// The proportional set size of a process, in megabytes.
pub(super) fn memory(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
