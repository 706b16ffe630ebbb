//! Who starts services, and how it is told them.

mod pitchfork;
mod turbo;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::processes::Process;
use crate::Result;
use crate::peers::{self, Peers, on_path};
use crate::world::World;

/// The command for services, given as command lines and the ports on which they listen.
type Prepare = Box<dyn Fn(&World, &[String], &[u16]) -> Result<Command>>;

/// One row of the tables.
pub(super) struct Contender {
    pub(super) name: &'static str,
    /// Tells its supervisor where that is not the process that is started.
    pub(super) supervisor: Option<fn(&Process) -> bool>,
    /// Whether the supervisor leaves the terminal, so that no Ctrl-C reaches it.
    pub(super) detaches: bool,
    pub(super) prepare: Prepare,
}

const HOME: &str = "up-home";

/// All, the baseline first; and what is missing, with the reason.
pub(super) fn all(peers: &Peers) -> (Vec<Contender>, Vec<String>) {
    let mut all = vec![
        of("`bash &`", Box::new(bash)),
        of("portway up", Box::new(portway)),
    ];
    let mut missing = Vec::new();
    let mut add = |name: &str, one: Result<Contender>| match one {
        Ok(one) => all.push(one),
        Err(why) => missing.push(format!("Not measured: {name} ({why}).\n\n")),
    };
    let node =
        |program: fn(&Path) -> Result<Contender>| peers.node.clone().and_then(|dir| program(&dir));
    add("pitchfork", pitchfork::contender(peers));
    add("mprocs", node(mprocs));
    add("turbo", node(turbo::contender));
    add(
        "concurrently",
        node(|dir| Ok(concurrently(dir.join("node_modules/.bin/concurrently")))),
    );
    add(
        "pm2",
        node(|dir| Ok(pm2(dir.join("node_modules/.bin/pm2-runtime")))),
    );
    let here = on_path("foreman").ok_or_else(|| "not on this machine".to_owned());
    add("foreman", here.map(|program| procfile("foreman", program)));
    let python = peers.python.clone();
    add(
        "honcho",
        python.map(|_| procfile("honcho", peers.python_program("honcho"))),
    );
    (all, missing)
}

fn of(name: &'static str, prepare: Prepare) -> Contender {
    Contender {
        name,
        supervisor: None,
        detaches: false,
        prepare,
    }
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = dir.join(name);
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

fn bash(world: &World, services: &[String], _: &[u16]) -> Result<Command> {
    let text: String = services
        .iter()
        .map(|words| format!("{words} &\n"))
        .collect();
    let file = write(&world.fresh("up-bash")?, "start.sh", &(text + "wait\n"))?;
    let mut command = world.bound("bash", HOME);
    command.arg(file);
    Ok(command)
}

/// In a checkout that has its ports already, as on every day but the first.
fn portway(world: &World, services: &[String], ports: &[u16]) -> Result<Command> {
    let text: String = services
        .iter()
        .zip(ports)
        .map(|(words, port)| {
            let words = words.replacen(&port.to_string(), "{port}", 1);
            format!("[services.s{port}]\ncommand = \"{words}\"\nport = \"{port}-{port}\"\n")
        })
        .collect();
    let dir = world.checkout("up-portway", &text)?;
    let mut detect = world.command(&world.portway, HOME);
    detect.arg("-C").arg(&dir).args(["detect", "--json"]);
    crate::sample::sample(&mut detect)?;
    let mut command = world.bound(&world.portway, HOME);
    command.arg("-C").arg(dir).arg("up");
    Ok(command)
}

fn procfile(name: &'static str, program: PathBuf) -> Contender {
    let prepare = move |world: &World, services: &[String], _: &[u16]| {
        let lines = services.iter().enumerate();
        let text: String = lines
            .map(|(index, words)| format!("s{index}: exec {words}\n"))
            .collect();
        let file = write(&world.fresh("up-procfile")?, "Procfile", &text)?;
        let mut command = world.bound(&program, HOME);
        command.arg("start").arg("-f").arg(file);
        Ok(command)
    };
    of(name, Box::new(prepare))
}

fn concurrently(program: PathBuf) -> Contender {
    let prepare = move |world: &World, services: &[String], _: &[u16]| {
        let mut command = world.bound(&program, HOME);
        command.args(services);
        Ok(command)
    };
    of("concurrently", Box::new(prepare))
}

/// Its own binary, and not the Node program of its package that starts that. It draws, and needs a
/// terminal for that.
fn mprocs(dir: &Path) -> Result<Contender> {
    let package = dir.join("node_modules/mprocs");
    let program = peers::inside(&package, &["linux", std::env::consts::ARCH])?.join("mprocs");
    let prepare = move |world: &World, services: &[String], _: &[u16]| {
        let lines = services.iter().enumerate();
        let text: String = lines
            .map(|(index, words)| format!("  s{index}:\n    shell: \"exec {words}\"\n"))
            .collect();
        let file = write(
            &world.fresh("up-mprocs")?,
            "mprocs.yaml",
            &format!("procs:\n{text}"),
        )?;
        let mut command = world.bound("script", HOME);
        let words = format!("exec {} --config {}", program.display(), file.display());
        command
            .args(["-q", "-c", &words, "/dev/null"])
            .env("TERM", "xterm-256color");
        Ok(command)
    };
    Ok(Contender {
        // `script` has the word among its arguments, but not as its name.
        supervisor: Some(|one| one.name == "mprocs"),
        ..of("mprocs", Box::new(prepare))
    })
}

fn pm2(program: PathBuf) -> Contender {
    let prepare = move |world: &World, services: &[String], _: &[u16]| {
        let app = |(index, words): (usize, &String)| {
            let (script, arguments) = words.split_once(' ').unwrap_or((words, ""));
            serde_json::json!({
                "name": format!("s{index}"), "script": script, "args": arguments,
                "interpreter": "none", "exec_mode": "fork",
            })
        };
        let apps: Vec<_> = services.iter().enumerate().map(app).collect();
        let text = serde_json::json!({ "apps": apps }).to_string();
        let file = write(&world.fresh("up-pm2")?, "ecosystem.json", &text)?;
        let mut command = world.bound(&program, HOME);
        command.arg("start").arg(file);
        Ok(command)
    };
    of("pm2-runtime", Box::new(prepare))
}
