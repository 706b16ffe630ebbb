//! What each tool calls free: listeners on every kind of address, and held ports.

mod occupants;

use std::path::Path;
use std::process::Command;

use self::occupants::{Occupant, all};
use super::ranges::Ranges;
use crate::chart::Bar;
use crate::peers::{Peers, on_path};
use crate::sample::sample;
use crate::stats::Summary;
use crate::table::Table;
use crate::world::World;
use crate::{Result, machine, readme};

/// A tool's name and the ports that it called free.
type Seen = (String, Vec<u16>);

/// Asks every tool for each occupied port alone.
pub(super) fn run(world: &World, peers: &Peers) -> Result<String> {
    let ranges = Ranges::claim(world);
    let occupants = all(ranges.first().0)?;
    let ports: Vec<u16> = occupants.iter().map(|one| one.port).collect();
    let mut seen = vec![("portway".to_owned(), portway(world, &ports)?)];
    if let Ok(dir) = &peers.node {
        let node = on_path("node").ok_or("`node` is missing")?;
        for tool in ["get-port", "detect-port", "portfinder", "plain"] {
            let mut command = world.command(&node, "sight");
            let free = driver(&mut command, &dir.join("sight.mjs"), tool, &ports)?;
            seen.push((named(tool, "plain Node"), free));
        }
    }
    if let Ok(dir) = &peers.python {
        for (name, tool) in [
            ("portpicker", "portpicker_tool"),
            ("ephemeral-port-reserve", "reserve"),
            ("plain Python", "plain"),
        ] {
            let mut command = world.command(peers.python_program("python"), "sight");
            let free = driver(&mut command, &dir.join("sight.py"), tool, &ports)?;
            seen.push((name.to_owned(), free));
        }
    }
    let mut text = format!("{}\n\n", machine::line());
    text += &matrix(&occupants, &seen).markdown();
    let bars: Vec<Bar> = seen
        .iter()
        .filter_map(|seen| bar(&occupants, seen))
        .collect();
    let title = format!("Right answers of {}", bars_of(&occupants));
    text += "\n";
    text += &readme::picture(&world.bench, "sight", &title, "right", &bars)?;
    Ok(text)
}

fn named(tool: &str, plain: &str) -> String {
    if tool == "plain" { plain } else { tool }.to_owned()
}

/// How many rows have one right answer.
fn bars_of(occupants: &[Occupant]) -> usize {
    occupants.iter().filter(|one| one.free.is_some()).count()
}

fn bar(occupants: &[Occupant], (name, free): &Seen) -> Option<Bar> {
    let right = |one: &&Occupant| one.free == Some(free.contains(&one.port));
    let count = occupants.iter().filter(right).count();
    Some(Bar {
        name: name.clone(),
        value: Summary::of(&[count as f64])?,
        wrong: count < bars_of(occupants),
    })
}

fn matrix(occupants: &[Occupant], seen: &[Seen]) -> Table {
    let mut table = Table {
        columns: vec!["on the port".to_owned()],
        rows: Vec::new(),
    };
    table
        .columns
        .extend(seen.iter().map(|(name, _)| name.clone()));
    for occupant in occupants {
        let cell = |(_, free): &Seen| {
            let says = free.contains(&occupant.port);
            let word = if says { "free" } else { "taken" };
            match occupant.free {
                Some(truth) if truth != says => format!("**{word}**"),
                _ => word.to_owned(),
            }
        };
        let mut row = vec![occupant.name.to_owned()];
        row.extend(seen.iter().map(cell));
        table.rows.push(row);
    }
    table
}

/// Asks with a driver that prints the free ones.
fn driver(command: &mut Command, script: &Path, tool: &str, ports: &[u16]) -> Result<Vec<u16>> {
    command.arg(script).arg(tool);
    command.args(ports.iter().map(u16::to_string));
    let one = sample(command)?;
    let text = String::from_utf8_lossy(&one.output.stdout).into_owned();
    if !one.output.status.success() {
        let why = String::from_utf8_lossy(&one.output.stderr).into_owned();
        return Err(format!("{tool}: {why}"));
    }
    Ok(text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect())
}

/// Asks Portway with a project whose one service may have this port alone.
fn portway(world: &World, ports: &[u16]) -> Result<Vec<u16>> {
    let mut free = Vec::new();
    for port in ports {
        let manifest =
            format!("[services.api]\ncommand = \"x {{port}}\"\nport = \"{port}-{port}\"");
        let dir = world.checkout(&format!("sight-{port}"), &manifest)?;
        let mut command = world.command(&world.portway, "sight");
        let one = sample(command.arg("-C").arg(dir).args(["detect", "--json"]))?;
        match one.output.status.code() {
            Some(0) => free.push(*port),
            // The range is full.
            Some(4) => {}
            _ => return Err(String::from_utf8_lossy(&one.output.stderr).into_owned()),
        }
    }
    Ok(free)
}
