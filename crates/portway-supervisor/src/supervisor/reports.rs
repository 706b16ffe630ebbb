//! What happened to a service's processes, as input for its state machine.

use std::sync::atomic::Ordering;

use portway_api::{FailureReason, NoticeLevel, ServiceState};

use super::Supervisor;
use super::handle::Report;
use super::service::Role;
use crate::keeper::{KeeperEvent, KeeperExit};
use crate::state::{ExitStatus, Input};

impl Supervisor {
    pub(super) fn take_report(&mut self, name: &str, report: Report) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        match report {
            Report::LogMatched => {
                service.log_matched = true;
                self.probe_log(name);
            }
            Report::ProbeSucceeded => self.step(name, Input::ProbeSucceeded),
            Report::Alive(alive) => self.step(name, Input::Alive(alive)),
            Report::OrphansGone => self.tree_gone(name),
            Report::Keeper(event) => {
                let role = service.keeper.as_ref().map(|(_, role)| *role);
                match (event, role) {
                    (_, None) => {}
                    (KeeperEvent::Started(pid), Some(Role::Main)) => {
                        self.step(name, Input::Spawned(pid));
                    }
                    (KeeperEvent::Started(_), Some(Role::Prepare)) => {}
                    (KeeperEvent::Failed(error), Some(Role::Main)) => {
                        let why = FailureReason::StartFailed { error };
                        self.step(name, Input::SpawnFailed(why));
                    }
                    (KeeperEvent::Failed(error), Some(Role::Prepare)) => {
                        let why = FailureReason::PrepareFailed {
                            cause: Box::new(FailureReason::StartFailed { error }),
                            shared_with: None,
                        };
                        self.step(name, Input::PrepareFailed(why));
                    }
                    (KeeperEvent::Exited(ended), Some(Role::Main)) => {
                        self.step(name, Input::LeaderEnded(ended));
                    }
                    (KeeperEvent::Exited(ended), Some(Role::Prepare)) => {
                        service.prepared = Some(ended);
                        // What a prepare step leaves in the background is not wanted.
                        if let Some((keeper, _)) = &service.keeper {
                            keeper.stop();
                        }
                    }
                    (KeeperEvent::KeeperExited(KeeperExit::Clean), _) => self.tree_gone(name),
                    (KeeperEvent::KeeperExited(KeeperExit::Lost), _) => self.stop_orphans(name),
                }
            }
        }
    }

    /// A keeper vanished, so its tree has fallen to this process. It is ended before anything else
    /// happens to the service.
    pub(super) fn stop_orphans(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let grace = service.stop().grace;
        let reporter = self.reporter(name);
        self.say(
            name,
            NoticeLevel::Warning,
            "lost its keeper; its processes are ended",
        );
        self.step(name, Input::LeaderEnded(ExitStatus::Signal(9)));
        let hurry = self.by_force.clone();
        tokio::spawn(async move {
            crate::stop_orphans(grace, || hurry.load(Ordering::Relaxed)).await;
            reporter.send(Report::OrphansGone);
        });
    }

    /// Nothing is left of a service's processes.
    pub(super) fn tree_gone(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        service.stop_watching();
        service.sockets.clear();
        let Some((_, role)) = service.keeper.take() else {
            return;
        };
        let preparing = service.machine.state() == ServiceState::Preparing;
        if role == Role::Prepare {
            return self.prepare_ended(name, preparing);
        }
        let in_use = speaks_of_an_address_in_use(&self.sink.lock().tail(name));
        self.step(name, Input::TreeGone { in_use });
    }

    /// Nothing is left of a prepare step, which others may have waited for; `wanted` unless its
    /// service was stopped meanwhile.
    fn prepare_ended(&mut self, name: &str, wanted: bool) {
        let ended = self
            .services
            .get_mut(name)
            .and_then(|one| one.prepared.take());
        let with = self.services.iter_mut().filter_map(|(other, service)| {
            service.prepares_with.take_if(|with| with == name)?;
            let waits = service.machine.state() == ServiceState::Preparing;
            (waits && service.keeper.is_none()).then(|| other.clone())
        });
        let with: Vec<String> = with.collect();
        match ended {
            Some(ExitStatus::Code(0)) if wanted => {
                for name in std::iter::once(name).chain(with.iter().map(String::as_str)) {
                    self.record_prepare(name);
                    self.say(name, NoticeLevel::Info, "is prepared");
                    self.step(name, Input::Prepared);
                }
            }
            ended if wanted => {
                let ended = ended.unwrap_or(ExitStatus::Signal(9));
                let failed = |shared_with| FailureReason::PrepareFailed {
                    cause: Box::new(ended.into()),
                    shared_with,
                };
                self.step(name, Input::PrepareFailed(failed(None)));
                for other in &with {
                    let why = failed(Some(name.to_owned()));
                    self.step(other, Input::PrepareFailed(why));
                }
            }
            _ => {
                self.step(name, Input::TreeGone { in_use: false });
                for other in &with {
                    self.prepare(other);
                }
            }
        }
    }
}

/// Whether the last words of a server that ended were about its address; a server that says
/// nothing may have meant that too.
fn speaks_of_an_address_in_use(tail: &[String]) -> bool {
    let signs = ["in use", "eaddrinuse", "errno 98", "bind"];
    tail.is_empty()
        || tail.iter().any(|line| {
            let line = line.to_lowercase();
            signs.iter().any(|sign| line.contains(sign))
        })
}
