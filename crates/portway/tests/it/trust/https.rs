//! HTTPS of the gateway, with a local CA.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{ca, gateway, portway, with_own_stores};
use crate::sandbox::{Sandbox, http_get, two_services};
use crate::transcript::Transcript;

#[test]
fn rejects_a_damaged_or_readable_ca() {
    let sandbox = Sandbox::new();
    let arguments = ["gateway", "--port", "0", "--tls-port", "0"];
    sandbox
        .fails(&arguments, 6, "nothing_there")
        .hints("`portway trust`");
    portway(&sandbox, &["trust", "--yes"]).success();
    let key = ca(&sandbox).join("intermediate.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let mut transcript = Transcript::default();
    let start = || sandbox.fails(&arguments, 1, "state");
    transcript.run(&sandbox, "a key that others can read", &arguments);
    start().mentions("intermediate.key").hints("chmod");
    let doctor = || sandbox.run(&["doctor", "--json"]).json()["findings"].to_string();
    let findings = doctor();
    assert!(
        findings.contains("local_ca") && findings.contains("chmod"),
        "{findings}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "").unwrap();
    transcript.run(&sandbox, "an empty key", &arguments);
    start().mentions("intermediate.key").hints("--undo");
    fs::remove_file(ca(&sandbox).join("root.pem")).unwrap();
    transcript.run(&sandbox, "no root", &arguments);
    transcript.assert("local-ca");
    start().mentions("root.pem").hints("--undo");
    portway(&sandbox, &["trust"]).code(1).stderr_has("--undo");
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert!(!doctor().contains("local_ca"));
}

#[test]
fn the_https_port_can_be_preferred() {
    let sandbox = Sandbox::new();
    let tls = sandbox.port(38).to_string();
    let gateway = |act: &[&str]| {
        let mut command = sandbox.portway(&[&["gateway", "--json"][..], act].concat());
        command.env("PORTWAY_GATEWAY_TLS_PORT", &tls);
        let status = sandbox.run_command(command).success().json();
        sandbox.run(&["gateway", "stop"]).success();
        status["tls_port"].clone()
    };
    let start = ["--detach", "--port", "0"];
    assert!(gateway(&start).is_null());
    portway(&sandbox, &["trust", "--yes"]).success();
    assert_eq!(gateway(&start), sandbox.port(38));
    let other = sandbox.port(37).to_string();
    let start = [&start[..], &["--tls-port", &other]].concat();
    assert_eq!(gateway(&start), sandbox.port(37));
}

#[test]
fn names_use_https_and_http_stays_available() {
    let sandbox = two_services();
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let (port, tls) = (sandbox.port(39), sandbox.port(38));
    let url = format!("https://jobi.localhost:{tls}");
    let printed = sandbox
        .run(&["url", "--name", "frontend"])
        .success()
        .stdout();
    assert_eq!(printed.trim(), url);
    sandbox.run(&["ps"]).success().stdout_has(&url);
    let pid = http_get(sandbox.port(10), "/").unwrap();
    let curl = |options: &[&str], url: &str| {
        let mut command = sandbox.command("curl");
        command
            .args(["-sS", "-w", " %{http_version}"])
            .args(options);
        command.arg(url);
        sandbox.run_command(command)
    };
    let root = ca(&sandbox).join("root.pem");
    let cacert = ["--cacert", root.to_str().unwrap()];
    assert_eq!(curl(&cacert, &url).success().stdout(), format!("{pid} 2"));
    let first = [&cacert[..], &["--http1.1"]].concat();
    assert_eq!(curl(&first, &url).success().stdout(), format!("{pid} 1.1"));
    // A client without the CA rejects the certificate; an unknown name gets none.
    curl(&[], &url).code(60);
    curl(&cacert, &format!("https://other.localhost:{tls}")).code(35);
    let plain = format!("http://jobi.localhost:{port}");
    assert_eq!(curl(&[], &plain).success().stdout(), format!("{pid} 1.1"));
    // A client that uses the system's store.
    let by_system = sandbox.run_command(with_own_stores(&sandbox, &["curl", "-sS", &url]));
    assert_eq!(by_system.success().stdout(), pid);
}

#[test]
fn services_and_commands_trust_the_ca() {
    let sandbox = two_services();
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let env = sandbox.run(&["env", "--json"]).success().json();
    for (name, file) in [
        ("NODE_EXTRA_CA_CERTS", "root.pem"),
        ("DENO_CERT", "root.pem"),
        ("SSL_CERT_FILE", "bundle.pem"),
        ("REQUESTS_CA_BUNDLE", "bundle.pem"),
    ] {
        let file = ca(&sandbox).join(file);
        let path = format!("/env/{name}");
        assert_eq!(env[name], file.to_str().unwrap(), "{name}");
        assert_eq!(http_get(sandbox.port(0), &path).as_deref(), file.to_str());
    }
    // These programs resolve names through `/etc/hosts`.
    let hosts = sandbox.path("hosts");
    fs::write(&hosts, "127.0.0.1 localhost jobi.localhost\n").unwrap();
    let url = format!("https://jobi.localhost:{}", sandbox.port(38));
    let pid = http_get(sandbox.port(10), "/").unwrap();
    let portway = env!("CARGO_BIN_EXE_portway");
    let named = |arguments: &[&str]| {
        let mut command = sandbox.command("unshare");
        let bind = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        command.args(["--map-root-user", "--mount", "sh", "-c", bind]);
        command.arg(&hosts).args(arguments);
        sandbox.run_command(command)
    };
    let node = format!("fetch('{url}').then(r => r.text()).then(t => console.log(t))");
    let node = ["node", "-e", &node];
    let python = format!("import urllib.request as r; print(r.urlopen('{url}').read().decode())");
    let python = ["python3", "-c", &python];
    for program in [node, python] {
        let with_wiring = [&[portway, "exec", "--"][..], &program].concat();
        assert_eq!(named(&with_wiring).success().stdout().trim(), pid);
        named(&program).code(1);
    }
}
