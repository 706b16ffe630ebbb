//! Holds of a service's ports, and the polling of the processes that listen on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portway_api::{FailureReason, NoticeLevel, PortConflict, PortDisplacement};
use portway_ports::{Hold, HoldError, Listener, ProcessId, Protocol};
use portway_project::policy::ListenerOwner;

use super::Supervisor;
use super::service::Role;
use crate::mark::Mark;
use crate::ownership::{self, Listeners, PortOwnership};
use crate::process::descendants;
use crate::state::{Input, StateMachine};

/// How often the ports of ready services are polled. Another process can take a port while its
/// service binds it again.
const READY_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often they are polled while the thread that watches them sees the sockets that get their connections. It does
/// not see those on other addresses.
const QUIET_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// A service that does not listen after this time is polled less often.
const MAX_STARTING_TIME: Duration = Duration::from_secs(10);
/// After this many polls, a process that cannot be identified counts as foreign.
const MAX_UNKNOWN_POLLS: u32 = 40;
/// A service that listens on another port for this long is reported.
const WRONG_PORT_DELAY: Duration = Duration::from_secs(3);

impl Supervisor {
    pub(super) fn holds_of(&self, name: &str) -> Vec<Arc<Hold>> {
        let ports = self.config.ports.of(name);
        ports
            .iter()
            .filter_map(|port| self.holds.get(port).cloned())
            .collect()
    }

    /// Stops a service and releases its ports once its process tree is gone.
    pub(super) fn release_ports(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        service.is_released = true;
        self.step(name, Input::Stop);
        // No further input follows for a service that is not running.
        if self.services[name].machine.is_idle() {
            self.restore_holds(name);
        }
    }

    /// Hardens the holds of a service that is not running, or releases them on request.
    pub(super) fn restore_holds(&self, name: &str) {
        let is_released = self.services.get(name).is_some_and(|s| s.is_released);
        for hold in self.holds_of(name) {
            if is_released {
                hold.release();
            } else {
                // A released port is held again. If that fails, the next start reports it.
                let _ = hold.harden().and_then(|()| hold.retake());
            }
        }
    }

    /// Returns the process that uses a port.
    pub(super) fn port_user(&self, port: u16) -> PortConflict {
        let listening = portway_ports::owners(port).unwrap_or_default();
        // A hold of another instance does not listen.
        let bound = portway_ports::bound_owners(port).unwrap_or_default();
        let own = std::process::id();
        let bound = bound.iter().filter(|owner| {
            let process = owner.process.as_ref();
            process.is_none_or(|process| process.id.pid != own)
        });
        listening
            .iter()
            .chain(bound)
            .find_map(|owner| owner.process.as_ref())
            .map_or(
                PortConflict::UnknownProcess { user: None },
                ownership::port_conflict,
            )
    }

    /// Returns a port of a service without processes that another process uses, and that process.
    pub(super) fn lost_port(&self, name: &str) -> Option<(u16, PortConflict)> {
        let listeners = self.read_listeners().unwrap_or_default();
        let without_hold = self
            .services
            .get(name)
            .is_some_and(|s| s.machine.is_without_hold());
        let is_lost = |hold: &&Arc<Hold>| {
            let mut others = listeners.on((hold.protocol(), hold.port())).iter();
            // On another address, it does not prevent the service from listening without the hold.
            others.any(|other| without_hold || ownership::takes_localhost(other, &[]))
                || matches!(hold.retake(), Err(HoldError::InUse(_)))
        };
        let port = self.holds_of(name).iter().find(is_lost)?.port();
        Some((port, self.port_user(port)))
    }

    /// Returns the time until the next poll of the ports.
    pub(super) fn poll_interval(&self) -> Duration {
        let waiting_time = self
            .services
            .values()
            .filter(|service| service.machine.awaits_listening())
            // A service that listened before can take as long as it wants.
            .map(|service| match service.machine.is_starting() {
                true => service.started.elapsed(),
                false => MAX_STARTING_TIME,
            })
            .min();
        match waiting_time {
            None if self.is_watched && self.quiet_ports.are_quiet() => QUIET_POLL_INTERVAL,
            None => READY_POLL_INTERVAL,
            Some(time) if time < Duration::from_secs(1) => Duration::from_millis(4),
            Some(time) if time < MAX_STARTING_TIME => Duration::from_millis(20),
            Some(_) => Duration::from_millis(100),
        }
    }

    /// Checks which processes listen on the ports of running services.
    pub(super) fn poll_ports(&mut self) {
        // In a network of the instance, a service may open unexpected ports.
        let is_isolated = self.isolation.is_some();
        let is_polled = |machine: &StateMachine| {
            machine.is_listening()
                || (machine.awaits_listening() && machine.has_started())
                || (is_isolated && machine.pid().is_some())
        };
        let names: Vec<String> = self
            .services
            .values()
            .filter(|service| is_polled(&service.machine))
            .map(|service| service.plan.name.clone())
            .collect();
        if !names.is_empty() {
            self.poll_ports_of(names);
        }
        self.quiet_ports.set(self.ready_ports().as_deref());
    }

    /// Returns the ports of all polled services with their verified sockets. `None` if the watching thread cannot see
    /// all of them.
    fn ready_ports(&self) -> Option<Vec<(u16, Vec<u64>)>> {
        let mut ports = Vec::new();
        for service in self.services.values() {
            let machine = &service.machine;
            if machine.pid().is_none() {
                continue;
            }
            let name = &service.plan.name;
            let mut protocols = service.plan.ports.iter().map(|port| port.protocol);
            let is_visible = !machine.awaits_listening()
                && self.network_of(name).is_none()
                && protocols.all(|protocol| protocol == Protocol::Tcp);
            if !is_visible {
                return None;
            }
            if machine.is_listening() {
                let numbers = self.listening_ports(name).iter();
                ports.extend(numbers.map(|port| (*port, service.verified_sockets.clone())));
            }
        }
        Some(ports)
    }

    fn poll_ports_of(&mut self, names: Vec<String>) {
        let (inside, on_host): (Vec<String>, Vec<String>) = names
            .into_iter()
            .partition(|name| self.network_of(name).is_some());
        if let (Some(isolation), Some(first)) = (&self.isolation, inside.first()) {
            match isolation.listeners() {
                Ok(listeners) => {
                    self.check_all(&inside, &listeners);
                    self.observe_listeners(&listeners);
                }
                Err(error) => self.warn_about_failed_poll(first, &error.to_string()),
            }
        }
        if let Some(first) = on_host.first() {
            match self.read_listeners() {
                Ok(listeners) => self.check_all(&on_host, &listeners),
                Err(error) => self.warn_about_failed_poll(first, &error.to_string()),
            }
        }
    }

    fn check_all(&mut self, names: &[String], listeners: &Listeners) {
        for name in names {
            self.check_ownership(name, listeners);
        }
    }

    /// Reports, once, that the ports cannot be polled. Nothing is concluded from a failed poll; the next
    /// one decides.
    fn warn_about_failed_poll(&mut self, name: &str, error: &str) {
        if !std::mem::replace(&mut self.has_warned_about_polls, true) {
            let text = format!("cannot read which processes listen on ports: {error}");
            self.notify(name, NoticeLevel::Warning, &text);
        }
    }

    /// Reads the sockets of the machine that are not the supervisor's own.
    fn read_listeners(&self) -> io::Result<Listeners> {
        let mut holds = self.holds.values();
        let with_udp = holds.any(|hold| hold.protocol() == Protocol::Udp);
        let mut listeners = Listeners::read(with_udp)?;
        self.exclude_own_listeners(&mut listeners);
        Ok(listeners)
    }

    fn check_ownership(&mut self, name: &str, listeners: &Listeners) {
        let numbers = self.listening_ports(name).to_vec();
        let is_inside = self.network_of(name).is_some();
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let Some((keeper, Role::Service)) = &service.keeper else {
            return;
        };
        let protocols = service.plan.ports.iter().map(|port| port.protocol);
        let ports: Vec<(Protocol, u16)> = protocols.zip(numbers).collect();
        let any_owner = service.plan.owner == ListenerOwner::Any;
        let verified = &service.verified_sockets;
        let keeper = keeper.pid();
        let (ownership, beside) =
            ownership::evaluate(listeners, &ports, keeper, any_owner, verified);
        // A keeper that was lost is reported soon. Until then its processes look foreign.
        if ProcessId::read(keeper).is_none() {
            return;
        }
        service
            .other_listeners
            .retain(|known| beside.iter().any(|one| one.socket == *known));
        let new: Vec<Listener> = beside
            .into_iter()
            .filter(|one| !service.other_listeners.contains(&one.socket))
            .collect();
        service
            .other_listeners
            .extend(new.iter().map(|one| one.socket));
        match ownership {
            PortOwnership::Own { families, sockets } => {
                service.unknown_polls = 0;
                if service.verified_sockets != sockets {
                    service.verified_sockets = sockets;
                    self.step(name, Input::Listening(families));
                }
            }
            // In the network of the instance, that is another service.
            PortOwnership::Foreign { port, process } if is_inside => {
                self.warn_about_inner_conflict(name, port, &process);
                self.step(name, Input::NotListening);
            }
            PortOwnership::Foreign { port, process } => {
                let taken_by = process;
                self.step(name, Input::PortLost { port, taken_by });
            }
            PortOwnership::Unknown { port } => {
                service.unknown_polls += 1;
                if service.unknown_polls > MAX_UNKNOWN_POLLS {
                    let taken_by = PortConflict::UnknownProcess { user: None };
                    self.step(name, Input::PortLost { port, taken_by });
                }
            }
            PortOwnership::Unreadable(error) => self.warn_about_failed_poll(name, &error),
            PortOwnership::NotListening => {
                service.verified_sockets.clear();
                if is_inside {
                    self.observe_port(name, listeners, keeper);
                } else if service.machine.is_starting() {
                    self.warn_about_wrong_port(name, listeners, keeper);
                }
                self.step(name, Input::NotListening);
            }
        }
        self.warn_about_other_listeners(name, &new);
    }

    /// Reports other processes that listen on a service's port at addresses that it does not use.
    fn warn_about_other_listeners(&self, name: &str, listeners: &[Listener]) {
        for listener in listeners {
            let process = ownership::conflict_with(listener);
            let address = SocketAddr::new(listener.address, listener.port);
            let text = format!("shares its port: {process} listens on {address}");
            self.notify(name, NoticeLevel::Warning, &text);
        }
    }

    /// Reports, once, that another service of the instance has the port of this one in its network.
    fn warn_about_inner_conflict(&mut self, name: &str, port: u16, process: &PortConflict) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        if !std::mem::replace(&mut service.has_warned_about_port, true) {
            let user = self.user_inside(process);
            let text = format!("cannot listen on port {port} of its network: {user} does");
            self.notify(name, NoticeLevel::Warning, &text);
        }
    }

    /// Describes a process that listens inside the network of the instance. Portway itself listens there for
    /// programs of the machine.
    fn user_inside(&self, process: &PortConflict) -> String {
        let PortConflict::Process { pid, .. } = process else {
            return process.to_string();
        };
        if *pid == std::process::id() {
            return "another program of the machine".to_owned();
        }
        let mark = Mark::of(*pid).filter(|mark| mark.dir == self.instance_dir());
        match mark {
            Some(mark) => {
                let service = mark.service;
                PortConflict::SameInstance { service }.to_string()
            }
            None => process.to_string(),
        }
    }

    /// Reports, once, that a service listens on a port other than its own.
    fn warn_about_wrong_port(&mut self, name: &str, listeners: &Listeners, keeper: u32) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        if service.has_warned_about_port || service.started.elapsed() < WRONG_PORT_DELAY {
            return;
        }
        service.has_warned_about_port = true;
        let own = self.config.ports.of(name);
        let tree: Vec<u32> = descendants(keeper).iter().map(|p| p.pid).collect();
        let other = listeners.tcp().find(|(port, listeners)| {
            !own.contains(port)
                && listeners.iter().any(|listener| {
                    matches!(
                        portway_ports::find_owner(tree.iter().copied(), listener.socket),
                        Ok(Some(_))
                    )
                })
        });
        if let (Some((port, _)), Some(expected)) = (other, own.first()) {
            let text = format!(
                "listens on port {port} instead of its port {expected}; \
                 use `{{port}}` in its command or read `PORT`"
            );
            self.notify(name, NoticeLevel::Warning, &text);
        }
    }

    /// Replaces a lost port, and restarts the running services whose wiring contained it.
    pub(super) fn replace_port(&mut self, name: &str, lost: u16, taken_by: PortConflict) {
        if self.defers_replacement(name, lost, &taken_by) {
            return;
        }
        let replacement = match self.config.host.replace_port(name, lost) {
            Ok(replacement) => replacement,
            Err(error) => {
                let reason = FailureReason::NoReplacementPort {
                    port: lost,
                    taken_by: Box::new(taken_by),
                    error: error.to_string(),
                };
                return self.step(name, Input::PortNotReplaced(reason));
            }
        };
        let port = replacement.hold.port();
        self.holds.remove(&lost);
        self.holds.insert(port, replacement.hold);
        let text = format!("moved to port {port}: {taken_by} took port {lost} first");
        let displacement = PortDisplacement::new(lost, false, taken_by);
        self.config.displaced.remove(&lost);
        self.config.displaced.insert(port, displacement);
        self.config.ports = replacement.ports;
        let previous = std::mem::replace(&mut self.config.wiring, replacement.wiring);
        let affected: Vec<String> = self
            .services
            .values()
            .filter(|service| service.plan.name != name && service.machine.is_active())
            .map(|service| service.plan.name.clone())
            .filter(|other| previous.services.get(other) != self.config.wiring.services.get(other))
            .collect();
        self.notify(name, NoticeLevel::Warning, &text);
        for other in affected {
            let text = format!("restarting because the port of `{name}` has changed");
            self.notify(&other, NoticeLevel::Warning, &text);
            self.step(&other, Input::Restart);
        }
        self.step(name, Input::PortReplaced);
    }
}
