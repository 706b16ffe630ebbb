//! `bench isolation`: a service on a port of the machine, in a network namespace behind Portway's relay,
//! and in a container behind a published port.

mod cost;
mod instance;
mod place;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use self::place::{Place, Service};
use crate::env::BenchEnv;
use crate::gateway::load::Load;
use crate::gateway::tools::Tools;
use crate::peers::Peers;
use crate::ports::ranges::Ranges;
use crate::stats::{Summary, format_number, median_ratio};
use crate::table::Table;
use crate::{Result, machine, readme};

/// How long bulk data is received.
const BULK_TIME: Duration = Duration::from_secs(2);

/// What is measured, with the unit.
const MEASURES: [&str; 3] = [
    "requests/s, 1 connection",
    "requests/s, 32 connections",
    "bulk, GB/s",
];

/// The position of bulk data among them.
const BULK: usize = 2;

/// The smallest acceptable ratio of requests per second.
const MIN_RATIO: f64 = 0.7;

/// The smallest acceptable speed of bulk data, in GB/s.
const MIN_BULK: f64 = 2.0;

/// How much longer an instance may take to start, in milliseconds.
const MAX_START: f64 = 60.0;

/// How much memory a network may add to an instance, in megabytes.
const MAX_MEMORY: f64 = 8.0;

/// The processor time per idle second that counts as nothing, in milliseconds.
const MAX_IDLE: f64 = 1.0;

/// The port of the service inside. Every namespace and container has its own.
const PORT: u16 = 5000;

pub(crate) fn run(env: &BenchEnv, rounds: usize) -> Result<()> {
    let peers = Peers::without_libraries(env);
    let tools = Tools::unpack(&peers)?;
    let ranges = Ranges::claim(env);
    let load_before = machine::load_average();
    let costs = cost::measure(env, rounds)?;
    let instances = instance::measure_all(env, ranges.frontend(), rounds)?;
    let mut text = String::new();
    let port = ranges.backend().0;
    let mut places = vec![
        Place::plain(env, Service::Small, port)?,
        Place::isolated(env, Service::Small, port + 1)?,
        Place::plain(env, Service::Node, port + 2)?,
        Place::isolated(env, Service::Node, port + 3)?,
    ];
    match Place::container(env, port + 4) {
        Ok(container) => places.push(container),
        Err(reason) => text += &format!("Without `docker run -p`: {reason}.\n\n"),
    }
    let series = measure(env, &tools, &places, rounds)?;
    let head = format!(
        "{}; {rounds} interleaved rounds; load average {load_before} before, {} after.\n\n",
        machine::describe(),
        machine::load_average()
    );
    let goals = goals(&places, &series, instances.added);
    let tables = [goals, table(&places, &series), instances.table, costs];
    let text = head + &text + &tables.join("\n");
    readme::write_section(&env.bench, "isolation", &text)
}

/// The results of a measure in a place, one for each round.
#[derive(Clone, Default)]
struct Results {
    values: Vec<f64>,
    /// The processor time of the relay, in microseconds for each request or in milliseconds for each gigabyte.
    relay: Vec<f64>,
}

/// Returns the results of each measure and place. The first round fills caches and is not counted.
fn measure(
    env: &BenchEnv,
    tools: &Tools,
    places: &[Place],
    rounds: usize,
) -> Result<Vec<Vec<Results>>> {
    let mut series = vec![vec![Results::default(); places.len()]; MEASURES.len()];
    for round in 0..=rounds {
        println!("== round {round} of {rounds}");
        for (at, results) in series.iter_mut().enumerate() {
            for (place, results) in places.iter().zip(results) {
                if at == BULK && place.service == Service::Node {
                    continue;
                }
                let fail = |error| format!("{}: {error}", place.name);
                let (started, before) = (Instant::now(), cost::relays());
                let value = match at {
                    0 => requests(env, tools, place, 1),
                    1 => requests(env, tools, place, 32),
                    _ => bulk(place.port),
                };
                let value = value.map_err(fail)?;
                let busy = (cost::relays() - before) / started.elapsed().as_secs_f64();
                if round > 0 {
                    let unit = if at == BULK { 1.0 } else { 1000.0 };
                    results.values.push(value);
                    results.relay.push(busy * unit / value);
                }
            }
        }
    }
    Ok(series)
}

fn requests(env: &BenchEnv, tools: &Tools, place: &Place, connections: u16) -> Result<f64> {
    let result = Load::Connections(connections).run(env, tools, place.port)?;
    match result.wrong {
        0 => Ok(result.requests),
        wrong => Err(format!("{wrong} requests failed")),
    }
}

/// Returns the gigabytes per second that a connection receives.
fn bulk(port: u16) -> Result<f64> {
    let receive = || -> std::io::Result<f64> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(b"GET /bulk HTTP/1.1\r\n\r\n")?;
        let mut bytes = vec![0; 1 << 20];
        let started = Instant::now();
        let mut total = 0;
        while started.elapsed() < BULK_TIME {
            match stream.read(&mut bytes)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => total += count,
            }
        }
        Ok(total as f64 / started.elapsed().as_secs_f64() / 1e9)
    };
    receive().map_err(|error| error.to_string())
}

/// Compares the results with what isolation may cost.
fn goals(places: &[Place], series: &[Vec<Results>], added: [f64; 3]) -> String {
    let mut table = Table::new(&["goal", "service", "measured", "reached"]);
    let mut add = |goal: &str, service: &str, measured: f64, is_reached: bool| {
        let reached = if is_reached { "yes" } else { "no" };
        let measured = format_number(measured);
        table.rows.push(
            [goal, service, &measured, reached]
                .map(str::to_owned)
                .into(),
        );
    };
    for (at, measure) in MEASURES.iter().enumerate() {
        for (place, own) in places.iter().zip(&series[at]) {
            let plain = places.iter().position(|it| it.service == place.service);
            let own = &own.values;
            let ratio = plain.and_then(|plain| median_ratio(own, &series[at][plain].values));
            let (Some(ratio), true) = (ratio, place.is_isolated()) else {
                continue;
            };
            if at == BULK {
                let speed = Summary::of(own).map_or(f64::NAN, |it| it.median);
                let goal = format!("{measure}: at least {MIN_BULK}");
                add(&goal, place.service.name(), speed, speed >= MIN_BULK);
            } else {
                let goal = format!("{measure}: at least {MIN_RATIO} × plain");
                add(&goal, place.service.name(), ratio, ratio >= MIN_RATIO);
            }
        }
    }
    for (goal, value, max) in [
        ("more time to start, ms", added[0], MAX_START),
        ("more memory, MB", added[1], MAX_MEMORY),
        (
            "more processor time per idle second, ms",
            added[2],
            MAX_IDLE,
        ),
    ] {
        add(&format!("{goal}: at most {max}"), "", value, value <= max);
    }
    table.markdown()
}

fn table(places: &[Place], series: &[Vec<Results>]) -> String {
    let mut table = Table::new(&[
        "measure",
        "service",
        "place",
        "median",
        "quartiles",
        "× plain",
        "relay, µs per request or ms per GB",
    ]);
    for (measure, results) in MEASURES.iter().zip(series) {
        for (place, own) in places.iter().zip(results) {
            let Some(summary) = Summary::of(&own.values) else {
                continue;
            };
            // The first place with the same service.
            let plain = places.iter().position(|it| it.service == place.service);
            let plain = plain.and_then(|at| results.get(at));
            let ratio = plain.and_then(|plain| median_ratio(&own.values, &plain.values));
            let relay = Summary::of(&own.relay).filter(|_| place.is_isolated());
            table.rows.push(vec![
                (*measure).to_owned(),
                place.service.name().to_owned(),
                place.name.to_owned(),
                format_number(summary.median),
                format!(
                    "{}–{}",
                    format_number(summary.low),
                    format_number(summary.high)
                ),
                ratio.map(format_number).unwrap_or_default(),
                relay.map_or_else(String::new, |it| format_number(it.median)),
            ]);
        }
    }
    table.markdown()
}
