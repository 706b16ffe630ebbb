//! The tools that allocate two ports, and how they are started.

use std::fs;
use std::process::{Command, Output};

use super::super::PORTOOL;
use super::super::ranges::Ranges;
use super::Expected;
use crate::Result;
use crate::env::{BenchEnv, run};
use crate::peers::{Peers, find_program};

/// One row of the table.
pub(super) struct Competitor<'a> {
    pub(super) name: String,
    pub(super) expected: Expected,
    /// Whether it uses portpicker's server.
    pub(super) uses_portserver: bool,
    /// Makes the preparations that are not measured, and returns the command to measure.
    pub(super) prepare: Box<dyn FnMut() -> Result<Command> + 'a>,
    /// Parses the ports in its output.
    pub(super) parse: fn(&Output) -> Vec<u16>,
}

/// All tools, starting with the baseline.
pub(super) fn all<'a>(
    env: &'a BenchEnv,
    peers: &'a Peers,
    ranges: &'a Ranges,
) -> Result<Vec<Competitor<'a>>> {
    let plain =
        |name: &str, expected, command: Box<dyn FnMut() -> Result<Command> + 'a>| Competitor {
            name: name.to_owned(),
            expected,
            uses_portserver: false,
            prepare: command,
            parse: parse_numbers,
        };
    let mut all = vec![plain(
        "`/bin/true`",
        Expected::Nothing,
        Box::new(|| Ok(env.command("/bin/true", "baseline"))),
    )];
    all.extend(portway(env, ranges)?);
    if let Ok(dir) = &peers.node {
        let node = find_program("node").ok_or("`node` is missing")?;
        let program = node.clone();
        let empty = move || {
            let mut command = env.command(&program, "baseline");
            command.args(["-e", "0"]);
            Ok(command)
        };
        all.push(plain("node -e 0", Expected::Nothing, Box::new(empty)));
        for tool in ["get-port", "detect-port", "portfinder", "plain"] {
            let node = node.clone();
            let prepare = move || {
                let mut command = env.command(&node, "node");
                command
                    .arg(dir.join("pair.mjs"))
                    .arg(tool)
                    .args(ranges.arguments());
                Ok(command)
            };
            let name = if tool == "plain" {
                "plain Node finder"
            } else {
                tool
            };
            all.push(plain(name, Expected::FirstFree, Box::new(prepare)));
        }
    }
    if let Ok(dir) = &peers.python {
        let python = peers.python_program("python");
        let program = python.clone();
        let empty = move || {
            let mut command = env.command(&program, "baseline");
            command.args(["-c", "0"]);
            Ok(command)
        };
        all.push(plain("python -c 0", Expected::Nothing, Box::new(empty)));
        for (name, tool, expected) in [
            ("portpicker", "portpicker_tool", Expected::InRange(2)),
            (
                "portpicker + portserver",
                "portpicker_tool",
                Expected::InRange(2),
            ),
            ("ephemeral-port-reserve", "reserve", Expected::FirstFree),
            ("plain Python finder", "plain", Expected::FirstFree),
        ] {
            let python = python.clone();
            let prepare = move || {
                let mut command = env.command(&python, "python");
                command
                    .arg(dir.join("pair.py"))
                    .arg(tool)
                    .args(ranges.arguments());
                Ok(command)
            };
            let mut competitor = plain(name, expected, Box::new(prepare));
            competitor.uses_portserver = name.ends_with("portserver");
            all.push(competitor);
        }
    }
    if let Ok(portool) = peers.cargo("portool", PORTOOL) {
        all.push(Competitor {
            parse: |output| parse_variable(output, "PORT"),
            ..plain(
                "portool exec (one port)",
                Expected::InRange(1),
                Box::new(move || repository(env, &portool, ranges)),
            )
        });
    }
    Ok(all)
}

/// Portway in a new checkout, and in one that already has ports.
fn portway<'a>(env: &'a BenchEnv, ranges: &'a Ranges) -> Result<Vec<Competitor<'a>>> {
    let manifest = ranges.manifest();
    let detect = |home: &str, dir: &std::path::Path| {
        let mut command = env.command(&env.portway, home);
        command.arg("-C").arg(dir).args(["detect", "--json"]);
        command
    };
    let again = env.checkout("pair-again", &manifest)?;
    let first = env.checkout("pair-first", &manifest)?;
    run(detect("pair-again-home", &again).stdout(std::process::Stdio::null()))?;
    let competitor = |name: &str, prepare: Box<dyn FnMut() -> Result<Command> + 'a>| Competitor {
        name: name.to_owned(),
        expected: Expected::FirstFree,
        uses_portserver: false,
        prepare,
        parse: parse_detect,
    };
    let mut number = 0;
    Ok(vec![
        competitor(
            "portway detect, again",
            Box::new(move || Ok(detect("pair-again-home", &again))),
        ),
        competitor(
            "portway detect, new checkout",
            Box::new(move || {
                let _ = fs::remove_dir_all(env.path(&format!("pair-new-{number}")));
                number += 1;
                let dir = env.checkout(&format!("pair-new-{number}"), &manifest)?;
                Ok(detect("pair-new-home", &dir))
            }),
        ),
        competitor(
            "portway detect, first on a machine",
            Box::new(move || {
                env.empty_dir("pair-first-home")?;
                let _ = fs::remove_file(first.join(".ports.json"));
                Ok(detect("pair-first-home", &first))
            }),
        ),
    ])
}

/// A new repository in which portool allocates one port.
fn repository(env: &BenchEnv, portool: &std::path::Path, ranges: &Ranges) -> Result<Command> {
    let home = env.empty_dir("portool")?;
    let (low, high) = ranges.backend();
    let config = home.join("config/portool");
    let write = || {
        fs::create_dir_all(&config)?;
        fs::create_dir(home.join("repository"))?;
        let text = format!("range = [{low}, {high}]\nblock_align = 1\n");
        fs::write(config.join("config.toml"), text)
    };
    write().map_err(|error| format!("{}: {error}", config.display()))?;
    let repository = home.join("repository");
    let mut init = env.command("git", "portool");
    run(init.args(["init", "--quiet"]).arg(&repository))?;
    let mut command = env.command(portool, "portool");
    command
        .args(["exec", "--", "/usr/bin/env"])
        .current_dir(repository);
    Ok(command)
}

/// Numbers separated by spaces.
fn parse_numbers(output: &Output) -> Vec<u16> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// The value of a variable in the output of `env`.
fn parse_variable(output: &Output, name: &str) -> Vec<u16> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| line.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    text.lines().filter_map(line).collect()
}

/// The ports in the output of `portway detect --json`.
fn parse_detect(output: &Output) -> Vec<u16> {
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let services = json["services"].as_array().cloned().unwrap_or_default();
    let port = |service: &serde_json::Value| service["ports"][0]["port"].as_u64();
    services
        .iter()
        .filter_map(|service| u16::try_from(port(service)?).ok())
        .collect()
}
