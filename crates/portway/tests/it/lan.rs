//! Services on the local network, as Avahi on another machine sees them.

mod network;

use crate::sandbox::{
    RunningCommand, Sandbox, TWO_SERVICES, kill, test_service, two_services, wait_until,
};
use crate::transcript::Transcript;
use network::{Machine, Network};

/// The body of a response that a machine receives over the network.
fn fetch(machine: &Machine, sandbox: &Sandbox, url: &str) -> Option<String> {
    let fetched = machine.run(sandbox, &["curl", "-sS", "--max-time", "10", url]);
    let body = fetched.stdout();
    (!body.is_empty()).then_some(body)
}

#[test]
fn http_services_can_be_discovered_and_reached_from_another_machine() {
    let sandbox = Sandbox::new().manifest(
        "[project]\nname = \"jobi\"\n\
         [services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         [services.frontend]\ncommand = \"%service serve {port} --host ::1\"\nport = \"%10-%19\"\n\
         [services.admin]\ncommand = \"%service serve {port}\"\nport = \"%20-%29\"\nlan = false\n\
         [services.redis]\n\
         command = \"redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no\"\n\
         port = \"%30-%39\"",
    );
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    // Most machines run a responder, and the announcer must work next to it.
    ada.start_avahi(&sandbox);
    let up = ada
        .portway(&sandbox, &["up", "--detach", "--lan"])
        .success();
    let backend = format!("http://{}:{}", ada.address, sandbox.port(0));
    let frontend = format!("http://{}:{}", ada.address, sandbox.port(10));
    let mut transcript = Transcript::default();
    transcript.record(&sandbox, "a start", "up --detach --lan", &up);
    up.stderr_has("warning: ")
        .stderr_has(&backend)
        .stderr_has(&frontend);

    let seen = bob.until_seen(&sandbox, &["backend · jobi", "frontend · jobi"]);
    ada.until_seen(&sandbox, &["backend · jobi", "frontend · jobi"]);
    for (one, port) in seen.iter().zip([0, 10]) {
        assert_eq!(one.address, ada.address);
        assert_eq!(one.port, sandbox.port(port));
        assert_eq!(one.host, "jobi-ada.local");
        assert!(one.txt.contains("\"path=/\"") && one.txt.contains("\"project=jobi\""));
    }
    let resolved = bob.run(&sandbox, &["avahi-resolve", "-4", "-n", "jobi-ada.local"]);
    assert_eq!(
        resolved.success().stdout(),
        format!("jobi-ada.local\t{}\n", ada.address)
    );

    for url in [&backend, &frontend] {
        fetch(bob, &sandbox, url).unwrap();
    }
    for port in [20, 30] {
        let url = format!("http://{}:{}", ada.address, sandbox.port(port));
        assert_eq!(fetch(bob, &sandbox, &url), None, "{url}");
    }
    let origins = format!("{backend}/env/CORS_ORIGINS");
    let origins = fetch(bob, &sandbox, &origins).unwrap();
    assert!(origins.contains(&frontend), "{origins}");

    ada.portway(&sandbox, &["ps"])
        .success()
        .stdout_has(&backend);
    // The supervisor listens for the services on the network, but not on the addresses of
    // `localhost`.
    let report = ada.portway(&sandbox, &["doctor", "--json"]).json();
    let severity = |check: &str| {
        let findings = report["findings"].as_array().unwrap();
        let mut own = findings.iter().filter(|one| one["subject"] == "frontend");
        let found = own.find(|one| one["check"] == check);
        found.map_or("none".to_owned(), |one| {
            one["severity"].as_str().unwrap().to_owned()
        })
    };
    assert_eq!(severity("listening"), "fine", "{report:#}");
    assert_eq!(severity("localhost"), "error", "{report:#}");
    let status = ada.portway(&sandbox, &["ps", "--json"]).success().json();
    assert_eq!(status[0]["lan"], true);
    assert_eq!(status[0]["services"][0]["lan_urls"][0], backend);

    let found = bob
        .portway(&sandbox, &["discover", "--json"])
        .success()
        .json();
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found[0]["url"], format!("{backend}/"));
    assert_eq!(found[0]["instance"], "jobi");
    assert_eq!(found[1]["service"], "frontend");
    let own = ada.portway(&sandbox, &["discover"]).success();
    transcript.record(&sandbox, "no other machine", "discover", &own);
    transcript.assert("local-network");
    assert_eq!(own.stdout(), "");

    ada.portway(&sandbox, &["down"]).success();
    bob.until_seen(&sandbox, &[]);
    sandbox.wait_until_empty();
}

#[test]
fn by_default_only_loopback_is_served() {
    let sandbox = two_services();
    let network = Network::new();
    network.ada.start_avahi(&sandbox);
    let up = network.ada.portway(&sandbox, &["up", "--detach"]).success();
    assert!(!up.stderr().contains("warning: "), "{}", up.stderr());
    let local = format!("http://127.0.0.1:{}/", sandbox.port(0));
    fetch(&network.ada, &sandbox, &local).unwrap();
    for machine in [&network.ada, &network.bob] {
        let url = format!("http://{}:{}/", network.ada.address, sandbox.port(0));
        assert_eq!(fetch(machine, &sandbox, &url), None);
    }
    // Avahi on the same machine would see an announcement immediately.
    network.ada.until_seen(&sandbox, &[]);
    let status = network.ada.portway(&sandbox, &["ps", "--json"]).json();
    assert_eq!(status[0].get("lan"), None);
    network
        .ada
        .portway(&sandbox, &["up", "--detach", "--lan", "--json"])
        .code(2)
        .error("usage")
        .hints("`portway down`");
}

#[test]
fn two_machines_with_the_same_name_are_both_announced() {
    let (sandbox, other) = (two_services(), two_services());
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    // Concurrently, so that neither is first.
    let up = |machine: &Machine, sandbox: &Sandbox| {
        let mut up = machine.command(sandbox, env!("CARGO_BIN_EXE_portway"));
        up.args(["up", "--lan", "backend"]);
        RunningCommand::start(up)
    };
    let mut running = [up(ada, &sandbox), up(bob, &other)];
    let seen = bob.until_seen(&sandbox, &["backend · jobi", "backend · jobi (2)"]);
    wait_until("the new name is reported where it was changed", || {
        running.iter_mut().any(|up| {
            let printed = up.output();
            let has = |name: &str| printed.contains(name);
            has("warning: ") && has("`backend · jobi`") && has("`backend · jobi (2)`")
        })
    });
    let mut ports: Vec<u16> = seen.iter().map(|one| one.port).collect();
    ports.sort_unstable();
    let mut expected = [sandbox.port(0), other.port(0)];
    expected.sort_unstable();
    assert_eq!(ports, expected);
    for one in &seen {
        let own = one.port == sandbox.port(0);
        let machine = if own { ada } else { bob };
        assert_eq!(one.address, machine.address, "{one:?}");
        assert_eq!(
            one.host,
            if own {
                "jobi-ada.local"
            } else {
                "jobi-bob.local"
            }
        );
    }
    // Each withdraws its own service by its current name.
    ada.portway(&sandbox, &["down"]).success();
    let [left] = &bob.until_count(&sandbox, 1)[..] else {
        panic!("one service is left");
    };
    assert_eq!(left.port, other.port(0));
    bob.portway(&other, &["down"]).success();
    bob.until_seen(&sandbox, &[]);
}

/// The process of the sandbox that runs this hidden command.
fn hidden(sandbox: &Sandbox, command: &str) -> Option<u32> {
    let processes = sandbox.processes();
    let mut found = processes.iter().filter(|(_, line)| line.contains(command));
    found.next().map(|(pid, _)| *pid)
}

#[test]
fn a_killed_supervisor_is_withdrawn() {
    let sandbox = two_services();
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    ada.portway(&sandbox, &["up", "--detach", "--lan"])
        .success();
    bob.until_seen(&sandbox, &["backend · jobi", "frontend · jobi"]);
    kill(hidden(&sandbox, "__supervise").unwrap());
    // The timeout is shorter than the lifetime of the records, which is at least two minutes.
    bob.until_seen(&sandbox, &[]);
    sandbox.wait_until_empty();
}

#[test]
fn a_killed_announcer_is_replaced() {
    let sandbox = two_services();
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    ada.portway(&sandbox, &["up", "--detach", "--lan", "backend"])
        .success();
    bob.until_seen(&sandbox, &["backend · jobi"]);
    let first = hidden(&sandbox, "__mdns-announcer").unwrap();
    kill(first);
    wait_until("another announcer runs", || {
        hidden(&sandbox, "__mdns-announcer").is_some_and(|pid| pid != first)
    });
    bob.until_seen(&sandbox, &["backend · jobi"]);
    ada.portway(&sandbox, &["down"]).success();
    bob.until_seen(&sandbox, &[]);
    sandbox.wait_until_empty();
}

#[test]
fn a_restart_keeps_the_announcement_and_a_stop_withdraws_it() {
    // The restart takes longer than one second, for which Avahi keeps withdrawn records.
    let slow = TWO_SERVICES.replacen("serve {port}", "serve {port} --delay 2500", 1);
    let sandbox = Sandbox::new().manifest(&slow);
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    ada.portway(&sandbox, &["up", "--detach", "--lan"])
        .success();
    bob.until_seen(&sandbox, &["backend · jobi", "frontend · jobi"]);
    let mut watch = bob.command(&sandbox, "avahi-browse");
    watch.args(["--parsable", "--no-db-lookup", "_http._tcp"]);
    let mut watch = RunningCommand::start(watch);
    watch.wait_for_output("+;");
    let url = format!("http://{}:{}/", ada.address, sandbox.port(0));
    let before = fetch(bob, &sandbox, &url).unwrap();
    ada.portway(&sandbox, &["restart", "backend"]).success();
    wait_until("the new process answers", || {
        fetch(bob, &sandbox, &url).is_some_and(|pid| pid != before)
    });
    ada.portway(&sandbox, &["down", "frontend"]).success();
    let gone = watch.wait_for_output("-;");
    assert!(!gone.contains("-;lan0;IPv4;backend"), "{gone}");
    bob.until_seen(&sandbox, &["backend · jobi"]);
    ada.portway(&sandbox, &["up", "--detach", "frontend"])
        .success();
    bob.until_seen(&sandbox, &["backend · jobi", "frontend · jobi"]);
}

#[test]
fn a_new_address_replaces_the_old_one() {
    let sandbox = two_services();
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    ada.portway(&sandbox, &["up", "--detach", "--lan", "backend"])
        .success();
    bob.until_seen(&sandbox, &["backend · jobi"]);
    let new = "192.168.77.9";
    ada.set_address(new);
    wait_until("the new address is seen", || {
        bob.browse(&sandbox).iter().any(|one| one.address == new)
    });
    let url = format!("http://{new}:{}/", sandbox.port(0));
    fetch(bob, &sandbox, &url).unwrap();
    let status = ada.portway(&sandbox, &["ps", "--json"]).success().json();
    let urls = &status[0]["services"][0]["lan_urls"];
    assert_eq!(*urls, serde_json::json!([url.trim_end_matches('/')]));
}

#[test]
fn a_service_on_every_address_is_announced() {
    let sandbox = Sandbox::new().manifest(
        "lan = true\n[project]\nname = \"jobi\"\n[services.backend]\n\
         command = \"%service serve {port} --host 0.0.0.0\"\nport = \"%0-%9\"",
    );
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    ada.portway(&sandbox, &["up", "--detach"])
        .success()
        .stderr_has("warning: ")
        .stderr_has("http://192.168.77.1:");
    let seen = bob.until_seen(&sandbox, &["backend · jobi"]);
    let url = format!("http://{}:{}/", seen[0].address, seen[0].port);
    fetch(bob, &sandbox, &url).unwrap();
    ada.portway(&sandbox, &["down"]).success();
    ada.portway(&sandbox, &["up", "--detach", "--no-lan"])
        .success();
    bob.until_seen(&sandbox, &[]);
}

#[test]
fn freeing_a_port_includes_the_listeners_for_the_network() {
    let sandbox = two_services();
    let network = Network::new();
    let ada = &network.ada;
    ada.portway(&sandbox, &["up", "--detach", "--lan"])
        .success();
    let port = sandbox.port(0).to_string();
    let who = ada
        .portway(&sandbox, &["who", "--json", &port])
        .success()
        .json();
    let holders = who[0]["holders"].as_array().unwrap();
    assert_eq!(holders.len(), 2, "{who}");
    for holder in holders {
        assert_eq!(holder["service"]["service"], "backend", "{holder}");
    }
    ada.portway(&sandbox, &["free", "--yes", &port]).success();
    let status = ada.portway(&sandbox, &["ps", "--json"]).success().json();
    assert_eq!(status[0]["services"][0]["state"], "stopped");
    assert_eq!(status[0]["services"][1]["state"], "ready");
    let url = format!("http://{}:{port}/", ada.address);
    assert_eq!(fetch(ada, &sandbox, &url), None);
    ada.portway(&sandbox, &["up", "--detach"]).success();
    fetch(ada, &sandbox, &url).unwrap();
}

#[test]
fn the_announcement_follows_a_service_that_moves() {
    let manifest = TWO_SERVICES.replacen("serve {port}", "serve {port} --rebind", 1);
    let sandbox = Sandbox::new().manifest(&manifest);
    let network = Network::new();
    let (ada, bob) = (&network.ada, &network.bob);
    bob.start_avahi(&sandbox);
    ada.portway(&sandbox, &["up", "--detach", "--lan", "backend"])
        .success();
    bob.until_seen(&sandbox, &["backend · jobi"]);
    let mut other = ada.command(&sandbox, test_service());
    other.args(["grab", &sandbox.port(0).to_string()]);
    let mut other = RunningCommand::start(other);
    let rebind = format!("http://localhost:{}/rebind", sandbox.port(0));
    wait_until("the port is taken while the service binds it again", || {
        fetch(ada, &sandbox, &rebind);
        other.output().contains("grabbed")
    });
    wait_until("the service has moved and is announced there", || {
        let seen = bob.browse(&sandbox);
        seen.len() == 1 && seen[0].port != sandbox.port(0)
    });
    let status = ada.portway(&sandbox, &["ps", "--json"]).success().json();
    let urls = &status[0]["services"][0]["lan_urls"];
    fetch(bob, &sandbox, urls[0].as_str().unwrap()).unwrap();
}
