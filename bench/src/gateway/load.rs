//! The load generators: how many requests a second there are, and how long each takes.

use std::fs;
use std::process::Command;

use crate::Result;
use crate::world::World;

use super::tools::Tools;

/// How long each measurement takes, in seconds.
const SECONDS: u32 = 2;

/// The name of the instance that is asked for.
pub(super) const HOST: &str = "bench.localhost";

/// What is sent at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Load {
    /// HTTP/1.1 over so many connections, one request at a time on each.
    Connections(u16),
    /// HTTP/2 over one connection with so many requests open.
    Streams(u16),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed {
    /// Requests a second.
    pub(super) requests: f64,
    /// How long the middle request took, in microseconds.
    pub(super) p50: f64,
    /// How long all but one of a hundred took at the most, in microseconds.
    pub(super) p99: f64,
    /// How many answers were none, or no 2xx.
    pub(super) wrong: u64,
}

impl Load {
    /// Loads what listens on `port`.
    pub(super) fn run(self, world: &World, tools: &Tools, port: u16) -> Result<Speed> {
        match self {
            Self::Connections(count) => {
                let text = said(wrk(world, tools, port, count, SECONDS))?;
                wrk_told(&text).ok_or_else(|| format!("wrk says:\n{text}"))
            }
            Self::Streams(count) => {
                let log = world.path("h2load.log");
                // It is appended to.
                let _ = fs::remove_file(&log);
                let mut command = tools.command(world, &tools.h2load);
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
                let text = said(command)?;
                let lines = fs::read_to_string(&log).map_err(|error| format!("h2load: {error}"))?;
                h2load_told(&text, &lines).ok_or_else(|| format!("h2load says:\n{text}"))
            }
        }
    }
}

/// wrk for so many seconds. A browser says `Connection: keep-alive`, which wrk does not by itself.
pub(super) fn wrk(
    world: &World,
    tools: &Tools,
    port: u16,
    connections: u16,
    seconds: u32,
) -> Command {
    let mut command = tools.command(world, &tools.wrk);
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

fn said(mut command: Command) -> Result<String> {
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

/// Reads what wrk prints.
fn wrk_told(text: &str) -> Option<Speed> {
    let behind = |words: &str| {
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(words));
        line.map(str::trim)
    };
    // Without errors it says nothing of them.
    let wrong = behind("Non-2xx or 3xx responses:").map_or(Some(0), |count| count.parse().ok())?;
    let broken = behind("Socket errors:").map_or(0, |errors| {
        let numbers = errors.split(|letter: char| !letter.is_ascii_digit());
        numbers
            .filter_map(|number| number.parse::<u64>().ok())
            .sum()
    });
    Some(Speed {
        requests: behind("Requests/sec:")?.parse().ok()?,
        p50: microseconds(behind("50%")?)?,
        p99: microseconds(behind("99%")?)?,
        wrong: wrong + broken,
    })
}

/// `85.00us`, `1.20ms` or `1.02s`.
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

/// Reads what h2load prints, and its log: when a request began, its status, its microseconds.
fn h2load_told(text: &str, log: &str) -> Option<Speed> {
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
    let part = |of_hundred: usize| times.get(times.len().saturating_sub(1) * of_hundred / 100);
    Some(Speed {
        requests: requests.parse().ok()?,
        p50: *part(50)?,
        p99: *part(99)?,
        wrong,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let text = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
             Latency    77.42us   60.31us   1.95ms   97.50%\n  Latency Distribution\n     \
             50%   85.00us\n     75%   95.00us\n     99%    1.20ms\n  \
             100 requests in 1.00s, 1.0MB read\n\
             Requests/sec:  13537.93\nTransfer/sec:     15.00MB\n";
        let speed = Speed {
            requests: 13537.93,
            p50: 85.0,
            p99: 1200.0,
            wrong: 0,
        };
        assert_eq!(wrk_told(text), Some(speed));
        let errors = "  Socket errors: connect 0, read 3, write 0, timeout 4\n  \
             Non-2xx or 3xx responses: 5\n";
        let wrong = Speed { wrong: 12, ..speed };
        assert_eq!(wrk_told(&(text.to_owned() + errors)), Some(wrong));
        assert_eq!(wrk_told("unable to connect"), None);
    }

    #[test]
    fn what_h2load_prints_is_read() {
        let text = "\nfinished in 1.00s, 14192.00 req/s, 14.24MB/s\n";
        let log: String = (1..=101)
            .map(|time| format!("17956\t{}\t{time}\n", if time == 7 { 502 } else { 200 }))
            .collect();
        let speed = Speed {
            requests: 14192.0,
            p50: 51.0,
            p99: 100.0,
            wrong: 1,
        };
        assert_eq!(h2load_told(text, &log), Some(speed));
        assert_eq!(h2load_told(text, ""), None);
    }
}
