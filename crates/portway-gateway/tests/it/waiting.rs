//! Tests requests to services that are not ready or stop responding.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};

use portway_api::{InstanceState, ServiceState};

use crate::support::{TestGateway, TestService, jobi};

const PAGE: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";

#[test]
fn a_program_waits_until_the_service_is_ready() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("backend", service.port)]);
    gateway.set_state("backend", ServiceState::Starting);
    std::thread::scope(|scope| {
        let request = scope.spawn(|| gateway.get("jobi.localhost", "/", ""));
        // The request is held, so the service has not received it yet.
        gateway.set_state("backend", ServiceState::Backoff);
        assert!(service.requests().is_empty());
        gateway.set_state("backend", ServiceState::Ready);
        let response = request.join().unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    });
}

#[test]
fn a_page_shows_that_the_service_starts_and_polls_it() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    gateway.set_state("frontend", ServiceState::Preparing);
    let response = gateway.get("jobi.localhost", "/", PAGE);
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    for part in [
        "retry-after: 1",
        "cache-control: no-store",
        "is starting",
        "<script>",
    ] {
        assert!(response.contains(part), "{part}: {response}");
    }
    // The request of the page's script waits like a program's.
    std::thread::scope(|scope| {
        let head = "HEAD / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\r\n";
        let request = scope.spawn(|| gateway.send(head.as_bytes()));
        gateway.set_state("frontend", ServiceState::Ready);
        let response = request.join().unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(!response.contains("x-portway-stand-in"), "{response}");
    });
}

#[test]
fn refuses_requests_to_services_that_will_not_become_ready() {
    let gateway = TestGateway::with_services(&[("backend", 9)]);
    for (state, status, text) in [
        (ServiceState::Stopped, "503", "is stopped"),
        (ServiceState::Completed, "503", "has completed"),
        (ServiceState::Failed, "502", "failed"),
    ] {
        gateway.set_state("backend", state);
        for accept in ["", PAGE] {
            let response = gateway.get("jobi.localhost", "/", accept);
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status}")),
                "{response}"
            );
            assert!(response.contains(text), "{response}");
            let media_type = if accept.is_empty() {
                "application/json"
            } else {
                "text/html"
            };
            assert!(response.contains(media_type), "{response}");
        }
    }
    gateway.change(|all| all[0].state = InstanceState::Stopped);
    let response = gateway.get("jobi.localhost", "/", "");
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert!(response.contains("portway -C /jobi up"), "{response}");
}

#[test]
fn a_page_shows_the_last_output_of_a_failed_service() {
    let mut instance = jobi(&[("backend", 9)]);
    instance.services[0].state = ServiceState::Failed;
    instance.services[0].message = Some("exited with <code> 1".into());
    let gateway = TestGateway::with_instance(instance);
    let line = r#"{"time":1,"number":1,"service":"backend","stream":"err","text":"\u001b[31mno <module>\u001b[0m named x"}"#;
    gateway.write_log("backend", &format!("{line}\n"));
    let page = gateway.get("jobi.localhost", "/", PAGE);
    assert!(page.contains("no &lt;module&gt; named x"), "{page}");
    assert!(page.contains("exited with &lt;code&gt; 1"), "{page}");
    // A program gets only the error.
    let json = gateway.get("jobi.localhost", "/", "");
    assert!(!json.contains("named x"), "{json}");
}

/// The service exits during a request, before its supervisor reports that.
#[test]
fn repeats_a_safe_request() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let service = TestService::handling("127.0.0.1:0", move |_, stream| {
        if count.fetch_add(1, Relaxed) < 1 {
            return false;
        }
        std::io::Write::write_all(stream, b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        true
    });
    let gateway = TestGateway::with_services(&[("backend", service.port)]);
    let response = gateway.get("jobi.localhost", "/", "");
    assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    assert_eq!(requests.load(Relaxed), 2);
}

#[test]
fn does_not_repeat_an_unsafe_request() {
    let (send, sent) = mpsc::channel();
    let service = TestService::handling("127.0.0.1:0", move |request, _| {
        send.send(request.to_owned()).unwrap();
        false
    });
    let gateway = TestGateway::with_services(&[("backend", service.port)]);
    let post = "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    let response = gateway.send(post.as_bytes());
    assert!(response.starts_with("HTTP/1.1 502"), "{response}");
    drop(gateway);
    assert_eq!(sent.try_iter().count(), 1);
}

/// The service refuses connections although it is reported as ready. Nothing was sent, so even an
/// unsafe request can be repeated.
#[test]
fn an_unsafe_request_waits_for_a_service_that_just_exited() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let gateway = TestGateway::with_services(&[("backend", port)]);
    std::thread::scope(|scope| {
        let post = "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
        let request = scope.spawn(|| gateway.send(post.as_bytes()));
        gateway.set_state("backend", ServiceState::Backoff);
        let service = TestService::echo();
        gateway.change(|all| {
            all[0].services[0].ports[0].port = service.port;
            all[0].services[0].state = ServiceState::Ready;
        });
        let response = request.join().unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(response.ends_with("hi"), "{response}");
    });
}

#[test]
fn repeats_a_safe_request_only_once() {
    // The service closes the connection after every request.
    let service = TestService::handling("127.0.0.1:0", |_, _| false);
    let gateway = TestGateway::with_services(&[("backend", service.port)]);
    let response = gateway.get("jobi.localhost", "/", "");
    assert!(response.starts_with("HTTP/1.1 502"), "{response}");
    assert!(response.contains("x-portway-stand-in: 1"), "{response}");
    assert_eq!(service.requests().len(), 2);
}

#[test]
fn does_not_repeat_a_request_after_an_invalid_response() {
    let service = TestService::responding("127.0.0.1:0", |_| "nonsense\r\n\r\n".to_owned());
    let gateway = TestGateway::with_services(&[("backend", service.port)]);
    let response = gateway.get("jobi.localhost", "/", "");
    assert!(response.starts_with("HTTP/1.1 502"), "{response}");
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn rejects_an_invalid_body() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("backend", service.port)]);
    let response = gateway.send(
        b"POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\
          Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    );
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
}
