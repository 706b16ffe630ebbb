//! `bench up`: until all services accept, what the supervisor costs, and what is left afterwards.

mod contenders;
pub(crate) mod processes;
mod stack;

use std::time::Duration;

use self::contenders::Contender;
use self::stack::{Stack, Stop};
use crate::chart::Bar;
use crate::peers::Peers;
use crate::ports::ranges::Ranges;
use crate::stats::{Summary, ratio, short};
use crate::table::Table;
use crate::world::World;
use crate::{Result, machine, readme};

/// How many rounds of starts; a round starts everything once with 2 and once with 20 services.
const ROUNDS: usize = 5;
/// How long what is left may take to end.
const GRACE: Duration = Duration::from_secs(4);

/// What a contender's starts gave.
#[derive(Default)]
struct Series {
    wall: Vec<f64>,
    /// Megabytes of the supervisor, kilobytes of each helper, and how many helpers.
    supervisor: Vec<f64>,
    helper: Vec<f64>,
    helpers: usize,
}

pub(crate) fn run(world: &World) -> Result<()> {
    let peers = Peers::install(world)?;
    let ranges = Ranges::claim(world);
    let (all, missing) = contenders::all(&peers);
    let mut text = format!("{}; {ROUNDS} interleaved rounds.\n\n", machine::line());
    for line in &missing {
        text += line;
    }
    for count in [2, 20] {
        text += &starts(world, &all, &ranges, count)?;
    }
    text += &stops(world, &all, &ranges)?;
    readme::write(&world.bench, "up", &text)
}

fn starts(world: &World, all: &[Contender], ranges: &Ranges, count: u16) -> Result<String> {
    let load = machine::load();
    let mut series: Vec<Series> = all.iter().map(|_| Series::default()).collect();
    // The first round warms the file cache and is not counted.
    for round in 0..=ROUNDS {
        for (contender, series) in all.iter().zip(&mut series) {
            let stack = Stack::start(world, contender, ranges, count, false)?;
            if round > 0 {
                let cost = stack.cost()?;
                series.wall.push(stack.wall);
                series.supervisor.push(cost.supervisor);
                series.helper.extend(&cost.helpers);
                series.helpers = cost.helpers.len();
            }
        }
    }
    let mut table = Table::new(&[
        "tool",
        "ms until all accept",
        "quartiles",
        "× `bash &`",
        "supervisor RSS MB",
        "helpers",
        "private kB each",
    ]);
    let mut bars = Vec::new();
    let baseline = series
        .first()
        .map(|one| one.wall.clone())
        .unwrap_or_default();
    for (contender, series) in all.iter().zip(&series) {
        let (Some(wall), Some(rss)) = (Summary::of(&series.wall), Summary::of(&series.supervisor))
        else {
            continue;
        };
        table.rows.push(vec![
            contender.name.to_owned(),
            short(wall.median),
            format!("{}–{}", short(wall.low), short(wall.high)),
            ratio(&series.wall, &baseline)
                .map(short)
                .unwrap_or_default(),
            short(rss.median),
            series.helpers.to_string(),
            Summary::of(&series.helper)
                .map(|one| short(one.median))
                .unwrap_or_default(),
        ]);
        bars.push(Bar {
            name: contender.name.to_owned(),
            value: wall,
            wrong: false,
        });
    }
    let title = format!("{count} services until all accept");
    let picture = readme::picture(&world.bench, &format!("up-{count}"), &title, "ms", &bars)?;
    Ok(format!(
        "#### {title}\n\n{}\n{picture}\nLoad average {load} before, {} after.\n\n",
        table.markdown(),
        machine::load()
    ))
}

/// Two services, each with a grandchild that made itself a session of its own.
fn stops(world: &World, all: &[Contender], ranges: &Ranges) -> Result<String> {
    let mut table = Table::new(&["tool", "Ctrl-C", "SIGTERM", "SIGKILL"]);
    let mut bars = Vec::new();
    for contender in all {
        let mut row = vec![contender.name.to_owned()];
        let mut left = 0;
        for stop in [Stop::Polite, Stop::Terminate, Stop::Kill] {
            let stack = Stack::start(world, contender, ranges, 2, true)?;
            let (services, grandchildren) = stack.stop(stop, GRACE)?;
            left += services + grandchildren;
            row.push(match services + grandchildren {
                0 => "0 + 0".to_owned(),
                _ => format!("**{services} + {grandchildren}**"),
            });
        }
        table.rows.push(row);
        bars.extend(Summary::of(&[left as f64]).map(|value| Bar {
            name: contender.name.to_owned(),
            value,
            wrong: left > 0,
        }));
    }
    let title = "What is left after the three stops, of 12 processes";
    let picture = readme::picture(&world.bench, "up-left", title, "left", &bars)?;
    Ok(format!(
        "#### What is left\n\n{}\n{picture}",
        table.markdown()
    ))
}
