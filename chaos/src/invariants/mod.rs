//! The invariants: functions from what was observed to a description of what is wrong.
//!
//! None of them depends on the speed of the machine. A state that is wrong only for a moment is
//! observed again, and counts only if it persists.

pub(crate) mod cleanup;
pub(crate) mod commands;
pub(crate) mod consistent;
pub(crate) mod control;
pub(crate) mod gateway;
pub(crate) mod one_owner;
pub(crate) mod own_url;
pub(crate) mod ports_file;

use portway_api::{InstanceStatus, ServiceState, ServiceStatus};

/// A service that is reported as ready.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReadyService {
    pub(crate) instance: String,
    pub(crate) directory: String,
    pub(crate) service: String,
    pub(crate) pid: u32,
    /// When it became ready.
    pub(crate) since: u64,
    pub(crate) port: u16,
}

/// The ready services of all instances.
pub(crate) fn ready_services(instances: &[InstanceStatus]) -> Vec<ReadyService> {
    let convert = |instance: &InstanceStatus, service: &ServiceStatus| {
        Some(ReadyService {
            instance: instance.id.clone(),
            directory: instance.directory.clone(),
            service: service.name.clone(),
            pid: service.pid?,
            since: service.since?,
            port: service.ports.first()?.port,
        })
    };
    instances
        .iter()
        .flat_map(|instance| {
            instance
                .services
                .iter()
                .map(move |service| (instance, service))
        })
        .filter(|(_, service)| service.state == ServiceState::Ready)
        .filter_map(|(instance, service)| convert(instance, service))
        .collect()
}

/// A ready service for the tests of the invariants.
#[cfg(test)]
pub(crate) fn example(instance: &str, service: &str, port: u16) -> ReadyService {
    ReadyService {
        instance: instance.into(),
        directory: format!("/w/{instance}"),
        service: service.into(),
        pid: 7,
        since: 1,
        port,
    }
}
