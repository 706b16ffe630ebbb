//! `bench who`: who has a port, among three hundred other processes.

mod crowd;

use std::path::PathBuf;
use std::process::{Command, Output};

use self::crowd::{Own, Stranger};
use crate::chart::Bar;
use crate::peers::{Peers, on_path};
use crate::ports::ranges::Ranges;
use crate::sample::sample;
use crate::stats::{Summary, ratio, short};
use crate::table::Table;
use crate::world::World;
use crate::{Result, machine, readme};

/// How many processes there are beside the one that is looked for.
const PROCESSES: usize = 300;
/// How many descriptors each of them has.
const DESCRIPTORS: usize = 22;
/// Version of killport, from the Rust registry.
const KILLPORT: &str = "2.0.2";

/// A tool, asked for one port.
struct Contender {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// What a right answer names.
    pid: u32,
    wall: Vec<f64>,
    cpu: Vec<f64>,
    wrong: usize,
}

pub(crate) fn run(world: &World, rounds: usize) -> Result<()> {
    let peers = Peers::programs(world);
    let ranges = Ranges::claim(world);
    let (first, last) = ranges.first();
    let _idle = crowd::idle(world, PROCESSES, DESCRIPTORS)?;
    let stranger = Stranger::start(world, first)?;
    let own = Own::start(world, last)?;
    let (mut all, missing) = contenders(world, &peers, (first, stranger.pid()), (last, own.pid));
    let load = machine::load();
    // The first round warms the file cache and is not counted.
    for round in 0..=rounds {
        for one in &mut all {
            let mut command = command(world, one);
            let sample = sample(&mut command)?;
            if round > 0 {
                one.wrong += usize::from(!names(&sample.output, one.pid));
                one.wall.push(sample.wall);
                one.cpu.push(sample.cpu);
            }
        }
    }
    let mut text = format!(
        "{}; {rounds} interleaved rounds; load average {load} before, {} after.\n\n",
        machine::line(),
        machine::load()
    );
    for line in missing {
        text += &line;
    }
    text += &section(world, &all)?;
    readme::write(&world.bench, "who", &text)
}

/// All, the baseline first; and what is missing, with the reason.
fn contenders(
    world: &World,
    peers: &Peers,
    (foreign, stranger): (u16, u32),
    (leased, service): (u16, u32),
) -> (Vec<Contender>, Vec<String>) {
    let mut missing = Vec::new();
    let mut all = Vec::new();
    let portway: Result<PathBuf> = Ok(world.portway.clone());
    let here = |name: &str| on_path(name).ok_or_else(|| "not on this machine".to_owned());
    for (name, program, words, pid) in [
        ("ss -ltnp", here("ss"), "-ltnp".to_owned(), stranger),
        (
            "portway who",
            portway.clone(),
            format!("who {foreign} --json"),
            stranger,
        ),
        (
            "portway who, a port of its own",
            portway,
            format!("who {leased} --json"),
            service,
        ),
        (
            "lsof -iTCP -sTCP:LISTEN",
            here("lsof"),
            format!("-nP -iTCP:{foreign} -sTCP:LISTEN"),
            stranger,
        ),
        ("fuser", here("fuser"), format!("{foreign}/tcp"), stranger),
        (
            "killport --dry-run",
            peers.crates("killport", KILLPORT),
            format!("--dry-run {foreign}"),
            stranger,
        ),
    ] {
        match program {
            Ok(program) => all.push(Contender {
                name: name.to_owned(),
                program,
                arguments: words.split(' ').map(str::to_owned).collect(),
                pid,
                wall: Vec::new(),
                cpu: Vec::new(),
                wrong: 0,
            }),
            Err(why) => missing.push(format!("Not measured: {name} ({why}).\n\n")),
        }
    }
    (all, missing)
}

fn command(world: &World, one: &Contender) -> Command {
    let mut command = world.command(&one.program, crowd::HOME);
    command.args(&one.arguments);
    command
}

/// Whether the answer names the process, as a number of its own.
fn names(output: &Output, pid: u32) -> bool {
    let text = [&output.stdout[..], b" ", &output.stderr[..]].concat();
    String::from_utf8_lossy(&text)
        .split(|letter: char| !letter.is_ascii_digit())
        .any(|number| number == pid.to_string())
}

fn section(world: &World, all: &[Contender]) -> Result<String> {
    let baseline = &all.first().ok_or("nothing was measured")?.wall;
    let mut table = Table::new(&[
        "tool",
        "wall ms",
        "quartiles",
        "× `ss -ltnp`",
        "CPU ms",
        "answer",
    ]);
    let mut bars = Vec::new();
    for one in all {
        let (Some(wall), Some(cpu)) = (Summary::of(&one.wall), Summary::of(&one.cpu)) else {
            continue;
        };
        table.rows.push(vec![
            one.name.clone(),
            short(wall.median),
            format!("{}–{}", short(wall.low), short(wall.high)),
            ratio(&one.wall, baseline).map(short).unwrap_or_default(),
            short(cpu.median),
            match one.wrong {
                0 => "right".to_owned(),
                wrong => format!("tells no pid in {wrong} of {}", one.wall.len()),
            },
        ]);
        bars.push(Bar {
            name: one.name.clone(),
            value: wall,
            wrong: one.wrong > 0,
        });
    }
    let title = "Who has a port, among 300 processes";
    let picture = readme::picture(&world.bench, "who", title, "ms", &bars)?;
    Ok(format!("{}\n{picture}", table.markdown()))
}
