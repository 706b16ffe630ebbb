//! Prints which processes and services are using ports.

use portway_api::{
    FreeAction, FreeReport, LeaseState, PortHolder, PortLease, PortReport, PortState, ProcessInfo,
    ServiceRef,
};

use super::sanitize::one_line;
use super::status::ago;
use super::table::{Flexible, columns};
use super::{BOLD, CYAN, DIM, message, out, styled};

/// Prints one line per port.
pub(crate) fn port_table(reports: &[PortReport], now: u64) -> bool {
    let head = [
        "PORT",
        "ADDRESS",
        "PID",
        "USER",
        "RUNNING FOR",
        "COMMAND",
        "SERVICE",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for report in reports {
        let port = report.port.to_string();
        if report.holders.is_empty() {
            let owner = report.lease.as_ref().map(|lease| service(&lease.owner));
            rows.push(row(port, ["-", "-", "-", "-", state(report.state)], owner));
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
                    &process.map_or_else(|| "?".into(), |p| one_line(&p.command)),
                ],
                owner(holder),
            ));
        }
    }
    let flexible = [
        Flexible::text(5, 20),
        Flexible::path(6, 16),
        Flexible::text(1, 9),
        Flexible::text(5, 7),
    ];
    out(&columns(rows, "", &flexible))
}

fn row(port: String, middle: [&str; 5], owner: Option<String>) -> Vec<String> {
    let mut row = vec![port];
    row.extend(middle.map(str::to_owned));
    row.push(owner.unwrap_or_default());
    row
}

/// Returns the owner of a listener: its service, its container, or else its working directory.
fn owner(holder: &PortHolder) -> Option<String> {
    holder
        .service
        .as_ref()
        .map(service)
        .or_else(|| holder.container.clone())
        .or_else(|| holder.process.as_ref()?.directory.as_deref().map(one_line))
}

/// Prints details of ports.
pub(crate) fn ports(reports: &[PortReport], now: u64) -> bool {
    let blocks: Vec<String> = reports.iter().map(|report| block(report, now)).collect();
    let shown = out(&blocks.join("\n"));
    for hint in reports.iter().flat_map(|report| &report.hints) {
        message(&format!("{} {hint}\n", styled(CYAN.bold(), "help:")));
    }
    shown
}

fn block(report: &PortReport, now: u64) -> String {
    let mut text = format!("{}\n", styled(BOLD, &title(report)));
    for holder in &report.holders {
        let mut lines: Vec<(&str, String)> = vec![("address", holder.addresses.join(", "))];
        match &holder.process {
            Some(process) => lines.extend(process_lines(process, holder, now)),
            None => lines.push((
                "process",
                format!("unknown process of user {}", holder.user),
            )),
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
    let shows_lease = report.state != PortState::Held && report.state != PortState::Kept;
    if let Some(lease) = report.lease.as_ref().filter(|_| shows_lease) {
        text.push_str(&format!("  {:<10}{}\n", "lease", describe_lease(lease)));
    }
    if let Some(why) = &report.excluded {
        text.push_str(&format!(
            "  {:<10}not allocated automatically: {why}\n",
            "note"
        ));
    }
    text
}

fn title(report: &PortReport) -> String {
    let port = report.port;
    let inside = match report.inner {
        Some(inner) => format!(": port {inner} of a network of its own"),
        None => String::new(),
    };
    let owner = report
        .lease
        .as_ref()
        .map(describe_lease)
        .unwrap_or_default();
    match report.state {
        PortState::Listening => match report.holders.len() {
            0 | 1 => format!("port {port} is in use{inside}"),
            count => format!("port {port} is in use by {count} processes{inside}"),
        },
        PortState::Held => format!("port {port} is held for {owner}; nothing is listening"),
        PortState::Bound => format!("port {port} is bound by a process that is not listening"),
        PortState::Kept => format!("port {port} is not in use; it is leased to {owner}"),
        PortState::Free => format!("port {port} is free"),
    }
}

fn describe_lease(lease: &PortLease) -> String {
    let state = match lease.state {
        LeaseState::Live => "",
        LeaseState::Kept => ", which is stopped",
        LeaseState::Gone => ", whose directory was deleted",
    };
    let directory = one_line(&lease.owner.directory);
    format!("{} in {directory}{state}", service(&lease.owner))
}

fn process_lines(
    process: &ProcessInfo,
    holder: &PortHolder,
    now: u64,
) -> Vec<(&'static str, String)> {
    let since = since(process, now).map(|span| format!(", running for {span}"));
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
    format!("`{}` of `{}`", owner.service, owner.instance)
}

fn state(state: PortState) -> &'static str {
    match state {
        PortState::Listening => "listening",
        PortState::Held => "held, not listening",
        PortState::Bound => "bound, not listening",
        PortState::Kept => "leased, not in use",
        PortState::Free => "free",
    }
}

/// Prints what would be stopped.
pub(crate) fn free_plan(freed: &FreeReport) {
    message(&list(freed));
}

/// Reports what was stopped, or would be.
pub(crate) fn freed(freed: &FreeReport) {
    let port = freed.port;
    let action = match freed.action {
        FreeAction::DryRun => {
            out(&list(freed));
            return message("dry run: nothing was stopped\n");
        }
        FreeAction::Terminated => "stopped",
        FreeAction::Killed => "killed because it did not stop in time",
        FreeAction::Stopped => "stopped by its supervisor",
    };
    let what = match (&freed.service, freed.processes.first()) {
        (Some(owner), _) => service(owner),
        (None, Some(process)) => {
            format!("`{}` (pid {})", one_line(&process.name), process.pid)
        }
        (None, None) => "the process".to_owned(),
    };
    out(&format!("port {port} is free: {what} was {action}\n"));
}

fn list(freed: &FreeReport) -> String {
    if let Some(owner) = &freed.service {
        let name = service(owner);
        let directory = one_line(&owner.directory);
        return format!(
            "port {} belongs to {name} in {directory}; its supervisor will stop it\n",
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
                one_line(&process.command),
                one_line(directory),
            ]
        })
        .collect();
    format!(
        "processes to stop to free port {}:\n{}",
        freed.port,
        columns(rows, "  ", &[Flexible::text(1, 24), Flexible::path(2, 16)])
    )
}
