//! Who has which port, in words.

use portway_api::{
    FreeAction, FreeReport, LeaseState, PortHolder, PortLease, PortReport, PortState, ProcessInfo,
    ServiceRef,
};

use super::sanitize::one_line;
use super::status::{ago, columns};
use super::{BOLD, CYAN, DIM, out, styled, talk};

/// As much of a command as fits into a row of a table.
const COMMAND: usize = 60;

/// Every port in a row.
pub(crate) fn port_table(reports: &[PortReport], now: u64) -> bool {
    let head = ["PORT", "ADDRESS", "PID", "USER", "SINCE", "WHAT", "WHOSE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for report in reports {
        let port = report.port.to_string();
        if report.holders.is_empty() {
            let whose = report.lease.as_ref().map(|lease| service(&lease.owner));
            rows.push(row(port, ["-", "-", "-", "-", state(report.state)], whose));
        }
        for holder in &report.holders {
            let process = holder.process.as_ref();
            let dash = || "-".to_owned();
            rows.push(row(
                report.port.to_string(),
                [
                    &holder.addresses.join(" "),
                    &process.map_or_else(dash, |process| process.pid.to_string()),
                    &holder.user,
                    &process
                        .and_then(|process| since(process, now))
                        .unwrap_or_else(dash),
                    &process.map_or_else(|| "?".into(), |p| shortened(&p.command)),
                ],
                whose(holder),
            ));
        }
    }
    out(&columns(rows, ""))
}

fn row(port: String, middle: [&str; 5], whose: Option<String>) -> Vec<String> {
    let mut row = vec![port];
    row.extend(middle.map(str::to_owned));
    row.push(whose.unwrap_or_default());
    row
}

/// Whose a listener is: a service's, a container's, else the directory's that it runs in.
fn whose(holder: &PortHolder) -> Option<String> {
    holder
        .service
        .as_ref()
        .map(service)
        .or_else(|| holder.container.clone())
        .or_else(|| holder.process.as_ref()?.directory.as_deref().map(one_line))
}

/// All about some ports.
pub(crate) fn ports(reports: &[PortReport], now: u64) -> bool {
    let blocks: Vec<String> = reports.iter().map(|report| block(report, now)).collect();
    let shown = out(&blocks.join("\n"));
    for hint in reports.iter().flat_map(|report| &report.hints) {
        talk(&format!("{} {hint}\n", styled(CYAN.bold(), " hint:")));
    }
    shown
}

fn block(report: &PortReport, now: u64) -> String {
    let mut text = format!("{}\n", styled(BOLD, &title(report)));
    for holder in &report.holders {
        let mut lines: Vec<(&str, String)> = vec![("address", holder.addresses.join(", "))];
        match &holder.process {
            Some(process) => lines.extend(process_lines(process, holder, now)),
            None => lines.push(("process", format!("one of user {}", holder.user))),
        }
        if let Some(container) = &holder.container {
            lines.push(("container", container.clone()));
        }
        if let Some(owner) = &holder.service {
            lines.push((
                "service",
                format!("{}, {}", service(owner), one_line(&owner.directory)),
            ));
        }
        for (key, value) in lines {
            text.push_str(&format!("  {key:<10}{value}\n"));
        }
    }
    let tells_more = report.state != PortState::Held && report.state != PortState::Kept;
    if let Some(lease) = report.lease.as_ref().filter(|_| tells_more) {
        text.push_str(&format!("  {:<10}{}\n", "lease", lease_words(lease)));
    }
    if let Some(why) = &report.excluded {
        text.push_str(&format!("  {:<10}never given out unasked: {why}\n", "note"));
    }
    text
}

fn title(report: &PortReport) -> String {
    let port = report.port;
    let owner = report.lease.as_ref().map(lease_words).unwrap_or_default();
    match report.state {
        PortState::Listening => match report.holders.len() {
            0 | 1 => format!("port {port} is served"),
            count => format!("port {port} is served by {count} programs"),
        },
        PortState::Held => format!("port {port} is held for {owner}; nothing listens there now"),
        PortState::Bound => format!("port {port} is bound by a program that does not listen"),
        PortState::Kept => format!("port {port} is kept for {owner}; nobody uses it"),
        PortState::Free => format!("nobody has port {port}"),
    }
}

fn lease_words(lease: &PortLease) -> String {
    let rests = match lease.state {
        LeaseState::Live => "",
        LeaseState::Kept => ", which does not run",
        LeaseState::Gone => ", whose directory is gone",
    };
    let directory = one_line(&lease.owner.directory);
    format!("{} in {directory}{rests}", service(&lease.owner))
}

fn process_lines(
    process: &ProcessInfo,
    holder: &PortHolder,
    now: u64,
) -> Vec<(&'static str, String)> {
    let since = since(process, now).map(|span| format!(", for {span}"));
    let mut lines = vec![
        (
            "process",
            format!(
                "{} (pid {}), user {}{}",
                one_line(&process.name),
                process.pid,
                holder.user,
                since.unwrap_or_default()
            ),
        ),
        ("command", one_line(&process.command)),
    ];
    if let Some(directory) = &process.directory {
        lines.push(("directory", one_line(directory)));
    }
    if !holder.shared_with.is_empty() {
        let pids: Vec<String> = holder.shared_with.iter().map(brief).collect();
        lines.push(("shared by", pids.join(", ")));
    }
    let mut parents: Vec<String> = Vec::new();
    for parent in &holder.parents {
        let mark = if Some(parent.pid) == holder.root {
            " ◄ root"
        } else {
            ""
        };
        parents.push(format!("{}{mark}", brief(parent)));
    }
    if !parents.is_empty() {
        lines.push(("parents", styled(DIM, &parents.join(" ← "))));
    }
    lines
}

fn brief(process: &ProcessInfo) -> String {
    format!("{} ({})", one_line(&process.name), process.pid)
}

fn since(process: &ProcessInfo, now: u64) -> Option<String> {
    Some(ago(now.saturating_sub(process.since?)))
}

fn service(owner: &ServiceRef) -> String {
    format!("`{}` of {}", owner.service, owner.instance)
}

fn state(state: PortState) -> &'static str {
    match state {
        PortState::Listening => "listens",
        PortState::Held => "held, nothing listens",
        PortState::Bound => "bound, does not listen",
        PortState::Kept => "kept, nobody uses it",
        PortState::Free => "free",
    }
}

fn shortened(command: &str) -> String {
    let command = one_line(command);
    if command.chars().count() <= COMMAND {
        return command;
    }
    command.chars().take(COMMAND - 1).chain(['…']).collect()
}

/// What would be ended.
pub(crate) fn would_free(freed: &FreeReport) {
    talk(&list(freed));
}

/// What was done, or would be.
pub(crate) fn freed(freed: &FreeReport) {
    let port = freed.port;
    let words = match freed.action {
        FreeAction::DryRun => {
            out(&list(freed));
            return talk("nothing was done (--dry-run)\n");
        }
        FreeAction::Terminated => "ended",
        FreeAction::Killed => "killed, for it did not end when asked",
        FreeAction::Stopped => "stopped by its supervisor",
    };
    let what = match (&freed.service, freed.processes.first()) {
        (Some(owner), _) => service(owner),
        (None, Some(process)) => brief(process),
        (None, None) => "it".to_owned(),
    };
    out(&format!("port {port} is free: {what} was {words}\n"));
}

fn list(freed: &FreeReport) -> String {
    if let Some(owner) = &freed.service {
        let name = service(owner);
        let directory = one_line(&owner.directory);
        return format!(
            "port {} belongs to {name} in {directory}; its supervisor would stop it\n",
            freed.port
        );
    }
    let rows = freed
        .processes
        .iter()
        .map(|process| {
            let directory = process.directory.as_deref().unwrap_or_default();
            vec![
                process.pid.to_string(),
                shortened(&process.command),
                one_line(directory),
            ]
        })
        .collect();
    format!(
        "port {} would be freed by ending\n{}",
        freed.port,
        columns(rows, "  ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_shortened_for_a_row() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"ü".repeat(100));
        assert_eq!(long.chars().count(), COMMAND);
        assert!(long.ends_with('…'));
    }
}
