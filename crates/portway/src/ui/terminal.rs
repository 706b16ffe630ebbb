//! Implements [`Reporter`] for the terminal.

use portway_api::{ChangePlan, InstanceStatus, LogRecord, ServiceState, ServiceStatus};
use portway_app::instance::{failure, last_lines, way_out};
use portway_app::reporter::{Progress, Reporter};
use portway_detect::Detection;

use super::changes;
use super::progress::Spinner;
use super::sanitize::{one_line, sanitize};
use super::status::lan_warning;
use super::{CYAN, RED, message, styled, summary, warning};
use super::{
    confirm, detected, displacement_warnings, is_interactive, json, json_line, logs, port_warnings,
    stdout_is_colored,
};

/// How log lines are printed.
#[derive(Clone, Copy, Debug)]
enum Lines {
    /// With the name of their service.
    Text,
    /// As one JSON object each.
    Json,
    /// Not printed, because standard output is for one JSON value.
    Hidden,
}

/// Reports on standard output and standard error.
#[derive(Debug)]
pub(crate) struct Terminal {
    json: bool,
    lines: Lines,
}

impl Terminal {
    /// Creates a reporter for commands that print text or one JSON value.
    pub(crate) fn new(json: bool) -> Self {
        let lines = if json { Lines::Hidden } else { Lines::Text };
        Self { json, lines }
    }

    /// Creates a reporter for commands that print log lines as text or as JSON.
    pub(crate) fn for_logs(json: bool) -> Self {
        let lines = if json { Lines::Json } else { Lines::Text };
        Self { json, lines }
    }
}

impl Reporter for Terminal {
    fn info(&self, text: &str) {
        message(&format!("{text}\n"));
    }

    fn warning(&self, text: &str) {
        warning(text);
    }

    fn detected(&self, detection: &Detection) {
        detected(detection);
    }

    fn port_warnings(&self, status: &InstanceStatus) {
        port_warnings(status);
    }

    fn ready(&self, status: &InstanceStatus, attached: bool) {
        lan_warning(status);
        if self.json {
            json(status);
            return;
        }
        if attached {
            let failed = status.services.iter().any(ServiceStatus::has_failed);
            let state = if failed { "running" } else { "ready" };
            message(&format!(
                "`{}` is {state}; press Ctrl-C to stop\n",
                status.name
            ));
        }
        displacement_warnings(status);
        summary(status);
    }

    fn running(&self, status: &InstanceStatus) {
        lan_warning(status);
        match self.json {
            true => drop(json(status)),
            false => summary(status),
        }
    }

    fn changes(&self, plan: &ChangePlan) {
        changes::applied(plan);
    }

    fn failed(&self, service: &ServiceStatus) {
        let reason = failure(service);
        if service.state == ServiceState::Waiting {
            return warning(&reason);
        }
        let mut text = format!("{} {}\n", styled(RED.bold(), "error:"), one_line(&reason));
        for line in last_lines(service) {
            text.push_str(&format!("{}\n", sanitize(&line, false)));
        }
        let help = styled(CYAN.bold(), "help:");
        text.push_str(&format!("{help} {}\n", way_out(service)));
        message(&text);
    }

    fn started(&self, status: &InstanceStatus) {
        if !self.json {
            displacement_warnings(status);
            summary(status);
        }
    }

    fn log(&self, services: &[String], record: &LogRecord) -> bool {
        match self.lines {
            Lines::Text => logs::log(services, record),
            Lines::Json => json_line(record),
            Lines::Hidden => true,
        }
    }

    fn progress(&self) -> Box<dyn Progress> {
        Box::new(Spinner::new())
    }

    fn is_colored(&self) -> bool {
        stdout_is_colored()
    }

    fn can_ask(&self) -> bool {
        is_interactive()
    }

    fn confirm(&self, question: &str) -> bool {
        confirm(question)
    }
}
