//! Ports that Portway assigns only when they are required by number.

use std::fs;

use crate::invalid_input::directory_contents;
use crate::sandbox::Sandbox;

/// The first of these ports on which nothing listens.
pub fn free(ports: impl IntoIterator<Item = u16>) -> u16 {
    let is_free = |port: &u16| std::net::TcpListener::bind(("0.0.0.0", *port)).is_ok();
    let mut ports = ports.into_iter();
    ports.find(is_free).expect("one of these ports is free")
}

#[test]
fn a_port_that_browsers_block_is_assigned_only_by_number() {
    // Ports of X servers and IRC, which browsers block.
    let port = free([6000, 6566, 6665, 6666, 6668, 6669, 6697]);
    let manifest = |port: &str| format!("[services.a]\ncommand = \"x {{port}}\"\nport = {port}");
    for request in [port.to_string(), format!("\"{port}\"")] {
        let sandbox = Sandbox::new().manifest(&manifest(&request));
        let ran = sandbox.run(&["detect", "--json"]).success();
        let warning = &ran.json()["services"][0]["ports"][0]["warning"];
        assert!(warning.is_string(), "{warning}");
        let ran = ran.stderr_has("warning: ");
        assert!(ran.stderr().contains(&port.to_string()), "{}", ran.stderr());
        assert_eq!(sandbox.ports_json()["a_port"], port);
    }
    let sandbox = Sandbox::new().manifest(&manifest(&format!("\"{port}-{}\"", port + 30)));
    let ran = sandbox.run(&["detect", "--json"]).success();
    assert_eq!(ran.json()["services"][0]["ports"][0].get("warning"), None);
    assert_eq!(ran.stderr(), "");
    let assigned = sandbox.ports_json()["a_port"].as_u64().unwrap();
    assert!(
        (u64::from(port) + 1..=u64::from(port) + 30).contains(&assigned),
        "{assigned}"
    );
}

#[test]
fn a_privileged_port_is_rejected_or_assigned_with_a_warning() {
    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let start: u16 = start.trim().parse().unwrap();
    if start < 1000 {
        return;
    }
    let is_root = rustix::process::geteuid().is_root();
    // Only root can check whether such a port is free.
    let port = match is_root {
        true => free(820..start),
        false => 821,
    };
    let sandbox = Sandbox::new().manifest(&format!(
        "[services.a]\ncommand = \"x {{port}}\"\nport = \"{port}\""
    ));
    let before = directory_contents(sandbox.project());
    let mut command = match is_root {
        true => {
            let mut command = sandbox.command("setpriv");
            command.arg("--bounding-set=-net_bind_service");
            command.args([
                "--inh-caps=-net_bind_service",
                env!("CARGO_BIN_EXE_portway"),
            ]);
            command
        }
        false => sandbox.portway(&[]),
    };
    command.args(["detect", "--json"]);
    sandbox
        .command_fails(command, 4, "range_full")
        .mentions(port)
        .hints(&format!(
            "sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
        ));
    assert_eq!(directory_contents(sandbox.project()), before);
    if is_root {
        sandbox.run(&["detect"]).success().stderr_has("warning");
        assert_eq!(sandbox.ports_json()["a_port"], port);
    }
}
