//! `portway detect`: the chosen ports and `.ports.json`. Nothing is started.

use std::fs;
use std::net::TcpListener;

use crate::sandbox::{Sandbox, two_services};

#[test]
fn free_preferred_ports_are_chosen() {
    let sandbox = two_services();
    let ran = sandbox.run(&["detect"]).success();
    let expected = sandbox.expand(
        "SERVICE   PORT   URL\n\
         backend   %0  http://localhost:%0\n\
         frontend  %10  http://localhost:%10\n",
    );
    assert_eq!(ran.stdout(), expected);
    assert!(sandbox.processes().is_empty());
}

#[test]
fn the_file_has_exactly_four_keys() {
    let sandbox = two_services();
    sandbox.run(&["detect"]).success();
    let expected = sandbox.expand(
        "{\n  \"backend_port\": %0,\n  \"frontend_port\": %10,\n  \
         \"backend_url\": \"http://localhost:%0\",\n  \
         \"frontend_url\": \"http://localhost:%10\"\n}\n",
    );
    assert_eq!(sandbox.read(".ports.json"), expected);
    let files = fs::read_dir(sandbox.project()).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, [".git", ".ports.json", "portway.toml"]);
}

#[test]
fn keys_of_the_user_are_kept() {
    let sandbox = two_services().file(".ports.json", "{\"mine\": {\"a\": [1]}, \"team\": \"x\"}");
    sandbox.run(&["detect"]).success();
    let json = sandbox.ports_json();
    assert_eq!(json["mine"]["a"][0], 1);
    assert_eq!(json["team"], "x");
    assert_eq!(json["backend_port"], sandbox.port(0));
}

#[test]
fn the_next_free_port_is_chosen_and_the_other_process_named() {
    let sandbox = two_services();
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    let ran = sandbox.run(&["detect"]).success();
    let pid = format!("(pid {}", std::process::id());
    let ran = ran
        .stdout_has(&sandbox.port(0).to_string())
        .stdout_has(&pid);
    let json = sandbox.run(&["detect", "--json"]).success().json();
    let port = &json["services"][0]["ports"][0];
    assert_eq!(port["port"], sandbox.port(1));
    assert_eq!(port["displaced"]["wanted"], sandbox.port(0));
    assert_eq!(port["displaced"]["forced"], false);
    let holder = port["displaced"]["holder"].as_str().unwrap();
    assert!(holder.contains(&pid), "{holder}");
    assert!(ran.stdout().contains(&sandbox.port(1).to_string()));
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(1));
}

#[test]
fn listeners_on_any_loopback_address_count() {
    for address in ["127.0.0.1", "::1", "0.0.0.0", "::", "127.0.0.2"] {
        let sandbox = two_services();
        let _other = TcpListener::bind((address, sandbox.port(0))).unwrap();
        sandbox.run(&["detect"]).success();
        assert_eq!(
            sandbox.ports_json()["backend_port"],
            sandbox.port(1),
            "{address}"
        );
    }
}

#[test]
fn returns_to_the_preferred_port_when_it_is_free_again() {
    let sandbox = two_services();
    let other = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox.run(&["detect"]).success();
    drop(other);
    sandbox.run(&["detect"]).success();
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(0));
}

#[test]
fn a_full_range_is_an_error() {
    let sandbox = Sandbox::new()
        .manifest("[services.backend]\ncommand = \"x {port}\"\nport = \"%0-%2\"")
        .file(".ports.json", "{\"mine\": 1}");
    let _others: Vec<_> = (0..3)
        .map(|index| TcpListener::bind(("127.0.0.1", sandbox.port(index))).unwrap())
        .collect();
    let range = sandbox.expand("%0-%2");
    let ran = sandbox.run(&["detect"]).code(4).stderr_has(&range);
    assert_eq!(ran.stdout(), "");
    sandbox
        .fails(&["detect"], 4, "range_full")
        .names("backend")
        .mentions(&range)
        .hints(&format!("(pid {}", std::process::id()))
        .hints("`[services.backend]`");
    // The file is not changed.
    assert_eq!(sandbox.read(".ports.json"), "{\"mine\": 1}");
}

#[test]
#[cfg(unix)]
fn git_ignores_the_ports_file_without_a_tracked_change() {
    let sandbox = two_services();
    let project = sandbox.project().to_owned();
    sandbox.git(&project, &["init", "-q"]);
    sandbox.git(&project, &["add", "portway.toml"]);
    sandbox.git(&project, &["commit", "-qm", "x"]);
    for _ in 0..2 {
        sandbox.run(&["detect"]).success();
    }
    let mut status = sandbox.command("git");
    status.args(["status", "--porcelain"]);
    assert_eq!(sandbox.run_command(status).success().stdout(), "");
    let exclude = sandbox.read(".git/info/exclude");
    assert_eq!(exclude.matches(".ports.json").count(), 1);
}

#[test]
fn the_project_is_found_from_a_subdirectory() {
    let mut sandbox = two_services().file("src/deep/x", "");
    let root = sandbox.project().to_owned();
    sandbox.set_project(root.join("src/deep"));
    sandbox.run(&["detect"]).success();
    assert!(root.join(".ports.json").exists());
}

#[test]
fn a_missing_manifest_is_an_error_with_a_hint() {
    let sandbox = Sandbox::new();
    sandbox
        .fails(&["detect"], 2, "no_manifest")
        .names("portway.toml")
        .hints("portway init");
}

#[test]
fn an_error_in_the_manifest_shows_its_place() {
    let sandbox = Sandbox::new().manifest("[services.backend]\ncomand = \"x\"\n");
    sandbox
        .run(&["detect"])
        .code(2)
        .stderr_has("`comand`")
        .stderr_has("portway.toml:2:1")
        .stderr_has("`command`");
    sandbox
        .fails(&["detect"], 2, "manifest_invalid")
        .at("portway.toml:2:1")
        .names("comand")
        .hints("`command`");
    assert!(
        !sandbox.state().exists(),
        "an invalid manifest writes no state"
    );
}

#[test]
fn a_sibling_on_the_preferred_port_is_named() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"x\"\nport = { prefer = %0, range = \"%0-%9\" }\n\
         [services.b]\ncommand = \"x\"\nport = { prefer = %0, range = \"%0-%9\" }",
    );
    let json = sandbox.run(&["detect", "--json"]).success().json();
    let displaced = &json["services"][1]["ports"][0]["displaced"];
    assert_eq!(displaced["wanted"], sandbox.port(0));
    let holder = displaced["holder"].as_str().unwrap();
    assert!(holder.contains("`a`"), "{holder}");
}

#[cfg(unix)]
#[test]
fn a_delayed_detect_does_not_overwrite_the_ports_of_a_running_instance() {
    let sandbox = two_services();
    sandbox.run(&["detect"]).success();
    let writing = || {
        let files = fs::read_dir(sandbox.project()).unwrap().flatten();
        let mut names = files.map(|file| file.file_name().into_string().unwrap());
        names.any(|name| name.starts_with(".ports.json.portway-"))
    };
    // Stop `detect` between choosing its ports and writing them.
    let mut detect = loop {
        fs::remove_file(sandbox.project().join(".ports.json")).unwrap();
        let mut detect = sandbox.spawn(&["detect"]);
        while !writing() && !detect.output().contains("frontend") {}
        detect.signal(rustix::process::Signal::STOP);
        if writing() {
            break detect;
        }
        detect.signal(rustix::process::Signal::CONT);
        detect.wait();
    };
    // Another process takes its port, so `up` chooses another one.
    let first = ("127.0.0.1", sandbox.port(0));
    let other = TcpListener::bind(first).unwrap();
    sandbox.run(&["up", "--detach"]).success();
    drop(other);
    detect.signal(rustix::process::Signal::CONT);
    assert_eq!(detect.wait(), 0);
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(1));
}
