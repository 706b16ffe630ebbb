//! When nothing happens, everything that tells of an instance's ports tells the same.

use portway_api::{InstanceStatus, LeaseEntry, LeaseState};
use serde_json::{Map, Value};

use super::own_url::{Answer, mark};
use super::ready;
use crate::plan::SERVICES;

/// What is seen of one instance whose `portway up` has just succeeded.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) instance: InstanceStatus,
    /// `.ports.json`.
    pub(crate) file: Vec<u8>,
    pub(crate) leases: Vec<LeaseEntry>,
    pub(crate) answers: Vec<Answer>,
}

pub(crate) fn judge(rest: &Rest) -> Option<String> {
    let instance = &rest.instance;
    let services = ready(std::slice::from_ref(instance));
    if services.len() != SERVICES.len() {
        return Some(format!("not every service is ready: {instance:?}"));
    }
    let file: Map<String, Value> = serde_json::from_slice(&rest.file).unwrap_or_default();
    for service in &services {
        let written = file.get(&format!("{}_port", service.service));
        if written.and_then(Value::as_u64) != Some(u64::from(service.port)) {
            return Some(format!(".ports.json has {written:?} for {service:?}"));
        }
        let lease = rest.leases.iter().find(|lease| lease.port == service.port);
        let is_own = lease.is_some_and(|entry| {
            let owner = &entry.lease.owner;
            entry.lease.state == LeaseState::Live
                && (&owner.id, &owner.service) == (&service.instance, &service.service)
        });
        if !is_own {
            return Some(format!("the lease of {service:?} is {lease:?}"));
        }
        let answer = rest.answers.iter().find(|answer| answer.service == *service);
        let runs = answer.map_or(&[][..], |answer| &answer.runs);
        if runs.is_empty() || runs.iter().any(|run| !run.ends_with(&mark(service))) {
            return Some(format!("{runs:?} answer at the URL of {service:?}"));
        }
    }
    let live = rest.leases.iter().filter(|lease| lease.lease.owner.id == instance.id);
    (live.count() != services.len()).then(|| format!("it has other leases: {:?}", rest.leases))
}
