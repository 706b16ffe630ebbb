//! The order in which the ports of a request are chosen.

use super::*;

fn ports(given: &[AllocatedPort]) -> Vec<(&str, u16)> {
    let all = given.iter().map(|one| (one.service.as_str(), one.port));
    all.collect()
}

#[test]
fn a_movable_service_leaves_the_only_port_of_another_one() {
    let movable = || want("api", 9000, "9000-9005");
    let fixed = || want("web", 9000, "9000");
    // 9002 is excluded.
    let almost_fixed = || PortRequest {
        is_explicit: false,
        ..want("web", 9000, "9000, 9002")
    };
    let forced = || PortRequest {
        forced: Some(9000),
        ..want("web", 9100, "9100-9105")
    };
    let forced_with_fallback = || PortRequest {
        fallback: true,
        ..forced()
    };
    for is_worktree in [false, true] {
        let machine = MachineState {
            is_worktree,
            ..MachineState::default()
        }
        .lease(9000, "me", "api", 1);
        for only in [fixed(), almost_fixed(), forced(), forced_with_fallback()] {
            let given = machine.choose(vec![movable(), only.clone()]).unwrap();
            assert_eq!(ports(&given), [("api", 9001), ("web", 9000)], "{only:?}");
            assert_eq!(given[1].displacement, None);
            let given = machine.choose(vec![only, movable()]).unwrap();
            assert_eq!(ports(&given), [("web", 9000), ("api", 9001)]);
        }
    }
    // A forced port with an alternative yields to a service without one.
    let given = MachineState::default()
        .choose(vec![
            movable(),
            forced_with_fallback(),
            want("db", 9000, "9000"),
        ])
        .unwrap();
    assert_eq!(ports(&given), [("api", 9001), ("web", 9100), ("db", 9000)]);
}

#[test]
fn two_services_with_the_same_only_port_fail_together() {
    let fixed = |service: &str| want(service, 9000, "9000");
    let forced = |service: &str| PortRequest {
        forced: Some(9000),
        ..want(service, 9100, "9100-9105")
    };
    let kept = PortRequest {
        keep: Some(9000),
        ..want("a", 9000, "9000-9005")
    };
    for (first, second, expected) in [
        (fixed("a"), fixed("b"), false),
        (fixed("a"), forced("b"), false),
        (forced("a"), forced("b"), false),
        (kept, fixed("b"), true),
    ] {
        let wanted = vec![first, want("c", 9000, "9000-9005"), second];
        match MachineState::default().choose(wanted).unwrap_err() {
            ChooseError::SamePort {
                port: 9000,
                services,
                is_kept,
            } => assert_eq!((services.join(" "), is_kept), ("a b".to_owned(), expected)),
            other => panic!("{other}"),
        }
    }
}
