//! Leases without an owner, and processes that an instance has left behind.

use portway_api::{Check, Finding, StaleProcess};
use portway_registry::CheckoutState;

use super::note::{Further, fine, warning};
use crate::registry::Entry;

/// Judges what the registry keeps and what was found running.
pub(super) fn judge(entries: &[Entry], left: &[StaleProcess]) -> Vec<Finding> {
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
            "keeps {plural} {}, and its directory {} is gone",
            ports.join(", "),
            instance.dir.display()
        );
        let repair = "drop what is kept for it";
        let finding = warning(Check::Lease, &instance.name, message, repair);
        findings.push(finding.command("portway prune").fixable(true));
    }
    for one in left {
        let owner = one.instance.as_deref().unwrap_or(&one.id);
        let message = format!(
            "left a process behind: `{}` (pid {}), started for `{}`",
            one.process.name, one.process.pid, one.service
        );
        let finding = warning(Check::Lease, owner, message, "end it");
        findings.push(finding.command("portway prune"));
    }
    if findings.is_empty() {
        let message = match kept {
            0 => "there are none".to_owned(),
            1 => "there is one, and it has an owner".to_owned(),
            count => format!("there are {count}, each with an owner"),
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
        };
        let leases = ports.iter().map(|port| Lease {
            port: *port,
            instance: "1".into(),
            service: format!("s{port}"),
            name: String::new(),
            forced_port: None,
            last_used: 1,
        });
        (instance, leases.collect(), liveness)
    }

    #[test]
    fn only_what_has_no_owner_is_told() {
        let fine = judge(
            &[
                entry(CheckoutState::Stopped, &[1, 2]),
                entry(CheckoutState::Missing, &[]),
            ],
            &[],
        );
        assert_eq!(fine[0].severity, Severity::Fine);
        assert_eq!(fine[0].message, "there are 2, each with an owner");
        let gone = judge(&[entry(CheckoutState::Missing, &[1, 2])], &[]);
        assert_eq!(
            (gone[0].severity, gone[0].fixable),
            (Severity::Warning, true)
        );
        assert!(gone[0].message.starts_with("keeps ports 1, 2, and"));
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
        // Nothing is ended unasked.
        assert!(!judge(&[], &[left])[0].fixable);
    }
}
