//! Who is asked for two ports, and how.

use std::fs;
use std::process::{Command, Output};

use super::super::PORTOOL;
use super::super::ranges::Ranges;
use super::Expected;
use crate::Result;
use crate::peers::{Peers, on_path};
use crate::world::{World, run};

/// One row of the table.
pub(super) struct Contender<'a> {
    pub(super) name: String,
    pub(super) expected: Expected,
    /// Whether it asks portpicker's server.
    pub(super) asks_server: bool,
    /// Makes ready what is not measured, and the command that is.
    pub(super) prepare: Box<dyn FnMut() -> Result<Command> + 'a>,
    /// The ports that it answers with.
    pub(super) read: fn(&Output) -> Vec<u16>,
}

/// All, the baseline first.
pub(super) fn all<'a>(
    world: &'a World,
    peers: &'a Peers,
    ranges: &'a Ranges,
) -> Result<Vec<Contender<'a>>> {
    let plain =
        |name: &str, expected, command: Box<dyn FnMut() -> Result<Command> + 'a>| Contender {
            name: name.to_owned(),
            expected,
            asks_server: false,
            prepare: command,
            read: words,
        };
    let mut all = vec![plain(
        "`/bin/true`",
        Expected::Nothing,
        Box::new(|| Ok(world.command("/bin/true", "floor"))),
    )];
    all.extend(portway(world, ranges)?);
    if let Ok(dir) = &peers.node {
        let node = on_path("node").ok_or("`node` is missing")?;
        let floor = node.clone();
        let empty = move || {
            let mut command = world.command(&floor, "floor");
            command.args(["-e", "0"]);
            Ok(command)
        };
        all.push(plain("node -e 0", Expected::Nothing, Box::new(empty)));
        for tool in ["get-port", "detect-port", "portfinder", "plain"] {
            let node = node.clone();
            let prepare = move || {
                let mut command = world.command(&node, "node");
                command
                    .arg(dir.join("pair.mjs"))
                    .arg(tool)
                    .args(ranges.words());
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
        let floor = python.clone();
        let empty = move || {
            let mut command = world.command(&floor, "floor");
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
                let mut command = world.command(&python, "python");
                command
                    .arg(dir.join("pair.py"))
                    .arg(tool)
                    .args(ranges.words());
                Ok(command)
            };
            let mut contender = plain(name, expected, Box::new(prepare));
            contender.asks_server = name.ends_with("portserver");
            all.push(contender);
        }
    }
    if let Ok(portool) = peers.crates("portool", PORTOOL) {
        all.push(Contender {
            read: |output| assigned(output, "PORT"),
            ..plain(
                "portool exec (one port)",
                Expected::InRange(1),
                Box::new(move || repository(world, &portool, ranges)),
            )
        });
    }
    Ok(all)
}

/// Portway in a new checkout, and again in one that has its ports.
fn portway<'a>(world: &'a World, ranges: &'a Ranges) -> Result<Vec<Contender<'a>>> {
    let manifest = ranges.manifest();
    let detect = |home: &str, dir: &std::path::Path| {
        let mut command = world.command(&world.portway, home);
        command.arg("-C").arg(dir).args(["detect", "--json"]);
        command
    };
    let kept = world.checkout("pair-kept", &manifest)?;
    let first = world.checkout("pair-first", &manifest)?;
    run(detect("pair-kept-home", &kept).stdout(std::process::Stdio::null()))?;
    let contender = |name: &str, prepare: Box<dyn FnMut() -> Result<Command> + 'a>| Contender {
        name: name.to_owned(),
        expected: Expected::FirstFree,
        asks_server: false,
        prepare,
        read: detected,
    };
    let mut number = 0;
    Ok(vec![
        contender(
            "portway detect, again",
            Box::new(move || Ok(detect("pair-kept-home", &kept))),
        ),
        contender(
            "portway detect, new checkout",
            Box::new(move || {
                let _ = fs::remove_dir_all(world.path(&format!("pair-new-{number}")));
                number += 1;
                let dir = world.checkout(&format!("pair-new-{number}"), &manifest)?;
                Ok(detect("pair-new-home", &dir))
            }),
        ),
        contender(
            "portway detect, first on a machine",
            Box::new(move || {
                world.fresh("pair-first-home")?;
                let _ = fs::remove_file(first.join(".ports.json"));
                Ok(detect("pair-first-home", &first))
            }),
        ),
    ])
}

/// A new repository in which portool has one port to give.
fn repository(world: &World, portool: &std::path::Path, ranges: &Ranges) -> Result<Command> {
    let home = world.fresh("portool")?;
    let (low, high) = ranges.first();
    let config = home.join("config/portool");
    let write = || {
        fs::create_dir_all(&config)?;
        fs::create_dir(home.join("repository"))?;
        let text = format!("range = [{low}, {high}]\nblock_align = 1\n");
        fs::write(config.join("config.toml"), text)
    };
    write().map_err(|error| format!("{}: {error}", config.display()))?;
    let repository = home.join("repository");
    let mut init = world.command("git", "portool");
    run(init.args(["init", "--quiet"]).arg(&repository))?;
    let mut command = world.command(portool, "portool");
    command
        .args(["exec", "--", "/usr/bin/env"])
        .current_dir(repository);
    Ok(command)
}

/// Numbers between blanks.
fn words(output: &Output) -> Vec<u16> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// What a variable has in the output of `env`.
fn assigned(output: &Output, name: &str) -> Vec<u16> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| line.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    text.lines().filter_map(line).collect()
}

/// The ports in `portway detect --json`.
fn detected(output: &Output) -> Vec<u16> {
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let services = json["services"].as_array().cloned().unwrap_or_default();
    let port = |service: &serde_json::Value| service["ports"][0]["port"].as_u64();
    services
        .iter()
        .filter_map(|service| u16::try_from(port(service)?).ok())
        .collect()
}
