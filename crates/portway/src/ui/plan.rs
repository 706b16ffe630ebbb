//! What there is to start, in words.

use portway_api::{PortPreference, ProjectPlan, ServicePlan};

use portway_detect::Detection;

use super::sanitize::one_line;
use super::{BOLD, DIM, out, styled, talk, warning};

/// What was found in place of a manifest, in one line.
pub(crate) fn found(detection: &Detection) {
    for skipped in &detection.skipped {
        passed_over(&skipped.file, &skipped.why);
    }
    let services: Vec<String> = detection
        .services
        .iter()
        .map(|service| format!("{} ({})", service.name, service.framework))
        .collect();
    talk(&format!(
        "found {}; `portway plan` tells why\n",
        services.join(", ")
    ));
}

fn passed_over(file: &str, why: &str) {
    let file = one_line(file);
    warning(&format!("`{file}` was passed over: it {}", one_line(why)));
}

/// A project's services, each with its command, its port and what tells of it.
pub(crate) fn project_plan(plan: &ProjectPlan) -> bool {
    for skipped in &plan.skipped {
        let file = one_line(&skipped.file);
        warning(&format!(
            "`{file}` was passed over: it {}",
            one_line(&skipped.why)
        ));
    }
    let from = match &plan.manifest {
        Some(file) => format!("as {} has it", one_line(file)),
        None => format!("as found in {}", one_line(&plan.directory)),
    };
    let mut text = format!("{}, {from}\n", styled(BOLD, &one_line(&plan.project)));
    for service in &plan.services {
        text.push('\n');
        text.push_str(&service_plan(service));
    }
    if plan.manifest.is_none() {
        text.push_str("\n`portway init` writes this as `portway.toml`, to be changed by hand\n");
    }
    out(&text)
}

fn service_plan(service: &ServicePlan) -> String {
    let mut title = styled(BOLD, &service.name);
    if let Some(framework) = &service.framework {
        title.push_str(&format!("  {framework}"));
    }
    if !service.dir.is_empty() {
        title.push_str(&format!("  in {}", one_line(&service.dir)));
    }
    if service.optional {
        title.push_str("  optional: takes part after `up --with ");
        title.push_str(&format!("{}`", service.name));
    }
    let mut lines = vec![title];
    let mut line = |key: &str, value: &str| {
        lines.push(format!("  {key:<9}{value}"));
    };
    line("starts", &one_line(&service.command));
    if let Some(prepare) = &service.prepare {
        line("prepares", &one_line(prepare));
    }
    for port in &service.ports {
        line("port", &wish(port));
    }
    if !service.after.is_empty() {
        line("after", &service.after.join(", "));
    }
    for (index, sentence) in service.evidence.iter().enumerate() {
        let key = if index == 0 { "because" } else { "" };
        line(key, &styled(DIM, &one_line(sentence)));
    }
    lines.join("\n") + "\n"
}

/// "9000, else the next free one up to 9099".
fn wish(port: &PortPreference) -> String {
    let name = port.name.as_ref().map(|name| format!("{name}: "));
    let name = name.unwrap_or_default();
    if port.range == port.prefer.to_string() {
        format!("{name}{} and no other", port.prefer)
    } else {
        format!("{name}{}, else a free one of {}", port.prefer, port.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_told_in_words() {
        let port = |name: Option<&str>, range: &str| PortPreference {
            name: name.map(str::to_owned),
            prefer: 9000,
            range: range.to_owned(),
        };
        assert_eq!(
            wish(&port(None, "9000-9099")),
            "9000, else a free one of 9000-9099"
        );
        assert_eq!(wish(&port(Some("http"), "9000")), "http: 9000 and no other");
    }
}
