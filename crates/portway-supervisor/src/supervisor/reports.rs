//! Handles reports about a service's processes: turns them into inputs of its state machine.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portway_api::{Event, FailureReason, Notice, NoticeLevel, ServiceState};

use super::handle::Report;
use super::missing_program::missing_program;
use super::service::Role;
use super::{Supervisor, last_line, output};
use crate::keeper::{KeeperEvent, KeeperExit};
use crate::orphans;
use crate::remnants;
use crate::state::{ExitContext, ExitStatus, Input};
use crate::stuck::StuckProcess;

impl Supervisor {
    pub(super) fn handle_report(&mut self, name: &str, report: Report) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        match report {
            Report::LogMatched => {
                service.log_matched = true;
                self.evaluate_log_pattern(name);
            }
            Report::ReadinessProbeSucceeded => self.step(name, Input::ReadinessProbeSucceeded),
            Report::LivenessChecked(is_alive) => {
                self.step(name, Input::LivenessChecked(is_alive));
            }
            Report::OrphansStopped(stuck) => {
                self.report_stuck(name, &stuck);
                self.handle_tree_gone(name);
            }
            Report::StopOverdue => {
                if let Some((keeper, _)) = &service.keeper {
                    service.is_overdue = true;
                    // The supervisor adopts its processes and stops them.
                    keeper.abandon();
                }
            }
            Report::Keeper(event) => {
                let role = service.keeper.as_ref().map(|(_, role)| *role);
                match (event, role) {
                    (_, None) => {}
                    (KeeperEvent::Stuck(stuck), _) => self.report_stuck(name, &stuck),
                    (KeeperEvent::KeeperExited(KeeperExit::Clean), _) => {
                        self.handle_tree_gone(name);
                    }
                    (KeeperEvent::KeeperExited(KeeperExit::Lost), _) => {
                        self.handle_lost_keeper(name);
                    }
                    (event, Some(Role::Service)) => self.handle_service_event(name, event),
                    (event, Some(Role::PrepareStep)) => self.handle_prepare_event(name, event),
                }
            }
        }
    }

    fn handle_service_event(&mut self, name: &str, event: KeeperEvent) {
        match event {
            KeeperEvent::Started(pid) => self.step(name, Input::Started(pid)),
            KeeperEvent::StartFailed(error) => {
                let reason = FailureReason::StartFailed {
                    error: error.message,
                };
                self.step(name, Input::StartFailed(reason));
            }
            KeeperEvent::LeaderExited(status) => self.step(name, Input::LeaderExited(status)),
            KeeperEvent::DaemonFailed(status) => self.step(name, Input::DaemonFailed(status)),
            KeeperEvent::Stuck(_) | KeeperEvent::KeeperExited(_) => {}
        }
    }

    fn handle_prepare_event(&mut self, name: &str, event: KeeperEvent) {
        match event {
            KeeperEvent::StartFailed(error) => {
                let cause = FailureReason::StartFailed {
                    error: error.message,
                };
                let reason = FailureReason::PrepareFailed {
                    cause: Box::new(cause),
                    shared_with: None,
                };
                self.step(name, Input::PrepareFailed(reason));
            }
            KeeperEvent::LeaderExited(status) => {
                let Some(service) = self.services.get_mut(name) else {
                    return;
                };
                service.prepare_status = Some(status);
                // A prepare step must not leave processes in the background.
                self.stop_keeper(name, false);
            }
            KeeperEvent::Started(_)
            | KeeperEvent::DaemonFailed(_)
            | KeeperEvent::Stuck(_)
            | KeeperEvent::KeeperExited(_) => {}
        }
    }

    /// Stops the process tree of a keeper that was lost. The processes have become children of the
    /// supervisor.
    fn handle_lost_keeper(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let grace = if service.is_overdue {
            Duration::ZERO
        } else {
            service.plan.stop.grace
        };
        let reporter = self.reporter(name);
        self.notify(
            name,
            NoticeLevel::Warning,
            "lost its keeper; stopping its processes",
        );
        self.step(name, Input::LeaderExited(ExitStatus::KILLED));
        let is_killing = self.is_killing.clone();
        let dir = self.instance_dir().to_owned();
        tokio::spawn(async move {
            let deadline = Instant::now() + grace;
            let must_kill = || {
                let must_kill = is_killing.load(Ordering::Relaxed) || Instant::now() >= deadline;
                if must_kill {
                    remnants::kill_groups(&dir);
                }
                must_kill
            };
            let stuck = orphans::stop(grace, must_kill).await;
            // Processes that were spared or left the tree are not the supervisor's children.
            remnants::kill_groups(&dir);
            remnants::clean(&dir);
            reporter.send(Report::OrphansStopped(stuck));
        });
    }

    /// Reports processes that cannot be stopped, and leaves them alone.
    fn report_stuck(&self, name: &str, stuck: &[StuckProcess]) {
        if stuck.is_empty() {
            return;
        }
        for process in stuck {
            orphans::spare(process.pid);
        }
        let text = crate::stuck::not_stopped(stuck);
        self.notify(name, NoticeLevel::Error, &text);
    }

    /// Reports processes that are left at the end and cannot be stopped.
    pub(super) fn report_last_stuck(&self, stuck: &[StuckProcess]) {
        if !stuck.is_empty() {
            self.sink.send(Event::Notice(Notice {
                level: NoticeLevel::Error,
                service: None,
                text: crate::stuck::not_stopped(stuck),
            }));
        }
    }

    /// Handles the end of a process tree.
    fn handle_tree_gone(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        service.abort_probes();
        service.verified_sockets.clear();
        let Some((_, role)) = service.keeper.take() else {
            return;
        };
        match role {
            Role::PrepareStep => {
                let is_needed = service.machine.state() == ServiceState::Preparing;
                self.finish_prepare(name, is_needed);
            }
            Role::Service => {
                let context = self.exit_context(name);
                self.step(name, Input::TreeGone(context));
            }
        }
    }

    /// Returns what the last output and the ports say about the end of a service.
    fn exit_context(&mut self, name: &str) -> ExitContext {
        let lines = self.sink.lock().tail(name);
        // In the network of the instance, no hold is in the way.
        let is_inside = self.network_of(name).is_some();
        let address_in_use = !is_inside && output::reports_address_in_use(&lines);
        ExitContext {
            address_in_use,
            inner_conflict: self.inner_conflict(name).is_some(),
            lost_port: address_in_use.then(|| self.lost_port(name)).flatten(),
            missing_file: output::missing_file(&lines),
            missing_program: missing_program(&lines),
            cause: last_line::cause(&lines),
        }
    }

    /// Handles the end of a prepare step, also for other services that wait for it. `is_needed` is
    /// false if the service was stopped meanwhile.
    fn finish_prepare(&mut self, name: &str, is_needed: bool) {
        let status = self
            .services
            .get_mut(name)
            .and_then(|service| service.prepare_status.take());
        let others: Vec<String> = self
            .services
            .iter_mut()
            .filter_map(|(other, service)| {
                service
                    .shares_prepare_with
                    .take_if(|shared| shared == name)?;
                let is_waiting = service.machine.state() == ServiceState::Preparing;
                (is_waiting && service.keeper.is_none()).then(|| other.clone())
            })
            .collect();
        if !is_needed {
            self.step(name, Input::TreeGone(ExitContext::default()));
            for other in &others {
                self.prepare(other);
            }
            return;
        }
        let status = status.unwrap_or(ExitStatus::KILLED);
        if status.is_success() {
            for name in std::iter::once(name).chain(others.iter().map(String::as_str)) {
                self.record_prepare(name);
                self.notify(name, NoticeLevel::Info, "prepared");
                self.step(name, Input::Prepared);
            }
            return;
        }
        let cause = match FailureReason::from(status) {
            FailureReason::CommandNotFound => missing_program(&self.sink.lock().tail(name))
                .map_or(FailureReason::CommandNotFound, |program| {
                    FailureReason::ProgramNotFound { program }
                }),
            other => other.with_line(last_line::cause(&self.sink.lock().tail(name))),
        };
        let failed = |shared_with| FailureReason::PrepareFailed {
            cause: Box::new(cause.clone()),
            shared_with,
        };
        self.step(name, Input::PrepareFailed(failed(None)));
        for other in &others {
            let reason = failed(Some(name.to_owned()));
            self.step(other, Input::PrepareFailed(reason));
        }
    }
}
