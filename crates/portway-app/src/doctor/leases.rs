//! Checks for stale leases and leftover processes.

use portway_api::{Check, Finding, StaleProcess};
use portway_registry::CheckoutState;

use super::finding_builder::{FindingExt, fine, warning};
use crate::registry::Entry;

/// Evaluates the leases of the registry and the leftover processes.
pub(super) fn evaluate(entries: &[Entry], left: &[StaleProcess]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut kept = 0;
    for (instance, leases, liveness) in entries {
        if *liveness != CheckoutState::Missing {
            kept += leases.len();
            continue;
        }
        let ports: Vec<String> = leases.iter().map(|lease| lease.port.to_string()).collect();
        if ports.is_empty() {
            continue;
        }
        let plural = if ports.len() == 1 { "port" } else { "ports" };
        let message = format!(
            "has leases of {plural} {}, but its directory {} was deleted",
            ports.join(", "),
            instance.dir.display()
        );
        let repair = "release them";
        let finding = warning(Check::Lease, &instance.name, message, repair);
        findings.push(finding.command("portway prune").fixable(true));
    }
    for one in left {
        let owner = one.instance.as_deref().unwrap_or(&one.id);
        let message = format!(
            "left a process running: `{}` (pid {}), started for `{}`",
            one.process.name, one.process.pid, one.service
        );
        let finding = warning(Check::Lease, owner, message, "stop it");
        findings.push(finding.command("portway prune"));
    }
    if findings.is_empty() {
        let message = match kept {
            0 => "no leases".to_owned(),
            1 => "1 lease; its directory exists".to_owned(),
            count => format!("{count} leases; all their directories exist"),
        };
        findings.push(fine(Check::Lease, "leases", message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use portway_api::{ProcessInfo, Severity};
    use portway_registry::{Instance, Lease};

    use super::*;

    fn entry(liveness: CheckoutState, ports: &[u16]) -> Entry {
        let instance = Instance {
            id: "1".into(),
            dir: "/p/old".into(),
            project: "jobi".into(),
            name: "old.jobi".into(),
            branch: None,
            is_main: false,
            options: vec![],
            gateway: None,
            last_used: 1,
            identity: None,
        };
        let leases = ports.iter().map(|port| Lease {
            port: *port,
            instance: "1".into(),
            service: format!("s{port}"),
            name: String::new(),
            forced_port: None,
            yielded_port: None,
            last_used: 1,
        });
        (instance, leases.collect(), liveness)
    }

    #[test]
    fn reports_stale_leases_and_processes_only() {
        let fine = evaluate(
            &[
                entry(CheckoutState::Stopped, &[1, 2]),
                entry(CheckoutState::Missing, &[]),
            ],
            &[],
        );
        assert_eq!(fine[0].severity, Severity::Fine);
        assert_eq!(fine[0].message, "2 leases; all their directories exist");
        let gone = evaluate(&[entry(CheckoutState::Missing, &[1, 2])], &[]);
        assert_eq!(
            (gone[0].severity, gone[0].fixable),
            (Severity::Warning, true)
        );
        assert!(gone[0].message.starts_with("has leases of ports 1, 2"));
        let left = StaleProcess {
            process: ProcessInfo {
                pid: 7,
                name: "node".into(),
                command: "node".into(),
                directory: None,
                since: None,
            },
            id: "1".into(),
            instance: None,
            service: "web".into(),
        };
        // Processes are never stopped without a question.
        assert!(!evaluate(&[], &[left])[0].fixable);
    }
}
