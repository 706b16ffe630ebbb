//! The order in which services start and stop: functions of the plan and the states.

use indexmap::IndexMap;
use portway_api::{FailureReason, InstanceState, ServiceState};
use portway_project::policy::StartCondition;

/// The state of the services that a waiting service depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dependencies {
    /// All are in the required state.
    Met,
    /// Some are not in the required state yet.
    Pending,
    /// One of them failed.
    Failed(FailureReason),
}

/// Evaluates the services in `after`. Services without a state are not enabled and do not count.
pub(super) fn dependencies(
    after: &[(String, StartCondition)],
    states: &IndexMap<String, ServiceState>,
) -> Dependencies {
    let mut pending = false;
    for (name, condition) in after {
        let Some(state) = states.get(name) else {
            continue;
        };
        let met = match condition {
            StartCondition::Started => matches!(
                state,
                ServiceState::Starting
                    | ServiceState::Ready
                    | ServiceState::Unhealthy
                    | ServiceState::Completed
            ),
            StartCondition::Ready => matches!(
                state,
                ServiceState::Ready | ServiceState::Unhealthy | ServiceState::Completed
            ),
            StartCondition::Completed => *state == ServiceState::Completed,
        };
        if *state == ServiceState::Failed {
            let service = name.clone();
            return Dependencies::Failed(FailureReason::DependencyFailed { service });
        }
        pending |= !met;
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

/// Returns the state of the instance. `is_starting`: some service has not been ready yet.
pub(super) fn instance_state(
    states: impl IntoIterator<Item = ServiceState>,
    is_starting: bool,
    is_stopping: bool,
) -> InstanceState {
    let is_degraded = states.into_iter().any(|state| {
        matches!(
            state,
            ServiceState::Failed | ServiceState::Backoff | ServiceState::Unhealthy
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
        let states = IndexMap::from([("db".to_owned(), state)]);
        dependencies(&[("db".to_owned(), condition)], &states)
    }

    #[test]
    fn meets_each_condition_in_the_right_states() {
        use Dependencies::{Met, Pending};
        use StartCondition::{Completed, Ready, Started};
        for (condition, state, expected) in [
            (Started, ServiceState::Waiting, Pending),
            (Started, ServiceState::Starting, Met),
            (Started, ServiceState::Completed, Met),
            (Ready, ServiceState::Starting, Pending),
            (Ready, ServiceState::Ready, Met),
            (Ready, ServiceState::Backoff, Pending),
            (Completed, ServiceState::Ready, Pending),
            (Completed, ServiceState::Completed, Met),
        ] {
            assert_eq!(
                evaluate(condition, state),
                expected,
                "{condition:?} {state:?}"
            );
        }
        assert!(matches!(
            evaluate(Ready, ServiceState::Failed),
            Dependencies::Failed(_)
        ));
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
