//! Which services run, whether they have a port or not.

use portway_api::{Check, Finding, ServiceState, ServiceStatus};

use super::note::{Further, error, warning};
use super::port_check::{Expected, Seat, nothing};
use super::scene::Scene;

/// What runs here, and what does not.
pub(super) fn look(scene: &Scene, seats: &[Seat]) -> Vec<Finding> {
    if let Some(status) = &scene.status {
        let services = status.services.iter();
        return services.filter_map(|one| judge(one, seats)).collect();
    }
    let names = scene.services().map(|service| service.name.as_str());
    if nothing(seats) {
        let some = names.count() > 0;
        return some.then(|| none(scene)).into_iter().collect();
    }
    // Others were started by hand; whoever has a port is told of there.
    let without_port = names.filter(|name| !has_seat(seats, name));
    without_port
        .map(|name| down(name, "was not started by Portway, and others run"))
        .collect()
}

fn has_seat(seats: &[Seat], service: &str) -> bool {
    seats.iter().any(|seat| seat.service == service)
}

/// That nothing runs is said once for all services.
fn none(scene: &Scene) -> Finding {
    let message = "none of them runs, so nobody answers";
    let finding = warning(Check::Running, "services", message, "start them");
    let subject = scene.root.display();
    finding.command(
        if std::env::current_dir().is_ok_and(|dir| dir == scene.root) {
            "portway up --detach".to_owned()
        } else {
            format!("portway -C '{subject}' up --detach")
        },
    )
}

fn down(service: &str, message: &str) -> Finding {
    warning(Check::Running, service, message, "start it")
        .command(format!("portway up --detach {service}"))
}

/// What is wrong with a service, unless one of its ports tells that already.
fn judge(status: &ServiceStatus, seats: &[Seat]) -> Option<Finding> {
    let service = &status.name;
    let told = |seat: &Seat| {
        seat.service == *service
            && seat.sitters.is_empty()
            && matches!(seat.expected, Expected::Failed(_))
    };
    let message = |otherwise: &str| status.message.clone().unwrap_or(otherwise.to_owned());
    let wrong = match status.state {
        ServiceState::Failed | ServiceState::Backoff if seats.iter().any(told) => return None,
        ServiceState::Failed => message("has failed"),
        ServiceState::Backoff => {
            format!("{}; it is about to be started again", message("has ended"))
        }
        ServiceState::Unhealthy => message("runs and is not well"),
        ServiceState::Stopped if !has_seat(seats, service) => {
            return Some(down(service, "does not run, and others do"));
        }
        _ => return None,
    };
    let finding = error(Check::Running, service, wrong, "see what it said");
    Some(finding.command(format!("portway logs {service}")))
}

#[cfg(test)]
mod tests {
    use portway_api::{FailureReason, Severity};
    use portway_ports::Families;

    use super::*;
    use crate::inspect::{Of, Sitter};

    fn judged(state: ServiceState, seats: &[Seat]) -> Option<(Severity, String)> {
        let status = ServiceStatus {
            name: "api".into(),
            state,
            url: None,
            named_url: None,
            forwards: Vec::new(),
            lan_urls: Vec::new(),
            max_body: None,
            ports: vec![],
            pid: None,
            since: None,
            restarts: 0,
            reason: Some(FailureReason::Exited { code: 1 }),
            message: Some("exited with code 1".into()),
        };
        let finding = judge(&status, seats)?;
        Some((finding.severity, finding.command.unwrap()))
    }

    fn seat(expected: Expected, of: Option<Of>) -> Seat {
        let sitter = |of| Sitter {
            who: "`python3` (pid 7)".into(),
            of,
            addresses: vec![],
        };
        Seat {
            service: "api".into(),
            port: 9000,
            expected,
            forced: None,
            sitters: of.map(sitter).into_iter().collect(),
            families: Families::default(),
        }
    }

    #[test]
    fn a_service_that_failed_is_told_once() {
        use ServiceState::{Backoff, Completed, Failed, Ready, Stopped, Unhealthy};
        let logs = || Some((Severity::Error, "portway logs api".to_owned()));
        for state in [Failed, Backoff, Unhealthy] {
            assert_eq!(judged(state, &[]), logs(), "{state:?}");
        }
        for state in [Ready, Completed] {
            assert_eq!(judged(state, &[]), None, "{state:?}");
        }
        let failed = || Expected::Failed("exited with code 1".into());
        assert_eq!(judged(Failed, &[seat(failed(), None)]), None);
        // Where another sits on its port, only that is told there.
        let taken = seat(failed(), Some(Of::Stranger));
        assert_eq!(judged(Failed, &[taken]), logs());
        assert_eq!(judged(Stopped, &[seat(Expected::Resting, None)]), None);
        assert_eq!(judged(Stopped, &[]).unwrap().0, Severity::Warning);
    }

    #[test]
    fn a_stranger_on_a_port_is_no_service_that_runs() {
        assert!(nothing(&[seat(Expected::Nothing, Some(Of::Stranger))]));
        assert!(!nothing(&[seat(Expected::Nothing, Some(Of::Hand))]));
        assert!(!nothing(&[seat(Expected::Soon, None)]));
    }
}
