//! Shows progress: a spinner on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use portway_api::{InstanceStatus, Notice, NoticeLevel, ServiceState};
use portway_app::reporter::Progress;

use super::sanitize::{one_line, sanitize};
use super::{DIM, RED, YELLOW, message, styled};

/// Formats a notice as one line.
fn notice(notice: &Notice) -> String {
    let text = sanitize(&notice.text, false);
    let text = match &notice.service {
        Some(service) => format!("`{service}` {text}"),
        None => text,
    };
    match notice.level {
        NoticeLevel::Info => styled(DIM, &format!("· {text}")),
        NoticeLevel::Warning => format!("{} {text}", styled(YELLOW.bold(), "warning:")),
        NoticeLevel::Error => format!("{} {text}", styled(RED.bold(), "error:")),
    }
}

/// A spinner that shows what a command waits for. Shows nothing if it cannot be animated.
pub(super) struct Spinner {
    bar: Option<ProgressBar>,
}

impl Spinner {
    pub(super) fn new() -> Self {
        let animated = super::is_colored(&std::io::stderr());
        let bar = animated.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar }
    }
}

impl Progress for Spinner {
    fn notice(&self, notice: &Notice) {
        self.line(&self::notice(notice));
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| message(&format!("{line}\n"))),
            None => message(&format!("{line}\n")),
        }
    }

    fn suspend(&self, print: &mut dyn FnMut()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn status(&self, status: &InstanceStatus) {
        if let Some(bar) = &self.bar {
            bar.set_message(one_line(&pending(status)));
        }
    }

    fn message(&self, action: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(one_line(action));
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn pending(status: &InstanceStatus) -> String {
    let words: Vec<String> = status
        .services
        .iter()
        .filter_map(|service| {
            let action = match service.state {
                ServiceState::Preparing => "preparing",
                ServiceState::Starting => "starting",
                ServiceState::Backoff => "restarting",
                ServiceState::Stopping => "stopping",
                _ => return None,
            };
            Some(format!("{} {action}", service.name))
        })
        .collect();
    words.join(", ")
}
