//! `bench up`: the time until all services accept connections, the memory of the supervisor, and the
//! processes left after a stop.

mod competitors;
pub(crate) mod processes;
mod set_uid;
mod stack;
mod survival;

use self::competitors::Competitor;
use self::stack::{Load, Mode, Stack};
use crate::chart::Bar;
use crate::env::BenchEnv;
use crate::peers::Peers;
use crate::ports::ranges::Ranges;
use crate::stats::{Summary, format_number, median_ratio};
use crate::table::Table;
use crate::{Result, machine, readme};

/// The number of rounds. Each round starts every tool with 2 and with 20 services.
const ROUNDS: usize = 5;

/// The results of a tool.
#[derive(Default)]
struct Series {
    wall: Vec<f64>,
    /// Resident memory of the supervisor, in megabytes.
    supervisor: Vec<f64>,
    /// Private memory of each helper, in kilobytes.
    helper: Vec<f64>,
    /// The number of helpers.
    helpers: usize,
}

pub(crate) fn run(env: &BenchEnv) -> Result<()> {
    let peers = Peers::install(env)?;
    let ranges = Ranges::claim(env);
    let (all, missing) = competitors::all(&peers);
    let mut text = format!("{}; {ROUNDS} interleaved rounds.\n\n", machine::describe());
    for line in &missing {
        text += line;
    }
    for count in [2, 20] {
        text += &measure_starts(env, &all, &ranges, count)?;
    }
    readme::write_section(&env.bench, "up", &text)
}

/// `bench survival`: what is left after every kind of end.
pub(crate) fn run_survival(env: &BenchEnv) -> Result<()> {
    let peers = Peers::install(env)?;
    let ranges = Ranges::claim(env);
    let (all, missing) = competitors::all(&peers);
    let mut text = format!("{}.\n\n", machine::describe());
    for line in &missing {
        text += line;
    }
    text += &survival::measure(env, &all, &ranges)?;
    readme::write_section(&env.bench, "survival", &text)
}

fn measure_starts(
    env: &BenchEnv,
    all: &[Competitor],
    ranges: &Ranges,
    count: u16,
) -> Result<String> {
    let load_before = machine::load_average();
    let mut series: Vec<Series> = all.iter().map(|_| Series::default()).collect();
    // The first round fills the file cache and is not counted.
    for round in 0..=ROUNDS {
        for (competitor, series) in all.iter().zip(&mut series) {
            let stack = Stack::start(env, competitor, ranges, count, Load::None, Mode::Up)?;
            if round > 0 {
                let overhead = stack.overhead()?;
                series.wall.push(stack.wall);
                series.supervisor.push(overhead.supervisor);
                series.helper.extend(&overhead.helpers);
                series.helpers = overhead.helpers.len();
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
        .map(|series| series.wall.clone())
        .unwrap_or_default();
    for (competitor, series) in all.iter().zip(&series) {
        let (Some(wall), Some(rss)) = (Summary::of(&series.wall), Summary::of(&series.supervisor))
        else {
            continue;
        };
        table.rows.push(vec![
            competitor.name.to_owned(),
            format_number(wall.median),
            format!("{}–{}", format_number(wall.low), format_number(wall.high)),
            median_ratio(&series.wall, &baseline)
                .map(format_number)
                .unwrap_or_default(),
            format_number(rss.median),
            series.helpers.to_string(),
            Summary::of(&series.helper)
                .map(|summary| format_number(summary.median))
                .unwrap_or_default(),
        ]);
        bars.push(Bar {
            name: competitor.name.to_owned(),
            value: wall,
            is_wrong: false,
        });
    }
    let title = format!("{count} services, until all accept connections");
    let chart = readme::write_chart(&env.bench, &format!("up-{count}"), &title, "ms", &bars)?;
    Ok(format!(
        "#### {title}\n\n{}\n{chart}\nLoad average {load_before} before, {} after.\n\n",
        table.markdown(),
        machine::load_average()
    ))
}
