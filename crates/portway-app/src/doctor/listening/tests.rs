use portway_api::Severity;

use super::*;
use crate::inspect::Sitter;

fn judged(expected: Expected, sitters: &[Of]) -> Option<(Severity, String)> {
    let sitters = sitters.iter().map(|of| Sitter {
        who: "`python3` (pid 7)".into(),
        of: *of,
        addresses: vec!["127.0.0.1".into()],
    });
    let finding = judge(&Seat {
        service: "api".into(),
        port: 9000,
        expected,
        forced: None,
        sitters: sitters.collect(),
        families: Families::default(),
    })?;
    assert_eq!(finding.repair.is_none(), finding.severity == Severity::Fine);
    Some((finding.severity, finding.message))
}

#[test]
fn a_service_listens_itself_or_that_is_told() {
    use Expected::{Failed, Listening, Nothing, Resting, Soon};
    for (expected, sitters, severity, words) in [
        (
            Listening,
            &[Of::Service][..],
            Severity::Fine,
            "listens on port 9000 (127.0.0.1)",
        ),
        (
            Listening,
            &[],
            Severity::Error,
            "nobody listens on its port 9000",
        ),
        (Soon, &[], Severity::Warning, "still starting"),
        (Resting, &[], Severity::Warning, "does not run"),
        (
            Failed("exited with code 1".into()),
            &[],
            Severity::Error,
            "exited with code 1",
        ),
        (
            Nothing,
            &[Of::Hand],
            Severity::Warning,
            "started by hand and not by Portway: `python3`",
        ),
        (
            Nothing,
            &[Of::Stranger],
            Severity::Error,
            "its port 9000 belongs to `python3`",
        ),
        (
            Nothing,
            &[Of::Neighbour],
            Severity::Error,
            "its port 9000 belongs to",
        ),
        // Beside the service's own socket, on another address.
        (
            Listening,
            &[Of::Service, Of::Stranger],
            Severity::Error,
            "belongs to",
        ),
    ] {
        let (found, message) = judged(expected, sitters).unwrap();
        assert_eq!(found, severity, "{message}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(judged(Nothing, &[]), None);
}

#[test]
fn a_forced_port_that_is_taken_has_its_key_taken_out() {
    for (of, command) in [
        (Of::Stranger, "portway free 9000"),
        (Of::Neighbour, "portway detect"),
    ] {
        let sitter = Sitter {
            who: "`python3` (pid 7)".into(),
            of,
            addresses: vec![],
        };
        let finding = judge(&Seat {
            service: "api".into(),
            port: 9000,
            expected: Expected::Nothing,
            forced: Some("api_port".into()),
            sitters: vec![sitter],
            families: Families::default(),
        });
        let finding = finding.unwrap();
        let repair = finding.repair.unwrap();
        assert!(repair.contains("take `api_port`"), "{repair}");
        assert_eq!(finding.command.unwrap(), command);
    }
}

#[test]
fn what_a_supervisor_says_tells_what_to_expect() {
    assert_eq!(expected(None, "api"), Expected::Nothing);
}
