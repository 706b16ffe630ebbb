//! Writes a detection as a commented `portway.toml`.

use std::fmt::Write;

use super::{DetectedPort, DetectedService, Detection};
use portway_project::kind::Kind;

/// Returns the whole manifest.
pub(super) fn manifest(detection: &Detection, project: &str) -> String {
    let mut text = format!(
        "# Services that Portway detected. Run `portway schema` for the schema of all keys.\n\n\
         [project]\nname = {}\n",
        quoted(project)
    );
    for skipped in &detection.skipped {
        comment(&mut text, &format!("{} {}", skipped.file, skipped.why));
    }
    for service in &detection.services {
        text.push('\n');
        table(&mut text, service);
    }
    text
}

fn table(text: &mut String, service: &DetectedService) {
    for sentence in &service.evidence {
        comment(text, sentence);
    }
    let _ = writeln!(text, "[services.{}]", service.name);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key} = {value}");
    };
    if !service.dir.is_empty() {
        line("dir", quoted(&service.dir));
    }
    match (&service.prepare, &service.prepare_dir) {
        (Some(command), Some(dir)) => {
            let dir = if dir.is_empty() { "." } else { dir };
            let (command, dir) = (quoted(command), quoted(dir));
            line("prepare", format!("{{ command = {command}, dir = {dir} }}"));
        }
        (Some(command), None) => line("prepare", quoted(command)),
        (None, _) => {}
    }
    line("command", quoted(&service.command));
    match service.port {
        Some(DetectedPort::Preferred(port)) => line(
            "port",
            match (&service.called_by, elsewhere(service, port)) {
                (Some(place), _) => {
                    format!("{{ prefer = {port}, called_by = {} }}", quoted(place))
                }
                (None, Some(range)) => {
                    format!(
                        "{{ prefer = {port}, range = [{port}, {}] }}",
                        quoted(&range)
                    )
                }
                (None, None) => port.to_string(),
            },
        ),
        Some(DetectedPort::Chosen { port, usual }) => {
            line("port", format!("{{ prefer = {port}, usual = {usual} }}"));
        }
        Some(DetectedPort::Fixed(port)) => line("port", quoted(&port.to_string())),
        None => {}
    }
    if service.kind != Kind::infer(&service.name, &service.command) {
        line("kind", quoted(service.kind.as_str()));
    }
    if !service.after.is_empty() {
        line("after", after(&service.after));
    }
    if !service.env.is_empty() {
        let pairs: Vec<String> = service
            .env
            .iter()
            .map(|(name, value)| format!("{} = {}", key(name), quoted(value)))
            .collect();
        line("env", format!("{{ {} }}", pairs.join(", ")));
    }
    if service.optional {
        line("optional", "true".into());
    }
    for more in &service.more {
        let _ = writeln!(text, "{more}");
    }
}

/// The ports that systems assign to outgoing connections. Portway chooses none of them itself.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32768..=65535;

/// Returns the ports to choose from if `port` is in use and those after it are not to be chosen.
fn elsewhere(service: &DetectedService, port: u16) -> Option<String> {
    if !EPHEMERAL.contains(&port) {
        return None;
    }
    let first = service.kind.usual_port().unwrap_or(8000);
    Some(format!("{first}-{}", first + 99))
}

fn after(after: &[(String, &str)]) -> String {
    if after.iter().all(|(_, condition)| *condition == "ready") {
        let names: Vec<String> = after.iter().map(|(name, _)| quoted(name)).collect();
        return format!("[{}]", names.join(", "));
    }
    let pairs: Vec<String> = after
        .iter()
        .map(|(name, condition)| format!("{name} = {}", quoted(condition)))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn comment(text: &mut String, sentence: &str) {
    // Control characters in file names or errors must not end the comment.
    let line: String = sentence
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let _ = writeln!(text, "# {line}");
}

/// Formats a text as a TOML string.
pub(super) fn quoted(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

/// Formats a key, quoted unless it is a bare key.
fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { quoted(name) }
}
