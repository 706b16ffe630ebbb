//! Programs inside that want a number on which a program of the machine was reachable.

use std::net::TcpListener;

use crate::sandbox::{Sandbox, http_get, wait_until};
use crate::servers::ShellServer;

/// A service that wants the twentieth port of the sandbox, which its manifest does not say. It starts after the
/// ports of the machine have become reachable inside.
fn wants_another_port(command: &str) -> Sandbox {
    Sandbox::new().manifest(&format!(
        "isolation = \"network\"\n\
         [services.first]\ncommand = \"%service serve {{port}}\"\n\
         port = {{ range = \"%10-%19\", usual = 4000 }}\n\
         [services.api]\ncommand = \"{command}\"\nafter = [\"first\"]\n\
         port = {{ range = \"%0-%9\", usual = 5000 }}\n"
    ))
}

fn fetch(sandbox: &Sandbox, port: u16) -> String {
    let url = format!("http://127.0.0.1:{port}/");
    let exec = sandbox.run(&["exec", "--", "curl", "-sS", &url]);
    exec.success().stdout()
}

#[test]
fn a_port_that_a_program_names_is_its_own() {
    let sandbox = wants_another_port("%service serve %20");
    let number = sandbox.port(20);
    let other = TcpListener::bind(("127.0.0.1", number)).unwrap();
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let api = &status["services"][1];
    assert_eq!(api["ports"][0]["inner"], number);
    let pid = api["pid"].to_string();
    assert_eq!(http_get(sandbox.port(0), "/").unwrap(), pid);
    assert_eq!(fetch(&sandbox, number), pid);
    let log = sandbox.portway_log("api").join("\n");
    assert!(log.contains(&format!("needs port {number}")), "{log}");
    assert_eq!(api["restarts"], 0);
    drop(other);
}

#[test]
fn a_program_that_names_no_port_starts_while_none_of_the_machine_is_reachable() {
    let sandbox = wants_another_port("python3 -m http.server --bind 127.0.0.1 %20");
    let other = TcpListener::bind(("127.0.0.1", sandbox.port(20))).unwrap();
    let machine = ShellServer::start(&sandbox, "serve %21");
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(status["services"][1]["ports"][0]["inner"], sandbox.port(20));
    let log = sandbox.portway_log("api").join("\n");
    assert!(log.contains("reports an address in use"), "{log}");
    // Other programs of the machine are reachable again.
    wait_until("the other program is reachable", || {
        let url = format!("http://127.0.0.1:{}/", sandbox.port(21));
        let exec = sandbox.portway(&["exec", "--", "curl", "-sS", &url]);
        sandbox.run_command(exec).exit_code() == 0
    });
    drop((other, machine));
}
