//! What the doctor reports. Other tests record further findings where they cause them.

use crate::doctor::describe;
use crate::sandbox::{Sandbox, two_services};
use crate::transcript::Transcript;

#[test]
fn a_checkout_without_trouble() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    // The machine's limits and disk are not the same everywhere.
    let findings = |sandbox: &Sandbox| -> String {
        let report = sandbox.run(&["doctor", "--json"]).json();
        let findings = report["findings"].as_array().unwrap().iter();
        let machine = ["disk", "limits", "clock", "localhost"];
        findings
            .filter(|one| !machine.contains(&one["check"].as_str().unwrap()))
            .map(describe)
            .collect()
    };
    transcript.text(&sandbox, "before the first start", &findings(&sandbox));
    sandbox.run(&["up", "--detach"]).success();
    transcript.text(&sandbox, "while everything runs", &findings(&sandbox));
    sandbox.run(&["down", "frontend"]).success();
    transcript.text(&sandbox, "while a service is stopped", &findings(&sandbox));
    // Lines that start with a check mark differ between machines.
    let doctor = sandbox.run(&["doctor"]);
    let findings = doctor.stdout();
    let findings = findings.lines().filter(|line| !line.starts_with('✓'));
    let text = findings.collect::<Vec<_>>().join("\n") + "\n" + &doctor.stderr();
    transcript.text(&sandbox, "on a terminal", &text);
    transcript.assert("doctor");
}
