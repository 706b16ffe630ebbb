//! Who is in the crowd, and how it is started.

use std::process::Command;

use super::super::PORTOOL;
use super::{CROWD, STARTING};
use crate::Result;
use crate::peers::{Peers, on_path};
use crate::world::{World, run};

/// One row of the table.
pub(super) struct Contender<'a> {
    pub(super) name: &'static str,
    /// The row of the same processes without allocation.
    pub(super) baseline: &'static str,
    /// Whether it takes seconds and therefore part in fewer rounds.
    pub(super) slow: bool,
    pub(super) asks_server: bool,
    /// The commands of a round; what is not measured is done before.
    pub(super) prepare: Box<dyn FnMut(usize) -> Result<Vec<Command>> + 'a>,
}

const RUST: &str = "no allocation, Rust server";
const NODE: &str = "no allocation, Node server";
const PYTHON: &str = "no allocation, Python server";

/// All; each baseline before those that are compared with it.
pub(super) fn all<'a>(
    world: &'a World,
    peers: &'a Peers,
    range: (u16, u16),
) -> Result<Vec<Contender<'a>>> {
    let wait = STARTING.to_string();
    let mut all = rust(world, range);
    if let Ok(portool) = peers.crates("portool", PORTOOL) {
        all.push(Contender {
            name: "portool exec",
            baseline: RUST,
            slow: false,
            asks_server: false,
            prepare: Box::new(move |_| repositories(world, &portool, range)),
        });
    }
    let mut driver =
        |name, baseline, program: std::path::PathBuf, script: std::path::PathBuf, tool| {
            let wait = wait.clone();
            let prepare = move |_| {
                let one = |number| {
                    let mut command = world.command(&program, "crowd");
                    // The tool `given` takes what it is given: each process another port.
                    let low = range.0 + if tool == "given" { number } else { 0 };
                    command.arg(&script).arg(tool);
                    command.args([low.to_string(), range.1.to_string(), wait.clone()]);
                    command
                };
                Ok((0..CROWD).map(one).collect())
            };
            all.push(Contender {
                name,
                baseline,
                slow: true,
                asks_server: name.ends_with("portserver"),
                prepare: Box::new(prepare),
            });
        };
    if let Ok(dir) = &peers.node {
        let node = on_path("node").ok_or("`node` is missing")?;
        for (name, tool) in [
            (NODE, "given"),
            ("get-port", "get-port"),
            ("detect-port", "detect-port"),
            ("portfinder", "portfinder"),
            ("plain Node finder", "plain"),
        ] {
            driver(name, NODE, node.clone(), dir.join("crowd.mjs"), tool);
        }
    }
    if let Ok(dir) = &peers.python {
        for (name, tool) in [
            (PYTHON, "given"),
            ("portpicker", "portpicker_tool"),
            ("portpicker + portserver", "portpicker_tool"),
            ("ephemeral-port-reserve", "reserve"),
            ("plain Python finder", "plain"),
        ] {
            let python = peers.python_program("python");
            driver(name, PYTHON, python, dir.join("crowd.py"), tool);
        }
    }
    Ok(all)
}

/// The trivial server alone, and under `portway exec` in fifty new checkouts.
fn rust<'a>(world: &'a World, range: (u16, u16)) -> Vec<Contender<'a>> {
    let alone = move |_| {
        let one = |number: u16| {
            let mut command = world.command(&world.helper, "crowd");
            command.arg("help:serve");
            command.args([(range.0 + number).to_string(), STARTING.to_string()]);
            command
        };
        Ok((0..CROWD).map(one).collect())
    };
    let portway = move |round| {
        let (low, high) = range;
        let manifest = format!("[services.api]\ncommand = \"x {{port}}\"\nport = \"{low}-{high}\"");
        let _ = std::fs::remove_dir_all(world.path("crowd-checkouts"));
        let one = |number| {
            let name = format!("crowd-checkouts/{round}-{number}");
            let dir = world.checkout(&name, &manifest)?;
            let mut command = world.command(&world.portway, "crowd-home");
            command
                .arg("-C")
                .arg(dir)
                .args(["exec", "--service", "api", "--"]);
            command
                .arg(&world.helper)
                .args(["help:serve", &STARTING.to_string()]);
            Ok(command)
        };
        (0..CROWD).map(one).collect()
    };
    vec![
        Contender {
            name: RUST,
            baseline: RUST,
            slow: false,
            asks_server: false,
            prepare: Box::new(alone),
        },
        Contender {
            name: "portway exec",
            baseline: RUST,
            slow: false,
            asks_server: false,
            prepare: Box::new(portway),
        },
    ]
}

/// Fifty new repositories that share one ledger.
fn repositories(
    world: &World,
    portool: &std::path::Path,
    (low, high): (u16, u16),
) -> Result<Vec<Command>> {
    let home = world.fresh("crowd-portool")?;
    let config = home.join("config/portool");
    std::fs::create_dir_all(&config)
        .and_then(|()| {
            let text = format!("range = [{low}, {high}]\nblock_align = 1\n");
            std::fs::write(config.join("config.toml"), text)
        })
        .map_err(|error| format!("{}: {error}", config.display()))?;
    let one = |number| {
        let dir = home.join(format!("r{number}"));
        run(world
            .command("git", "crowd-portool")
            .args(["init", "--quiet"])
            .arg(&dir))?;
        let mut command = world.command(portool, "crowd-portool");
        command.args(["exec", "--"]).arg(&world.helper);
        command
            .args(["help:serve", &STARTING.to_string()])
            .current_dir(dir);
        Ok(command)
    };
    (0..CROWD).map(one).collect()
}
