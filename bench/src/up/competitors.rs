//! The tools that start services, and their configuration.

mod pitchfork;
mod procfile;
mod turbo;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::processes::Process;
use crate::Result;
use crate::env::BenchEnv;
use crate::peers::{self, Peers};

/// Returns the command that starts services, given their command lines and ports.
type Prepare = Box<dyn Fn(&BenchEnv, &[String], &[u16]) -> Result<Command>>;

/// One row of the tables.
pub(super) struct Competitor {
    pub(super) name: &'static str,
    /// Identifies the supervisor if it is not the started process.
    pub(super) supervisor: Option<fn(&Process) -> bool>,
    /// Whether the supervisor leaves the terminal, so that Ctrl-C does not reach it.
    pub(super) detaches: bool,
    pub(super) prepare: Prepare,
    /// Like `prepare`, for the command of the tool that runs one command in the foreground.
    pub(super) exec: Option<Prepare>,
}

/// The directory with the files of a tool.
pub(super) fn directory(name: &str) -> Option<&'static str> {
    match name {
        "`bash &`" => Some("up-bash"),
        "portway up" => Some("up-portway"),
        "pitchfork" => Some("up-pitchfork"),
        "mprocs" => Some("up-mprocs"),
        "turbo" => Some("up-turbo"),
        "pm2-runtime" => Some("up-pm2"),
        "foreman" | "honcho" => Some("up-procfile"),
        _ => None,
    }
}

const HOME: &str = "up-home";

/// All tools, starting with the baseline, and a line for each tool that is not available.
pub(super) fn all(peers: &Peers) -> (Vec<Competitor>, Vec<String>) {
    let mut all = vec![
        competitor("`bash &`", Box::new(bash)),
        Competitor {
            exec: Some(Box::new(portway_exec)),
            ..competitor("portway up", Box::new(portway))
        },
    ];
    let mut missing = Vec::new();
    let mut add = |name: &str, result: Result<Competitor>| match result {
        Ok(competitor) => all.push(competitor),
        Err(reason) => missing.push(format!("Not measured: {name} ({reason}).\n\n")),
    };
    let node =
        |program: fn(&Path) -> Result<Competitor>| peers.node.clone().and_then(|dir| program(&dir));
    add("pitchfork", pitchfork::pitchfork(peers));
    add("mprocs", node(mprocs));
    add("turbo", node(turbo::turbo));
    add(
        "concurrently",
        node(|dir| Ok(concurrently(dir.join("node_modules/.bin/concurrently")))),
    );
    add(
        "pm2",
        node(|dir| Ok(pm2(dir.join("node_modules/.bin/pm2-runtime")))),
    );
    add("foreman", procfile::foreman(peers));
    add("honcho", procfile::honcho(peers));
    (all, missing)
}

fn competitor(name: &'static str, prepare: Prepare) -> Competitor {
    Competitor {
        name,
        supervisor: None,
        detaches: false,
        prepare,
        exec: None,
    }
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = dir.join(name);
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

fn bash(env: &BenchEnv, services: &[String], _: &[u16]) -> Result<Command> {
    let text: String = services.iter().map(|line| format!("{line} &\n")).collect();
    let file = write(&env.empty_dir("up-bash")?, "start.sh", &(text + "wait\n"))?;
    let mut command = env.child_command("bash", HOME);
    command.arg(file);
    Ok(command)
}

/// `portway up` in a checkout that already has ports.
fn portway(env: &BenchEnv, services: &[String], ports: &[u16]) -> Result<Command> {
    let mut command = portway_checkout(env, services, ports)?;
    command.arg("up");
    Ok(command)
}

fn portway_exec(env: &BenchEnv, services: &[String], ports: &[u16]) -> Result<Command> {
    let mut command = portway_checkout(env, services, ports)?;
    command.args(["exec", "--"]).args(words(services));
    Ok(command)
}

/// The words of the first command line.
fn words(services: &[String]) -> impl Iterator<Item = &str> {
    services.iter().take(1).flat_map(|line| line.split(' '))
}

/// Portway in a new checkout that has ports, without a command.
fn portway_checkout(env: &BenchEnv, services: &[String], ports: &[u16]) -> Result<Command> {
    let text: String = services
        .iter()
        .zip(ports)
        .map(|(line, port)| {
            let line = line.replacen(&port.to_string(), "{port}", 1);
            format!("[services.s{port}]\ncommand = \"{line}\"\nport = \"{port}-{port}\"\n")
        })
        .collect();
    let dir = env.checkout("up-portway", &text)?;
    let mut detect = env.command(&env.portway, HOME);
    detect.arg("-C").arg(&dir).args(["detect", "--json"]);
    crate::sample::measure(&mut detect)?;
    let mut command = env.child_command(&env.portway, HOME);
    command.arg("-C").arg(dir);
    Ok(command)
}

fn concurrently(program: PathBuf) -> Competitor {
    let prepare = move |env: &BenchEnv, services: &[String], _: &[u16]| {
        let mut command = env.child_command(&program, HOME);
        command.args(services);
        Ok(command)
    };
    competitor("concurrently", Box::new(prepare))
}

/// The native binary, without the Node program that usually starts it. It needs a terminal for its
/// user interface.
fn mprocs(dir: &Path) -> Result<Competitor> {
    let package = dir.join("node_modules/mprocs");
    let program = peers::find_entry(&package, &["linux", std::env::consts::ARCH])?.join("mprocs");
    let prepare = move |env: &BenchEnv, services: &[String], _: &[u16]| {
        let lines = services.iter().enumerate();
        let text: String = lines
            .map(|(index, line)| format!("  s{index}:\n    shell: \"exec {line}\"\n"))
            .collect();
        let file = write(
            &env.empty_dir("up-mprocs")?,
            "mprocs.yaml",
            &format!("procs:\n{text}"),
        )?;
        let mut command = env.child_command("script", HOME);
        let line = format!("exec {} --config {}", program.display(), file.display());
        command
            .args(["-q", "-c", &line, "/dev/null"])
            .env("TERM", "xterm-256color");
        Ok(command)
    };
    Ok(Competitor {
        // Compares the name, because `script` has the word in its arguments.
        supervisor: Some(|process| process.name == "mprocs"),
        ..competitor("mprocs", Box::new(prepare))
    })
}

fn pm2(program: PathBuf) -> Competitor {
    let prepare = move |env: &BenchEnv, services: &[String], _: &[u16]| {
        let app = |(index, line): (usize, &String)| {
            let (script, arguments) = line.split_once(' ').unwrap_or((line, ""));
            serde_json::json!({
                "name": format!("s{index}"), "script": script, "args": arguments,
                "interpreter": "none", "exec_mode": "fork",
            })
        };
        let apps: Vec<_> = services.iter().enumerate().map(app).collect();
        let text = serde_json::json!({ "apps": apps }).to_string();
        let file = write(&env.empty_dir("up-pm2")?, "ecosystem.json", &text)?;
        let mut command = env.child_command(&program, HOME);
        command.arg("start").arg(file);
        Ok(command)
    };
    competitor("pm2-runtime", Box::new(prepare))
}
