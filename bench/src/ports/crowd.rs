//! Fifty processes at once, each of which wants a port of one range of a hundred.

mod contenders;
mod start;

use std::collections::BTreeMap;
use std::fmt::Write;

use self::contenders::Contender;
use self::start::Answer;
use super::portserver::Portserver;
use super::ranges::Ranges;
use crate::chart::Bar;
use crate::peers::Peers;
use crate::stats::{Summary, ratio, short};
use crate::table::Table;
use crate::world::World;
use crate::{Result, machine, readme};

/// How many processes start together.
const CROWD: u16 = 50;
/// Milliseconds between having a port and listening there, as servers take to start.
const STARTING: u16 = 200;
/// How many rounds the target speaks of.
const ROUNDS: usize = 20;
/// What starts an interpreter fifty times comes in every so many rounds.
const SLOW: usize = 4;

/// What a contender's rounds gave.
#[derive(Default)]
struct Series {
    wall: Vec<f64>,
    /// Processes of a round that named a port that another one named before.
    collisions: Vec<usize>,
    /// Processes of a round that could not listen.
    failures: Vec<usize>,
    /// Processes of a round whose port was none of the range.
    outside: Vec<usize>,
}

pub(super) fn run(world: &World, peers: &Peers) -> Result<String> {
    let ranges = Ranges::claim(world);
    let range = ranges.first();
    let load = machine::load();
    let mut all: Vec<(Contender, Series)> = contenders::all(world, peers, range)?
        .into_iter()
        .map(|contender| (contender, Series::default()))
        .collect();
    for round in 0..ROUNDS {
        for (contender, series) in &mut all {
            if contender.slow && round % SLOW != 0 {
                continue;
            }
            let server = match contender.asks_server {
                true => Some(Portserver::start(world, peers, range)?),
                false => None,
            };
            let mut commands = (contender.prepare)(round)?;
            for command in &mut commands {
                if let Some(server) = &server {
                    command.env("PORTSERVER_ADDRESS", &server.address);
                }
            }
            let (wall, answers) = start::all(commands)?;
            series.add(wall, &answers, range);
        }
    }
    let mut text = format!(
        "{}; {ROUNDS} interleaved rounds, {} of Node and Python; load average {load} before, {} \
         after.\n\n",
        machine::line(),
        ROUNDS.div_ceil(SLOW),
        machine::load()
    );
    for line in super::missing(peers) {
        text += &line;
    }
    text += &section(world, &all)?;
    Ok(text)
}

impl Series {
    fn add(&mut self, wall: f64, answers: &[Answer], (low, high): (u16, u16)) {
        let mut named: BTreeMap<u16, usize> = BTreeMap::new();
        for answer in answers.iter().filter(|answer| answer.port != 0) {
            *named.entry(answer.port).or_default() += 1;
        }
        self.wall.push(wall);
        self.collisions
            .push(named.values().map(|count| count - 1).sum());
        self.failures
            .push(answers.iter().filter(|one| !one.bound).count());
        let outside = |port: &&u16| !(low..=high).contains(*port);
        self.outside.push(named.keys().filter(outside).count());
    }

    fn is_wrong(&self) -> bool {
        [&self.collisions, &self.failures, &self.outside]
            .iter()
            .any(|counts| counts.iter().any(|count| *count > 0))
    }
}

/// The median, and the worst round.
fn counts(values: &[usize]) -> String {
    let all: Vec<f64> = values.iter().map(|value| *value as f64).collect();
    let worst = values.iter().max().copied().unwrap_or(0);
    match Summary::of(&all) {
        Some(_) if worst == 0 => "0".to_owned(),
        Some(summary) => format!("**{:.0}** (worst {worst})", summary.median),
        None => String::new(),
    }
}

fn section(world: &World, all: &[(Contender, Series)]) -> Result<String> {
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
    for (contender, series) in all {
        let Some(wall) = Summary::of(&series.wall) else {
            continue;
        };
        let baseline = all
            .iter()
            .find(|(other, _)| other.name == contender.baseline);
        let times = baseline.and_then(|(_, baseline)| ratio(&series.wall, &baseline.wall));
        table.rows.push(vec![
            contender.name.to_owned(),
            counts(&series.collisions),
            counts(&series.failures),
            counts(&series.outside),
            short(wall.median),
            format!("{}–{}", short(wall.low), short(wall.high)),
            times.map(short).unwrap_or_default(),
        ]);
        bars.push(Bar {
            name: contender.name.to_owned(),
            value: wall,
            wrong: series.is_wrong(),
        });
    }
    let title = "Fifty processes at once, until all listen or have failed";
    let picture = readme::picture(&world.bench, "crowd", title, "ms", &bars)?;
    let mut text = table.markdown();
    let _ = write!(text, "\n{picture}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_in_a_round_is_counted() {
        let answer = |port, bound| Answer { port, bound };
        let mut series = Series::default();
        let answers = [
            answer(5, true),
            answer(5, false),
            answer(50, true),
            answer(0, false),
        ];
        series.add(1.0, &answers, (1, 10));
        let counted = (series.collisions[0], series.failures[0], series.outside[0]);
        assert_eq!(counted, (1, 2, 1));
        assert!(series.is_wrong());
    }
}
