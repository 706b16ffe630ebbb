//! Tests the API with random requests that a property-based tool derives from the description.

use std::process::Command;

use crate::site::{GATEWAY_HOST, start_gateway, token};

/// The variable with the path of the tool, `st` of Schemathesis. `cargo xtask api` installs it.
const TOOL: &str = "PORTWAY_SCHEMATHESIS";

/// How many requests to send per operation and kind of input.
const EXAMPLES: &str = "40";

/// How the tool uses the API. Half of the requests are for an instance that exists.
const CONFIG: &str = r#"
[parameters]
id = ["jobi", "unknown"]

# The syntax of the regular expressions differs from that of the schema's format.
[[operations]]
include-path-regex = "/logs$"
checks.positive_data_acceptance.enabled = false
"#;

/// The operations do nothing here, so random requests are harmless.
#[test]
#[ignore = "needs Schemathesis, which `cargo xtask api` installs"]
fn responses_conform_to_the_description() {
    let tool = std::env::var_os(TOOL).expect("PORTWAY_SCHEMATHESIS is not set");
    let gateway = start_gateway();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("schemathesis.toml"), CONFIG).unwrap();
    let description = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/openapi.json");
    let port = gateway.address.port();
    let output = Command::new(tool)
        .args(["run", description, "--url"])
        .arg(format!("http://127.0.0.1:{port}"))
        .args(["-H", &format!("Host: {GATEWAY_HOST}:{port}")])
        .args(["-H", &format!("portway-token: {}", token(&gateway))])
        // Streams of events do not end.
        .args(["--exclude-path-regex", "/(events|follow)$"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", EXAMPLES, "--seed", "1"])
        // The token is checked in other tests.
        .args(["--exclude-checks", "ignored_auth"])
        .args(["--continue-on-failure", "--warnings", "off"])
        .args(["--request-timeout", "20"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
}
