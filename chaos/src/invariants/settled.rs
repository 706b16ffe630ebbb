//! When nothing happens, everything that tells of an instance's ports tells the same.

use portway_api::{InstanceStatus, LeaseEntry, LeaseState};
use serde_json::{Map, Value};

use super::own_url::{Answer, mark};
use super::{Ready, ready};
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
    if let Some(wrong) = judge_file(&services, &rest.file) {
        return Some(wrong);
    }
    for service in &services {
        let lease = rest.leases.iter().find(|lease| lease.port == service.port);
        let is_own = lease.is_some_and(|entry| {
            let owner = &entry.lease.owner;
            entry.lease.state == LeaseState::Live
                && (&owner.id, &owner.service) == (&service.instance, &service.service)
        });
        if !is_own {
            return Some(format!("the lease of {service:?} is {lease:?}"));
        }
        let answer = rest
            .answers
            .iter()
            .find(|answer| answer.service == *service);
        let runs = answer.map_or(&[][..], |answer| &answer.runs);
        if runs.is_empty() || runs.iter().any(|run| !run.ends_with(&mark(service))) {
            return Some(format!("{runs:?} answer at the URL of {service:?}"));
        }
    }
    let live = rest
        .leases
        .iter()
        .filter(|lease| lease.lease.owner.id == instance.id);
    (live.count() != services.len()).then(|| format!("it has other leases: {:?}", rest.leases))
}

/// Whether `.ports.json` has the ports that the services are reported with.
pub(crate) fn judge_file(services: &[Ready], file: &[u8]) -> Option<String> {
    let content: Map<String, Value> = serde_json::from_slice(file).unwrap_or_default();
    services.iter().find_map(|service| {
        let written = content.get(&format!("{}_port", service.service));
        let right = written.and_then(Value::as_u64) == Some(u64::from(service.port));
        (!right).then(|| format!(".ports.json has {written:?} for {service:?}"))
    })
}

#[cfg(test)]
mod tests {
    use portway_api::{
        InstanceState, PortLease, PortStatus, ServiceRef, ServiceState, ServiceStatus,
    };

    use super::*;

    fn rest() -> Rest {
        let status = |(name, port): (&str, u16)| ServiceStatus {
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
                url: String::new(),
                displaced: None,
                warning: None,
            }],
            pid: Some(4),
            since: Some(2),
            restarts: 0,
            reason: None,
            message: None,
        };
        let services = [("api", 9000), ("web", 9001)];
        let instance = InstanceStatus {
            main: None,
            routes: Vec::new(),
            lan: false,
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
        let answer = |service: Ready| Answer {
            runs: vec![format!("/s/instances/{}", mark(&service))],
            service,
        };
        Rest {
            answers: ready(std::slice::from_ref(&instance))
                .into_iter()
                .map(answer)
                .collect(),
            file: br#"{"api_port": 9000, "web_port": 9001}"#.into(),
            leases: services.map(lease).into(),
            instance,
        }
    }

    #[test]
    fn whoever_tells_another_thing_is_found() {
        assert_eq!(judge(&rest()), None);
        let lies: [fn(&mut Rest); 7] = [
            |rest| rest.instance.services[0].state = ServiceState::Failed,
            |rest| rest.file = br#"{"api_port": 9000, "web_port": 9002}"#.into(),
            |rest| rest.leases[0].port = 9005,
            |rest| rest.leases[0].lease.state = LeaseState::Kept,
            |rest| rest.leases[0].lease.owner.service = "web".into(),
            |rest| rest.answers[1].runs.push("/s/instances/0b/web".into()),
            |rest| rest.answers.clear(),
        ];
        for lie in lies {
            let mut rest = rest();
            lie(&mut rest);
            assert!(judge(&rest).is_some(), "{rest:?}");
        }
    }
}
