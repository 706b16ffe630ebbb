//! Prints a project's plan and what was detected.

use indexmap::IndexMap;
use portway_api::{
    ExplainedVariable, IsolationPlan, MissingVariable, PortPreference, ProjectPlan, ServicePlan,
    VariablePlan,
};
use portway_detect::Detection;

use super::sanitize::one_line;
use super::{BOLD, DIM, message, out, styled, warning};

/// Reports the detected services in one line.
pub(crate) fn detected(detection: &Detection) {
    for skipped in &detection.skipped {
        skipped_file(&skipped.file, &skipped.why);
    }
    let fixed = detection.fixed_ports.iter().map(ToString::to_string);
    for text in detection.warnings.iter().cloned().chain(fixed) {
        warning(&one_line(&text));
    }
    let services: Vec<String> = detection
        .services
        .iter()
        .map(|service| format!("`{}` ({})", service.name, service.framework))
        .collect();
    message(&format!(
        "detected {}; run `portway plan` for details\n",
        services.join(", ")
    ));
}

fn skipped_file(file: &str, why: &str) {
    let file = one_line(file);
    warning(&format!("skipped `{file}`: it {}", one_line(why)));
}

/// Prints a project's services, each with its command, its ports and the evidence.
pub(crate) fn project_plan(plan: &ProjectPlan) -> bool {
    for skipped in &plan.skipped {
        skipped_file(&skipped.file, &skipped.why);
    }
    for text in &plan.warnings {
        warning(&one_line(text));
    }
    let from = match &plan.manifest {
        Some(file) => format!("from {}", one_line(file)),
        None => format!("detected in {}", one_line(&plan.directory)),
    };
    let mut text = format!("{}, {from}\n", styled(BOLD, &one_line(&plan.project)));
    if let Some(isolation) = &plan.isolation {
        text.push_str(&isolation_lines(isolation));
    }
    for service in &plan.services {
        text.push('\n');
        text.push_str(&service_plan(service));
    }
    for (index, passed_over) in plan.passed_over.iter().enumerate() {
        if index == 0 {
            text.push_str("\npassed over\n");
        }
        let sentence = format!("{} {}", passed_over.file, passed_over.why);
        text.push_str(&format!("  {}\n", styled(DIM, &one_line(&sentence))));
    }
    if plan.manifest.is_none() {
        text.push_str("\nrun `portway init` to write this to `portway.toml` and edit it\n");
    }
    out(&text)
}

/// Describes the network of the checkout.
fn isolation_lines(plan: &IsolationPlan) -> String {
    if plan.obstacles.is_empty() {
        let reason = plan.reason.iter();
        let reason: String = reason
            .map(|reason| format!("  {}\n", one_line(reason)))
            .collect();
        return format!("a network of its own: each service uses its usual port there\n{reason}");
    }
    let mut text =
        "no network of its own, so each service gets a port of this machine\n".to_owned();
    for obstacle in &plan.obstacles {
        text.push_str(&format!("  {}\n", one_line(&obstacle.cause)));
        text.push_str(&format!("  help: {}\n", one_line(&obstacle.help)));
    }
    text
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
        title.push_str("  optional: enable it with `portway up --with ");
        title.push_str(&format!("{}`", service.name));
    }
    let mut lines = vec![title];
    let mut line = |key: &str, value: &str| {
        lines.push(format!("  {key:<9}{value}"));
    };
    line("command", &one_line(&service.command));
    if let Some(database) = &service.only_if_empty {
        let condition = format!("only if `{}` has no tables", one_line(database));
        line("runs", &condition);
    }
    if let Some(prepare) = &service.prepare {
        line("prepare", &one_line(prepare));
    }
    for port in &service.ports {
        line("port", &port_choice(port));
    }
    if !service.after.is_empty() {
        line("after", &service.after.join(", "));
    }
    for (index, sentence) in variables(&service.variables).iter().enumerate() {
        line(if index == 0 { "sets" } else { "" }, sentence);
    }
    for (index, sentence) in missing(&service.missing).iter().enumerate() {
        line(if index == 0 { "missing" } else { "" }, sentence);
    }
    for (index, sentence) in service.evidence.iter().enumerate() {
        let key = if index == 0 { "because" } else { "" };
        line(key, &styled(DIM, &one_line(sentence)));
    }
    lines.join("\n") + "\n"
}

/// Prints variables and where their values come from.
pub(crate) fn explained_variables(variables: &[ExplainedVariable]) -> bool {
    let lines = variables.iter().map(|variable| {
        let pair = one_line(&format!("{}={}", variable.name, variable.value));
        format!("{pair}  {}\n", styled(DIM, &one_line(&variable.source)))
    });
    out(&lines.collect::<String>())
}

/// Describes the variables that a service gets: each mapped one, and how many keep the value of a file.
fn variables(all: &[VariablePlan]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut unchanged: IndexMap<&str, usize> = IndexMap::new();
    for variable in all {
        if variable.meaning.is_empty() {
            *unchanged.entry(&variable.file).or_default() += 1;
            continue;
        }
        let from = match variable.line {
            0 => format!("from {}", variable.file),
            line => format!("from {}:{line}", variable.file),
        };
        let why = format!("{from}, {}", variable.meaning.join(", "));
        let value = one_line(&format!("{}={}", variable.name, variable.value));
        lines.push(format!("{value}  {}", styled(DIM, &one_line(&why))));
    }
    lines.extend(unchanged.into_iter().map(|(file, count)| {
        let values = if count == 1 { "value" } else { "values" };
        one_line(&format!("{count} other {values} of {file}"))
    }));
    lines
}

/// Describes the variables that need a value, by the file that names them.
fn missing(all: &[MissingVariable]) -> Vec<String> {
    let mut by_file: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for variable in all {
        by_file
            .entry(&variable.file)
            .or_default()
            .push(&variable.name);
    }
    let lines = by_file
        .into_iter()
        .map(|(file, names)| one_line(&format!("{} (named in {file})", names.join(", "))));
    lines.collect()
}

/// Describes a port: "9000, otherwise a free port in 9000-9099".
fn port_choice(port: &PortPreference) -> String {
    let name = port.name.as_ref().map(|name| format!("{name}: "));
    let name = name.unwrap_or_default();
    if port.range == port.prefer.to_string() {
        format!("{name}{} only", port.prefer)
    } else {
        format!(
            "{name}{}, otherwise a free port in {}",
            port.prefer, port.range
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_ports() {
        let port = |name: Option<&str>, range: &str| PortPreference {
            name: name.map(str::to_owned),
            prefer: 9000,
            range: range.to_owned(),
        };
        assert_eq!(
            port_choice(&port(None, "9000-9099")),
            "9000, otherwise a free port in 9000-9099"
        );
        assert_eq!(port_choice(&port(Some("http"), "9000")), "http: 9000 only");
    }
}
