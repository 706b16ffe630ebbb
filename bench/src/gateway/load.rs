//! The load generators wrk and h2load: requests per second, and latency.

use std::fs;
use std::process::Command;

use crate::Result;
use crate::env::BenchEnv;

use super::tools::Tools;

/// Duration of each measurement, in seconds.
const SECONDS: u32 = 2;

/// The host name in every request.
pub(super) const HOST: &str = "bench.localhost";

/// The requests in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Load {
    /// HTTP/1.1 over this many connections, with one request at a time on each.
    Connections(u16),
    /// HTTP/2 over one connection, with this many concurrent requests.
    Streams(u16),
}

/// The result of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LoadResult {
    /// Requests per second.
    pub(crate) requests: f64,
    /// Median latency, in microseconds.
    pub(super) p50: f64,
    /// 99th percentile of latency, in microseconds.
    pub(super) p99: f64,
    /// The number of failed requests and of responses other than 2xx.
    pub(crate) wrong: u64,
}

impl Load {
    /// Send requests to `port`.
    pub(crate) fn run(self, env: &BenchEnv, tools: &Tools, port: u16) -> Result<LoadResult> {
        match self {
            Self::Connections(count) => {
                let text = output_of(wrk(env, tools, port, count, SECONDS))?;
                parse_wrk(&text).ok_or_else(|| format!("cannot parse the output of wrk:\n{text}"))
            }
            Self::Streams(count) => {
                let log = env.path("h2load.log");
                // h2load appends to an existing file.
                let _ = fs::remove_file(&log);
                let mut command = tools.command(env, &tools.h2load);
                command
                    .args([
                        &format!("--duration={SECONDS}"),
                        "--clients=1",
                        &format!("--max-concurrent-streams={count}"),
                        &format!("--connect-to=127.0.0.1:{port}"),
                        &format!("http://{HOST}:{port}/"),
                    ])
                    .arg("--log-file")
                    .arg(&log);
                let text = output_of(command)?;
                let lines = fs::read_to_string(&log).map_err(|error| format!("h2load: {error}"))?;
                parse_h2load(&text, &lines)
                    .ok_or_else(|| format!("cannot parse the output of h2load:\n{text}"))
            }
        }
    }
}

/// The command of wrk.
pub(super) fn wrk(
    env: &BenchEnv,
    tools: &Tools,
    port: u16,
    connections: u16,
    seconds: u32,
) -> Command {
    let mut command = tools.command(env, &tools.wrk);
    command.args([
        "--threads=1",
        "--latency",
        &format!("--connections={connections}"),
        &format!("--duration={seconds}s"),
        &format!("--header=Host: {HOST}"),
        &format!("http://127.0.0.1:{port}/"),
    ]);
    command
}

/// Run a command and return its standard output.
fn output_of(mut command: Command) -> Result<String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Parse the output of wrk.
fn parse_wrk(text: &str) -> Option<LoadResult> {
    let value_after = |label: &str| {
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        line.map(str::trim)
    };
    // Without errors these lines are missing.
    let wrong =
        value_after("Non-2xx or 3xx responses:").map_or(Some(0), |count| count.parse().ok())?;
    let failed = value_after("Socket errors:").map_or(0, |errors| {
        let numbers = errors.split(|letter: char| !letter.is_ascii_digit());
        numbers
            .filter_map(|number| number.parse::<u64>().ok())
            .sum()
    });
    Some(LoadResult {
        requests: value_after("Requests/sec:")?.parse().ok()?,
        p50: microseconds(value_after("50%")?)?,
        p99: microseconds(value_after("99%")?)?,
        wrong: wrong + failed,
    })
}

/// Parse `85.00us`, `1.20ms`, or `1.02s`.
fn microseconds(text: &str) -> Option<f64> {
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(text[..unit].parse::<f64>().ok()? * factor)
}

/// Parse the output of h2load and its log: start time, status, and microseconds of each request.
fn parse_h2load(text: &str, log: &str) -> Option<LoadResult> {
    let finished = text
        .lines()
        .find_map(|line| line.strip_prefix("finished in"))?;
    let requests = finished.split(',').nth(1)?.trim().strip_suffix(" req/s")?;
    let mut times = Vec::new();
    let mut wrong = 0;
    for line in log.lines() {
        let mut fields = line.split('\t').skip(1);
        wrong += u64::from(!fields.next()?.starts_with('2'));
        times.push(fields.next()?.parse::<f64>().ok()?);
    }
    times.sort_by(f64::total_cmp);
    let percentile = |percent: usize| times.get(times.len().saturating_sub(1) * percent / 100);
    Some(LoadResult {
        requests: requests.parse().ok()?,
        p50: *percentile(50)?,
        p99: *percentile(99)?,
        wrong,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_output_of_wrk() {
        let text = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
             Latency    77.42us   60.31us   1.95ms   97.50%\n  Latency Distribution\n     \
             50%   85.00us\n     75%   95.00us\n     99%    1.20ms\n  \
             100 requests in 1.00s, 1.0MB read\n\
             Requests/sec:  13537.93\nTransfer/sec:     15.00MB\n";
        let result = LoadResult {
            requests: 13537.93,
            p50: 85.0,
            p99: 1200.0,
            wrong: 0,
        };
        assert_eq!(parse_wrk(text), Some(result));
        let errors = "  Socket errors: connect 0, read 3, write 0, timeout 4\n  \
             Non-2xx or 3xx responses: 5\n";
        let wrong = LoadResult {
            wrong: 12,
            ..result
        };
        assert_eq!(parse_wrk(&(text.to_owned() + errors)), Some(wrong));
        assert_eq!(parse_wrk("unable to connect"), None);
    }

    #[test]
    fn parses_the_output_of_h2load() {
        let text = "\nfinished in 1.00s, 14192.00 req/s, 14.24MB/s\n";
        let log: String = (1..=101)
            .map(|time| format!("17956\t{}\t{time}\n", if time == 7 { 502 } else { 200 }))
            .collect();
        let result = LoadResult {
            requests: 14192.0,
            p50: 51.0,
            p99: 100.0,
            wrong: 1,
        };
        assert_eq!(parse_h2load(text, &log), Some(result));
        assert_eq!(parse_h2load(text, ""), None);
    }
}
