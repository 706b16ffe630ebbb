//! Without faults, all sources agree about an instance's ports.

use portway_api::{InstanceStatus, LeaseEntry, LeaseState};
use serde_json::{Map, Value};

use super::own_url::{Probe, mark};
use super::{ReadyService, ready_services};
use crate::plan::SERVICES;

/// The state of an instance whose `portway up` has just succeeded.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) instance: InstanceStatus,
    /// The content of `.ports.json`.
    pub(crate) file: Vec<u8>,
    pub(crate) leases: Vec<LeaseEntry>,
    pub(crate) probes: Vec<Probe>,
}

/// Compare status, `.ports.json`, leases, and answers.
pub(crate) fn evaluate(snapshot: &Snapshot) -> Option<String> {
    let instance = &snapshot.instance;
    let services = ready_services(std::slice::from_ref(instance));
    if services.len() != SERVICES.len() {
        return Some(format!("not every service is ready: {instance:?}"));
    }
    if let Some(violation) = evaluate_file(&services, &snapshot.file) {
        return Some(violation);
    }
    for service in &services {
        let mut leases = snapshot.leases.iter();
        let lease = leases.find(|lease| lease.port == service.port);
        let is_own = lease.is_some_and(|entry| {
            let owner = &entry.lease.owner;
            entry.lease.state == LeaseState::Live
                && (&owner.id, &owner.service) == (&service.instance, &service.service)
        });
        if !is_own {
            return Some(format!("the lease of {service:?} is {lease:?}"));
        }
        let mut probes = snapshot.probes.iter();
        let probe = probes.find(|probe| probe.service == *service);
        let marks = probe.map_or(&[][..], |probe| &probe.marks);
        if marks.is_empty() || marks.iter().any(|other| !other.ends_with(&mark(service))) {
            return Some(format!("{marks:?} answer at the URL of {service:?}"));
        }
    }
    let own = snapshot
        .leases
        .iter()
        .filter(|lease| lease.lease.owner.id == instance.id);
    (own.count() != services.len()).then(|| {
        let leases = &snapshot.leases;
        format!("the instance has more leases than services: {leases:?}")
    })
}

/// Check that `.ports.json` contains the reported ports.
pub(crate) fn evaluate_file(services: &[ReadyService], file: &[u8]) -> Option<String> {
    let content: Map<String, Value> = serde_json::from_slice(file).unwrap_or_default();
    services.iter().find_map(|service| {
        let written = content.get(&format!("{}_port", service.service));
        let is_same = written.and_then(Value::as_u64) == Some(u64::from(service.port));
        (!is_same).then(|| format!(".ports.json has {written:?} for {service:?}"))
    })
}

#[cfg(test)]
mod tests {
    use portway_api::{
        InstanceState, PortLease, PortStatus, ServiceRef, ServiceState, ServiceStatus,
    };

    use super::*;

    fn snapshot() -> Snapshot {
        let status = |(name, port): (&str, u16)| ServiceStatus {
            rewriting: Default::default(),
            named_url: None,
            forwards: Vec::new(),
            lan_urls: Vec::new(),
            max_body: None,
            name: name.into(),
            state: ServiceState::Ready,
            url: None,
            ports: vec![PortStatus {
                name: None,
                port,
                inner: None,
                observed: false,
                url: String::new(),
                displaced: None,
                warning: None,
            }],
            pid: Some(4),
            since: Some(2),
            restarts: 0,
            only_if_empty: None,
            reason: None,
            message: None,
            last_output: Vec::new(),
        };
        let services = [("api", 9000), ("web", 9001)];
        let instance = InstanceStatus {
            main: None,
            usual_ports: Vec::new(),
            routes: Vec::new(),
            lan: false,
            network: None,
            changed_files: Vec::new(),
            id: "0a".into(),
            name: "c0".into(),
            project: "c0".into(),
            directory: "/w/c0".into(),
            branch: None,
            state: InstanceState::Ready,
            pid: Some(3),
            since: Some(1),
            services: services.map(status).into(),
        };
        let lease = |(service, port): (&str, u16)| LeaseEntry {
            port,
            lease: PortLease {
                owner: ServiceRef {
                    id: "0a".into(),
                    instance: "c0".into(),
                    directory: "/w/c0".into(),
                    service: service.into(),
                },
                name: None,
                state: LeaseState::Live,
                last_used: 1,
            },
            forced: None,
        };
        let probe = |service: ReadyService| Probe {
            marks: vec![format!("/s/instances/{}", mark(&service))],
            service,
        };
        Snapshot {
            probes: ready_services(std::slice::from_ref(&instance))
                .into_iter()
                .map(probe)
                .collect(),
            file: br#"{"api_port": 9000, "web_port": 9001}"#.into(),
            leases: services.map(lease).into(),
            instance,
        }
    }

    #[test]
    fn finds_every_difference() {
        assert_eq!(evaluate(&snapshot()), None);
        let changes: [fn(&mut Snapshot); 7] = [
            |snapshot| snapshot.instance.services[0].state = ServiceState::Failed,
            |snapshot| snapshot.file = br#"{"api_port": 9000, "web_port": 9002}"#.into(),
            |snapshot| snapshot.leases[0].port = 9005,
            |snapshot| snapshot.leases[0].lease.state = LeaseState::Kept,
            |snapshot| snapshot.leases[0].lease.owner.service = "web".into(),
            |snapshot| snapshot.probes[1].marks.push("/s/instances/0b/web".into()),
            |snapshot| snapshot.probes.clear(),
        ];
        for change in changes {
            let mut snapshot = snapshot();
            change(&mut snapshot);
            assert!(evaluate(&snapshot).is_some(), "{snapshot:?}");
        }
    }
}
