//! Main checkouts of several users that prefer the same port.

use super::*;

#[test]
fn a_main_checkout_keeps_its_port_if_another_user_had_the_preferred_one() {
    let mut machine = MachineState {
        in_use: vec![9000],
        of_other_users: vec![9000],
        ..MachineState::default()
    };
    let first = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!((first.port, first.yielded), (9001, Some(9000)));
    let reason = first.displacement.map(|displacement| displacement.reason);
    assert_eq!(reason, Some(DisplacementReason::InUse));
    // The other user has stopped.
    machine.in_use.clear();
    machine = machine.lease(9001, "me", "backend", 1);
    machine.leases[0].yielded_port = first.yielded;
    let again = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!((again.port, again.yielded), (9001, Some(9000)));
    let reason = again.displacement.map(|displacement| displacement.reason);
    assert_eq!(reason, Some(DisplacementReason::LeftToUser));
    let running = PortRequest {
        keep: Some(9001),
        ..backend()
    };
    let running = machine.choose(vec![running]).unwrap().remove(0);
    assert_eq!(running.yielded, Some(9000));
    // The user asks for the preferred port, or the manifest for another one.
    let forced = PortRequest {
        forced: Some(9000),
        ..backend()
    };
    let forced = machine.choose(vec![forced]).unwrap().remove(0);
    assert_eq!((forced.port, forced.yielded), (9000, None));
    let other = machine.choose(vec![want("backend", 9003, "9000-9005")]);
    let other = other.unwrap().remove(0);
    assert_eq!((other.port, other.yielded), (9003, None));
    // Somebody took the port that it kept.
    machine.in_use = vec![9001];
    let moved = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!((moved.port, moved.yielded), (9000, None));
}

#[test]
fn a_port_of_the_same_user_is_not_given_up() {
    let machine = MachineState {
        in_use: vec![9000],
        ..MachineState::default()
    };
    let given = machine.choose(vec![backend()]).unwrap().remove(0);
    assert_eq!((given.port, given.yielded), (9001, None));
}
