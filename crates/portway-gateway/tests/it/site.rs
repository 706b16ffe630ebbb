//! Tests the dashboard and the API, and their access checks.

use portway_api::InstanceStatus;
use serde_json::Value;

use crate::support::{TestGateway, TestService, body_of, jobi};

pub(crate) const GATEWAY_HOST: &str = "portway.localhost";

pub(crate) fn start_gateway() -> TestGateway {
    TestGateway::with_services(&[("frontend", 1), ("backend", 2)])
}

/// Returns the token in the dashboard's page.
pub(crate) fn token(gateway: &TestGateway) -> String {
    let page = gateway.get(GATEWAY_HOST, "/", "");
    let (_, rest) = page
        .split_once("name=\"portway-token\" content=\"")
        .unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Sends a POST request with these header lines and returns the response.
fn post(gateway: &TestGateway, path: &str, headers: &str, json: &str) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\nConnection: close\r\n");
    let length = format!("Content-Length: {}\r\n", json.len());
    gateway.send(format!("{head}{length}{headers}\r\n{json}").as_bytes())
}

#[test]
fn serves_the_dashboard_with_security_headers() {
    let gateway = start_gateway();
    for (path, media_type) in [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let response = gateway.get(GATEWAY_HOST, path, "");
        assert!(response.starts_with("HTTP/1.1 200"), "{path}: {response}");
        let head = response.split("\r\n\r\n").next().unwrap();
        for line in [
            &format!("content-type: {media_type}"),
            "content-security-policy: default-src 'none'; script-src 'self'",
            "frame-ancestors 'none'",
            "x-frame-options: DENY",
            "x-content-type-options: nosniff",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(head.contains(line), "{path} {line}: {head}");
        }
        assert!(!head.contains("access-control"), "{head}");
    }
    assert!(token(&gateway).len() >= 40);
    assert!(!gateway.get(GATEWAY_HOST, "/", "").contains("{token}"));
    assert!(
        gateway
            .get(GATEWAY_HOST, "/nothing", "")
            .starts_with("HTTP/1.1 404")
    );
}

#[test]
fn each_gateway_has_its_own_token() {
    assert_ne!(token(&start_gateway()), token(&start_gateway()));
}

#[test]
fn redirects_localhost_to_the_dashboard() {
    let gateway = start_gateway();
    let page = "Accept: text/html\r\n";
    let response = gateway.get("localhost", "/", page);
    let port = gateway.address.port();
    assert!(response.starts_with("HTTP/1.1 307"), "{response}");
    let target = format!("location: http://{GATEWAY_HOST}:{port}/\r\n");
    assert!(response.contains(&target), "{response}");
    for host in ["127.0.0.1", "[::1]"] {
        let response = gateway.get(host, "/", "Accept: */*\r\n");
        assert!(response.contains(&target), "{host}: {response}");
    }
    for path in ["/x", "/v1/instances"] {
        let response = gateway.get("localhost", path, page);
        assert!(response.starts_with("HTTP/1.1 404"), "{path}: {response}");
    }
}

#[test]
fn local_programs_read_without_a_token() {
    let gateway = start_gateway();
    let response = gateway.get(GATEWAY_HOST, "/v1/instances", "");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let all: Vec<InstanceStatus> = serde_json::from_str(body_of(&response)).unwrap();
    assert_eq!(all[0].name, "jobi");
    let url = format!(
        "https://backend.jobi.localhost:{}",
        gateway.tls_address.port()
    );
    assert_eq!(all[0].services[1].named_url.as_deref(), Some(&*url));
}

#[test]
fn rejects_cross_origin_requests() {
    let gateway = start_gateway();
    let port = gateway.address.port();
    let host = format!("{GATEWAY_HOST}:{port}");
    let own = format!("Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n");
    // What Chromium and Firefox send for an extension that may read this name.
    let extensions = [
        "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: cors\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n",
    ];
    for allowed in [&own[..], "", extensions[0], extensions[1]] {
        let response = gateway.get(&host, "/v1/instances", allowed);
        assert!(
            response.starts_with("HTTP/1.1 200"),
            "{allowed}: {response}"
        );
    }
    for foreign in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: chrome-extension://bmkihcbnimijkioofdjnopgfakdpkfnm\r\nSec-Fetch-Site: none\r\n",
        "Origin: moz-extension://ac3082ea-909a-4e95-8a73-9817962fd3e3\r\nSec-Fetch-Site: same-origin\r\n",
        &format!("Origin: https://{host}\r\n"),
        &format!("Origin: http://{GATEWAY_HOST}\r\n"),
        &format!("Origin: http://localhost:{port}\r\n"),
        &format!("Origin: http://jobi.localhost:{port}\r\n"),
        &format!("Origin: http://web.portway.localhost:{port}\r\n"),
        &format!("Origin: http://{host}.evil.example\r\n"),
        &format!("Origin: http://{host}\r\nOrigin: http://evil.example\r\n"),
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: \r\n",
    ] {
        for path in [
            "/v1/instances",
            "/v1/events",
            "/v1/instances/jobi/logs",
            "/v1/ports",
        ] {
            let response = gateway.get(&host, path, foreign);
            assert!(
                response.starts_with("HTTP/1.1 403"),
                "{path} {foreign}: {response}"
            );
            assert!(!response.contains("jobi"), "{foreign}: {response}");
        }
    }
    // Preflight requests are rejected as well.
    let preflight = format!(
        "OPTIONS /v1/ports/1/free HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    );
    let response = gateway.send(preflight.as_bytes());
    assert!(response.starts_with("HTTP/1.1 403"), "{response}");
    assert!(!response.contains("access-control-allow"), "{response}");
}

#[test]
fn changes_require_the_token_the_origin_and_json() {
    let gateway = start_gateway();
    let token = token(&gateway);
    let path = "/v1/ports/9000/free";
    let json = "Content-Type: application/json\r\n";
    let with_token = format!("Portway-Token: {token}\r\n");
    for (headers, status) in [
        (json.to_owned(), 403),
        (format!("{json}Portway-Token: \r\n"), 403),
        (format!("{json}Portway-Token: {}\r\n", &token[1..]), 403),
        (format!("{json}Portway-Token: {token}x\r\n"), 403),
        (
            format!("{json}{with_token}Origin: http://evil.example\r\n"),
            403,
        ),
        (
            format!("{json}{with_token}Sec-Fetch-Site: cross-site\r\n"),
            403,
        ),
        (
            format!(
                "{json}{with_token}Origin: chrome-extension://bmkihcbnimijkioofdjnopgfakdpkfnm\r\n"
            ),
            403,
        ),
        (with_token.clone(), 415),
        (format!("{with_token}Content-Type: text/plain\r\n"), 415),
        (
            format!("{with_token}Content-Type: application/x-www-form-urlencoded\r\n"),
            415,
        ),
    ] {
        for path in [
            path,
            "/v1/instances/jobi/start",
            "/v1/instances/jobi/stop",
            "/v1/instances/jobi/restart",
        ] {
            let response = post(&gateway, path, &headers, "{}");
            let expected = format!("HTTP/1.1 {status}");
            assert!(response.starts_with(&expected), "{headers}: {response}");
        }
    }
    assert_eq!(gateway.operations(), [""; 0]);
    let own = format!(
        "{json}{with_token}Origin: http://{GATEWAY_HOST}\r\nSec-Fetch-Site: same-origin\r\n"
    );
    for headers in [&own, &format!("{json}{with_token}")] {
        let response = post(&gateway, path, headers, r#"{"dry_run": true}"#);
        assert!(response.contains("recorded"), "{response}");
    }
    assert_eq!(
        gateway.operations(),
        ["free_port 9000 true", "free_port 9000 true"]
    );
    // A GET request changes nothing, even with the token.
    let response = gateway.get(GATEWAY_HOST, path, &own);
    assert!(response.starts_with("HTTP/1.1 405"), "{response}");
}

#[test]
fn reports_invalid_requests_as_json() {
    let gateway = start_gateway();
    let fields = format!(
        "Content-Type: application/json\r\nPortway-Token: {}\r\n",
        token(&gateway)
    );
    let mut responses = Vec::new();
    for (path, status) in [
        ("/v1/nothing", 404),
        ("/v1/instances/unknown/logs", 404),
        ("/v1/instances/jobi/logs?grep=(", 400),
        ("/v1/instances/jobi/logs?tail=many", 400),
        ("/v1/instances/jobi/logs?other=1", 400),
        ("/v1/ports/0", 400),
        ("/v1/ports/65536", 400),
        ("/v1/ports/x", 400),
    ] {
        responses.push((path, status, gateway.get(GATEWAY_HOST, path, "")));
    }
    for (path, text, status) in [
        ("/v1/instances/unknown/stop", "{}", 404),
        // The instance has no control socket, so it is not running.
        ("/v1/instances/jobi/stop", "{}", 409),
        ("/v1/instances/jobi/restart", "{}", 409),
        ("/v1/instances/jobi/stop", "{", 400),
        ("/v1/instances/jobi/stop", r#"{"service": "x"}"#, 422),
        ("/v1/ports/9000/free", r#"{"dryrun": true}"#, 422),
    ] {
        responses.push((path, status, post(&gateway, path, &fields, text)));
    }
    for (path, status, response) in responses {
        let expected = format!("HTTP/1.1 {status}");
        assert!(response.starts_with(&expected), "{path}: {response}");
        let error: Value = serde_json::from_str(body_of(&response)).unwrap();
        assert!(error["error"]["code"].is_string(), "{path}: {response}");
    }
    assert_eq!(gateway.operations(), [""; 0]);
}

#[test]
fn starts_a_stopped_instance() {
    let gateway = start_gateway();
    let fields = format!(
        "Content-Type: application/json\r\nPortway-Token: {}\r\n",
        token(&gateway)
    );
    post(
        &gateway,
        "/v1/instances/jobi/start",
        &fields,
        r#"{"services": ["backend"]}"#,
    );
    assert_eq!(
        gateway.operations(),
        [r#"start_services /jobi ["backend"]"#]
    );
}

/// Skipped unless run by root, because only root can act as another user.
#[cfg(target_os = "linux")]
#[test]
fn rejects_other_users_of_this_machine() {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    if portway_supervisor::process::current_user() != 0 {
        return;
    }
    let gateway = start_gateway();
    for path in ["/", "/app.js", "/v1/instances", "/v1/instances/jobi/logs"] {
        let url = format!("http://{GATEWAY_HOST}{path}");
        let get_as = |user: u32| {
            let connect = format!("::127.0.0.1:{}", gateway.address.port());
            let output = std::process::Command::new("curl")
                .args(["-sS", "--connect-to", &connect, "-w", "%{http_code}", &url])
                .current_dir("/")
                .uid(user)
                .output()
                .unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let response = get_as(NOBODY);
        assert!(response.ends_with("403"), "{path}: {response}");
        assert!(!response.contains("portway-token"), "{path}: {response}");
        assert!(get_as(0).ends_with("200"), "{path}");
    }
}

#[test]
fn a_service_cannot_take_the_name_of_the_gateway() {
    let service = TestService::echo();
    let mut instance = jobi(&[("web", service.port)]);
    instance.name = "portway".into();
    let gateway = TestGateway::with_instance(instance);
    assert!(gateway.get(GATEWAY_HOST, "/", "").contains("portway-token"));
    assert!(service.requests().is_empty());
}
