//! pitchfork: a manager of daemons, which one command starts in the background.

use super::{Contender, of, write};
use crate::Result;
use crate::peers::Peers;
use crate::world::World;

/// Version, from the Rust registry.
const VERSION: &str = "2.33.0";
const HOME: &str = "up-pitchfork-home";

/// From `pitchfork start` on, which starts the supervisor first: none runs yet. Built without its
/// proxy's TLS, which starts nothing.
pub(super) fn contender(peers: &Peers) -> Result<Contender> {
    let program = peers.built(
        "pitchfork",
        "pitchfork-cli",
        VERSION,
        &["--no-default-features"],
    )?;
    let prepare = move |world: &World, services: &[String], ports: &[u16]| {
        // What the last start has left in its state is none of this one's.
        world.fresh(HOME)?;
        let dir = world.fresh("up-pitchfork")?;
        write(&dir, "pitchfork.toml", &manifest(services, ports))?;
        let mut command = world.bound(&program, HOME);
        command.args(["start", "--local"]).current_dir(dir);
        Ok(command)
    };
    Ok(Contender {
        supervisor: Some(|one| one.name == "pitchfork" && one.words.contains(" supervisor run")),
        detaches: true,
        ..of("pitchfork", Box::new(prepare))
    })
}

fn manifest(services: &[String], ports: &[u16]) -> String {
    let one = |(words, port): (&String, &u16)| {
        format!("[daemons.s{port}]\nrun = \"exec {words}\"\nready_port = {port}\n")
    };
    services.iter().zip(ports).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_a_daemon_that_is_ready_on_its_port() {
        let text = manifest(&["a 1".to_owned(), "b 2".to_owned()], &[1, 2]);
        assert_eq!(text.matches("[daemons.").count(), 2);
        assert!(text.contains("run = \"exec b 2\"\nready_port = 2\n"));
    }
}
