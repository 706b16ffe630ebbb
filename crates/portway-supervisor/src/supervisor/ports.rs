//! Holds, and who listens on them.

use std::sync::Arc;
use std::time::Duration;

use portway_api::{FailureReason, NoticeLevel, PortConflict, PortDisplacement};
use portway_ports::Hold;
use portway_project::policy::ListenerOwner;

use super::Supervisor;
use super::service::Role;
use crate::state::{Input, Machine};
use crate::watch::{self as ownership, Finding};

/// How often a service that is ready is looked at, in case a stranger took its port while it bound
/// anew.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Somebody who listens and cannot be seen for so many looks is a stranger.
const UNCLEAR_LOOKS: u32 = 40;
/// A service that listens elsewhere is told so after this time.
const LISTENS_ELSEWHERE: Duration = Duration::from_secs(3);

impl Supervisor {
    pub(super) fn holds_of(&self, name: &str) -> Vec<Arc<Hold>> {
        let ports = self.config.ports.of(name);
        ports
            .iter()
            .filter_map(|port| self.holds.get(port).cloned())
            .collect()
    }

    /// Stops a service whose ports somebody else wants; they are let go of when its tree is gone.
    pub(super) fn let_go(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        service.let_go = true;
        self.step(name, Input::Stop);
        // What runs is let go of when it is gone; of what does not run nobody will tell.
        if self.services[name].machine.is_at_rest() {
            self.keep_or_let_go(name);
        }
    }

    /// What becomes of the ports of a service of which nothing runs any more.
    pub(super) fn keep_or_let_go(&self, name: &str) {
        let let_go = self
            .services
            .get(name)
            .is_some_and(|service| service.let_go);
        for hold in self.holds_of(name) {
            if let_go {
                hold.release();
            } else {
                // A released port is held again. If that fails, the next start reports it.
                let _ = hold.harden().and_then(|()| hold.retake());
            }
        }
    }

    pub(super) fn who_has(&self, port: u16) -> PortConflict {
        let holders = portway_ports::owners(port).unwrap_or_default();
        holders
            .iter()
            .find_map(|holder| holder.process.as_ref())
            .map_or(
                PortConflict::UnknownProcess { user: None },
                ownership::describe,
            )
    }

    /// How long until the next look at the ports.
    pub(super) fn until_next_look(&self) -> Duration {
        let waiting = self
            .services
            .values()
            .filter(|service| service.machine.awaits_listening())
            .map(|service| service.started.elapsed())
            .min();
        match waiting {
            None => LOOK_AGAIN,
            Some(waited) if waited < Duration::from_secs(1) => Duration::from_millis(4),
            Some(waited) if waited < Duration::from_secs(10) => Duration::from_millis(20),
            Some(_) => Duration::from_millis(100),
        }
    }

    /// Looks who listens on the ports of the services that run.
    pub(super) fn look(&mut self) {
        let is_concerned = |machine: &Machine| {
            machine.has_listened() || (machine.awaits_listening() && machine.has_begun())
        };
        let concerned: Vec<String> = self
            .services
            .values()
            .filter(|service| is_concerned(&service.machine))
            .map(|service| service.plan.name.clone())
            .collect();
        if concerned.is_empty() {
            return;
        }
        let mut listening = ownership::look();
        self.leave_out_own(&mut listening);
        for name in concerned {
            let ports = self.config.ports.of(&name).to_vec();
            let Some(service) = self.services.get_mut(&name) else {
                continue;
            };
            let Some((keeper, Role::Main)) = &service.keeper else {
                continue;
            };
            let anyone = service.plan.owner == ListenerOwner::Any;
            let awaited = service.machine.awaits_listening();
            let keeper = keeper.pid();
            match ownership::judge(&listening, &ports, keeper, anyone, &service.sockets) {
                Finding::Own(families, sockets) => {
                    service.unclear = 0;
                    if service.sockets != sockets {
                        service.sockets = sockets;
                        self.step(&name, Input::Listening(families));
                    }
                }
                Finding::Foreign { port, by } => self.step(&name, Input::Stolen { port, by }),
                Finding::Unclear { port } => {
                    service.unclear += 1;
                    if service.unclear > UNCLEAR_LOOKS {
                        let by = PortConflict::UnknownProcess { user: None };
                        self.step(&name, Input::Stolen { port, by });
                    }
                }
                Finding::Quiet if awaited => self.look_elsewhere(&name, &listening, keeper),
                Finding::Quiet => {}
            }
        }
    }

    /// Tells, once, when a service listens on another port than its own.
    pub(super) fn look_elsewhere(
        &mut self,
        name: &str,
        listening: &ownership::Listening,
        keeper: u32,
    ) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        if service.said_elsewhere || service.started.elapsed() < LISTENS_ELSEWHERE {
            return;
        }
        service.said_elsewhere = true;
        let own = self.config.ports.of(name);
        let tree: Vec<u32> = crate::process::descendants(keeper)
            .iter()
            .map(|process| process.pid)
            .collect();
        let elsewhere = listening.iter().find(|(port, listeners)| {
            !own.contains(port)
                && listeners.iter().any(|listener| {
                    portway_ports::find_owner(tree.iter().copied(), listener.socket).is_some()
                })
        });
        if let (Some((port, _)), Some(expected)) = (elsewhere, own.first()) {
            let text = format!(
                "listens on port {port} and not on its own port {expected}; \
                 does its command use `{{port}}`?"
            );
            self.say(name, NoticeLevel::Warning, &text);
        }
    }

    pub(super) fn move_port(&mut self, name: &str, lost: u16, by: PortConflict) {
        let moved = match self.config.host.replace_port(name, lost) {
            Ok(moved) => moved,
            Err(error) => {
                let why = FailureReason::NoReplacementPort {
                    port: lost,
                    taken_by: by,
                    error: error.to_string(),
                };
                return self.step(name, Input::MoveFailed(why));
            }
        };
        let port = moved.hold.port();
        self.holds.remove(&lost);
        self.holds.insert(port, moved.hold);
        let text = format!("moves to port {port}: {by} took port {lost} before it could bind");
        let displaced = PortDisplacement::new(lost, false, by);
        self.config.displaced.remove(&lost);
        self.config.displaced.insert(port, displaced);
        self.config.ports = moved.ports;
        let old = std::mem::replace(&mut self.config.wiring, moved.wiring);
        let told: Vec<String> = self
            .services
            .values()
            .filter(|service| service.plan.name != name && service.machine.is_active())
            .map(|service| service.plan.name.clone())
            .filter(|other| old.services.get(other) != self.config.wiring.services.get(other))
            .collect();
        self.say(name, NoticeLevel::Warning, &text);
        for other in told {
            let text = format!("is restarted, for it was told the old port of `{name}`");
            self.say(&other, NoticeLevel::Warning, &text);
            self.step(&other, Input::Restart);
        }
        self.step(name, Input::Moved);
    }
}
