//! `portway trust`, with the stores of the system replaced in a mount namespace.

mod browsers;
mod https;
mod stores;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{CommandOutput, RunningCommand, Sandbox};

/// A script that mounts directories of the sandbox over the stores of the system, then runs its
/// arguments. It runs nothing when a mount fails.
const WITH_OWN_STORES: &str = r#"
    set -e
    mkdir -p "$HOME/anchors" "$HOME/certs"
    [ -e "$HOME/certs/ca-certificates.crt" ] || cp -a /etc/ssl/certs/. "$HOME/certs"
    mount --bind "$HOME/anchors" /usr/local/share/ca-certificates
    mount --bind "$HOME/certs" /etc/ssl/certs
    exec "$@"
"#;

/// A command that reads and changes stores of the sandbox instead of those of the system.
fn with_own_stores(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.command("unshare");
    command.args([
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        WITH_OWN_STORES,
        "sh",
    ]);
    command.args(arguments);
    command
}

/// Runs Portway with its own stores.
fn portway(sandbox: &Sandbox, arguments: &[&str]) -> CommandOutput {
    let program = [env!("CARGO_BIN_EXE_portway")];
    let command: Vec<&str> = program
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    sandbox.run_command(with_own_stores(sandbox, &command))
}

/// Runs Portway with its own stores as a user who is not root.
fn portway_as_user(sandbox: &Sandbox, arguments: &[&str]) -> CommandOutput {
    let user = ["unshare", "--user", "--map-user=1000"];
    let program = [env!("CARGO_BIN_EXE_portway")];
    let command: Vec<&str> = user
        .into_iter()
        .chain(program)
        .chain(arguments.iter().copied())
        .collect();
    sandbox.run_command(with_own_stores(sandbox, &command))
}

/// Adds the databases of a Chromium and a Firefox to a sandbox.
fn with_browsers(sandbox: Sandbox) -> Sandbox {
    for dir in databases(&sandbox) {
        database(&sandbox, &dir, &["--empty-password"]);
    }
    sandbox
}

/// Creates the certificate database of a browser.
fn database(sandbox: &Sandbox, dir: &Path, options: &[&str]) {
    fs::create_dir_all(dir).unwrap();
    let mut command = sandbox.command("certutil");
    command.args(["-N", "-d", &format!("sql:{}", dir.display())]);
    command.args(options);
    sandbox.run_command(command).success();
}

/// The directories of the databases of Chromium and Firefox.
fn databases(sandbox: &Sandbox) -> [PathBuf; 2] {
    [".pki/nssdb", ".mozilla/firefox/x.default-release"].map(|dir| sandbox.path("home").join(dir))
}

/// The certificates of Portway that the browsers trust: names and flags.
fn browsers_trust(sandbox: &Sandbox) -> Vec<String> {
    let lists = databases(sandbox).map(|dir| {
        let mut command = sandbox.command("certutil");
        command.args(["-L", "-d", &format!("sql:{}", dir.display())]);
        sandbox.run_command(command).success().stdout()
    });
    let lines = lists.iter().flat_map(|list| list.lines());
    lines
        .filter(|line| line.contains("Portway"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The files of Portway in a directory of the sandbox's home.
fn portway_files(sandbox: &Sandbox, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path("home").join(dir)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("ortway")).collect();
    names.sort();
    names
}

/// The directory of the local CA.
fn ca(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("gateway/ca")
}

/// Starts a gateway on the sandbox's last port, with HTTPS on the one before.
fn gateway(sandbox: &Sandbox) -> RunningCommand {
    let (port, tls) = (sandbox.port(39).to_string(), sandbox.port(38).to_string());
    let ports = ["--port", &port, "--tls-port", &tls];
    let mut gateway = sandbox.spawn(&[&["gateway", "--json"], &ports[..]].concat());
    gateway.wait_for_output("\"tls_port\"");
    gateway
}

/// The first word of each store, and its state.
fn states(report: &serde_json::Value) -> Vec<(String, String)> {
    let steps = report["steps"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    steps
        .map(|step| {
            let store = text(&step["store"]);
            let store = store.split(' ').next().unwrap().to_owned();
            (store, text(&step["state"]))
        })
        .collect()
}

/// Every store in the same state, as [`states`] returns it.
fn all(state: &str) -> Vec<(String, String)> {
    ["the", "Firefox", "Chromium-based"]
        .map(|store| (store.to_owned(), state.to_owned()))
        .into()
}
