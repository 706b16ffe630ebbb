//! 50 processes at the same time, each of which allocates a port from one range of 100.

mod competitors;
mod start;

use std::collections::BTreeMap;
use std::fmt::Write;

use self::competitors::Competitor;
use self::start::Outcome;
use super::portserver::Portserver;
use super::ranges::Ranges;
use crate::chart::Bar;
use crate::env::BenchEnv;
use crate::peers::Peers;
use crate::stats::{Summary, format_number, median_ratio};
use crate::table::Table;
use crate::{Result, machine, readme};

/// The number of processes that start at the same time.
const PROCESSES: u16 = 50;
/// Time between the allocation of a port and listening on it, in milliseconds. A server needs it to
/// start.
const STARTUP_TIME: u16 = 200;
/// The number of rounds.
const ROUNDS: usize = 20;
/// Tools that start an interpreter 50 times run in one of this many rounds.
const SLOW_INTERVAL: usize = 4;

/// The results of a tool, with a value for each round.
#[derive(Default)]
struct Series {
    wall: Vec<f64>,
    /// The number of processes whose port another process of the round also got.
    collisions: Vec<usize>,
    /// The number of processes that could not listen.
    failures: Vec<usize>,
    /// The number of ports outside the range.
    outside: Vec<usize>,
}

pub(super) fn run(env: &BenchEnv, peers: &Peers) -> Result<String> {
    let ranges = Ranges::claim(env);
    let range = ranges.backend();
    let load_before = machine::load_average();
    let mut all: Vec<(Competitor, Series)> = competitors::all(env, peers, range)?
        .into_iter()
        .map(|competitor| (competitor, Series::default()))
        .collect();
    for round in 0..ROUNDS {
        for (competitor, series) in &mut all {
            if competitor.is_slow && round % SLOW_INTERVAL != 0 {
                continue;
            }
            let server = match competitor.uses_portserver {
                true => Some(Portserver::start(env, peers, range)?),
                false => None,
            };
            let mut commands = (competitor.prepare)(round)?;
            for command in &mut commands {
                if let Some(server) = &server {
                    command.env("PORTSERVER_ADDRESS", &server.address);
                }
            }
            let (wall, outcomes) = start::run(commands)?;
            series.add(wall, &outcomes, range);
        }
    }
    let mut text = format!(
        "{}; {ROUNDS} interleaved rounds, {} of Node and Python; load average {load_before} before, {} \
         after.\n\n",
        machine::describe(),
        ROUNDS.div_ceil(SLOW_INTERVAL),
        machine::load_average()
    );
    for line in super::missing(peers) {
        text += &line;
    }
    text += &section(env, &all)?;
    Ok(text)
}

impl Series {
    fn add(&mut self, wall: f64, outcomes: &[Outcome], (low, high): (u16, u16)) {
        let mut ports: BTreeMap<u16, usize> = BTreeMap::new();
        for outcome in outcomes.iter().filter(|outcome| outcome.port != 0) {
            *ports.entry(outcome.port).or_default() += 1;
        }
        self.wall.push(wall);
        self.collisions
            .push(ports.values().map(|count| count - 1).sum());
        self.failures
            .push(outcomes.iter().filter(|outcome| !outcome.bound).count());
        let is_outside = |port: &&u16| !(low..=high).contains(*port);
        self.outside.push(ports.keys().filter(is_outside).count());
    }

    fn is_wrong(&self) -> bool {
        [&self.collisions, &self.failures, &self.outside]
            .iter()
            .any(|counts| counts.iter().any(|count| *count > 0))
    }
}

/// Format the median and the worst round.
fn format_counts(values: &[usize]) -> String {
    let all: Vec<f64> = values.iter().map(|value| *value as f64).collect();
    let worst = values.iter().max().copied().unwrap_or(0);
    match Summary::of(&all) {
        Some(_) if worst == 0 => "0".to_owned(),
        Some(summary) => format!("**{:.0}** (worst {worst})", summary.median),
        None => String::new(),
    }
}

fn section(env: &BenchEnv, all: &[(Competitor, Series)]) -> Result<String> {
    let mut table = Table::new(&[
        "tool",
        "collisions",
        "failures",
        "out of range",
        "ms until all listen",
        "quartiles",
        "× without allocation",
    ]);
    let mut bars = Vec::new();
    for (competitor, series) in all {
        let Some(wall) = Summary::of(&series.wall) else {
            continue;
        };
        let baseline = all
            .iter()
            .find(|(other, _)| other.name == competitor.baseline);
        let ratio = baseline.and_then(|(_, baseline)| median_ratio(&series.wall, &baseline.wall));
        table.rows.push(vec![
            competitor.name.to_owned(),
            format_counts(&series.collisions),
            format_counts(&series.failures),
            format_counts(&series.outside),
            format_number(wall.median),
            format!("{}–{}", format_number(wall.low), format_number(wall.high)),
            ratio.map(format_number).unwrap_or_default(),
        ]);
        bars.push(Bar {
            name: competitor.name.to_owned(),
            value: wall,
            is_wrong: series.is_wrong(),
        });
    }
    let title = "50 processes at the same time, until all listen or have failed";
    let chart = readme::write_chart(&env.bench, "concurrent", title, "ms", &bars)?;
    let mut text = table.markdown();
    let _ = write!(text, "\n{chart}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_collisions_failures_and_ports_outside_the_range() {
        let outcome = |port, bound| Outcome { port, bound };
        let mut series = Series::default();
        let outcomes = [
            outcome(5, true),
            outcome(5, false),
            outcome(50, true),
            outcome(0, false),
        ];
        series.add(1.0, &outcomes, (1, 10));
        let counts = (series.collisions[0], series.failures[0], series.outside[0]);
        assert_eq!(counts, (1, 2, 1));
        assert!(series.is_wrong());
    }
}
