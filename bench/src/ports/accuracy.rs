//! Which ports each tool reports as free: with listeners on every kind of address, and held ports.

mod occupants;

use std::path::Path;
use std::process::Command;

use self::occupants::{Occupant, occupy};
use super::ranges::Ranges;
use crate::chart::Bar;
use crate::env::BenchEnv;
use crate::peers::{Peers, find_program};
use crate::sample::measure;
use crate::stats::Summary;
use crate::table::Table;
use crate::{Result, machine, readme};

/// A tool's name and the ports that it reported as free.
type Report = (String, Vec<u16>);

/// Ask every tool about each port separately.
pub(super) fn run(env: &BenchEnv, peers: &Peers) -> Result<String> {
    let ranges = Ranges::claim(env);
    let occupants = occupy(ranges.backend().0)?;
    let ports: Vec<u16> = occupants.iter().map(|occupant| occupant.port).collect();
    let mut reports = vec![("portway".to_owned(), portway(env, &ports)?)];
    if let Ok(dir) = &peers.node {
        let node = find_program("node").ok_or("`node` is missing")?;
        for (name, tool) in [
            ("get-port", "get-port"),
            ("detect-port", "detect-port"),
            ("portfinder", "portfinder"),
            ("plain Node", "plain"),
        ] {
            let mut command = env.command(&node, "accuracy");
            let free = driver(&mut command, &dir.join("accuracy.mjs"), tool, &ports)?;
            reports.push((name.to_owned(), free));
        }
    }
    if let Ok(dir) = &peers.python {
        for (name, tool) in [
            ("portpicker", "portpicker_tool"),
            ("ephemeral-port-reserve", "reserve"),
            ("plain Python", "plain"),
        ] {
            let mut command = env.command(peers.python_program("python"), "accuracy");
            let free = driver(&mut command, &dir.join("accuracy.py"), tool, &ports)?;
            reports.push((name.to_owned(), free));
        }
    }
    let mut text = format!("{}\n\n", machine::describe());
    text += &matrix(&occupants, &reports).markdown();
    let bars: Vec<Bar> = reports
        .iter()
        .filter_map(|report| bar(&occupants, report))
        .collect();
    let title = format!("Correct answers of {}", count_definite(&occupants));
    text += "\n";
    text += &readme::write_chart(&env.bench, "accuracy", &title, "correct", &bars)?;
    Ok(text)
}

/// The number of ports with one correct answer.
fn count_definite(occupants: &[Occupant]) -> usize {
    occupants
        .iter()
        .filter(|occupant| occupant.is_free.is_some())
        .count()
}

fn bar(occupants: &[Occupant], (name, free): &Report) -> Option<Bar> {
    let is_correct = |occupant: &&Occupant| occupant.is_free == Some(free.contains(&occupant.port));
    let count = occupants.iter().filter(is_correct).count();
    Some(Bar {
        name: name.clone(),
        value: Summary::of(&[count as f64])?,
        is_wrong: count < count_definite(occupants),
    })
}

fn matrix(occupants: &[Occupant], reports: &[Report]) -> Table {
    let mut table = Table {
        columns: vec!["on the port".to_owned()],
        rows: Vec::new(),
    };
    table
        .columns
        .extend(reports.iter().map(|(name, _)| name.clone()));
    for occupant in occupants {
        let cell = |(_, free): &Report| {
            let reported = free.contains(&occupant.port);
            let word = if reported { "free" } else { "in use" };
            match occupant.is_free {
                Some(truth) if truth != reported => format!("**{word}**"),
                _ => word.to_owned(),
            }
        };
        let mut row = vec![occupant.name.to_owned()];
        row.extend(reports.iter().map(cell));
        table.rows.push(row);
    }
    table
}

/// Run a driver that prints the free ports.
fn driver(command: &mut Command, script: &Path, tool: &str, ports: &[u16]) -> Result<Vec<u16>> {
    command.arg(script).arg(tool);
    command.args(ports.iter().map(u16::to_string));
    let sample = measure(command)?;
    let text = String::from_utf8_lossy(&sample.output.stdout).into_owned();
    if !sample.output.status.success() {
        let message = String::from_utf8_lossy(&sample.output.stderr).into_owned();
        return Err(format!("{tool}: {message}"));
    }
    Ok(text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect())
}

/// Run Portway in a project whose only service requires this port.
fn portway(env: &BenchEnv, ports: &[u16]) -> Result<Vec<u16>> {
    let mut free = Vec::new();
    for port in ports {
        let manifest =
            format!("[services.api]\ncommand = \"x {{port}}\"\nport = \"{port}-{port}\"");
        let dir = env.checkout(&format!("accuracy-{port}"), &manifest)?;
        let mut command = env.command(&env.portway, "accuracy");
        let sample = measure(command.arg("-C").arg(dir).args(["detect", "--json"]))?;
        match sample.output.status.code() {
            Some(0) => free.push(*port),
            // The range is full.
            Some(4) => {}
            _ => return Err(String::from_utf8_lossy(&sample.output.stderr).into_owned()),
        }
    }
    Ok(free)
}
