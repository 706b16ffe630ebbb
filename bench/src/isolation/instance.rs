//! What a network adds to an instance that Portway runs: the time of `portway up`, memory, and processor
//! time while nothing happens.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::cost::{self, memory};
use crate::Result;
use crate::env::BenchEnv;
use crate::sample::measure_portway;
use crate::stats::{Summary, format_number, median_difference};
use crate::table::Table;
use crate::up::processes::tree;

/// The home directory of the instances.
const HOME: &str = "isolation-instances";

/// How long an instance runs before it counts as idle. The way out attaches itself meanwhile.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// How long the idle processes are observed.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// What is measured, with the unit.
const MEASURES: [&str; 3] = [
    "`portway up --detach`, ms",
    "memory (PSS) without the service, MB",
    "processor time per idle second, ms",
];

/// The values of each measure, without and with a network.
type Series = [[Vec<f64>; 2]; MEASURES.len()];

/// What a network adds to each measure, and a table.
pub(super) struct Costs {
    pub(super) added: [f64; MEASURES.len()],
    pub(super) table: String,
}

pub(super) fn measure_all(env: &BenchEnv, ports: (u16, u16), rounds: usize) -> Result<Costs> {
    let dirs = ["isolation-plain", "isolation-own"].map(|name| {
        let (low, high) = ports;
        let helper = env.helper.display();
        let manifest = format!(
            "[services.api]\ncommand = \"{helper} helper:listen {{port}}\"\nport = \"{low}-{high}\"\n"
        );
        env.checkout(name, &manifest)
    });
    let mut series = Series::default();
    for round in 0..=rounds {
        println!("== instances, round {round} of {rounds}");
        for (at, dir) in dirs.iter().enumerate() {
            let values = Instance::run(env, dir.as_ref().map_err(Clone::clone)?, at == 1)?;
            // The first round fills caches and is not counted.
            if round > 0 {
                for (series, value) in series.iter_mut().zip(values) {
                    series[at].push(value);
                }
            }
        }
    }
    Ok(costs(&series))
}

fn costs(series: &Series) -> Costs {
    let mut table = Table::new(&["measure", "without", "with a network", "difference"]);
    let mut added = [0.0; MEASURES.len()];
    for ((name, [without, with]), added) in MEASURES.iter().zip(series).zip(&mut added) {
        let text = |values: &[f64]| {
            Summary::of(values).map_or_else(String::new, |it| {
                let [median, low, high] = [it.median, it.low, it.high].map(format_number);
                format!("{median} ({low}–{high})")
            })
        };
        *added = median_difference(with, without).unwrap_or(f64::NAN);
        let row = [(*name).to_owned(), text(without), text(with)];
        let difference = format_number(*added);
        table.rows.push([&row[..], &[difference]].concat());
    }
    Costs {
        added,
        table: table.markdown(),
    }
}

/// A running instance. Dropping it stops the instance.
struct Instance<'a> {
    env: &'a BenchEnv,
    dir: &'a PathBuf,
}

impl<'a> Instance<'a> {
    /// Starts an instance, measures it, and stops it.
    fn run(
        env: &'a BenchEnv,
        dir: &'a PathBuf,
        is_isolated: bool,
    ) -> Result<[f64; MEASURES.len()]> {
        let mut arguments = vec!["up", "--detach"];
        arguments.extend(is_isolated.then_some("--isolate"));
        let instance = Self { env, dir };
        let start = measure_portway(env, HOME, dir, &arguments)?;
        std::thread::sleep(SETTLE_TIME);
        let pids = instance.processes(is_isolated)?;
        let used: f64 = pids.iter().copied().map(memory).sum();
        let (before, started) = (processor_time(&pids), Instant::now());
        std::thread::sleep(IDLE_TIME);
        let busy = (processor_time(&pids) - before) / started.elapsed().as_secs_f64();
        Ok([start.wall, used, busy])
    }

    /// The processes of Portway and those that it starts for the network.
    fn processes(&self, is_isolated: bool) -> Result<Vec<u32>> {
        let ps = measure_portway(self.env, HOME, self.dir, &["ps", "--json"])?;
        let json: serde_json::Value =
            serde_json::from_slice(&ps.output.stdout).map_err(|error| error.to_string())?;
        let running = json.as_array().into_iter().flatten();
        let mut running = running.filter(|one| one["pid"].is_u64());
        let instance = running.next().ok_or("the instance does not run")?;
        if instance["network"].is_object() != is_isolated {
            return Err("this machine cannot isolate instances; see `portway plan`".to_owned());
        }
        let pid = |value: &serde_json::Value| value.as_u64().and_then(|it| u32::try_from(it).ok());
        let supervisor = pid(&instance["pid"]).unwrap_or_default();
        let service = pid(&instance["services"][0]["pid"]).unwrap_or_default();
        let all = tree(supervisor).into_iter().map(|process| process.pid);
        Ok(all.filter(|pid| *pid != service).collect())
    }
}

impl Drop for Instance<'_> {
    fn drop(&mut self) {
        // After a failed start, nothing runs.
        let _ = measure_portway(self.env, HOME, self.dir, &["down"]);
    }
}

/// The processor time that all threads of these processes have used, in milliseconds.
fn processor_time(pids: &[u32]) -> f64 {
    let threads = pids.iter().flat_map(|&pid| cost::threads(pid));
    threads.map(|thread| cost::processor_time(&thread)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_that_of_the_same_round() {
        let mut series = Series::default();
        series[0] = [vec![100.0, 200.0, 130.0], vec![140.0, 230.0, 180.0]];
        let costs = costs(&series);
        assert_eq!(costs.added[0], 40.0);
        assert!(costs.added[1].is_nan());
        assert!(costs.table.contains("| 130 (115–165) |"), "{}", costs.table);
    }

    #[test]
    fn reads_the_processor_time_of_this_process() {
        assert!(processor_time(&[std::process::id()]) > 0.0);
    }
}
