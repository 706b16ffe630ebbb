//! Two ports in a new process, with the preferred ports free, and with 99 of 100 ports in use.

mod competitors;

use std::fmt::Write;
use std::net::{Ipv6Addr, TcpListener};

use self::competitors::Competitor;
use super::portserver::Portserver;
use super::ranges::Ranges;
use crate::chart::Bar;
use crate::env::BenchEnv;
use crate::peers::Peers;
use crate::sample::{Sample, measure};
use crate::stats::{Summary, format_number, median_ratio};
use crate::table::Table;
use crate::{Result, machine, readme};

/// The results of a tool.
#[derive(Default)]
struct Series {
    wall: Vec<f64>,
    cpu: Vec<f64>,
    /// The first wrong answer, and the number of wrong answers.
    wrong: Option<(String, usize)>,
}

/// The correct answer of a tool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expected {
    /// The tool allocates nothing.
    Nothing,
    /// The tool supports preferred ports: the first free port of each range.
    FirstFree,
    /// The tool supports a range without preference: this many free ports of the range.
    InRange(usize),
}

/// Measure both situations. Returns their sections.
pub(super) fn run(env: &BenchEnv, peers: &Peers, rounds: usize) -> Result<String> {
    let ranges = Ranges::claim(env);
    let mut text = format!("{}; {rounds} interleaved rounds.\n\n", machine::describe());
    for line in super::missing(peers) {
        text += &line;
    }
    for is_occupied in [false, true] {
        let load_before = machine::load_average();
        let taken = if is_occupied {
            ranges.occupy_all_but_last()?
        } else {
            Vec::new()
        };
        let all = measure_all(env, peers, &ranges, is_occupied, rounds)?;
        drop(taken);
        let (name, title) = match is_occupied {
            false => ("pair-free", "Two ports, the preferred ports free"),
            true => (
                "pair-taken",
                "Two ports, 99 of 100 ports in use in both ranges",
            ),
        };
        text += &section(env, name, title, &all)?;
        let _ = writeln!(
            text,
            "\nLoad average {load_before} before, {} after.\n",
            machine::load_average()
        );
    }
    Ok(text)
}

fn measure_all<'a>(
    env: &'a BenchEnv,
    peers: &'a Peers,
    ranges: &'a Ranges,
    is_occupied: bool,
    rounds: usize,
) -> Result<Vec<(Competitor<'a>, Series)>> {
    let mut all: Vec<(Competitor, Series)> = competitors::all(env, peers, ranges)?
        .into_iter()
        .map(|competitor| (competitor, Series::default()))
        .collect();
    // The first round fills the file cache and is not counted.
    for round in 0..=rounds {
        // A server for each round, because it returns a port only once to each process.
        let server = match &peers.python {
            Ok(_) => Some(Portserver::start(env, peers, ranges.backend())?),
            Err(_) => None,
        };
        for (competitor, series) in &mut all {
            let mut command = (competitor.prepare)()?;
            if let Some(server) = server.as_ref().filter(|_| competitor.uses_portserver) {
                command.env("PORTSERVER_ADDRESS", &server.address);
            }
            let sample = measure(&mut command)?;
            if round == 0 {
                continue;
            }
            if let Some(error) = find_error(competitor, &sample, ranges, is_occupied) {
                series.wrong.get_or_insert((error, 0)).1 += 1;
            }
            series.wall.push(sample.wall);
            series.cpu.push(sample.cpu);
        }
    }
    Ok(all)
}

/// Describe what is wrong with an answer.
fn find_error(
    competitor: &Competitor,
    sample: &Sample,
    ranges: &Ranges,
    is_occupied: bool,
) -> Option<String> {
    if !sample.output.status.success() {
        return Some(format!("failed ({})", sample.output.status));
    }
    let answer = (competitor.parse)(&sample.output);
    let (backend, frontend) = (ranges.backend(), ranges.frontend());
    let is_in = |port: u16, (low, high): (u16, u16)| (low..=high).contains(&port);
    let is_correct = match competitor.expected {
        Expected::Nothing => return None,
        Expected::FirstFree if is_occupied => answer == [backend.1, frontend.1],
        Expected::FirstFree => answer == [backend.0, frontend.0],
        Expected::InRange(count) => {
            answer.len() == count
                && answer
                    .iter()
                    .all(|port| is_in(*port, backend) || is_in(*port, frontend))
                && answer.iter().all(|port| is_free(*port))
        }
    };
    if is_correct {
        return None;
    }
    let errors: Vec<String> = answer
        .iter()
        .map(|port| match *port {
            0 => "none".to_owned(),
            port if !is_in(port, backend) && !is_in(port, frontend) => "out of range".to_owned(),
            port if is_free(port) => "not the preferred port".to_owned(),
            _ => "in use".to_owned(),
        })
        .collect();
    Some(errors.join(", "))
}

/// Whether a server can listen on the port, on every address.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok()
}

fn section(
    env: &BenchEnv,
    name: &str,
    title: &str,
    all: &[(Competitor, Series)],
) -> Result<String> {
    let baseline = &all[0].1.wall;
    let mut table = Table::new(&[
        "tool",
        "wall ms",
        "quartiles",
        "× `/bin/true`",
        "CPU ms",
        "answer",
    ]);
    let mut bars = Vec::new();
    for (competitor, series) in all {
        let (Some(wall), Some(cpu)) = (Summary::of(&series.wall), Summary::of(&series.cpu)) else {
            continue;
        };
        let answer = match (&series.wrong, competitor.expected) {
            (Some((error, count)), _) => {
                format!("**wrong** in {count} of {}: {error}", series.wall.len())
            }
            (None, Expected::Nothing) => String::new(),
            (None, _) => "correct".to_owned(),
        };
        table.rows.push(vec![
            competitor.name.clone(),
            format_number(wall.median),
            format!("{}–{}", format_number(wall.low), format_number(wall.high)),
            median_ratio(&series.wall, baseline)
                .map(format_number)
                .unwrap_or_default(),
            format_number(cpu.median),
            answer,
        ]);
        bars.push(Bar {
            name: competitor.name.clone(),
            value: wall,
            is_wrong: series.wrong.is_some(),
        });
    }
    let chart = readme::write_chart(&env.bench, name, title, "ms", &bars)?;
    Ok(format!("#### {title}\n\n{}\n{chart}", table.markdown()))
}
