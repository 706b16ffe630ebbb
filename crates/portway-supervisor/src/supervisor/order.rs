//! Who may start, who must wait, who may stop: functions of the plan and the states.

use indexmap::IndexMap;
use portway_api::{FailureReason, InstanceState, ServiceState};
use portway_project::policy::StartCondition;

/// What a waiting service finds when it looks at those it comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dependencies {
    Met,
    Pending,
    /// One of them failed.
    Failed(FailureReason),
}

/// Judges the services that a service comes after. Those without a state do not take part.
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

/// Of the services that are `active`, those that nobody active comes after: they stop first.
pub(super) fn may_stop<'a>(
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

/// What the instance does as a whole. `initial`: not everything has been ready once.
pub(super) fn instance_state(
    states: impl IntoIterator<Item = ServiceState>,
    initial: bool,
    stopping: bool,
) -> InstanceState {
    let troubled = states.into_iter().any(|state| {
        matches!(
            state,
            ServiceState::Failed | ServiceState::Backoff | ServiceState::Unhealthy
        )
    });
    match (stopping, initial, troubled) {
        (true, ..) => InstanceState::Stopping,
        (_, true, _) => InstanceState::Starting,
        (.., true) => InstanceState::Degraded,
        _ => InstanceState::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(condition: StartCondition, state: ServiceState) -> Dependencies {
        let states = IndexMap::from([("db".to_owned(), state)]);
        dependencies(&[("db".to_owned(), condition)], &states)
    }

    #[test]
    fn each_condition_is_met_by_its_states() {
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
            assert_eq!(judge(condition, state), expected, "{condition:?} {state:?}");
        }
        assert!(matches!(
            judge(Ready, ServiceState::Failed),
            Dependencies::Failed(_)
        ));
    }

    #[test]
    fn a_service_that_does_not_take_part_is_not_waited_for() {
        let after = [("db".to_owned(), StartCondition::Ready)];
        assert_eq!(dependencies(&after, &IndexMap::new()), Dependencies::Met);
    }

    #[test]
    fn those_who_need_others_stop_first() {
        let after = |name: &str| match name {
            "web" => vec!["api".to_owned()],
            "api" => vec!["db".to_owned()],
            _ => vec![],
        };
        assert_eq!(
            may_stop(&["db", "api", "web", "log"], after),
            ["web", "log"]
        );
        assert_eq!(may_stop(&["db", "api"], after), ["api"]);
        assert_eq!(may_stop(&["db"], after), ["db"]);
    }
}
