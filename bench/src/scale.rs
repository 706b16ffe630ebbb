//! `bench scale`: the time of commands while many instances run.

mod commands;
mod instances;

use self::commands::{Commands, NAMES};
use self::instances::Instances;
use crate::env::BenchEnv;
use crate::plot::{self, Line};
use crate::stats::{Summary, format_number};
use crate::table::Table;
use crate::{Result, machine, readme};

/// The numbers of running instances.
const COUNTS: [u16; 4] = [1, 10, 100, 500];

/// The results with one number of running instances.
struct Step {
    count: u16,
    /// A summary for each of [`NAMES`], in milliseconds.
    times: Vec<Summary>,
    /// Private memory of an instance (supervisor, keeper, and service), in megabytes.
    memory: f64,
    /// Processor time of all instances together while no command runs, in percent of one core.
    idle: f64,
}

pub(crate) fn run(env: &BenchEnv, rounds: usize) -> Result<()> {
    let load_before = machine::load_average();
    let mut instances = Instances::new(env)?;
    let commands = Commands::new(env, &instances)?;
    let mut steps = Vec::new();
    for count in COUNTS {
        instances.start(count)?;
        println!("== {count} instances run");
        let (memory, idle) = (instances.memory()?, instances.idle_load()?);
        let series = commands.measure(&instances, rounds)?;
        let times = series
            .iter()
            .filter_map(|values| Summary::of(values))
            .collect();
        steps.push(Step {
            count,
            times,
            memory,
            idle,
        });
    }
    drop(instances);
    let mut text = format!(
        "{}; {rounds} rounds at each number; load average {load_before} before.\n\n",
        machine::describe()
    );
    text += &table(&steps).markdown();
    text += "\n";
    let title = "Time of commands while instances run, ms";
    let picture = plot::svg(title, "running instances", &lines(&steps));
    text += &readme::write_picture(&env.bench, "scale", title, &picture)?;
    readme::write_section(&env.bench, "scale", &text)
}

fn table(steps: &[Step]) -> Table {
    let mut table = Table::new(&["running instances"]);
    table
        .columns
        .extend(NAMES.iter().map(|name| format!("{name}, ms")));
    table
        .columns
        .extend(["private MB each", "all idle, % of a core"].map(str::to_owned));
    for step in steps {
        let mut row = vec![step.count.to_string()];
        row.extend(step.times.iter().map(|time| {
            format!(
                "{} ({}–{})",
                format_number(time.median),
                format_number(time.low),
                format_number(time.high)
            )
        }));
        row.extend([format_number(step.memory), format_number(step.idle)]);
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
    fn makes_a_row_for_each_step_and_a_line_for_each_command() {
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
