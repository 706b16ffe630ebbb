//! Checks which services are running, with or without a port.

use portway_api::{Check, Finding, ServiceState, ServiceStatus};
use portway_project::shell::quote;

use super::context::DoctorContext;
use super::finding_builder::{FindingExt, error, warning};
use super::port_check::{Expected, PortCheck, is_nothing_running};

/// Evaluates which services are running.
pub(super) fn examine(context: &DoctorContext, port_checks: &[PortCheck]) -> Vec<Finding> {
    if let Some(status) = &context.status {
        let services = status.services.iter();
        return services
            .filter_map(|one| evaluate(one, port_checks))
            .collect();
    }
    let names = context.services().map(|service| service.name.as_str());
    if is_nothing_running(port_checks) {
        let some = names.count() > 0;
        return some.then(|| none(context)).into_iter().collect();
    }
    // The others were started by hand; services with a port have a separate finding.
    let without_port = names.filter(|name| !has_port_check(port_checks, name));
    without_port
        .map(|name| {
            down(
                name,
                "is not running under Portway while other services are running",
            )
        })
        .collect()
}

fn has_port_check(port_checks: &[PortCheck], service: &str) -> bool {
    port_checks
        .iter()
        .any(|port_check| port_check.service == service)
}

/// A finding that no service is running.
fn none(context: &DoctorContext) -> Finding {
    let message = "are not running";
    let finding = warning(Check::Running, "services", message, "start them");
    finding.command(
        if std::env::current_dir().is_ok_and(|dir| dir == context.root) {
            "portway up --detach".to_owned()
        } else {
            let root = context.root.to_string_lossy();
            format!("portway -C {} up --detach", quote(&root))
        },
    )
}

fn down(service: &str, message: &str) -> Finding {
    warning(Check::Running, service, message, "start it")
        .command(format!("portway up --detach {service}"))
}

/// Evaluates the state of a service, unless a finding about its port covers it.
fn evaluate(status: &ServiceStatus, port_checks: &[PortCheck]) -> Option<Finding> {
    let service = &status.name;
    let is_reported = |port_check: &PortCheck| {
        port_check.service == *service
            && port_check.occupants.is_empty()
            && matches!(port_check.expected, Expected::Failed(_))
    };
    let message = |otherwise: &str| status.message.clone().unwrap_or(otherwise.to_owned());
    let wrong = match status.state {
        ServiceState::Failed | ServiceState::Backoff if port_checks.iter().any(is_reported) => {
            return None;
        }
        ServiceState::Failed => message("failed"),
        ServiceState::Backoff => {
            format!("{}; it is about to be restarted", message("exited"))
        }
        ServiceState::Unhealthy => message("is unhealthy"),
        ServiceState::Stopped if !has_port_check(port_checks, service) => {
            return Some(down(service, "is stopped while other services are running"));
        }
        _ => return None,
    };
    let finding = error(Check::Running, service, wrong, "read its output");
    Some(finding.command(format!("portway logs {service}")))
}

#[cfg(test)]
mod tests {
    use portway_api::{FailureReason, Severity};
    use portway_ports::Families;

    use super::*;
    use crate::inspect::{OccupantKind, PortOccupant};

    fn evaluated(state: ServiceState, port_checks: &[PortCheck]) -> Option<(Severity, String)> {
        let status = ServiceStatus {
            reason: Some(FailureReason::Exited {
                code: 1,
                line: None,
            }),
            message: Some("exited with code 1".into()),
            ..ServiceStatus::without_process("api", state, Vec::new())
        };
        let finding = evaluate(&status, port_checks)?;
        Some((finding.severity, finding.command.unwrap()))
    }

    fn port_check(expected: Expected, of: Option<OccupantKind>) -> PortCheck {
        let occupant = |kind| PortOccupant {
            description: "`python3` (pid 7)".into(),
            kind,
            addresses: vec![],
        };
        PortCheck {
            service: "api".into(),
            port: 9000,
            expected,
            forced: None,
            inner: None,
            occupants: of.map(occupant).into_iter().collect(),
            families: Families::default(),
        }
    }

    #[test]
    fn reports_a_failed_service_once() {
        use ServiceState::{Backoff, Completed, Failed, Ready, Stopped, Unhealthy};
        let logs = || Some((Severity::Error, "portway logs api".to_owned()));
        for state in [Failed, Backoff, Unhealthy] {
            assert_eq!(evaluated(state, &[]), logs(), "{state:?}");
        }
        for state in [Ready, Completed] {
            assert_eq!(evaluated(state, &[]), None, "{state:?}");
        }
        let failed = || Expected::Failed("exited with code 1".into());
        assert_eq!(evaluated(Failed, &[port_check(failed(), None)]), None);
        // The finding about the port only reports the other process.
        let taken = port_check(failed(), Some(OccupantKind::Unrelated));
        assert_eq!(evaluated(Failed, &[taken]), logs());
        assert_eq!(
            evaluated(Stopped, &[port_check(Expected::Stopped, None)]),
            None
        );
        assert_eq!(evaluated(Stopped, &[]).unwrap().0, Severity::Warning);
    }

    #[test]
    fn does_not_count_other_processes_as_running_services() {
        assert!(is_nothing_running(&[port_check(
            Expected::NotRunning,
            Some(OccupantKind::Unrelated)
        )]));
        assert!(!is_nothing_running(&[port_check(
            Expected::NotRunning,
            Some(OccupantKind::StartedByHand)
        )]));
        assert!(!is_nothing_running(&[port_check(Expected::Starting, None)]));
    }
}
