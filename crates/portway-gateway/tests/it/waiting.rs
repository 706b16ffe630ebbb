//! Requests to services that are not there yet, not any more, or for a moment.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};

use portway_api::{InstanceState, ServiceState};

use crate::town::{Service, Town, jobi};

const PAGE: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";

#[test]
fn a_call_waits_until_its_service_is_ready() {
    let service = Service::echo();
    let town = Town::of(&[("backend", service.port)]);
    town.set("backend", ServiceState::Starting);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| town.get("jobi.localhost", "/", ""));
        // It waits: the service has heard nothing when it becomes ready.
        town.set("backend", ServiceState::Backoff);
        assert!(service.seen().is_empty());
        town.set("backend", ServiceState::Ready);
        let answer = asked.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
}

#[test]
fn a_page_is_told_that_its_service_starts_and_asks_again_by_itself() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    town.set("frontend", ServiceState::Preparing);
    let answer = town.get("jobi.localhost", "/", PAGE);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    for part in [
        "retry-after: 1",
        "cache-control: no-store",
        "is starting",
        "<script>",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    // What the page's script asks waits as a call does.
    std::thread::scope(|scope| {
        let head = "HEAD / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\r\n";
        let asked = scope.spawn(|| town.raw(head.as_bytes()));
        town.set("frontend", ServiceState::Ready);
        let answer = asked.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!answer.contains("x-portway-stand-in"), "{answer}");
    });
}

#[test]
fn what_will_not_come_is_said_at_once() {
    let town = Town::of(&[("backend", 9)]);
    for (state, status, words) in [
        (ServiceState::Stopped, "503", "was stopped"),
        (ServiceState::Completed, "503", "has done its work"),
        (ServiceState::Failed, "502", "failed"),
    ] {
        town.set("backend", state);
        for accept in ["", PAGE] {
            let answer = town.get("jobi.localhost", "/", accept);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
            assert!(answer.contains(words), "{answer}");
            let kind = if accept.is_empty() {
                "application/json"
            } else {
                "text/html"
            };
            assert!(answer.contains(kind), "{answer}");
        }
    }
    town.change(|all| all[0].state = InstanceState::Stopped);
    let answer = town.get("jobi.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("portway -C /jobi up"), "{answer}");
}

#[test]
fn the_last_lines_of_a_failed_service_are_shown() {
    let mut instance = jobi(&[("backend", 9)]);
    instance.services[0].state = ServiceState::Failed;
    instance.services[0].message = Some("ended with <code> 1".into());
    let town = Town::with(instance);
    let line = r#"{"time":1,"number":1,"service":"backend","stream":"err","text":"\u001b[31mno <module>\u001b[0m named x"}"#;
    town.log("backend", &format!("{line}\n"));
    let page = town.get("jobi.localhost", "/", PAGE);
    assert!(page.contains("no &lt;module&gt; named x"), "{page}");
    assert!(page.contains("ended with &lt;code&gt; 1"), "{page}");
    // A program is not told them.
    let call = town.get("jobi.localhost", "/", "");
    assert!(!call.contains("named x"), "{call}");
}

/// A service that dies in the middle of a request, and its supervisor has not said so yet.
#[test]
fn a_request_that_changes_nothing_is_asked_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let service = Service::by("127.0.0.1:0", move |_, stream| {
        if count.fetch_add(1, Relaxed) < 1 {
            return false;
        }
        std::io::Write::write_all(stream, b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        true
    });
    let town = Town::of(&[("backend", service.port)]);
    let answer = town.get("jobi.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(asked.load(Relaxed), 2);
}

#[test]
fn one_that_may_change_something_is_not_sent_twice() {
    let (send, sent) = mpsc::channel();
    let service = Service::by("127.0.0.1:0", move |asked, _| {
        send.send(asked.to_owned()).unwrap();
        false
    });
    let town = Town::of(&[("backend", service.port)]);
    let post = "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    let answer = town.raw(post.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    drop(town);
    assert_eq!(sent.try_iter().count(), 1);
}

/// Nobody listens yet on a port that is said to be ready: nothing was sent, so anything may wait.
#[test]
fn a_post_waits_for_a_service_that_has_just_died() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let town = Town::of(&[("backend", port)]);
    std::thread::scope(|scope| {
        let post = "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
        let asked = scope.spawn(|| town.raw(post.as_bytes()));
        town.set("backend", ServiceState::Backoff);
        let service = Service::echo();
        town.change(|all| {
            all[0].services[0].ports[0].port = service.port;
            all[0].services[0].state = ServiceState::Ready;
        });
        let answer = asked.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("hi"), "{answer}");
    });
}

#[test]
fn what_changes_nothing_is_asked_twice_at_most() {
    // It hangs up on every request: the first may have been in the way of its end.
    let service = Service::by("127.0.0.1:0", |_, _| false);
    let town = Town::of(&[("backend", service.port)]);
    let answer = town.get("jobi.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(answer.contains("x-portway-stand-in: 1"), "{answer}");
    assert_eq!(service.seen().len(), 2);
}

#[test]
fn an_answer_that_makes_no_sense_is_not_asked_for_again() {
    let service = Service::at("127.0.0.1:0", |_| "nonsense\r\n\r\n".to_owned());
    let town = Town::of(&[("backend", service.port)]);
    let answer = town.get("jobi.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(service.seen().len(), 1);
}

#[test]
fn a_body_that_cannot_be_read_is_the_clients_fault() {
    let service = Service::echo();
    let town = Town::of(&[("backend", service.port)]);
    let answer = town.raw(
        b"POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\
          Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
