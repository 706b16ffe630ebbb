//! `bench gateway`: requests to one service through Portway's gateway and through other proxies.

mod competitors;
pub(crate) mod load;
mod memory;
mod proxy;
mod sockets;
pub(crate) mod tools;

use self::load::{Load, LoadResult};
use self::memory::Usage;
use self::proxy::Proxy;
use self::tools::Tools;
use crate::chart::Bar;
use crate::env::BenchEnv;
use crate::peers::Peers;
use crate::ports::ranges::Ranges;
use crate::stats::{Summary, format_number, median_difference, median_ratio};
use crate::table::Table;
use crate::{Result, machine, readme};

/// The loads, each with the name and the title of its chart.
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

/// The proxy that the others are compared with.
const NGINX: &str = "nginx, keep-alive";

/// The results of one proxy under one load, with a value for each round.
#[derive(Debug, Default)]
struct Series {
    requests: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    wrong: u64,
}

impl Series {
    fn push(&mut self, result: LoadResult) {
        self.requests.push(result.requests);
        self.p50.push(result.p50);
        self.p99.push(result.p99);
        self.wrong += result.wrong;
    }
}

pub(crate) fn run(env: &BenchEnv, rounds: usize) -> Result<()> {
    let peers = Peers::without_libraries(env);
    let tools = Tools::unpack(&peers)?;
    let ranges = Ranges::claim(env);
    let load_before = machine::load_average();
    let (all, missing) = competitors::start_all(env, &peers, &tools, &ranges)?;
    let mut usages = Vec::new();
    for proxy in all.iter().filter(|proxy| !proxy.is_service()) {
        usages.push((proxy.name, memory::measure(env, &tools, proxy)?));
    }
    let series = measure(env, &tools, &all, rounds)?;
    let mut text = format!(
        "{}; {rounds} interleaved rounds; load average {load_before} before, {} after.\n\n",
        machine::describe(),
        machine::load_average()
    );
    for line in missing {
        text += &line;
    }
    for ((_, chart, title), series) in LOADS.iter().zip(&series) {
        text += &load_section(env, chart, title, series)?;
    }
    text += &memory_section(env, &usages)?;
    readme::write_section(&env.bench, "gateway", &text)
}

/// Measure every proxy under each of [`LOADS`] whose protocol it supports. The first round fills
/// caches and is not counted.
fn measure(
    env: &BenchEnv,
    tools: &Tools,
    all: &[Proxy],
    rounds: usize,
) -> Result<Vec<Vec<(&'static str, Series)>>> {
    let mut series: Vec<Vec<(&str, Series)>> = LOADS.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        println!("== round {round} of {rounds}");
        for ((load, ..), series) in LOADS.iter().zip(&mut series) {
            let supported = all.iter().filter_map(|proxy| {
                let port = match load {
                    Load::Connections(_) => Some(proxy.endpoints.port),
                    Load::Streams(_) => proxy.endpoints.h2_port,
                };
                Some((proxy.name, port?))
            });
            for (index, (name, port)) in supported.enumerate() {
                let result = load
                    .run(env, tools, port)
                    .map_err(|error| format!("{name}: {error}"))?;
                if round == 0 {
                    series.push((name, Series::default()));
                } else {
                    series[index].1.push(result);
                }
            }
        }
    }
    Ok(series)
}

/// The table and the chart of one load.
fn load_section(
    env: &BenchEnv,
    chart: &str,
    title: &str,
    series: &[(&'static str, Series)],
) -> Result<String> {
    let (table, bars) = compare(series).ok_or("nothing was measured")?;
    let unit = "requests/s";
    let chart = readme::write_chart(&env.bench, chart, title, unit, &bars)?;
    Ok(format!("#### {title}\n\n{}\n{chart}\n", table.markdown()))
}

/// Compare all with the first, which is the service itself, and with [`NGINX`].
fn compare(series: &[(&'static str, Series)]) -> Option<(Table, Vec<Bar>)> {
    let mut table = Table::new(&[
        "through",
        "requests/s",
        "quartiles",
        "× direct",
        "× nginx, keep-alive",
        "p50 µs",
        "added",
        "p99 µs",
        "added",
    ]);
    let mut bars = Vec::new();
    let (_, direct) = series.first()?;
    let nginx = series.iter().find(|(name, _)| *name == NGINX);
    for (name, results) in series {
        let requests = Summary::of(&results.requests)?;
        let format = |value: Option<f64>| value.map(format_number).unwrap_or_default();
        let median = |values: &[f64]| format(Summary::of(values).map(|summary| summary.median));
        let wrong = results.wrong > 0;
        table.rows.push(vec![
            match wrong {
                true => format!("{name}: **{} wrong**", results.wrong),
                false => (*name).to_owned(),
            },
            format_number(requests.median),
            format!(
                "{}–{}",
                format_number(requests.low),
                format_number(requests.high)
            ),
            format(median_ratio(&results.requests, &direct.requests)),
            format(nginx.and_then(|(_, nginx)| median_ratio(&results.requests, &nginx.requests))),
            median(&results.p50),
            format(median_difference(&results.p50, &direct.p50)),
            median(&results.p99),
            format(median_difference(&results.p99, &direct.p99)),
        ]);
        bars.push(Bar {
            name: (*name).to_owned(),
            value: requests,
            is_wrong: wrong,
        });
    }
    Some((table, bars))
}

/// The table of memory and connections, and the chart of memory.
fn memory_section(env: &BenchEnv, usages: &[(&'static str, Usage)]) -> Result<String> {
    let mut table = Table::new(&[
        "proxy",
        "MB idle",
        "MB under load",
        "MB after the load",
        "connections to the service under load",
        "8 s later",
    ]);
    let mut bars = Vec::new();
    for (name, usage) in usages {
        let mut row = vec![(*name).to_owned()];
        row.extend(usage.megabytes.map(format_number));
        row.extend(usage.connections.map(|count| count.to_string()));
        table.rows.push(row);
        bars.extend(Summary::of(&usage.megabytes[1..2]).map(|value| Bar {
            name: (*name).to_owned(),
            value,
            is_wrong: false,
        }));
    }
    let title = "Memory under 128 connections";
    let chart = readme::write_chart(&env.bench, "gateway-memory", title, "MB", &bars)?;
    Ok(format!(
        "#### Memory, and connections to the service\n\n{}\n{chart}",
        table.markdown()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_values_of_the_same_round() {
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
        let (table, bars) = compare(&all).unwrap();
        let row = &table.rows[1];
        assert_eq!(row.len(), table.columns.len());
        assert_eq!(row[3..6], ["0.50", "2.0", "20.0"]);
        assert_eq!((row[6].as_str(), row[8].as_str()), ("5.0", "5.0"));
        assert!(table.rows[2][0].contains("3 wrong"));
        assert!(bars[2].is_wrong && !bars[1].is_wrong);
    }
}
