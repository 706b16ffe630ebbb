//! `bench who`: find the process that uses a port, among 300 other processes.

mod processes;

use std::path::PathBuf;
use std::process::{Command, Output};

use self::processes::{PortwayInstance, UnrelatedServer};
use crate::chart::Bar;
use crate::env::BenchEnv;
use crate::peers::{Peers, find_program};
use crate::ports::ranges::Ranges;
use crate::sample::measure;
use crate::stats::{Summary, format_number, median_ratio};
use crate::table::Table;
use crate::{Result, machine, readme};

/// The number of other processes.
const PROCESSES: usize = 300;
/// The number of open descriptors of each.
const DESCRIPTORS: usize = 22;
/// The version of the crate killport.
const KILLPORT: &str = "2.0.2";

/// A tool, the port that it looks up, and its results.
struct Competitor {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// The pid in the correct answer.
    pid: u32,
    wall: Vec<f64>,
    cpu: Vec<f64>,
    wrong: usize,
}

pub(crate) fn run(env: &BenchEnv, rounds: usize) -> Result<()> {
    let peers = Peers::without_libraries(env);
    let ranges = Ranges::claim(env);
    let (first, last) = ranges.backend();
    let _idle = processes::start_idle(env, PROCESSES, DESCRIPTORS)?;
    let unrelated = UnrelatedServer::start(env, first)?;
    let instance = PortwayInstance::start(env, last)?;
    let (mut all, missing) = competitors(
        env,
        &peers,
        (first, unrelated.pid()),
        (last, instance.service_pid),
    );
    let load_before = machine::load_average();
    // The first round fills the file cache and is not counted.
    for round in 0..=rounds {
        for competitor in &mut all {
            let mut command = command(env, competitor);
            let sample = measure(&mut command)?;
            if round > 0 {
                competitor.wrong += usize::from(!contains_pid(&sample.output, competitor.pid));
                competitor.wall.push(sample.wall);
                competitor.cpu.push(sample.cpu);
            }
        }
    }
    let mut text = format!(
        "{}; {rounds} interleaved rounds; load average {load_before} before, {} after.\n\n",
        machine::describe(),
        machine::load_average()
    );
    for line in missing {
        text += &line;
    }
    text += &section(env, &all)?;
    readme::write_section(&env.bench, "who", &text)
}

/// All tools, starting with the baseline, and a line for each tool that is not available.
fn competitors(
    env: &BenchEnv,
    peers: &Peers,
    (unrelated_port, unrelated_pid): (u16, u32),
    (leased_port, service_pid): (u16, u32),
) -> (Vec<Competitor>, Vec<String>) {
    let mut missing = Vec::new();
    let mut all = Vec::new();
    let portway: Result<PathBuf> = Ok(env.portway.clone());
    let installed = |name: &str| find_program(name).ok_or_else(|| "not installed".to_owned());
    for (name, program, arguments, pid) in [
        (
            "ss -ltnp",
            installed("ss"),
            "-ltnp".to_owned(),
            unrelated_pid,
        ),
        (
            "portway who",
            portway.clone(),
            format!("who {unrelated_port} --json"),
            unrelated_pid,
        ),
        (
            "portway who, a leased port",
            portway,
            format!("who {leased_port} --json"),
            service_pid,
        ),
        (
            "lsof -iTCP -sTCP:LISTEN",
            installed("lsof"),
            format!("-nP -iTCP:{unrelated_port} -sTCP:LISTEN"),
            unrelated_pid,
        ),
        (
            "fuser",
            installed("fuser"),
            format!("{unrelated_port}/tcp"),
            unrelated_pid,
        ),
        (
            "killport --dry-run",
            peers.cargo("killport", KILLPORT),
            format!("--dry-run {unrelated_port}"),
            unrelated_pid,
        ),
    ] {
        match program {
            Ok(program) => all.push(Competitor {
                name: name.to_owned(),
                program,
                arguments: arguments.split(' ').map(str::to_owned).collect(),
                pid,
                wall: Vec::new(),
                cpu: Vec::new(),
                wrong: 0,
            }),
            Err(reason) => missing.push(format!("Not measured: {name} ({reason}).\n\n")),
        }
    }
    (all, missing)
}

fn command(env: &BenchEnv, competitor: &Competitor) -> Command {
    let mut command = env.command(&competitor.program, processes::HOME);
    command.args(&competitor.arguments);
    command
}

/// Whether the output contains the pid as a separate number.
fn contains_pid(output: &Output, pid: u32) -> bool {
    let text = [&output.stdout[..], b" ", &output.stderr[..]].concat();
    String::from_utf8_lossy(&text)
        .split(|letter: char| !letter.is_ascii_digit())
        .any(|number| number == pid.to_string())
}

fn section(env: &BenchEnv, all: &[Competitor]) -> Result<String> {
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
    for competitor in all {
        let (Some(wall), Some(cpu)) = (Summary::of(&competitor.wall), Summary::of(&competitor.cpu))
        else {
            continue;
        };
        table.rows.push(vec![
            competitor.name.clone(),
            format_number(wall.median),
            format!("{}–{}", format_number(wall.low), format_number(wall.high)),
            median_ratio(&competitor.wall, baseline)
                .map(format_number)
                .unwrap_or_default(),
            format_number(cpu.median),
            match competitor.wrong {
                0 => "correct".to_owned(),
                wrong => format!("prints no pid in {wrong} of {}", competitor.wall.len()),
            },
        ]);
        bars.push(Bar {
            name: competitor.name.clone(),
            value: wall,
            is_wrong: competitor.wrong > 0,
        });
    }
    let title = "Finding the process that uses a port, among 300 processes";
    let chart = readme::write_chart(&env.bench, "who", title, "ms", &bars)?;
    Ok(format!("{}\n{chart}", table.markdown()))
}
