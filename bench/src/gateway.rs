//! `bench gateway`: requests to one service through Portway's gateway and through other proxies.

mod contenders;
mod load;
mod memory;
mod proxy;
mod sockets;
mod tools;

use self::load::{Load, Speed};
use self::memory::Cost;
use self::proxy::Proxy;
use self::tools::Tools;
use crate::chart::Bar;
use crate::peers::Peers;
use crate::ports::ranges::Ranges;
use crate::stats::{Summary, added, ratio, short};
use crate::table::Table;
use crate::world::World;
use crate::{Result, machine, readme};

/// The loads, the name of each one's picture, and its title.
const LOADS: [(Load, &str, &str); 5] = [
    (Load::Connections(1), "gateway-1", "1 connection, HTTP/1.1"),
    (
        Load::Connections(32),
        "gateway-32",
        "32 connections, HTTP/1.1",
    ),
    (
        Load::Connections(128),
        "gateway-128",
        "128 connections, HTTP/1.1",
    ),
    (
        Load::Streams(1),
        "gateway-h2-1",
        "1 request at a time, HTTP/2",
    ),
    (
        Load::Streams(64),
        "gateway-h2-64",
        "64 requests at once over one connection, HTTP/2",
    ),
];

/// Whom the others are compared with.
const NGINX: &str = "nginx, connections kept";

/// What one proxy did under one load, a value for each round.
#[derive(Debug, Default)]
struct Series {
    requests: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    wrong: u64,
}

impl Series {
    fn push(&mut self, speed: Speed) {
        self.requests.push(speed.requests);
        self.p50.push(speed.p50);
        self.p99.push(speed.p99);
        self.wrong += speed.wrong;
    }
}

pub(crate) fn run(world: &World, rounds: usize) -> Result<()> {
    let peers = Peers::programs(world);
    let tools = Tools::unpack(&peers)?;
    let ranges = Ranges::claim(world);
    let load = machine::load();
    let (all, missing) = contenders::all(world, &peers, &tools, &ranges)?;
    let mut costs = Vec::new();
    for proxy in all.iter().filter(|proxy| proxy.is_before()) {
        costs.push((proxy.name, memory::of(world, &tools, proxy)?));
    }
    let series = measure(world, &tools, &all, rounds)?;
    let mut text = format!(
        "{}; {rounds} interleaved rounds; load average {load} before, {} after.\n\n",
        machine::line(),
        machine::load()
    );
    for line in missing {
        text += &line;
    }
    for ((_, picture, title), series) in LOADS.iter().zip(&series) {
        text += &speeds(world, picture, title, series)?;
    }
    text += &memories(world, &costs)?;
    readme::write(&world.bench, "gateway", &text)
}

/// What each proxy that can does under each of [`LOADS`]. The first round warms all up and is not
/// counted.
fn measure(
    world: &World,
    tools: &Tools,
    all: &[Proxy],
    rounds: usize,
) -> Result<Vec<Vec<(&'static str, Series)>>> {
    let mut series: Vec<Vec<(&str, Series)>> = LOADS.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        println!("== round {round} of {rounds}");
        for ((load, ..), series) in LOADS.iter().zip(&mut series) {
            let speaking = all.iter().filter_map(|proxy| {
                let port = match load {
                    Load::Connections(_) => Some(proxy.place.port),
                    Load::Streams(_) => proxy.place.h2_port,
                };
                Some((proxy.name, port?))
            });
            for (index, (name, port)) in speaking.enumerate() {
                let speed = load
                    .run(world, tools, port)
                    .map_err(|error| format!("{name}: {error}"))?;
                if round == 0 {
                    series.push((name, Series::default()));
                } else {
                    series[index].1.push(speed);
                }
            }
        }
    }
    Ok(series)
}

/// The table of one load, and its picture.
fn speeds(
    world: &World,
    picture: &str,
    title: &str,
    series: &[(&'static str, Series)],
) -> Result<String> {
    let (table, bars) = compared(series).ok_or("nothing was measured")?;
    let unit = "requests/s";
    let picture = readme::picture(&world.bench, picture, title, unit, &bars)?;
    Ok(format!("#### {title}\n\n{}\n{picture}\n", table.markdown()))
}

/// All in comparison with the first, which is the service itself, and with [`NGINX`].
fn compared(series: &[(&'static str, Series)]) -> Option<(Table, Vec<Bar>)> {
    let mut table = Table::new(&[
        "through",
        "requests/s",
        "quartiles",
        "× direct",
        "× nginx, kept",
        "p50 µs",
        "added",
        "p99 µs",
        "added",
    ]);
    let mut bars = Vec::new();
    let (_, direct) = series.first()?;
    let nginx = series.iter().find(|(name, _)| *name == NGINX);
    for (name, one) in series {
        let requests = Summary::of(&one.requests)?;
        let told = |value: Option<f64>| value.map(short).unwrap_or_default();
        let median = |values: &[f64]| told(Summary::of(values).map(|one| one.median));
        let wrong = one.wrong > 0;
        table.rows.push(vec![
            match wrong {
                true => format!("{name}: **{} wrong**", one.wrong),
                false => (*name).to_owned(),
            },
            short(requests.median),
            format!("{}–{}", short(requests.low), short(requests.high)),
            told(ratio(&one.requests, &direct.requests)),
            told(nginx.and_then(|(_, nginx)| ratio(&one.requests, &nginx.requests))),
            median(&one.p50),
            told(added(&one.p50, &direct.p50)),
            median(&one.p99),
            told(added(&one.p99, &direct.p99)),
        ]);
        bars.push(Bar {
            name: (*name).to_owned(),
            value: requests,
            wrong,
        });
    }
    Some((table, bars))
}

/// The table of memory and connections, and its picture.
fn memories(world: &World, costs: &[(&'static str, Cost)]) -> Result<String> {
    let mut table = Table::new(&[
        "proxy",
        "MB at rest",
        "MB under load",
        "MB afterwards",
        "connections to the service under load",
        "8 s afterwards",
    ]);
    let mut bars = Vec::new();
    for (name, cost) in costs {
        let mut row = vec![(*name).to_owned()];
        row.extend(cost.megabytes.map(short));
        row.extend(cost.connections.map(|count| count.to_string()));
        table.rows.push(row);
        bars.extend(Summary::of(&cost.megabytes[1..2]).map(|value| Bar {
            name: (*name).to_owned(),
            value,
            wrong: false,
        }));
    }
    let title = "Memory under 128 connections";
    let picture = readme::picture(&world.bench, "gateway-memory", title, "MB", &bars)?;
    Ok(format!(
        "#### Memory, and connections to the service\n\n{}\n{picture}",
        table.markdown()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proxy_is_compared_within_its_rounds() {
        let series = |requests: [f64; 2], p50: [f64; 2], wrong| Series {
            requests: requests.to_vec(),
            p50: p50.to_vec(),
            p99: p50.to_vec(),
            wrong,
        };
        let all = [
            ("direct", series([100.0, 1000.0], [10.0, 20.0], 0)),
            ("portway", series([50.0, 500.0], [15.0, 25.0], 0)),
            (NGINX, series([25.0, 250.0], [30.0, 40.0], 3)),
        ];
        let (table, bars) = compared(&all).unwrap();
        let row = &table.rows[1];
        assert_eq!(row.len(), table.columns.len());
        assert_eq!(row[3..6], ["0.50", "2.0", "20.0"]);
        assert_eq!((row[6].as_str(), row[8].as_str()), ("5.0", "5.0"));
        assert!(table.rows[2][0].contains("3 wrong"));
        assert!(bars[2].wrong && !bars[1].wrong);
    }
}
