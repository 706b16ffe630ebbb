//! The dashboard and the web API of the gateway, with running services, and `portway dashboard`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use portway_api::{FreeReport, PortMap, PortReport};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::sandbox::{RunningCommand, Sandbox, TIMEOUT, http_get, two_services, wait_until};
use crate::servers::{ShellServer, wait_until_served};

/// A client of the web API, as the page of the dashboard is one, and its gateway on the sandbox's
/// last port.
struct Page<'a> {
    sandbox: &'a Sandbox,
    token: String,
    _gateway: RunningCommand,
}

impl<'a> Page<'a> {
    fn open(sandbox: &'a Sandbox) -> Self {
        let port = sandbox.port(39).to_string();
        let mut gateway = sandbox.spawn(&["gateway", "--json", "--port", &port]);
        gateway.wait_for_output("\"port\"");
        let mut page = Self {
            sandbox,
            token: String::new(),
            _gateway: gateway,
        };
        let (_, text) = page.send("GET", "/", "");
        let (_, rest) = text.split_once("portway-token\" content=\"").unwrap();
        page.token = rest.split('"').next().unwrap().to_owned();
        page
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.sandbox.port(39))).unwrap();
        let timeout = TIMEOUT + Duration::from_secs(10);
        stream.set_read_timeout(Some(timeout)).unwrap();
        stream
    }

    fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let host = format!("portway.localhost:{}", self.sandbox.port(39));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Origin: http://{host}\r\nPortway-Token: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        send(self.connect(), &head)
    }

    /// Reads a resource.
    fn read(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Sends a command and returns the status and the body of the response.
    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = self.send("POST", path, &body.to_string());
        let answer = if answer.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&answer).unwrap()
        };
        (status, answer)
    }

    /// The only instance of the sandbox.
    fn instance(&self) -> Value {
        self.read("/v1/instances")[0].clone()
    }

    fn state(&self, service: &str) -> String {
        let instance = self.instance();
        let services = instance["services"].as_array().unwrap();
        let found = services.iter().find(|one| one["name"] == service);
        found.unwrap()["state"].as_str().unwrap().to_owned()
    }

    /// The path of a command for the only instance.
    fn path(&self, command: &str) -> String {
        format!(
            "/v1/instances/{}/{command}",
            self.instance()["id"].as_str().unwrap()
        )
    }
}

/// Sends a request with `Connection: close` and returns the status and the body of the response.
fn send(mut stream: impl Read + Write, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a response");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if head.contains("transfer-encoding: chunked") {
        return (status, unchunked(body));
    }
    (status, body.to_owned())
}

/// Expects that a response contains exactly the fields of a type of the API.
fn assert_type<T: DeserializeOwned + Serialize>(answer: &Value) {
    let read: T = serde_json::from_value(answer.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), *answer);
}

/// Removes the chunk headers of a chunked body.
fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}

#[test]
fn services_can_be_stopped_started_and_restarted() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let page = Page::open(&sandbox);
    let backend = json!({ "services": ["backend"] });
    let (stop, start, restart) = (page.path("stop"), page.path("start"), page.path("restart"));
    assert_eq!(page.post(&stop, &backend).0, 202);
    wait_until("it has stopped", || page.state("backend") == "stopped");
    assert_eq!(page.state("frontend"), "ready");
    assert_eq!(page.post(&start, &backend).0, 202);
    wait_until("it has started", || page.state("backend") == "ready");
    let pid = http_get(sandbox.port(0), "/").unwrap();
    assert_eq!(page.post(&restart, &backend).0, 202);
    wait_until("it is another process", || {
        http_get(sandbox.port(0), "/").is_some_and(|new| new != pid)
    });
    let (status, error) = page.post(&stop, &json!({ "services": ["unknown"] }));
    assert_eq!(status, 404);
    assert_eq!(error["error"]["code"], "unknown_service");
    // Stopping all services stops the instance, which can be started again.
    assert_eq!(page.post(&stop, &json!({})).0, 202);
    wait_until("the instance has stopped", || {
        page.instance()["state"] == "stopped"
    });
    assert_eq!(page.post(&restart, &backend).0, 409);
    assert_eq!(page.post(&start, &backend).0, 202);
    wait_until("its state is published", || {
        page.state("backend") == "ready"
    });
    assert_ne!(page.state("frontend"), "ready");
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn a_failed_start_returns_the_error_of_the_command() {
    let sandbox = two_services();
    sandbox.run(&["detect"]).success();
    let page = Page::open(&sandbox);
    sandbox.write("portway.toml", "[services.backend]\ncommand = 3\n");
    let (status, error) = page.post(&page.path("start"), &json!({}));
    assert_eq!(status, 500);
    assert_eq!(error["error"]["code"], "manifest_invalid");
    let place = error["error"]["place"].as_str().unwrap();
    assert!(place.ends_with("portway.toml:2:11"), "{place}");
}

#[test]
fn ports_are_listed_with_their_owners_and_can_be_freed() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let mut shell = ShellServer::start(&sandbox, "serve %30");
    wait_until_served(sandbox.port(30));
    let page = Page::open(&sandbox);
    let map = page.read("/v1/ports");
    assert_type::<PortMap>(&map);
    let report = |port: u16| {
        let ports = map["ports"].as_array().unwrap();
        let found = ports.iter().find(|one| one["port"] == port);
        found.unwrap_or_else(|| panic!("{port} is missing")).clone()
    };
    assert_eq!(report(sandbox.port(0))["lease"]["service"], "backend");
    assert_eq!(report(sandbox.port(0))["state"], "listening");
    assert!(report(sandbox.port(30))["lease"].is_null());
    let ranges = map["ranges"].as_array().unwrap();
    let backend = json!({ "name": "backend", "first": 9000, "last": 9099 });
    assert!(ranges.contains(&backend), "{ranges:?}");

    let one = page.read(&format!("/v1/ports/{}", sandbox.port(30)));
    assert_type::<PortReport>(&one);
    assert_eq!(one["holders"][0]["root"], shell.pid());
    let free = format!("/v1/ports/{}/free", sandbox.port(30));
    let (status, freed) = page.post(&free, &json!({ "dry_run": true }));
    assert_eq!((status, &freed["action"]), (200, &json!("dry_run")));
    assert_type::<FreeReport>(&freed);
    assert_eq!(freed["processes"][0]["pid"], shell.pid());
    assert!(
        http_get(sandbox.port(30), "/").is_some(),
        "a dry run stops nothing"
    );
    let (status, freed) = page.post(&free, &json!({}));
    assert_eq!((status, &freed["free"]), (200, &json!(true)));
    shell.wait();
    assert_eq!(page.post(&free, &json!({})).0, 404);

    // The gateway stops neither itself nor its parents.
    let own = format!("/v1/ports/{}/free", sandbox.port(39));
    assert_eq!(page.post(&own, &json!({})).0, 403);
    // The supervisor releases the port of a service.
    let leased = format!("/v1/ports/{}/free", sandbox.port(0));
    let (status, freed) = page.post(&leased, &json!({}));
    assert_eq!((status, &freed["action"]), (200, &json!("stopped")));
    wait_until("its stop is published", || {
        page.state("backend") == "stopped"
    });
}

#[test]
fn usage_of_services_is_streamed() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let page = Page::open(&sandbox);
    let mut stream = page.connect();
    write!(
        stream,
        "GET /v1/events HTTP/1.1\r\nHost: portway.localhost\r\n\r\n"
    )
    .unwrap();
    let mut read = String::new();
    let usage = loop {
        let event = read.lines().find_map(|line| {
            let event: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
            // CPU usage is known from the second event on.
            let services = event.get("services")?.as_array()?.clone();
            (services.len() == 2 && services[0]["cpu"].is_number()).then_some(services)
        });
        if let Some(services) = event {
            break services;
        }
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).unwrap();
        assert_ne!(length, 0, "{read}");
        read.push_str(&String::from_utf8_lossy(&chunk[..length]));
    };
    for service in usage {
        assert!(service["memory"].as_u64().unwrap() > 100 << 10, "{service}");
        // The service and its keeper.
        assert_eq!(service["processes"], 2, "{service}");
        assert!(service["cpu"].as_f64().unwrap() < 100.0, "{service}");
    }
}

#[test]
fn log_streams_continue_after_the_instance_restarts() {
    let sandbox = Sandbox::new().manifest(
        "
        [project]
        name = \"jobi\"
        [services.backend]
        command = \"%service serve {port} --print once\"
        port = \"%0-%9\"
        ",
    );
    sandbox.run(&["up", "--detach"]).success();
    let page = Page::open(&sandbox);
    let mut stream = page.connect();
    write!(
        stream,
        "GET {}?service=backend&grep=once HTTP/1.1\r\nHost: portway.localhost\r\n\r\n",
        page.path("logs/follow")
    )
    .unwrap();
    let mut read = String::new();
    let mut until_lines = |count: usize| {
        while read.matches("\"text\":\"once\"").count() < count {
            let mut chunk = [0; 4096];
            let length = stream.read(&mut chunk).unwrap();
            assert_ne!(length, 0, "{read}");
            read.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        assert_eq!(read.matches("\"text\":\"once\"").count(), count, "{read}");
    };
    until_lines(1);
    sandbox.run(&["restart", "backend"]).success();
    until_lines(2);
    sandbox.run(&["down"]).success();
    sandbox.run(&["up", "--detach"]).success();
    until_lines(3);
}

#[test]
fn the_control_socket_needs_no_token() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let page = Page::open(&sandbox);
    let stop = page.path("stop");
    let stream = UnixStream::connect(sandbox.state().join("gateway/control.sock")).unwrap();
    let request = format!(
        "POST {stop} HTTP/1.1\r\nHost: portway\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(send(stream, &request).0, 202);
    wait_until("the instance has stopped", || {
        page.instance()["state"] == "stopped"
    });
}

#[test]
fn the_command_prints_the_url_and_starts_the_gateway() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("home/.config/portway")).unwrap();
    let port = sandbox.port(39);
    let config = format!("[gateway]\nport = {port}\n");
    std::fs::write(sandbox.path("home/.config/portway/config.toml"), config).unwrap();
    let url = format!("http://portway.localhost:{port}\n");
    for arguments in [&["dashboard", "--print"][..], &["ui"]] {
        // Without a terminal, no browser is opened.
        assert_eq!(sandbox.run(arguments).success().stdout(), url);
    }
    let request =
        format!("GET / HTTP/1.1\r\nHost: portway.localhost:{port}\r\nConnection: close\r\n\r\n");
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(send(stream, &request).1.contains("<title>Portway</title>"));
    sandbox.run(&["gateway", "stop"]).success();
}
