//! `bench page`: a page of 1,500 modules through the gateway, with and without rewritten URLs.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::env::BenchEnv;
use crate::stats::{Summary, format_number, median_ratio};
use crate::table::Table;
use crate::{Result, machine, readme};

/// The names of the page, as `page/load.js` prints them.
const UNCHANGED: &str = "unchanged";
const REWRITTEN: &str = "rewritten";

pub(crate) fn run(env: &BenchEnv, rounds: usize) -> Result<()> {
    let browser_tests = env.bench.join("../tests/browser");
    if !browser_tests.join("node_modules").exists() {
        install(&browser_tests)?;
    }
    let load_before = machine::load_average();
    let output = Command::new("node")
        .arg(env.bench.join("page/load.js"))
        .arg(rounds.to_string())
        .env("PORTWAY_BIN", &env.portway)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run `node`: {error}"))?;
    if !output.status.success() {
        return Err(format!("page/load.js: {}", output.status));
    }
    let times: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("page/load.js: {error}"))?;
    let series = |name: &str| -> Vec<f64> {
        let values = times[name].as_array().into_iter().flatten();
        values.filter_map(serde_json::Value::as_f64).collect()
    };
    let mut text = format!(
        "{}; {rounds} interleaved rounds; load average {load_before} before, {} after.\n\n",
        machine::describe(),
        machine::load_average()
    );
    let table = compare(&series(UNCHANGED), &series(REWRITTEN)).ok_or("nothing was measured")?;
    text += &table.markdown();
    readme::write_section(&env.bench, "page", &text)
}

/// Compares the times in milliseconds of each round.
fn compare(unchanged: &[f64], rewritten: &[f64]) -> Option<Table> {
    let mut table = Table::new(&["gateway", "ms", "quartiles", "× unchanged"]);
    let rows = [
        ("`rewrite = false`", unchanged),
        ("`rewrite = \"auto\"`", rewritten),
    ];
    for (name, times) in rows {
        let summary = Summary::of(times)?;
        let (low, high) = (format_number(summary.low), format_number(summary.high));
        table.rows.push(vec![
            name.to_owned(),
            format_number(summary.median),
            format!("{low}–{high}"),
            format!("{:.2}", median_ratio(times, unchanged)?),
        ]);
    }
    Some(table)
}

/// Installs the library that controls the browser.
fn install(browser_tests: &Path) -> Result<()> {
    let status = Command::new("npm")
        .args(["ci", "--prefix"])
        .arg(browser_tests)
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run `npm`: {error}"))?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| format!("npm ci: {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_the_medians() {
        let table = compare(&[100.0, 200.0, 300.0], &[110.0, 210.0, 330.0]).unwrap();
        assert_eq!(table.rows[0][3], "1.00");
        assert_eq!(table.rows[1][1], "210");
        assert_eq!(table.rows[1][3], "1.10");
        assert!(compare(&[], &[]).is_none());
    }
}
