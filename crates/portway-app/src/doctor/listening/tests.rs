use portway_api::Severity;

use super::*;
use crate::inspect::PortOccupant;

fn evaluated(expected: Expected, occupants: &[OccupantKind]) -> Option<(Severity, String)> {
    let occupants = occupants.iter().map(|kind| PortOccupant {
        description: "`python3` (pid 7)".into(),
        kind: *kind,
        addresses: vec!["127.0.0.1".into()],
    });
    let finding = evaluate(&PortCheck {
        service: "api".into(),
        port: 9000,
        expected,
        forced: None,
        inner: None,
        occupants: occupants.collect(),
        families: Families::default(),
    })?;
    assert_eq!(finding.repair.is_none(), finding.severity == Severity::Fine);
    Some((finding.severity, finding.message))
}

#[test]
fn evaluates_who_is_listening() {
    use Expected::{Failed, Listening, NotRunning, Starting, Stopped};
    for (expected, occupants, severity, words) in [
        (
            Listening,
            &[OccupantKind::Service][..],
            Severity::Fine,
            "is listening on port 9000 (127.0.0.1)",
        ),
        (
            Listening,
            &[],
            Severity::Error,
            "not listening on its port 9000",
        ),
        (Starting, &[], Severity::Warning, "is starting"),
        (Stopped, &[], Severity::Warning, "is stopped"),
        (
            Failed("exited with code 1".into()),
            &[],
            Severity::Error,
            "exited with code 1",
        ),
        (
            NotRunning,
            &[OccupantKind::StartedByHand],
            Severity::Warning,
            "but Portway did not start it: `python3`",
        ),
        (
            NotRunning,
            &[OccupantKind::Unrelated],
            Severity::Error,
            "its port 9000: it is in use by `python3`",
        ),
        (
            NotRunning,
            &[OccupantKind::OtherInstance],
            Severity::Error,
            "its port 9000: it is in use by",
        ),
        // In addition to the service's own socket, on another address.
        (
            Listening,
            &[OccupantKind::Service, OccupantKind::Unrelated],
            Severity::Error,
            "in use by",
        ),
    ] {
        let (found, message) = evaluated(expected, occupants).unwrap();
        assert_eq!(found, severity, "{message}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(evaluated(NotRunning, &[]), None);
}

#[test]
fn suggests_removing_the_key_of_a_required_port_in_use() {
    for (kind, command) in [
        (OccupantKind::Unrelated, "portway free 9000"),
        (OccupantKind::OtherInstance, "portway detect"),
    ] {
        let occupant = PortOccupant {
            description: "`python3` (pid 7)".into(),
            kind,
            addresses: vec![],
        };
        let finding = evaluate(&PortCheck {
            service: "api".into(),
            port: 9000,
            expected: Expected::NotRunning,
            forced: Some("api_port".into()),
            inner: None,
            occupants: vec![occupant],
            families: Families::default(),
        });
        let finding = finding.unwrap();
        let repair = finding.repair.unwrap();
        assert!(repair.contains("remove `api_port`"), "{repair}");
        assert_eq!(finding.command.unwrap(), command);
    }
}

#[test]
fn derives_the_expected_state_from_the_status() {
    assert_eq!(expected(None, "api"), Expected::NotRunning);
}
