//! Other instances never notice: the one that is left alone stays as it was.

use portway_api::InstanceStatus;

use super::{Ready, ready};

/// What the quiet instance is at its start.
#[derive(Debug)]
pub(crate) struct Notice {
    directory: String,
    supervisor: Option<u32>,
    services: Vec<Ready>,
}

impl Notice {
    pub(crate) fn new(quiet: &InstanceStatus) -> Self {
        Self {
            directory: quiet.directory.clone(),
            supervisor: quiet.pid,
            services: ready(std::slice::from_ref(quiet)),
        }
    }

    /// A supervisor that was too busy to answer in time tells nothing (it has no pid then); one that
    /// never answers again is found at the next rest.
    pub(crate) fn judge(&self, instances: &[InstanceStatus]) -> Option<String> {
        let mut all = instances.iter();
        let quiet = all.find(|instance| instance.directory == self.directory)?;
        let answered = quiet.pid.is_some();
        let same = quiet.pid == self.supervisor
            && ready(std::slice::from_ref(quiet)) == self.services
            && quiet.services.iter().all(|service| service.restarts == 0);
        (answered && !same)
            .then(|| format!("the quiet instance has noticed: {quiet:?}, was {self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use portway_api::{InstanceState, PortStatus, ServiceState, ServiceStatus};

    use super::*;

    fn quiet() -> InstanceStatus {
        let port = |port| PortStatus {
            name: None,
            port,
            url: String::new(),
            displaced: None,
            warning: None,
        };
        InstanceStatus {
            main: None,
            routes: Vec::new(),
            lan: false,
            id: "0a".into(),
            name: "quiet".into(),
            project: "quiet".into(),
            directory: "/w/quiet".into(),
            branch: None,
            state: InstanceState::Ready,
            pid: Some(3),
            since: Some(1),
            services: vec![ServiceStatus {
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
                reason: None,
                message: None,
            }],
        }
    }

    #[test]
    fn whatever_changes_is_noticed() {
        let notice = Notice::new(&quiet());
        assert_eq!(notice.judge(&[quiet()]), None);
        assert_eq!(notice.judge(&[]), None);
        let changes: [fn(&mut InstanceStatus); 5] = [
            |quiet| quiet.pid = Some(9),
            |quiet| quiet.services[0].state = ServiceState::Backoff,
            |quiet| quiet.services[0].pid = Some(9),
            |quiet| quiet.services[0].ports[0].port = 9001,
            |quiet| quiet.services[0].restarts = 1,
        ];
        for change in changes {
            let mut changed = quiet();
            change(&mut changed);
            assert!(notice.judge(&[changed]).is_some());
        }
    }
}
