//! foreman and honcho, which start what a `Procfile` declares.

use std::path::PathBuf;
use std::process::Command;

use super::{Competitor, HOME, competitor, words, write};
use crate::Result;
use crate::env::BenchEnv;
use crate::peers::Peers;

const DIRECTORY: &str = "up-procfile";

/// From Debian, with the machine's Ruby.
pub(super) fn foreman(peers: &Peers) -> Result<Competitor> {
    let root = peers.unpack_debian("foreman", &["ruby-foreman", "ruby-thor"])?;
    let gems = root.join("usr/share/rubygems-integration/all");
    Ok(procfile(
        "foreman",
        root.join("usr/bin/foreman"),
        Some(gems),
    ))
}

pub(super) fn honcho(peers: &Peers) -> Result<Competitor> {
    peers.python.clone()?;
    Ok(procfile("honcho", peers.python_program("honcho"), None))
}

fn procfile(name: &'static str, program: PathBuf, gems: Option<PathBuf>) -> Competitor {
    let tool = move |env: &BenchEnv| {
        let mut command = env.child_command(&program, HOME);
        command.envs(gems.iter().map(|dir| ("GEM_PATH", dir)));
        command
    };
    let run_tool = tool.clone();
    let start = move |env: &BenchEnv, services: &[String], _: &[u16]| {
        let file = write(&env.empty_dir(DIRECTORY)?, "Procfile", &text(services))?;
        let mut command = tool(env);
        command.arg("start").arg("-f").arg(file);
        Ok(command)
    };
    let run = move |env: &BenchEnv, services: &[String], _: &[u16]| -> Result<Command> {
        let dir = env.empty_dir(DIRECTORY)?;
        let mut command = run_tool(env);
        command.arg("run").args(words(services)).current_dir(dir);
        Ok(command)
    };
    Competitor {
        exec: Some(Box::new(run)),
        ..competitor(name, Box::new(start))
    }
}

fn text(services: &[String]) -> String {
    let lines = services.iter().enumerate();
    lines
        .map(|(index, line)| format!("s{index}: exec {line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declares_a_process_for_each_service() {
        let services = ["a 1".to_owned(), "b 2".to_owned()];
        assert_eq!(text(&services), "s0: exec a 1\ns1: exec b 2\n");
        assert!(words(&services).eq(["a", "1"]));
    }
}
