//! The tools, and how their processes are started.

use std::process::Command;

use super::super::PORTOOL;
use super::{PROCESSES, STARTUP_TIME};
use crate::Result;
use crate::env::{BenchEnv, run};
use crate::peers::{Peers, find_program};

/// One row of the table.
pub(super) struct Competitor<'a> {
    pub(super) name: &'static str,
    /// The name of the row with the same processes without allocation.
    pub(super) baseline: &'static str,
    /// Whether it takes seconds. Such a tool runs in fewer rounds.
    pub(super) is_slow: bool,
    /// Whether it uses portpicker's server.
    pub(super) uses_portserver: bool,
    /// Makes the preparations that are not measured, and returns the commands of a round.
    pub(super) prepare: Box<dyn FnMut(usize) -> Result<Vec<Command>> + 'a>,
}

const RUST: &str = "no allocation, Rust server";
const NODE: &str = "no allocation, Node server";
const PYTHON: &str = "no allocation, Python server";

/// All tools. Each baseline comes before the tools that are compared with it.
pub(super) fn all<'a>(
    env: &'a BenchEnv,
    peers: &'a Peers,
    range: (u16, u16),
) -> Result<Vec<Competitor<'a>>> {
    let wait = STARTUP_TIME.to_string();
    let mut all = rust(env, range);
    if let Ok(portool) = peers.cargo("portool", PORTOOL) {
        all.push(Competitor {
            name: "portool exec",
            baseline: RUST,
            is_slow: false,
            uses_portserver: false,
            prepare: Box::new(move |_| repositories(env, &portool, range)),
        });
    }
    let mut driver =
        |name, baseline, program: std::path::PathBuf, script: std::path::PathBuf, tool| {
            let wait = wait.clone();
            let prepare = move |_| {
                let command = |number| {
                    let mut command = env.command(&program, "concurrent");
                    // The tool `fixed` allocates nothing, so each process gets another port.
                    let low = range.0 + if tool == "fixed" { number } else { 0 };
                    command.arg(&script).arg(tool);
                    command.args([low.to_string(), range.1.to_string(), wait.clone()]);
                    command
                };
                Ok((0..PROCESSES).map(command).collect())
            };
            all.push(Competitor {
                name,
                baseline,
                is_slow: true,
                uses_portserver: name.ends_with("portserver"),
                prepare: Box::new(prepare),
            });
        };
    if let Ok(dir) = &peers.node {
        let node = find_program("node").ok_or("`node` is missing")?;
        for (name, tool) in [
            (NODE, "fixed"),
            ("get-port", "get-port"),
            ("detect-port", "detect-port"),
            ("portfinder", "portfinder"),
            ("plain Node finder", "plain"),
        ] {
            driver(
                name,
                NODE,
                node.clone(),
                dir.join("concurrent_processes.mjs"),
                tool,
            );
        }
    }
    if let Ok(dir) = &peers.python {
        for (name, tool) in [
            (PYTHON, "fixed"),
            ("portpicker", "portpicker_tool"),
            ("portpicker + portserver", "portpicker_tool"),
            ("ephemeral-port-reserve", "reserve"),
            ("plain Python finder", "plain"),
        ] {
            let python = peers.python_program("python");
            driver(
                name,
                PYTHON,
                python,
                dir.join("concurrent_processes.py"),
                tool,
            );
        }
    }
    Ok(all)
}

/// The server of this harness alone, and under `portway exec` in 50 new checkouts.
fn rust<'a>(env: &'a BenchEnv, range: (u16, u16)) -> Vec<Competitor<'a>> {
    let alone = move |_| {
        let command = |number: u16| {
            let mut command = env.command(&env.helper, "concurrent");
            command.arg("helper:serve");
            command.args([(range.0 + number).to_string(), STARTUP_TIME.to_string()]);
            command
        };
        Ok((0..PROCESSES).map(command).collect())
    };
    let portway = move |round| {
        let (low, high) = range;
        let manifest = format!("[services.api]\ncommand = \"x {{port}}\"\nport = \"{low}-{high}\"");
        let _ = std::fs::remove_dir_all(env.path("concurrent-checkouts"));
        let command = |number| {
            let name = format!("concurrent-checkouts/{round}-{number}");
            let dir = env.checkout(&name, &manifest)?;
            let mut command = env.command(&env.portway, "concurrent-home");
            command
                .arg("-C")
                .arg(dir)
                .args(["exec", "--service", "api", "--"]);
            command
                .arg(&env.helper)
                .args(["helper:serve", &STARTUP_TIME.to_string()]);
            Ok(command)
        };
        (0..PROCESSES).map(command).collect()
    };
    vec![
        Competitor {
            name: RUST,
            baseline: RUST,
            is_slow: false,
            uses_portserver: false,
            prepare: Box::new(alone),
        },
        Competitor {
            name: "portway exec",
            baseline: RUST,
            is_slow: false,
            uses_portserver: false,
            prepare: Box::new(portway),
        },
    ]
}

/// 50 new repositories with one portool configuration.
fn repositories(
    env: &BenchEnv,
    portool: &std::path::Path,
    (low, high): (u16, u16),
) -> Result<Vec<Command>> {
    let home = env.empty_dir("concurrent-portool")?;
    let config = home.join("config/portool");
    std::fs::create_dir_all(&config)
        .and_then(|()| {
            let text = format!("range = [{low}, {high}]\nblock_align = 1\n");
            std::fs::write(config.join("config.toml"), text)
        })
        .map_err(|error| format!("{}: {error}", config.display()))?;
    let command = |number| {
        let dir = home.join(format!("r{number}"));
        run(env
            .command("git", "concurrent-portool")
            .args(["init", "--quiet"])
            .arg(&dir))?;
        let mut command = env.command(portool, "concurrent-portool");
        command.args(["exec", "--"]).arg(&env.helper);
        command
            .args(["helper:serve", &STARTUP_TIME.to_string()])
            .current_dir(dir);
        Ok(command)
    };
    (0..PROCESSES).map(command).collect()
}
