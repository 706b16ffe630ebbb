//! Who starts services, and how it is told them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::peers::{Peers, on_path};
use crate::world::World;

/// The command for services, given as command lines and the ports on which they listen.
type Prepare = Box<dyn Fn(&World, &[String], &[u16]) -> Result<Command>>;

/// One row of the tables.
pub(super) struct Contender {
    pub(super) name: &'static str,
    /// The name of its supervisor's process where that is not the one that is started.
    pub(super) process: Option<&'static str>,
    pub(super) prepare: Prepare,
}

const HOME: &str = "up-home";

/// All, the baseline first; and what is missing, with the reason.
pub(super) fn all(peers: &Peers) -> (Vec<Contender>, Vec<String>) {
    let mut all = vec![
        of("`bash &`", Box::new(bash)),
        of("portway up", Box::new(portway)),
    ];
    let mut missing = vec![
        "Not measured: pitchfork (its build from the Rust registry was not tried) and turbo (it \
         wants a workspace of packages, which is not written yet).\n\n"
            .to_owned(),
    ];
    match on_path("foreman") {
        Some(program) => all.push(procfile("foreman", program)),
        None => missing.push("Not measured: foreman (not on this machine).\n\n".to_owned()),
    }
    match &peers.node {
        Ok(dir) => {
            let bin = dir.join("node_modules/.bin");
            all.push(terminal(bin.join("mprocs")));
            let program = bin.join("concurrently");
            all.push(of(
                "concurrently",
                Box::new(move |world, services, _| {
                    let mut command = world.bound(&program, HOME);
                    command.args(services);
                    Ok(command)
                }),
            ));
            all.push(pm2(bin.join("pm2-runtime")));
        }
        Err(why) => missing.push(format!(
            "Not measured: mprocs, concurrently, pm2 ({why}).\n\n"
        )),
    }
    match &peers.python {
        Ok(_) => all.push(procfile("honcho", peers.python_program("honcho"))),
        Err(why) => missing.push(format!("Not measured: honcho ({why}).\n\n")),
    }
    (all, missing)
}

fn of(name: &'static str, prepare: Prepare) -> Contender {
    Contender {
        name,
        process: None,
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

/// mprocs draws, and needs a terminal for that.
fn terminal(program: PathBuf) -> Contender {
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
    Contender {
        process: Some("mprocs"),
        ..of("mprocs", Box::new(prepare))
    }
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
