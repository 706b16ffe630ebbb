//! Converts process-compose's probes to those of a manifest.

use serde_json::Value;

use crate::shell::literal;
use crate::text::quoted;
use crate::yaml::scalar;
use portway_project::shell::quote;

/// A readiness or liveness probe.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Probe {
    pub(super) check: ProbeCheck,
    /// Initial delay, interval and timeout in seconds, and the failure threshold.
    delay: Option<u64>,
    period: Option<u64>,
    timeout: Option<u64>,
    failures: Option<u64>,
    /// Keys that have no equivalent in a manifest.
    pub(super) left_out: Vec<String>,
}

/// What a probe checks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ProbeCheck {
    /// An HTTP path on a local port.
    Http { port: Option<u16>, path: String },
    /// The exit code of a command.
    Exec {
        command: String,
        dir: Option<String>,
    },
}

impl Probe {
    /// `None` for a probe of another machine, or without a check.
    pub(super) fn new(value: &Value) -> Option<Self> {
        let number = |key: &str| {
            let value = value.get(key).and_then(scalar)?;
            value.parse::<u64>().ok()
        };
        let mut left_out = Vec::new();
        let check = if let Some(http) = value.get("http_get").filter(|v| v.is_object()) {
            let text = |key: &str| http.get(key).and_then(scalar);
            for (key, _) in http.as_object().into_iter().flatten() {
                if !["host", "port", "num_port", "scheme", "path"].contains(&key.as_str()) {
                    left_out.push(format!("http_get.{key}"));
                }
            }
            let host = text("host").unwrap_or_default();
            let local = ["", "localhost", "127.0.0.1", "0.0.0.0", "::1"];
            let scheme = text("scheme").unwrap_or_default();
            if !local.contains(&host.as_str()) || scheme.eq_ignore_ascii_case("https") {
                return None;
            }
            let port = text("port").or_else(|| text("num_port"));
            let path = text("path").filter(|path| path.starts_with('/'));
            ProbeCheck::Http {
                port: port
                    .and_then(|port| port.parse().ok())
                    .filter(|port| *port > 0),
                path: path.unwrap_or_else(|| "/".into()),
            }
        } else {
            let exec = value.get("exec")?;
            ProbeCheck::Exec {
                command: exec.get("command").and_then(scalar)?,
                dir: exec.get("working_dir").and_then(scalar),
            }
        };
        if number("success_threshold").is_some_and(|count| count > 1) {
            left_out.push("success_threshold".into());
        }
        Some(Self {
            check,
            delay: number("initial_delay_seconds"),
            period: number("period_seconds"),
            timeout: number("timeout_seconds"),
            failures: number("failure_threshold"),
            left_out,
        })
    }

    /// Returns the port that it checks.
    pub(super) fn port(&self) -> Option<u16> {
        match &self.check {
            ProbeCheck::Http { port, .. } => *port,
            ProbeCheck::Exec { .. } => None,
        }
    }

    /// Converts to `ready`. `own` is the port number to replace with the service's own port.
    pub(super) fn ready(&self, own: Option<u16>) -> Option<String> {
        let check = self.format_check(own)?;
        let period = self.period.unwrap_or(10);
        let failures = self.failures.unwrap_or(3).max(1);
        let delay = self.delay.unwrap_or(0);
        let all = delay.saturating_add(period.saturating_mul(failures));
        // 60 seconds is the manifest's default.
        let timeout = match all {
            ..=60 => String::new(),
            _ => format!(", timeout = \"{}s\"", all.min(3600)),
        };
        Some(format!("ready = {{ {check}{timeout} }}"))
    }

    /// Converts to `liveness`.
    pub(super) fn liveness(&self, own: Option<u16>) -> Option<String> {
        let mut text = format!("liveness = {{ {}", self.format_check(own)?);
        for (key, seconds) in [("interval", self.period), ("timeout", self.timeout)] {
            if let Some(seconds) = seconds.filter(|seconds| (1..=3600).contains(seconds)) {
                text += &format!(", {key} = \"{seconds}s\"");
            }
        }
        if let Some(failures) = self.failures.filter(|count| (1..=1000).contains(count)) {
            text += &format!(", failures = {failures}");
        }
        Some(text + " }")
    }

    fn format_check(&self, own: Option<u16>) -> Option<String> {
        match &self.check {
            // An unknown port cannot be checked.
            ProbeCheck::Http { port, path } => {
                (port.is_some() && *port == own).then(|| format!("http = {}", quoted(path)))
            }
            ProbeCheck::Exec { command, dir } => {
                let command = command.replace("$$", "$");
                let command = match dir {
                    Some(dir) => format!("cd {} && {command}", quote(dir)),
                    None => command,
                };
                let command = literal(&command);
                let command = match own {
                    Some(port) => with_placeholder(&command, port),
                    None => command.into_owned(),
                };
                Some(format!("exec = {}", quoted(&command)))
            }
        }
    }
}

/// Replaces the number `port` in a command with `{port}`.
pub(super) fn with_placeholder(command: &str, port: u16) -> String {
    let digits = port.to_string();
    let mut text = String::with_capacity(command.len());
    let mut rest = command;
    while let Some(at) = rest.find(&digits) {
        let (before, from) = rest.split_at(at);
        let after = &from[digits.len()..];
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.');
        let whole = !is_part(before.chars().next_back()) && !is_part(after.chars().next());
        text.push_str(before);
        text.push_str(if whole { "{port}" } else { &digits });
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_numbers_only() {
        assert_eq!(
            with_placeholder("curl localhost:8080/x 18080 8080.5 -p8080 8080", 8080),
            "curl localhost:{port}/x 18080 8080.5 -p8080 {port}"
        );
    }
}
