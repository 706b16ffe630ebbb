//! What must never be, each a function from what was seen to what is wrong about it. None of them
//! judges by time: what passes by itself is seen again, and only what stays counts.

pub(crate) mod commands;
pub(crate) mod end;
pub(crate) mod notice;
pub(crate) mod one_owner;
pub(crate) mod own_url;
pub(crate) mod ports_file;
pub(crate) mod settled;

use portway_api::{InstanceStatus, ServiceState, ServiceStatus};

/// A service that was reported as ready.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ready {
    pub(crate) instance: String,
    pub(crate) directory: String,
    pub(crate) service: String,
    pub(crate) pid: u32,
    /// When it became ready.
    pub(crate) since: u64,
    pub(crate) port: u16,
}

/// All services that are ready, of all instances.
pub(crate) fn ready(instances: &[InstanceStatus]) -> Vec<Ready> {
    let of = |instance: &InstanceStatus, service: &ServiceStatus| {
        Some(Ready {
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
        .filter_map(|(instance, service)| of(instance, service))
        .collect()
}

/// A service, ready all the time, for the tests of the invariants.
#[cfg(test)]
pub(crate) fn example(instance: &str, service: &str, port: u16) -> Ready {
    Ready {
        instance: instance.into(),
        directory: format!("/w/{instance}"),
        service: service.into(),
        pid: 7,
        since: 1,
        port,
    }
}
