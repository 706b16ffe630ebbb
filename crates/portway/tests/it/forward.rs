//! `portway forward`: a fixed port is routed to one checkout at a time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use crate::gateway::gateway;
use crate::sandbox::{Sandbox, TIMEOUT, TWO_SERVICES, http_get, two_services, wait_until};

/// The service and the instance that respond on the fixed port.
fn target(sandbox: &Sandbox) -> Option<(String, String)> {
    let read = |name: &str| http_get(sandbox.port(38), &format!("/env/{name}"));
    Some((read("PORTWAY_SERVICE")?, read("PORTWAY_INSTANCE")?))
}

/// Adds a worktree to the project and starts both checkouts. Returns the worktree.
fn start_worktree(sandbox: &mut Sandbox) -> std::path::PathBuf {
    let main = sandbox.project().to_owned();
    std::fs::remove_dir_all(main.join(".git")).unwrap();
    sandbox.git(&main, &["init", "-q"]);
    sandbox.git(&main, &["add", "-A"]);
    sandbox.git(&main, &["commit", "-qm", "one"]);
    let tree = sandbox.path("fix");
    let path = tree.to_str().unwrap();
    sandbox.git(&main, &["worktree", "add", "-q", "-b", "fix", path]);
    for dir in [tree.clone(), main] {
        sandbox.set_project(dir);
        sandbox.run(&["up", "--detach"]).success();
    }
    tree
}

fn forward(sandbox: &mut Sandbox, dir: &Path, rest: &[&str]) -> crate::sandbox::CommandOutput {
    sandbox.set_project(dir.to_owned());
    let port = sandbox.port(38).to_string();
    let arguments: Vec<&str> = ["forward", &port].iter().chain(rest).copied().collect();
    sandbox.run(&arguments)
}

#[test]
#[cfg(unix)]
fn a_fixed_port_is_routed_to_the_chosen_checkout() {
    let mut sandbox = Sandbox::with_blocks(1).manifest(TWO_SERVICES);
    let tree = start_worktree(&mut sandbox);
    let main = sandbox.project().to_owned();
    let running = gateway(&sandbox);
    let url = format!("http://localhost:{}", sandbox.port(38));
    let route = |service: &str, instance: &str| Some((service.to_owned(), instance.to_owned()));

    let output = forward(&mut sandbox, &main, &[]).success();
    output.stderr_has(&url);
    assert_eq!(target(&sandbox), route("frontend", "jobi"));

    // One connection stays open while the route changes.
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.port(38))).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut request_instance = || {
        let request = "GET /env/PORTWAY_INSTANCE HTTP/1.1\r\nHost: tunnel.example\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        answer.rsplit("\r\n").next().unwrap().to_owned()
    };
    assert_eq!(request_instance(), "jobi");
    let output = forward(&mut sandbox, &tree, &["backend"]).success();
    // The message names the new and the previous target.
    for name in ["backend", "fix.jobi", "frontend", "jobi"] {
        assert!(output.stderr().contains(name), "{}", output.stderr());
    }
    assert_eq!(request_instance(), "fix.jobi");
    assert_eq!(target(&sandbox), route("backend", "fix.jobi"));

    // `forward` and `ps` list it.
    let listed = sandbox.run(&["forward"]).success();
    listed
        .stdout_has(&url)
        .stdout_has("backend")
        .stdout_has("fix.jobi");
    let listed = sandbox.run(&["forward", "--json"]).success().json();
    assert_eq!(listed[0]["service"], "backend");
    assert_eq!(listed[0]["instance"], "fix.jobi");
    sandbox.run(&["ps"]).success().stdout_has(&url);
    let all = sandbox.run(&["ps", "--json"]).success().json();
    let forwards: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| one["services"].as_array().unwrap())
        .filter(|service| service.get("forwards").is_some())
        .map(|service| (service["name"].clone(), service["forwards"].clone()))
        .collect();
    assert_eq!(forwards.len(), 1);
    assert_eq!(forwards[0].0, "backend");
    assert_eq!(forwards[0].1[0], sandbox.port(38));

    // `who` reports it, and `free` rejects the port.
    let port = sandbox.port(38).to_string();
    let who = sandbox.run(&["who", &port]).success();
    who.stderr_has("`backend`").stderr_has("fix.jobi");
    sandbox
        .fails(&["free", &port], 1, "refused")
        .hints(&format!("`portway forward {port} --stop`"));
    let names = sandbox.port(39).to_string();
    sandbox
        .fails(&["free", &names], 1, "refused")
        .hints("`portway gateway stop`");

    // The next gateway restores it.
    drop(running);
    assert_eq!(target(&sandbox), None);
    let _running = gateway(&sandbox);
    assert_eq!(target(&sandbox), route("backend", "fix.jobi"));

    // Requests wait for a restarting service.
    sandbox.run(&["restart", "backend"]).success();
    assert_eq!(target(&sandbox), route("backend", "fix.jobi"));
    sandbox.run(&["down"]).success();
    let refused = http_get(sandbox.port(38), "/").unwrap();
    assert!(refused.contains("portway -C"), "{refused}");
    // The response to another host name that resolves to this machine does not contain the path of
    // the checkout.
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.port(38))).unwrap();
    let foreign = "GET / HTTP/1.1\r\nHost: attacker.example\r\nConnection: close\r\n\r\n";
    stream.write_all(foreign.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(!answer.contains("portway -C"), "{answer}");
    assert!(!answer.contains(tree.to_str().unwrap()), "{answer}");

    let ended = forward(&mut sandbox, &tree, &["--stop", "--json"]).success();
    assert_eq!(ended.json()["instance"], "fix.jobi");
    TcpListener::bind(("127.0.0.1", sandbox.port(38))).unwrap();
    let again = forward(&mut sandbox, &tree, &["--stop", "--json"]).code(6);
    again.error("nothing_there").mentions(&port);
}

#[test]
fn rejects_ports_and_services_that_cannot_be_forwarded() {
    let mut sandbox = two_services();
    let dir = sandbox.project().to_owned();
    let taken = TcpListener::bind(("127.0.0.1", sandbox.port(38))).unwrap();
    let running = gateway(&sandbox);
    let refused = forward(&mut sandbox, &dir, &["--json"]).code(4);
    refused
        .error("port_taken")
        .mentions(sandbox.port(38))
        .hints("portway who");
    drop(taken);
    let kept = sandbox.run(&["detect", "--json"]).success().json();
    let kept = kept["services"][0]["ports"][0]["port"].to_string();
    sandbox
        .fails(&["forward", &kept], 4, "port_taken")
        .names("backend")
        .mentions("jobi");
    let refused = forward(&mut sandbox, &dir, &["frontent", "--json"]).code(2);
    refused.error("unknown_service").names("frontend");
    forward(&mut sandbox, &dir, &["frontend"]).success();
    sandbox.run(&["forward", "0"]).code(2);

    // A fixed port that another process is using is kept and reported.
    drop(running);
    let mut taken = None;
    wait_until("the port is released", || {
        taken = TcpListener::bind(("127.0.0.1", sandbox.port(38))).ok();
        taken.is_some()
    });
    let _running = gateway(&sandbox);
    let troubles = |sandbox: &Sandbox| {
        let listed = sandbox.run(&["forward", "--json"]).success().json();
        let listed = listed.as_array().unwrap().clone();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0]["port"], sandbox.port(38));
        listed[0]["trouble"].as_str().map(str::to_owned)
    };
    assert!(troubles(&sandbox).is_some());
    // Its URL is listed as soon as the port is free.
    let port = sandbox.port(38);
    let is_listed = |sandbox: &Sandbox| sandbox.run(&["ps"]).stdout().contains(&port.to_string());
    assert!(!is_listed(&sandbox));
    drop(taken);
    wait_until("the gateway retries", || is_listed(&sandbox));
    assert_eq!(troubles(&sandbox), None);
    assert!(http_get(port, "/").is_some());

    // Without a gateway, fixed ports can be listed and removed.
    sandbox.run(&["gateway", "stop"]).success();
    let trouble = troubles(&sandbox).expect("a problem without a gateway");
    assert!(trouble.contains("`portway gateway --detach`"), "{trouble}");
    forward(&mut sandbox, &dir, &["--stop"]).success();
    forward(&mut sandbox, &dir, &["--stop"]).code(6);
    let file = sandbox.state().join("gateway/last.json");
    std::fs::write(&file, "{").unwrap();
    sandbox
        .fails(&["gateway", "--detach"], 1, "state")
        .mentions("last.json")
        .hints("delete");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{");
}

#[test]
fn rejects_services_without_http() {
    let mut sandbox = Sandbox::new().manifest(&format!(
        "{TWO_SERVICES}\n[services.cache]\nkind = \"tcp\"\nport = \"%20-%29\"\ncommand = \"%service serve {{port}}\"\n"
    ));
    let dir = sandbox.project().to_owned();
    let refused = forward(&mut sandbox, &dir, &["cache", "--json"]).code(2);
    refused.error("usage").names("cache").mentions("HTTP");
}
