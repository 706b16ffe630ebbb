//! Two ports in a fresh process, with the preferred ones free and with 99 of 100 taken.

mod contenders;

use std::fmt::Write;
use std::net::{Ipv6Addr, TcpListener};

use self::contenders::Contender;
use super::portserver::Portserver;
use super::ranges::Ranges;
use crate::chart::Bar;
use crate::peers::Peers;
use crate::sample::{Sample, sample};
use crate::stats::{Summary, ratio, short};
use crate::table::Table;
use crate::world::World;
use crate::{Result, machine, readme};

/// What a contender's runs gave.
#[derive(Default)]
struct Series {
    wall: Vec<f64>,
    cpu: Vec<f64>,
    /// The first wrong answer, and how many there were.
    wrong: Option<(String, usize)>,
}

/// How the answer of a contender is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expected {
    /// It allocates nothing.
    Nothing,
    /// It takes preferred ports: the first free port of each range.
    FirstFree,
    /// It takes a range and no preference: any free port of it, so many of them.
    InRange(usize),
}

/// Measures and tells.
pub(super) fn run(world: &World, peers: &Peers, rounds: usize) -> Result<String> {
    let ranges = Ranges::claim(world);
    let mut text = format!("{}; {rounds} interleaved rounds.\n\n", machine::line());
    for line in super::missing(peers) {
        text += &line;
    }
    for crowded in [false, true] {
        let load = machine::load();
        let taken = if crowded {
            ranges.crowd_out()?
        } else {
            Vec::new()
        };
        let all = measure(world, peers, &ranges, crowded, rounds)?;
        drop(taken);
        let (name, title) = match crowded {
            false => ("pair-free", "Two ports, the preferred ones free"),
            true => ("pair-taken", "Two ports, 99 of 100 taken in both ranges"),
        };
        text += &section(world, name, title, &all)?;
        let _ = writeln!(
            text,
            "\nLoad average {load} before, {} after.\n",
            machine::load()
        );
    }
    Ok(text)
}

fn measure<'a>(
    world: &'a World,
    peers: &'a Peers,
    ranges: &'a Ranges,
    crowded: bool,
    rounds: usize,
) -> Result<Vec<(Contender<'a>, Series)>> {
    let mut all: Vec<(Contender, Series)> = contenders::all(world, peers, ranges)?
        .into_iter()
        .map(|contender| (contender, Series::default()))
        .collect();
    // The first round warms the file cache and is not counted.
    for round in 0..=rounds {
        // A server for each round, for it gives each port once to each process.
        let server = match &peers.python {
            Ok(_) => Some(Portserver::start(world, peers, ranges.first())?),
            Err(_) => None,
        };
        for (contender, series) in &mut all {
            let mut command = (contender.prepare)()?;
            if let Some(server) = server.as_ref().filter(|_| contender.asks_server) {
                command.env("PORTSERVER_ADDRESS", &server.address);
            }
            let one = sample(&mut command)?;
            if round == 0 {
                continue;
            }
            if let Some(why) = fault(contender, &one, ranges, crowded) {
                series.wrong.get_or_insert((why, 0)).1 += 1;
            }
            series.wall.push(one.wall);
            series.cpu.push(one.cpu);
        }
    }
    Ok(all)
}

/// What is wrong with an answer.
fn fault(contender: &Contender, sample: &Sample, ranges: &Ranges, crowded: bool) -> Option<String> {
    if !sample.output.status.success() {
        return Some(format!("failed ({})", sample.output.status));
    }
    let answer = (contender.read)(&sample.output);
    let (one, two) = (ranges.first(), ranges.second());
    let is_in = |port: u16, (low, high): (u16, u16)| (low..=high).contains(&port);
    let right = match contender.expected {
        Expected::Nothing => return None,
        Expected::FirstFree if crowded => answer == [one.1, two.1],
        Expected::FirstFree => answer == [one.0, two.0],
        Expected::InRange(count) => {
            answer.len() == count
                && answer
                    .iter()
                    .all(|port| is_in(*port, one) || is_in(*port, two))
                && answer.iter().all(|port| is_free(*port))
        }
    };
    if right {
        return None;
    }
    let told: Vec<String> = answer
        .iter()
        .map(|port| match *port {
            0 => "none".to_owned(),
            port if !is_in(port, one) && !is_in(port, two) => "out of range".to_owned(),
            port if is_free(port) => "not the preferred".to_owned(),
            _ => "taken".to_owned(),
        })
        .collect();
    Some(told.join(", "))
}

/// Whether a server could listen there, on every address.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok()
}

fn section(world: &World, name: &str, title: &str, all: &[(Contender, Series)]) -> Result<String> {
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
    for (contender, series) in all {
        let (Some(wall), Some(cpu)) = (Summary::of(&series.wall), Summary::of(&series.cpu)) else {
            continue;
        };
        let answer = match (&series.wrong, contender.expected) {
            (Some((why, count)), _) => {
                format!("**wrong** in {count} of {}: {why}", series.wall.len())
            }
            (None, Expected::Nothing) => String::new(),
            (None, _) => "right".to_owned(),
        };
        table.rows.push(vec![
            contender.name.clone(),
            short(wall.median),
            format!("{}–{}", short(wall.low), short(wall.high)),
            ratio(&series.wall, baseline).map(short).unwrap_or_default(),
            short(cpu.median),
            answer,
        ]);
        bars.push(Bar {
            name: contender.name.clone(),
            value: wall,
            wrong: series.wrong.is_some(),
        });
    }
    let picture = readme::picture(&world.bench, name, title, "ms", &bars)?;
    Ok(format!("#### {title}\n\n{}\n{picture}", table.markdown()))
}
