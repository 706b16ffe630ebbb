//! Whether a service can be asked now, is worth waiting for, or is not.

use portway_api::{InstanceStatus, ServiceState};

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask the service on this port.
    Ask(u16),
    /// Hold the request back until something has changed.
    Wait,
    /// Answer it here.
    Refuse(Refusal),
}

/// Why a request is answered by the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The instance does not run.
    NotRunning,
    /// The instance has no main service, or none of that name.
    NoService,
    /// The service was stopped, or never asked for.
    Stopped,
    /// The service did its work and ended.
    Completed,
    /// The service failed for good.
    Failed(String),
    /// It did not become ready in time.
    TooLong,
    /// It is said to be ready and did not answer.
    NoAnswer(String),
}

/// Judges by what an instance says of itself.
pub(crate) fn judge(instance: &InstanceStatus, service: Option<&str>) -> Verdict {
    use portway_api::InstanceState;
    if instance.state == InstanceState::Stopped {
        return Verdict::Refuse(Refusal::NotRunning);
    }
    let found = service.and_then(|name| instance.service(name));
    let Some(service) = found else {
        return Verdict::Refuse(Refusal::NoService);
    };
    match service.state {
        ServiceState::Ready | ServiceState::Unhealthy => match service.ports.first() {
            Some(port) => Verdict::Ask(port.port),
            None => Verdict::Refuse(Refusal::NoService),
        },
        _ if instance.state == InstanceState::Stopping => Verdict::Refuse(Refusal::NotRunning),
        // One that is being stopped may be on its way to a restart.
        ServiceState::Waiting
        | ServiceState::Preparing
        | ServiceState::Starting
        | ServiceState::Backoff
        | ServiceState::Stopping => Verdict::Wait,
        ServiceState::Stopped => Verdict::Refuse(Refusal::Stopped),
        ServiceState::Completed => Verdict::Refuse(Refusal::Completed),
        ServiceState::Failed => {
            Verdict::Refuse(Refusal::Failed(service.message.clone().unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use portway_api::InstanceState;

    use super::*;
    use crate::testing::{instance, service};

    #[test]
    fn each_state_has_its_verdict() {
        use ServiceState::*;
        for (state, expected) in [
            (Ready, Verdict::Ask(9000)),
            (Unhealthy, Verdict::Ask(9000)),
            (Waiting, Verdict::Wait),
            (Preparing, Verdict::Wait),
            (Starting, Verdict::Wait),
            (Backoff, Verdict::Wait),
            (Stopping, Verdict::Wait),
            (Stopped, Verdict::Refuse(Refusal::Stopped)),
            (Completed, Verdict::Refuse(Refusal::Completed)),
            (Failed, Verdict::Refuse(Refusal::Failed(String::new()))),
        ] {
            let jobi = instance("jobi", None, vec![service("api", 9000, state)]);
            assert_eq!(judge(&jobi, Some("api")), expected, "{state:?}");
        }
    }

    #[test]
    fn an_instance_that_ends_or_rests_is_not_waited_for() {
        let mut jobi = instance("jobi", None, Vec::new());
        for service_state in [ServiceState::Stopping, ServiceState::Stopped] {
            jobi.services = vec![service("api", 9000, service_state)];
            for state in [InstanceState::Stopping, InstanceState::Stopped] {
                jobi.state = state;
                assert_eq!(
                    judge(&jobi, Some("api")),
                    Verdict::Refuse(Refusal::NotRunning)
                );
            }
        }
        jobi.state = InstanceState::Ready;
        for service in [Some("other"), None] {
            assert_eq!(judge(&jobi, service), Verdict::Refuse(Refusal::NoService));
        }
    }
}
