//! pitchfork: a daemon manager. One command starts its supervisor in the background.

use super::{Competitor, competitor, write};
use crate::Result;
use crate::env::BenchEnv;
use crate::peers::Peers;

/// The version of the crate pitchfork-cli.
const VERSION: &str = "2.33.0";
const HOME: &str = "up-pitchfork-home";

/// Runs `pitchfork start` without a running supervisor, so that it starts one. Built without TLS in
/// its proxy, which is not used.
pub(super) fn pitchfork(peers: &Peers) -> Result<Competitor> {
    let program = peers.cargo_package(
        "pitchfork",
        "pitchfork-cli",
        VERSION,
        &["--no-default-features"],
    )?;
    let prepare = move |env: &BenchEnv, services: &[String], ports: &[u16]| {
        // Remove the state of the last start.
        env.empty_dir(HOME)?;
        let dir = env.empty_dir("up-pitchfork")?;
        write(&dir, "pitchfork.toml", &manifest(services, ports))?;
        let mut command = env.child_command(&program, HOME);
        command.args(["start", "--local"]).current_dir(dir);
        Ok(command)
    };
    Ok(Competitor {
        supervisor: Some(|process| {
            process.name == "pitchfork" && process.arguments.contains(" supervisor run")
        }),
        detaches: true,
        ..competitor("pitchfork", Box::new(prepare))
    })
}

fn manifest(services: &[String], ports: &[u16]) -> String {
    let daemon = |(line, port): (&String, &u16)| {
        format!("[daemons.s{port}]\nrun = \"exec {line}\"\nready_port = {port}\n")
    };
    services.iter().zip(ports).map(daemon).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declares_a_daemon_for_each_service() {
        let text = manifest(&["a 1".to_owned(), "b 2".to_owned()], &[1, 2]);
        assert_eq!(text.matches("[daemons.").count(), 2);
        assert!(text.contains("run = \"exec b 2\"\nready_port = 2\n"));
    }
}
