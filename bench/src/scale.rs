//! `bench scale`: what commands take when a machine has many instances, all of them running.

mod crowd;
mod verbs;

use self::crowd::Crowd;
use self::verbs::{NAMES, Verbs};
use crate::plot::{self, Line};
use crate::stats::{Summary, short};
use crate::table::Table;
use crate::world::World;
use crate::{Result, machine, readme};

/// How many instances run while the commands are measured.
const COUNTS: [u16; 4] = [1, 10, 100, 500];

/// What was seen beside one number of instances.
struct Step {
    count: u16,
    /// A summary for each of [`NAMES`], in milliseconds.
    times: Vec<Summary>,
    /// Megabytes that an instance has for itself: supervisor, keeper, service.
    memory: f64,
    /// Per cent of one core that all instances take together while nobody asks them anything.
    idle: f64,
}

pub(crate) fn run(world: &World, rounds: usize) -> Result<()> {
    let load = machine::load();
    let mut crowd = Crowd::new(world)?;
    let verbs = Verbs::new(world, &crowd)?;
    let mut steps = Vec::new();
    for count in COUNTS {
        crowd.grow(count)?;
        println!("== {count} instances run");
        let (memory, idle) = (crowd.memory()?, crowd.idle()?);
        let series = verbs.measure(&crowd, rounds)?;
        let times = series.iter().filter_map(|one| Summary::of(one)).collect();
        steps.push(Step {
            count,
            times,
            memory,
            idle,
        });
    }
    drop(crowd);
    let mut text = format!(
        "{}; {rounds} rounds at each number; load average {load} before.\n\n",
        machine::line()
    );
    text += &table(&steps).markdown();
    text += "\n";
    let title = "Beside so many running instances, ms";
    let picture = plot::svg(title, "running instances", &lines(&steps));
    text += &readme::drawn(&world.bench, "scale", title, &picture)?;
    readme::write(&world.bench, "scale", &text)
}

fn table(steps: &[Step]) -> Table {
    let mut table = Table::new(&["running instances"]);
    table
        .columns
        .extend(NAMES.iter().map(|name| format!("{name}, ms")));
    table
        .columns
        .extend(["MB of each alone", "all at rest, % of a core"].map(str::to_owned));
    for step in steps {
        let mut row = vec![step.count.to_string()];
        row.extend(step.times.iter().map(|time| {
            format!(
                "{} ({}–{})",
                short(time.median),
                short(time.low),
                short(time.high)
            )
        }));
        row.extend([short(step.memory), short(step.idle)]);
        table.rows.push(row);
    }
    table
}

fn lines(steps: &[Step]) -> Vec<Line> {
    let line = |(index, name): (usize, &&str)| Line {
        name: (*name).to_owned(),
        points: steps
            .iter()
            .filter_map(|step| Some((f64::from(step.count), *step.times.get(index)?)))
            .collect(),
    };
    NAMES.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_row_and_every_command_a_line() {
        let time = |value: f64| Summary::of(&[value]).unwrap();
        let step = |count: u16| Step {
            count,
            times: NAMES.iter().map(|_| time(f64::from(count))).collect(),
            memory: 2.0,
            idle: 0.5,
        };
        let steps = [step(1), step(10)];
        let table = table(&steps);
        assert_eq!(table.rows.len(), 2);
        assert!(
            table
                .rows
                .iter()
                .all(|row| row.len() == table.columns.len())
        );
        let lines = lines(&steps);
        assert_eq!(lines.len(), NAMES.len());
        assert_eq!(lines[0].points, [(1.0, time(1.0)), (10.0, time(10.0))]);
    }
}
