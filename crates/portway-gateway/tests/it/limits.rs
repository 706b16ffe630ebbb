//! What a client may not do to the gateway.

use crate::town::{Service, Town};

#[test]
fn a_head_has_a_size() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let most = "a".repeat(40 << 10);
    let answer = town.get("jobi.localhost", "/", &format!("Cookie: {most}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{}", &answer[..100]);
    let more = "a".repeat(80 << 10);
    let answer = town.get("jobi.localhost", "/", &format!("Cookie: {more}\r\n"));
    assert!(
        answer.starts_with("HTTP/1.1 431") || answer.is_empty(),
        "{answer}"
    );
    let fields: String = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect();
    let answer = town.get("jobi.localhost", "/", &fields);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(service.seen().len(), 1);
}

#[test]
fn clients_that_send_nothing_hold_up_nobody() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let idle: Vec<_> = (0..500).map(|_| town.connect()).collect();
    let answer = town.get("jobi.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(idle);
}
