//! The order in which services start and stop: functions of the plan and the states.

use indexmap::IndexMap;
use portway_api::{FailureReason, InstanceState, ServiceState, ServiceStatus};
use portway_project::policy::StartCondition;

/// A service that others depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) state: ServiceState,
    /// Whether what it prepares can be used.
    pub(super) is_prepared: bool,
    /// Whether it was not ready in time since its start.
    pub(super) is_late: bool,
    /// Why it waits itself, if it does for a service that failed or is stopped.
    pub(super) blocked_by: Option<FailureReason>,
}

/// The state of the services that a waiting service depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dependencies {
    /// All are in the required state.
    Met,
    /// Some are not in the required state yet.
    Pending,
    /// One of them failed or is stopped.
    Failed(FailureReason),
}

/// Evaluates the services in `after`. Unknown services are not enabled and do not count.
pub(super) fn dependencies(
    after: &[(String, StartCondition)],
    all: &IndexMap<String, Dependency>,
) -> Dependencies {
    let mut pending = false;
    for (name, condition) in after {
        let Some(dependency) = all.get(name) else {
            continue;
        };
        let state = dependency.state;
        let met = match condition {
            StartCondition::Prepared => dependency.is_prepared && state != ServiceState::Stopped,
            StartCondition::Started => matches!(
                state,
                ServiceState::Starting
                    | ServiceState::Ready
                    | ServiceState::Unhealthy
                    | ServiceState::Completed
            ),
            StartCondition::Ready => matches!(state, ServiceState::Ready | ServiceState::Completed),
            StartCondition::Completed => state == ServiceState::Completed,
            StartCondition::Finished => {
                matches!(state, ServiceState::Completed | ServiceState::Failed)
            }
        };
        if met {
            continue;
        }
        let service = name.clone();
        if let Some(reason) = &dependency.blocked_by {
            return Dependencies::Failed(reason.clone());
        }
        if state == ServiceState::Failed || dependency.is_late {
            return Dependencies::Failed(FailureReason::DependencyFailed { service });
        }
        if state == ServiceState::Stopped {
            return Dependencies::Failed(FailureReason::DependencyStopped { service });
        }
        pending = true;
    }
    if pending {
        Dependencies::Pending
    } else {
        Dependencies::Met
    }
}

/// Returns those of the `active` services that no other active service depends on. They stop first.
pub(super) fn stoppable<'a>(
    active: &[&'a str],
    after: impl Fn(&str) -> Vec<String>,
) -> Vec<&'a str> {
    let needed: Vec<String> = active.iter().flat_map(|name| after(name)).collect();
    active
        .iter()
        .copied()
        .filter(|name| !needed.iter().any(|needed| needed == name))
        .collect()
}

/// Returns the state of the instance. `is_starting`: its start is not complete.
pub(super) fn instance_state(
    services: &[ServiceStatus],
    is_starting: bool,
    is_stopping: bool,
) -> InstanceState {
    let is_degraded = services.iter().any(|service| {
        service.has_failed()
            || matches!(
                service.state,
                ServiceState::Backoff | ServiceState::Unhealthy
            )
    });
    match (is_stopping, is_starting, is_degraded) {
        (true, ..) => InstanceState::Stopping,
        (_, true, _) => InstanceState::Starting,
        (.., true) => InstanceState::Degraded,
        _ => InstanceState::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(condition: StartCondition, state: ServiceState) -> Dependencies {
        evaluate_dependency(condition, state, false, None)
    }

    fn evaluate_dependency(
        condition: StartCondition,
        state: ServiceState,
        is_late: bool,
        blocked_by: Option<FailureReason>,
    ) -> Dependencies {
        let dependency = Dependency {
            state,
            is_prepared: !matches!(state, ServiceState::Preparing | ServiceState::Failed),
            is_late,
            blocked_by,
        };
        let all = IndexMap::from([("db".to_owned(), dependency)]);
        dependencies(&[("db".to_owned(), condition)], &all)
    }

    #[test]
    fn meets_each_condition_in_the_right_states() {
        use Dependencies::{Met, Pending};
        use StartCondition::{Completed, Finished, Prepared, Ready, Started};
        for (condition, state, expected) in [
            (Prepared, ServiceState::Preparing, Pending),
            (Prepared, ServiceState::Waiting, Met),
            (Prepared, ServiceState::Backoff, Met),
            (Started, ServiceState::Waiting, Pending),
            (Started, ServiceState::Starting, Met),
            (Started, ServiceState::Completed, Met),
            (Ready, ServiceState::Starting, Pending),
            (Ready, ServiceState::Ready, Met),
            (Ready, ServiceState::Backoff, Pending),
            (Ready, ServiceState::Unhealthy, Pending),
            (Completed, ServiceState::Ready, Pending),
            (Completed, ServiceState::Completed, Met),
            (Finished, ServiceState::Ready, Pending),
            (Finished, ServiceState::Completed, Met),
            (Finished, ServiceState::Failed, Met),
        ] {
            assert_eq!(
                evaluate(condition, state),
                expected,
                "{condition:?} {state:?}"
            );
        }
    }

    #[test]
    fn reports_a_dependency_that_does_not_become_ready_without_help() {
        use StartCondition::{Prepared, Ready, Started};
        let failed = |service: &str| {
            Dependencies::Failed(FailureReason::DependencyFailed {
                service: service.to_owned(),
            })
        };
        assert_eq!(evaluate(Ready, ServiceState::Failed), failed("db"));
        assert_eq!(evaluate(Prepared, ServiceState::Failed), failed("db"));
        let late = |condition| evaluate_dependency(condition, ServiceState::Unhealthy, true, None);
        assert_eq!(late(Ready), failed("db"));
        assert_eq!(late(Started), Dependencies::Met);
        let stopped = FailureReason::DependencyStopped {
            service: "db".to_owned(),
        };
        assert_eq!(
            evaluate(Ready, ServiceState::Stopped),
            Dependencies::Failed(stopped)
        );
        // The service at the root of a chain is named.
        let reason = FailureReason::DependencyFailed {
            service: "disk".to_owned(),
        };
        assert_eq!(
            evaluate_dependency(Ready, ServiceState::Waiting, false, Some(reason)),
            failed("disk")
        );
    }

    #[test]
    fn ignores_services_that_are_not_enabled() {
        let after = [("db".to_owned(), StartCondition::Ready)];
        assert_eq!(dependencies(&after, &IndexMap::new()), Dependencies::Met);
    }

    #[test]
    fn dependents_stop_first() {
        let after = |name: &str| match name {
            "web" => vec!["api".to_owned()],
            "api" => vec!["db".to_owned()],
            _ => vec![],
        };
        assert_eq!(
            stoppable(&["db", "api", "web", "log"], after),
            ["web", "log"]
        );
        assert_eq!(stoppable(&["db", "api"], after), ["api"]);
        assert_eq!(stoppable(&["db"], after), ["db"]);
    }
}
