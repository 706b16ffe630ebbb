//! Applies changes of the project to the running instance.
//!
//! The host reads the project and chooses new ports on another thread. Then the services that were
//! removed or changed stop, dependents first. When all of them have stopped, the new plan takes effect at
//! once, and the services start. Other services are not touched.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;
use std::{mem, thread};

use indexmap::IndexMap;
use portway_api::{
    ApplyRequest, ChangeAction, ChangePlan, ErrorCode, ErrorInfo, NoticeLevel, PortConflict,
    ServiceChange, ServiceState,
};

use super::handle::{ApplyReply, Message};
use super::service::Service;
use super::{Supervisor, order};
use crate::host::{Change, RunningProject};
use crate::state::Input;

/// The changes that a supervisor applies.
#[derive(Default)]
pub(super) struct Applying {
    /// The requests that wait.
    queue: VecDeque<(ApplyRequest, ApplyReply)>,
    /// Whether the host is planning a change.
    is_planning: bool,
    /// The change whose services are being stopped.
    pending: Option<Pending>,
    /// The ports that were lost meanwhile, by service.
    lost: Vec<(String, u16, PortConflict)>,
}

/// A change that takes effect when its services have stopped.
struct Pending {
    change: Change,
    /// The services that must stop.
    stops: Vec<String>,
    /// The services that start afterwards.
    starts: Vec<String>,
}

impl Supervisor {
    /// Handles a request after those that came before it.
    pub(super) fn request_apply(&mut self, request: ApplyRequest, reply: ApplyReply) {
        self.applying.queue.push_back((request, reply));
        self.plan_next_change();
    }

    pub(super) fn is_applying(&self) -> bool {
        self.applying.is_planning || self.applying.pending.is_some()
    }

    fn plan_next_change(&mut self) {
        if self.is_applying() {
            return;
        }
        for (service, port, taken_by) in mem::take(&mut self.applying.lost) {
            let is_lost = self.config.ports.of(&service).contains(&port);
            let machine = self.services.get(&service).map(|service| &service.machine);
            if is_lost && machine.is_some_and(|machine| machine.is_replacing_port()) {
                self.replace_port(&service, port, taken_by);
            }
        }
        let Some((request, reply)) = self.applying.queue.pop_front() else {
            return;
        };
        if self.stopping.is_some() {
            // The command may have gone.
            let _ = reply.send(Err(stopping()));
            return self.plan_next_change();
        }
        let is_dry_run = request.dry_run;
        let running = RunningProject {
            plan: self.config.plan.clone(),
            ports: self.config.ports.clone(),
            wiring: self.config.wiring.clone(),
        };
        let job = self.config.host.plan_change(request, running);
        self.applying.is_planning = true;
        let mailbox = self.mailbox.clone();
        // A thread of its own, because the end of the supervisor does not wait for it.
        thread::spawn(move || {
            // Sending fails only when the supervisor has stopped.
            let _ = mailbox.send(Message::ChangePlanned {
                result: job().map(Box::new),
                is_dry_run,
                reply,
            });
        });
    }

    /// Starts to apply a change that the host has planned, or only describes it.
    pub(super) fn handle_planned_change(
        &mut self,
        result: Result<Box<Change>, ErrorInfo>,
        is_dry_run: bool,
        reply: ApplyReply,
    ) {
        self.applying.is_planning = false;
        let answer = match result {
            Err(error) => Err(error),
            Ok(_) if self.stopping.is_some() => Err(stopping()),
            Ok(change) => {
                let plan = self.describe_change(&change);
                if !is_dry_run {
                    self.start_change(*change);
                }
                Ok(plan)
            }
        };
        // The command may have gone.
        let _ = reply.send(answer);
        self.plan_next_change();
    }

    /// Returns whether `name` is stopped or failed, and starts when a user requests it.
    fn is_startable(&self, name: &str) -> bool {
        self.services.get(name).is_none_or(|service| {
            let state = service.machine.state();
            matches!(state, ServiceState::Stopped | ServiceState::Failed)
                || service.machine.is_stopping_for_good()
        })
    }

    fn is_active(&self, name: &str) -> bool {
        let service = self.services.get(name);
        service.is_some_and(|service| {
            !service.machine.is_idle() && !service.machine.is_stopping_for_good()
        })
    }

    fn describe_change(&self, change: &Change) -> ChangePlan {
        let mut changes = Vec::new();
        let mut add = |service: &String, action, reasons| {
            changes.push(ServiceChange {
                service: service.clone(),
                action,
                reasons,
            });
        };
        // In start order.
        for name in &change.plan.closure(&[]).unwrap_or_default() {
            let is_selected = change.services.contains(name);
            let restart = change.restarts.get(name);
            match restart {
                Some(reasons) if self.is_active(name) => {
                    add(name, ChangeAction::Restart, reasons.clone());
                }
                Some(reasons) if is_selected => add(name, ChangeAction::Start, reasons.clone()),
                _ if !is_selected => {}
                _ if !self.services.contains_key(name) => {
                    add(name, ChangeAction::Start, vec!["new".to_owned()]);
                }
                _ if self.is_startable(name) => {
                    add(name, ChangeAction::Start, vec!["not running".to_owned()]);
                }
                _ => add(name, ChangeAction::Keep, Vec::new()),
            }
        }
        for name in self.services.keys() {
            if !change.plan.services.contains_key(name) {
                add(name, ChangeAction::Stop, vec!["removed".to_owned()]);
            }
        }
        ChangePlan {
            running: true,
            changes,
        }
    }

    fn start_change(&mut self, change: Change) {
        let is_removed = |name: &String| !change.plan.services.contains_key(name);
        let stops: Vec<String> = self.services.keys().cloned().collect();
        let stops = stops
            .into_iter()
            .filter(|name| is_removed(name) || change.restarts.contains_key(name))
            .collect::<Vec<String>>();
        let starts = change.plan.closure(&[]).unwrap_or_default();
        let starts = starts
            .into_iter()
            .filter(|name| match change.services.contains(name) {
                true => change.restarts.contains_key(name) || self.is_startable(name),
                false => change.restarts.contains_key(name) && self.is_active(name),
            })
            .collect();
        for name in &stops {
            if let Some(reasons) = change.restarts.get(name) {
                let text = format!("applying a change: {}", reasons.join("; "));
                self.notify(name, NoticeLevel::Info, &text);
            } else {
                self.notify(
                    name,
                    NoticeLevel::Info,
                    "stopping: removed from the project",
                );
            }
        }
        self.applying.pending = Some(Pending {
            change,
            stops,
            starts,
        });
        self.continue_change();
    }

    /// Stops the services of the pending change that no other of them needs, or, when all have stopped,
    /// lets the change take effect. Called after every message.
    pub(super) fn continue_change(&mut self) {
        if self.stopping.is_some() {
            self.applying.pending = None;
            for (_, reply) in self.applying.queue.drain(..) {
                // The command may have gone.
                let _ = reply.send(Err(stopping()));
            }
            return;
        }
        loop {
            let Some(pending) = &self.applying.pending else {
                return;
            };
            let active: Vec<&str> = pending
                .stops
                .iter()
                .map(String::as_str)
                .filter(|name| {
                    let service = self.services.get(*name);
                    service.is_some_and(|one| !one.machine.is_idle() || one.keeper.is_some())
                })
                .collect();
            if active.is_empty() {
                break;
            }
            let after = |name: &str| -> Vec<String> {
                let after = &self.services[name].plan.after;
                after.iter().map(|(other, _)| other.clone()).collect()
            };
            let next: Vec<String> = order::stoppable(&active, after)
                .into_iter()
                .filter(|name| !self.services[*name].machine.is_stopping_for_good())
                .map(str::to_owned)
                .collect();
            if next.is_empty() {
                return;
            }
            for name in next {
                self.step(&name, Input::Stop);
            }
        }
        if let Some(pending) = self.applying.pending.take() {
            self.finish_change(pending);
            self.plan_next_change();
        }
    }

    /// Lets a change take effect. None of its services is running.
    fn finish_change(&mut self, pending: Pending) {
        let Pending { change, starts, .. } = pending;
        let Change {
            name,
            plan,
            ports,
            wiring,
            displaced,
            warnings,
            holds,
            services: selected,
            restarts,
            lan_services,
            host,
            on_applied,
        } = change;
        self.holds
            .extend(holds.into_iter().map(|hold| (hold.port(), hold)));
        let is_assigned = |port: &u16| ports.0.values().flatten().any(|one| one == port);
        self.holds.retain(|port, _| is_assigned(port));
        self.config.displaced.retain(|port, _| is_assigned(port));
        self.config.displaced.extend(displaced);
        let now = Instant::now();
        let mut old = mem::take(&mut self.services);
        let services: IndexMap<String, Service> = plan
            .services
            .values()
            .map(|planned| {
                let name = planned.name.clone();
                let service = match old.shift_remove(&name) {
                    Some(mut service) if !restarts.contains_key(&name) => {
                        service.update(planned.clone());
                        service
                    }
                    _ => Service::new(planned.clone(), now),
                };
                (name, service)
            })
            .collect();
        self.services = services;
        let mut requested = mem::take(&mut self.config.services);
        requested.retain(|name| plan.services.contains_key(name));
        requested.extend(selected);
        requested.extend(starts.iter().cloned());
        let mut seen = HashSet::new();
        requested.retain(|name| seen.insert(name.clone()));
        self.config.services = requested;
        self.config.name = name;
        self.config.plan = plan;
        self.config.ports = ports;
        self.expect_inner_ports();
        self.config.wiring = wiring;
        self.config.warnings = warnings;
        if let (Some(lan), Some(services)) = (&mut self.lan, lan_services) {
            lan.set_services(services);
        }
        if let Some(host) = host {
            self.config.host = host;
        }
        on_applied();
        self.changed_files.clear();
        self.publish_service_names();
        // A port may have been that of a service that was removed or released it.
        for name in self.services.keys() {
            if self.services[name].machine.is_idle() {
                self.restore_holds(name);
            }
        }
        for name in starts {
            self.step(&name, Input::Start);
        }
    }

    /// Defers the replacement of a lost port while a change is being applied, which may replace it, too.
    /// Returns whether it does.
    pub(super) fn defers_replacement(
        &mut self,
        name: &str,
        lost: u16,
        taken_by: &PortConflict,
    ) -> bool {
        let is_deferred = self.is_applying();
        if is_deferred {
            let lost = (name.to_owned(), lost, taken_by.clone());
            self.applying.lost.push(lost);
        }
        is_deferred
    }
}

fn stopping() -> ErrorInfo {
    ErrorInfo {
        code: ErrorCode::NotRunning,
        message: "the instance is being stopped".to_owned(),
        place: None,
        hints: Vec::new(),
    }
}
