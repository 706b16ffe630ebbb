//! Decides whether to forward a request to a service now, to hold it, or to refuse it.

use portway_api::{InstanceState, InstanceStatus, ServiceState};

use crate::refusal::Refusal;

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Forward it to the service on this port.
    Forward(u16),
    /// Hold it until the state of the instance changes.
    Wait,
    /// Respond without forwarding it.
    Refuse(Refusal),
}

/// Evaluates the state of a service, or of the main service if `service` is `None`.
pub(super) fn evaluate(instance: &InstanceStatus, service: Option<&str>) -> Decision {
    if instance.state == InstanceState::Stopped {
        return Decision::Refuse(Refusal::InstanceNotRunning);
    }
    let found = service.and_then(|name| instance.service(name));
    let Some(service) = found else {
        return Decision::Refuse(Refusal::NoService);
    };
    match service.state {
        // A service can respond although its supervisor does not.
        ServiceState::Ready | ServiceState::Unhealthy | ServiceState::Unknown => {
            match service.ports.first() {
                Some(port) => Decision::Forward(port.port),
                None => Decision::Refuse(Refusal::NoService),
            }
        }
        _ if instance.state == InstanceState::Stopping => {
            Decision::Refuse(Refusal::InstanceNotRunning)
        }
        ServiceState::Waiting if service.has_failed() => {
            let cause = service.message.clone().unwrap_or_default();
            Decision::Refuse(Refusal::ServiceFailed(cause))
        }
        // A service that is stopping may be restarting.
        ServiceState::Waiting
        | ServiceState::Preparing
        | ServiceState::Starting
        | ServiceState::Backoff
        | ServiceState::Stopping => Decision::Wait,
        ServiceState::Stopped => Decision::Refuse(Refusal::ServiceStopped),
        ServiceState::Completed => Decision::Refuse(Refusal::ServiceCompleted),
        ServiceState::Failed => {
            let cause = service.message.clone().unwrap_or_default();
            Decision::Refuse(Refusal::ServiceFailed(cause))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{instance, service};

    #[test]
    fn decides_by_the_state_of_the_service() {
        use ServiceState::*;
        for (state, expected) in [
            (Ready, Decision::Forward(9000)),
            (Unhealthy, Decision::Forward(9000)),
            (Unknown, Decision::Forward(9000)),
            (Waiting, Decision::Wait),
            (Preparing, Decision::Wait),
            (Starting, Decision::Wait),
            (Backoff, Decision::Wait),
            (Stopping, Decision::Wait),
            (Stopped, Decision::Refuse(Refusal::ServiceStopped)),
            (Completed, Decision::Refuse(Refusal::ServiceCompleted)),
            (
                Failed,
                Decision::Refuse(Refusal::ServiceFailed(String::new())),
            ),
        ] {
            let jobi = instance("jobi", None, vec![service("api", 9000, state)]);
            assert_eq!(evaluate(&jobi, Some("api")), expected, "{state:?}");
        }
    }

    #[test]
    fn refuses_requests_to_a_stopping_or_stopped_instance() {
        let mut jobi = instance("jobi", None, Vec::new());
        for service_state in [ServiceState::Stopping, ServiceState::Stopped] {
            jobi.services = vec![service("api", 9000, service_state)];
            for state in [InstanceState::Stopping, InstanceState::Stopped] {
                jobi.state = state;
                assert_eq!(
                    evaluate(&jobi, Some("api")),
                    Decision::Refuse(Refusal::InstanceNotRunning)
                );
            }
        }
    }

    #[test]
    fn refuses_requests_to_an_unknown_service() {
        let jobi = instance(
            "jobi",
            None,
            vec![service("api", 9000, ServiceState::Ready)],
        );
        for service in [Some("other"), None] {
            assert_eq!(
                evaluate(&jobi, service),
                Decision::Refuse(Refusal::NoService)
            );
        }
    }
}
