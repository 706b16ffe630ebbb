//! What the doctor reports. Further findings are recorded where they are provoked.

use crate::sandbox::{Sandbox, two_services};
use crate::transcript::Transcript;

#[test]
fn a_checkout_without_trouble() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    // The machine's own limits and disk are not the same everywhere.
    let own = |sandbox: &Sandbox| {
        let report = sandbox.run(&["doctor", "--json"]).json();
        let findings = report["findings"].as_array().unwrap().clone();
        let own = findings
            .iter()
            .filter(|one| !["disk", "limits", "clock"].contains(&one["check"].as_str().unwrap()));
        own.map(|one| {
            let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            let mut line = format!(
                "{} {}: {}",
                text("severity"),
                text("subject"),
                text("message")
            );
            for key in ["repair", "command"] {
                if one[key].is_string() {
                    line.push_str(&format!("\n    {}", text(key)));
                }
            }
            line + "\n"
        })
        .collect::<String>()
    };
    transcript.text(&sandbox, "before the first start", &own(&sandbox));
    sandbox.run(&["up", "--detach"]).success();
    transcript.text(&sandbox, "while everything runs", &own(&sandbox));
    sandbox.run(&["down", "frontend"]).success();
    transcript.text(&sandbox, "while a service is stopped", &own(&sandbox));
    transcript.assert("doctor");
}
