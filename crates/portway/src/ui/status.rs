//! Prints allocated ports and the state of instances.

use portway_api::{
    Forward, GatewayStatus, InstanceState, InstanceStatus, ServiceState, ServiceStatus,
};
use portway_app::wiring::describe;

use super::sanitize::one_line;
use super::table::{Flexible, columns};
use super::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, message, out, styled, warning};

/// Prints the allocated ports of an instance.
pub(crate) fn allocation(instance: &InstanceStatus) -> bool {
    let mut rows = vec![["SERVICE", "PORT", "URL", ""].map(str::to_owned).to_vec()];
    for service in &instance.services {
        if service.ports.is_empty() {
            rows.push(vec![
                service.name.clone(),
                "-".into(),
                "-".into(),
                String::new(),
            ]);
        }
        for port in &service.ports {
            let name = match &port.name {
                Some(name) => format!("{}.{name}", service.name),
                None => service.name.clone(),
            };
            let note = port.displaced.as_ref().map(describe).unwrap_or_default();
            rows.push(vec![name, port.port.to_string(), port.url.clone(), note]);
        }
    }
    out(&columns(rows, "", &[]))
}

/// Warns about ports that were requested by number and are otherwise not allocated.
pub(crate) fn port_warnings(instance: &InstanceStatus) {
    for service in &instance.services {
        for port in &service.ports {
            if let Some(why) = &port.warning {
                warning(&format!(
                    "`{}` is on port {}: {why}",
                    service.name, port.port
                ));
            }
        }
    }
}

/// Warns about each port that is not the preferred one, unless a worktree leaves that port to the main
/// checkout, as it should.
pub(crate) fn displacement_warnings(instance: &InstanceStatus) {
    for service in &instance.services {
        for port in &service.ports {
            if let Some(why) = port.displaced.as_ref().filter(|why| !why.left_to_main) {
                warning(&format!(
                    "`{}` is on port {}: {}",
                    service.name,
                    port.port,
                    describe(why)
                ));
            }
        }
    }
}

/// Prints the URLs of a started instance.
pub(crate) fn summary(instance: &InstanceStatus) {
    let rows = instance.services.iter().map(|service| {
        let mut row = service_row(service);
        // The reason of a failure is reported separately.
        if service.has_failed() {
            row.pop();
        }
        row
    });
    out(&columns(rows.collect(), "  ", &[NOTE]));
}

/// Warns about services that the local network can reach. A manifest can enable this too.
pub(super) fn lan_warning(instance: &InstanceStatus) {
    if instance.lan {
        warning(&on_lan(instance));
    }
}

fn on_lan(instance: &InstanceStatus) -> String {
    let served = instance.services.iter().filter_map(|service| {
        let urls = service.lan_urls.join(" ");
        (!urls.is_empty()).then(|| format!("`{}` at {urls}", service.name))
    });
    let served: Vec<String> = served.collect();
    if served.is_empty() {
        return "this machine has no address on the local network yet; Portway serves the services there as soon as it has one".into();
    }
    format!(
        "every machine on the local network can reach {}",
        served.join(", ")
    )
}

/// The column of [`service_row`] that a narrow terminal shortens. URLs stay whole.
const NOTE: Flexible = Flexible::text(3, 20);

fn service_row(service: &ServiceStatus) -> Vec<String> {
    let named = service.named_url.as_deref();
    let ports = service.ports.iter().map(|port| port.url.as_str());
    let fixed: Vec<String> = service.forwards.iter().map(fixed_url).collect();
    let fixed = fixed.iter().map(String::as_str);
    let lan = service.lan_urls.iter().map(String::as_str);
    let urls: Vec<&str> = ports.chain(named).chain(fixed).chain(lan).collect();
    let note = match (&service.message, service.restarts) {
        (Some(message), _) => message.clone(),
        (None, 0) => match &service.only_if_empty {
            Some(database) => format!("runs only if `{}` has no tables", one_line(database)),
            None => inner_ports(service),
        },
        (None, 1) => "restarted once".into(),
        (None, count) => format!("restarted {count} times"),
    };
    vec![
        service.name.clone(),
        state(service.state).to_owned(),
        if urls.is_empty() {
            "-".into()
        } else {
            urls.join(" ")
        },
        note,
    ]
}

/// Describes the ports inside the network of the instance that differ from those outside.
fn inner_ports(service: &ServiceStatus) -> String {
    let inner = service.ports.iter().filter_map(|port| {
        let inner = port.inner.filter(|&inner| inner != port.port)?;
        Some(inner.to_string())
    });
    let inner: Vec<String> = inner.collect();
    match inner.is_empty() {
        true => String::new(),
        false => format!("{} inside", inner.join(", ")),
    }
}

/// Prints fixed ports and their services.
pub(crate) fn forwards(forwards: &[Forward]) -> bool {
    if forwards.is_empty() {
        message("no fixed ports; run `portway forward PORT` to route one to this checkout\n");
        return true;
    }
    let mut rows = vec![["URL", "SERVICE", ""].map(str::to_owned).to_vec()];
    rows.extend(forwards.iter().map(|one| {
        vec![
            fixed_url(&one.port),
            format!("{} of {}", one.service, one.instance),
            one.trouble.clone().unwrap_or_default(),
        ]
    }));
    out(&columns(rows, "", &[]))
}

/// Reports a fixed port and the service that it was routed to `before`.
pub(crate) fn forwarded(forward: &Forward, before: Option<&Forward>) {
    let before = before.map_or_else(String::new, |one| {
        format!(" (before: `{}` of `{}`)", one.service, one.instance)
    });
    message(&format!(
        "{} is now routed to `{}` of `{}`{before}\n",
        fixed_url(&forward.port),
        forward.service,
        forward.instance
    ));
}

/// Reports where the gateway is serving.
pub(crate) fn gateway(status: &GatewayStatus) {
    let example = status.url("SERVICE.INSTANCE.localhost");
    let plain = match status.tls_port {
        Some(_) => format!(" and HTTP on port {}", status.port),
        None => String::new(),
    };
    message(&format!("the gateway is serving {example}{plain}\n"));
    for forward in &status.forwards {
        if let Some(why) = &forward.trouble {
            warning(&format!(
                "fixed port {} is not available: {why}",
                forward.port
            ));
        }
    }
}

/// Returns the URL of a fixed port.
fn fixed_url(port: &u16) -> String {
    format!("http://localhost:{port}")
}

/// Returns the row of a service with the warnings about its ports.
fn row_with_warnings(service: &ServiceStatus) -> Vec<String> {
    let mut row = service_row(service);
    let warned = service.ports.iter().filter_map(|port| {
        let why = port.warning.as_ref()?;
        Some(format!("{}: {why}", port.port))
    });
    let notes: Vec<String> = row
        .pop()
        .into_iter()
        .filter(|note| !note.is_empty())
        .collect();
    let notes: Vec<String> = notes.into_iter().chain(warned).collect();
    row.push(notes.join("; "));
    row
}

/// Prints all instances with their services.
pub(crate) fn instances(instances: &[InstanceStatus], now: u64) -> bool {
    let mut text = String::new();
    for instance in instances {
        let style = match instance.state {
            InstanceState::Ready => GREEN,
            InstanceState::Starting | InstanceState::Stopping => CYAN,
            InstanceState::Degraded | InstanceState::Unresponsive => RED,
            InstanceState::Stopped => DIM,
        };
        let mut words = vec![
            styled(BOLD, &instance.name),
            styled(style, instance_state(instance.state)),
        ];
        if let Some(since) = instance.since {
            words.push(format!("for {}", ago(now.saturating_sub(since))));
        }
        if let Some(branch) = &instance.branch {
            words.push(styled(YELLOW, branch));
        }
        words.push(styled(DIM, &one_line(&instance.directory)));
        text.push_str(&words.join("  "));
        text.push('\n');
        if let (InstanceState::Unresponsive, Some(pid)) = (instance.state, instance.pid) {
            text.push_str(&format!(
                "  its supervisor is pid {pid}; if it is suspended, run `kill -CONT {pid}`\n"
            ));
        }
        if !instance.changed_files.is_empty() {
            text.push_str(&format!("  {}\n", styled(YELLOW, &changed(instance))));
        }
        text.push_str(&columns(
            instance.services.iter().map(row_with_warnings).collect(),
            "  ",
            &[NOTE],
        ));
    }
    out(&text)
}

/// Says that the project's files differ from what runs.
fn changed(instance: &InstanceStatus) -> String {
    let files = instance.changed_files.iter();
    let files: Vec<String> = files.map(|file| format!("`{}`", one_line(file))).collect();
    let is_manifest = |file: &String| file.ends_with(portway_project::manifest::FILE_NAME);
    let what = match instance.changed_files.iter().any(is_manifest) {
        true => "manifest changed",
        false => "files changed",
    };
    let files = files.join(", ");
    format!("{what}: {files}; run `portway up` to apply the change")
}

fn instance_state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Starting => "starting",
        InstanceState::Ready => "ready",
        InstanceState::Degraded => "degraded",
        InstanceState::Stopping => "stopping",
        InstanceState::Unresponsive => "not responding",
        InstanceState::Stopped => "stopped",
    }
}

fn state(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Stopped => "stopped",
        ServiceState::Waiting => "waiting",
        ServiceState::Preparing => "preparing",
        ServiceState::Starting => "starting",
        ServiceState::Ready => "ready",
        ServiceState::Unhealthy => "unhealthy",
        ServiceState::Backoff => "restarting",
        ServiceState::Stopping => "stopping",
        ServiceState::Completed => "completed",
        ServiceState::Failed => "failed",
        ServiceState::Unknown => "unknown",
    }
}

/// Formats a duration in its largest unit.
pub(super) fn ago(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_durations_in_their_largest_unit() {
        for (milliseconds, words) in [
            (999, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(ago(milliseconds), words);
        }
    }
}
