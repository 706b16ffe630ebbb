//! `bench isolation`: a service on a port of the machine, in a network namespace behind Portway's relay,
//! and in a container behind a published port.

mod cost;
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

/// The port of the service inside. Every namespace and container has its own.
const PORT: u16 = 5000;

pub(crate) fn run(env: &BenchEnv, rounds: usize) -> Result<()> {
    let peers = Peers::without_libraries(env);
    let tools = Tools::unpack(&peers)?;
    let ranges = Ranges::claim(env);
    let load_before = machine::load_average();
    let costs = cost::measure(env, rounds)?;
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
    let text = head + &text + &table(&places, &series) + "\n" + &costs;
    readme::write_section(&env.bench, "isolation", &text)
}

/// Returns the values of each measure, place and round. The first round fills caches and is not
/// counted.
fn measure(
    env: &BenchEnv,
    tools: &Tools,
    places: &[Place],
    rounds: usize,
) -> Result<Vec<Vec<Vec<f64>>>> {
    let mut series = vec![vec![Vec::new(); places.len()]; MEASURES.len()];
    for round in 0..=rounds {
        println!("== round {round} of {rounds}");
        for (at, values) in series.iter_mut().enumerate() {
            for (place, values) in places.iter().zip(values) {
                if at == BULK && place.service == Service::Node {
                    continue;
                }
                let fail = |error| format!("{}: {error}", place.name);
                let value = match at {
                    0 => requests(env, tools, place, 1),
                    1 => requests(env, tools, place, 32),
                    _ => bulk(place.port),
                };
                let value = value.map_err(fail)?;
                if round > 0 {
                    values.push(value);
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

fn table(places: &[Place], series: &[Vec<Vec<f64>>]) -> String {
    let mut table = Table::new(&[
        "measure",
        "service",
        "place",
        "median",
        "quartiles",
        "× plain",
    ]);
    for (measure, values) in MEASURES.iter().zip(series) {
        for (place, own) in places.iter().zip(values) {
            let Some(summary) = Summary::of(own) else {
                continue;
            };
            // The first place with the same service.
            let plain = places.iter().position(|it| it.service == place.service);
            let plain = plain.and_then(|at| values.get(at));
            let ratio = plain.and_then(|plain| median_ratio(own, plain));
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
            ]);
        }
    }
    table.markdown()
}
