//! Other instances are not affected: the control instance does not change.

use portway_api::InstanceStatus;

use super::{ReadyService, ready_services};

/// The control instance as it was after its start.
#[derive(Debug)]
pub(crate) struct ControlInstance {
    directory: String,
    supervisor: Option<u32>,
    services: Vec<ReadyService>,
}

impl ControlInstance {
    pub(crate) fn new(status: &InstanceStatus) -> Self {
        Self {
            directory: status.directory.clone(),
            supervisor: status.pid,
            services: ready_services(std::slice::from_ref(status)),
        }
    }

    /// Compare the current status with the first one. A status without a pid proves nothing: the
    /// supervisor was too busy to respond in time. The end of the run checks that it responds.
    pub(crate) fn evaluate(&self, instances: &[InstanceStatus]) -> Option<String> {
        let mut all = instances.iter();
        let status = all.find(|instance| instance.directory == self.directory)?;
        let has_answered = status.pid.is_some();
        let is_same = status.pid == self.supervisor
            && ready_services(std::slice::from_ref(status)) == self.services
            && status.services.iter().all(|service| service.restarts == 0);
        (has_answered && !is_same)
            .then(|| format!("the control instance has changed: {status:?}, was {self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use portway_api::{InstanceState, PortStatus, ServiceState, ServiceStatus};

    use super::*;

    fn status() -> InstanceStatus {
        let port = |port| PortStatus {
            name: None,
            port,
            inner: None,
            observed: false,
            url: String::new(),
            displaced: None,
            warning: None,
        };
        InstanceStatus {
            main: None,
            usual_ports: Vec::new(),
            routes: Vec::new(),
            lan: false,
            network: None,
            changed_files: Vec::new(),
            id: "0a".into(),
            name: "control".into(),
            project: "control".into(),
            directory: "/w/control".into(),
            branch: None,
            state: InstanceState::Ready,
            pid: Some(3),
            since: Some(1),
            services: vec![ServiceStatus {
                rewriting: Default::default(),
                named_url: None,
                forwards: Vec::new(),
                lan_urls: Vec::new(),
                max_body: None,
                name: "api".into(),
                state: ServiceState::Ready,
                url: None,
                ports: vec![port(9000)],
                pid: Some(4),
                since: Some(2),
                restarts: 0,
                only_if_empty: None,
                reason: None,
                message: None,
                last_output: Vec::new(),
            }],
        }
    }

    #[test]
    fn finds_every_change() {
        let control = ControlInstance::new(&status());
        assert_eq!(control.evaluate(&[status()]), None);
        assert_eq!(control.evaluate(&[]), None);
        let changes: [fn(&mut InstanceStatus); 5] = [
            |status| status.pid = Some(9),
            |status| status.services[0].state = ServiceState::Backoff,
            |status| status.services[0].pid = Some(9),
            |status| status.services[0].ports[0].port = 9001,
            |status| status.services[0].restarts = 1,
        ];
        for change in changes {
            let mut changed = status();
            change(&mut changed);
            assert!(control.evaluate(&[changed]).is_some());
        }
    }
}
